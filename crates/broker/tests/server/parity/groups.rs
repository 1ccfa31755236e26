//! What members of groups, and those who are none, are told.

use bytes::Bytes;
use kafka_protocol::messages::{
    ApiKey, DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest,
    DescribeGroupsResponse, JoinGroupRequest, ListGroupsRequest, ListGroupsResponse,
    OffsetDeleteRequest, OffsetDeleteResponse,
    offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
};

use super::{Notes, code};
use crate::{
    client::{Client, text},
    groups::join,
};

/// The subscription of a consumer to the topic `t`: Apache Kafka reads it.
const SUBSCRIPTION: &[u8] = b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff";

fn consumer(group: &str, member: &str, instance: Option<&str>) -> JoinGroupRequest {
    let mut request = join(group, member, instance, 10_000);
    request.protocols[0].metadata = Bytes::from_static(SUBSCRIPTION);
    request
}

impl Client {
    async fn delete_group(&mut self, name: &str) -> i16 {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![text(name).into()]);
        let answer: DeleteGroupsResponse = self.call(ApiKey::DeleteGroups, 2, &request).await;
        answer.results[0].error_code
    }

    async fn delete_offset(&mut self, group: &str, topic: &str, partition: i32) -> (i16, i16) {
        let at = OffsetDeleteRequestPartition::default().with_partition_index(partition);
        let topic = OffsetDeleteRequestTopic::default()
            .with_name(text(topic).into())
            .with_partitions(vec![at]);
        let request = OffsetDeleteRequest::default()
            .with_group_id(text(group).into())
            .with_topics(vec![topic]);
        let answer: OffsetDeleteResponse = self.call(ApiKey::OffsetDelete, 0, &request).await;
        let of_partition = answer
            .topics
            .first()
            .and_then(|topic| topic.partitions.first());
        (answer.error_code, of_partition.map_or(-1, |p| p.error_code))
    }

    /// Code, state, type, protocol, number of members.
    async fn describe(&mut self, group: &str) -> (i16, String, String, String, usize) {
        let request = DescribeGroupsRequest::default().with_groups(vec![text(group).into()]);
        let answer: DescribeGroupsResponse = self.call(ApiKey::DescribeGroups, 5, &request).await;
        let group = &answer.groups[0];
        (
            group.error_code,
            group.group_state.to_string(),
            group.protocol_type.to_string(),
            group.protocol_data.to_string(),
            group.members.len(),
        )
    }

    async fn listed(&mut self, group: &str, state: &str) -> (i16, Option<(String, String)>) {
        let request = ListGroupsRequest::default().with_states_filter(vec![text(state)]);
        let answer: ListGroupsResponse = self.call(ApiKey::ListGroups, 4, &request).await;
        let found = answer
            .groups
            .iter()
            .find(|one| one.group_id.as_str() == group);
        let row = found.map(|one| (one.protocol_type.to_string(), one.group_state.to_string()));
        (answer.error_code, row)
    }
}

pub(super) async fn strangers(c: &mut Client, notes: &mut Notes) {
    c.made("t").await;
    notes.note(
        "delete no group",
        code(async || c.delete_group("nope").await).await,
    );
    notes.note(
        "commit of nobody",
        code(async || c.commit("g", ("", -1), "t", 3).await).await,
    );
    notes.note(
        "commit for no topic",
        c.commit("g", ("", -1), "nope", 3).await,
    );
    notes.note(
        "commit without a group",
        c.commit("", ("", -1), "t", 3).await,
    );
    notes.note(
        "commit of a stranger",
        c.commit("g", ("who", 1), "t", 3).await,
    );
    notes.note(
        "commit of a stranger to no group",
        c.commit("g2", ("who", 1), "t", 3).await,
    );
    notes.note(
        "commit with a generation of nobody",
        c.commit("g", ("", 4), "t", 3).await,
    );
    notes.note("offset of no group", c.committed("g3", "t").await);
    notes.note("offset of no topic", c.committed("g", "nope").await);
    notes.note(
        "heartbeat to no group",
        c.heartbeat("g4", ("who", 1), None).await,
    );
    notes.note(
        "heartbeat without a group",
        c.heartbeat("", ("who", 1), None).await,
    );
    notes.note(
        "heartbeat of a stranger",
        c.heartbeat("g", ("who", 1), None).await,
    );
    notes.note("leave no group", c.leave("g4", "who").await);
    notes.note("leave as a stranger", c.leave("g", "who").await);
    notes.note("sync with no group", c.sync("g4", ("who", 1), &[]).await.0);
    notes.note("sync as a stranger", c.sync("g", ("who", 1), &[]).await.0);
    notes.note(
        "join as a stranger",
        c.join(&consumer("g4", "who", None)).await.error_code,
    );
    notes.note(
        "join without a group",
        c.join(&consumer("", "", None)).await.error_code,
    );
    let mut request = consumer("g6", "", None);
    request.session_timeout_ms = 10;
    notes.note("a short session", c.join(&request).await.error_code);
    request.session_timeout_ms = i32::MAX;
    notes.note("a long session", c.join(&request).await.error_code);
    let mut request = consumer("g7", "", None);
    request.protocols.clear();
    notes.note("no protocols", c.join(&request).await.error_code);
    let mut request = consumer("g7", "", None);
    request.protocol_type = text("");
    notes.note("no type", c.join(&request).await.error_code);
    notes.note("describe", c.describe("g").await);
    notes.note("describe none", c.describe("nope").await);
    notes.note("list empty ones", c.listed("g", "Empty").await);
    notes.note("list stable ones", c.listed("g", "Stable").await);
    notes.note("list of no state", c.listed("g", "Weird").await);
}

pub(super) async fn members(c: &mut Client, notes: &mut Notes) {
    let asked = c.join(&consumer("g5", "", None)).await;
    notes.note("join as new", (asked.error_code, asked.generation_id));
    let id = asked.member_id.to_string();
    let joined = c.join(&consumer("g5", &id, None)).await;
    notes.note(
        "join with the given id",
        (
            joined.error_code,
            joined.generation_id,
            &joined.protocol_type,
            &joined.protocol_name,
            joined.leader.as_str() == id,
            joined.members.len(),
        ),
    );
    let generation = joined.generation_id;
    let me = (id.as_str(), generation);
    notes.note("describe before sync", c.describe("g5").await);
    notes.note("heartbeat before sync", c.heartbeat("g5", me, None).await);
    notes.note("commit before sync", c.commit("g5", me, "t", 1).await);
    notes.note(
        "sync of another generation",
        c.sync("g5", (&id, generation + 1), &[]).await.0,
    );
    notes.note("sync", c.sync("g5", me, &[(&id, "all")]).await);
    notes.note("sync again", c.sync("g5", me, &[]).await);
    notes.note("heartbeat", c.heartbeat("g5", me, None).await);
    notes.note(
        "heartbeat of an older generation",
        c.heartbeat("g5", (&id, generation - 1), None).await,
    );
    notes.note(
        "heartbeat of another",
        c.heartbeat("g5", ("who", generation), None).await,
    );
    notes.note("describe", c.describe("g5").await);
    notes.note("list", c.listed("g5", "Stable").await);
    notes.note("commit", c.commit("g5", me, "t", 1).await);
    notes.note(
        "commit of an older generation",
        c.commit("g5", (&id, generation - 1), "t", 1).await,
    );
    notes.note(
        "commit of nobody beside members",
        c.commit("g5", ("", -1), "t", 1).await,
    );
    let mut other = consumer("g5", "", None);
    other.protocol_type = text("connect");
    notes.note("join of another type", c.join(&other).await.error_code);
    let mut other = consumer("g5", "", None);
    other.protocols[0].name = text("unheard");
    notes.note(
        "join with another protocol",
        c.join(&other).await.error_code,
    );
    notes.note(
        "delete the offsets of what is read",
        c.delete_offset("g5", "t", 0).await,
    );
    notes.note("delete a group with members", c.delete_group("g5").await);
    notes.note("leave of another", c.leave("g5", "who").await);
    notes.note("leave", c.leave("g5", &id).await);
    notes.note("leave again", c.leave("g5", &id).await);
    notes.note("heartbeat after", c.heartbeat("g5", me, None).await);
    notes.note("describe when empty", c.describe("g5").await);
    notes.note("delete", c.delete_group("g5").await);
    notes.note("describe when deleted", c.describe("g5").await);
}

pub(super) async fn static_members(c: &mut Client, notes: &mut Notes) {
    let joined = c.join(&consumer("gs", "", Some("i"))).await;
    notes.note("join", (joined.error_code, joined.generation_id));
    let first = joined.member_id.to_string();
    let generation = joined.generation_id;
    notes.note(
        "sync",
        c.sync("gs", (&first, generation), &[(&first, "all")]).await,
    );
    let back = c.join(&consumer("gs", "", Some("i"))).await;
    let second = back.member_id.to_string();
    notes.note(
        "come back",
        (back.error_code, back.generation_id, first == second),
    );
    let generation = back.generation_id;
    notes.note(
        "sync after it",
        c.sync("gs", (&second, generation), &[(&second, "all")])
            .await,
    );
    notes.note(
        "the former self",
        c.heartbeat("gs", (&first, generation), Some("i")).await,
    );
    notes.note(
        "the former self joins",
        c.join(&consumer("gs", &first, Some("i"))).await.error_code,
    );
    notes.note(
        "another instance",
        c.heartbeat("gs", (&second, generation), Some("j")).await,
    );
    notes.note(
        "heartbeat",
        c.heartbeat("gs", (&second, generation), Some("i")).await,
    );
    notes.note("leave", c.leave("gs", &second).await);
}

pub(super) async fn offsets(c: &mut Client, notes: &mut Notes) {
    notes.note("commit", c.commit("go", ("", -1), "t", 5).await);
    notes.note(
        "commit a negative one",
        c.commit("go", ("", -1), "t", -3).await,
    );
    notes.note("what was committed", c.committed("go", "t").await);
    notes.note("delete one", c.delete_offset("go", "t", 0).await);
    notes.note("after it", c.committed("go", "t").await);
    notes.note("delete it again", c.delete_offset("go", "t", 0).await);
    notes.note(
        "delete of no partition",
        c.delete_offset("go", "t", 77).await,
    );
    notes.note("delete of no topic", c.delete_offset("go", "nope", 0).await);
    notes.note("delete of no group", c.delete_offset("nope", "t", 0).await);
    notes.note("delete the group", c.delete_group("go").await);
}
