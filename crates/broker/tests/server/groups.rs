//! Groups of the classic protocol.

use bytes::Bytes;
use kafka_protocol::messages::{
    ApiKey, DeleteTopicsRequest, DeleteTopicsResponse, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest,
    SyncGroupResponse, delete_topics_request::DeleteTopicState,
    join_group_request::JoinGroupRequestProtocol, leave_group_request::MemberIdentity,
    sync_group_request::SyncGroupRequestAssignment,
};

use milena_broker::{Broker, BrokerConfig};

use crate::client::{Client, start, text};

const NONE: i16 = 0;
const ILLEGAL_GENERATION: i16 = 22;
const UNKNOWN_MEMBER_ID: i16 = 25;
const INVALID_SESSION_TIMEOUT: i16 = 26;
const REBALANCE_IN_PROGRESS: i16 = 27;
const MEMBER_ID_REQUIRED: i16 = 79;
const FENCED_INSTANCE_ID: i16 = 82;

pub(crate) fn join(
    group: &str,
    member: &str,
    instance: Option<&str>,
    session: i32,
) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"topics"));
    JoinGroupRequest::default()
        .with_group_id(text(group).into())
        .with_member_id(text(member))
        .with_group_instance_id(instance.map(text))
        .with_session_timeout_ms(session)
        .with_rebalance_timeout_ms(20_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

impl Client {
    pub(crate) async fn join(&mut self, request: &JoinGroupRequest) -> JoinGroupResponse {
        self.call(ApiKey::JoinGroup, 7, request).await
    }

    /// Joins as a new member, taking the detour of MEMBER_ID_REQUIRED.
    async fn enter(&mut self, group: &str, session: i32) -> JoinGroupResponse {
        let first = self.join(&join(group, "", None, session)).await;
        assert_eq!(first.error_code, MEMBER_ID_REQUIRED);
        let id = first.member_id.to_string();
        self.join(&join(group, &id, None, session)).await
    }

    pub(crate) async fn sync(
        &mut self,
        group: &str,
        member: (&str, i32),
        plan: &[(&str, &'static str)],
    ) -> (i16, Bytes) {
        let one = |(id, part): &(&str, &'static str)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(text(id))
                .with_assignment(Bytes::from_static(part.as_bytes()))
        };
        let request = SyncGroupRequest::default()
            .with_group_id(text(group).into())
            .with_member_id(text(member.0))
            .with_generation_id(member.1)
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("range")))
            .with_assignments(plan.iter().map(one).collect());
        let answer: SyncGroupResponse = self.call(ApiKey::SyncGroup, 5, &request).await;
        (answer.error_code, answer.assignment)
    }

    pub(crate) async fn heartbeat(
        &mut self,
        group: &str,
        member: (&str, i32),
        instance: Option<&str>,
    ) -> i16 {
        let request = HeartbeatRequest::default()
            .with_group_id(text(group).into())
            .with_member_id(text(member.0))
            .with_generation_id(member.1)
            .with_group_instance_id(instance.map(text));
        let answer: HeartbeatResponse = self.call(ApiKey::Heartbeat, 4, &request).await;
        answer.error_code
    }

    pub(crate) async fn leave(&mut self, group: &str, member: &str) -> i16 {
        let request = LeaveGroupRequest::default()
            .with_group_id(text(group).into())
            .with_members(vec![MemberIdentity::default().with_member_id(text(member))]);
        let answer: LeaveGroupResponse = self.call(ApiKey::LeaveGroup, 4, &request).await;
        answer.members[0].error_code
    }
}

#[tokio::test]
async fn two_members_share_and_one_takes_over_when_the_leader_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(&dir).await;
    let mut one = Client::connect(&broker.bootstrap()).await;
    let mut two = Client::connect(&broker.bootstrap()).await;

    let first = one.enter("g", 30_000).await;
    let a = first.member_id.to_string();
    assert_eq!((first.error_code, first.generation_id), (NONE, 1));
    assert_eq!(first.leader.as_str(), a);
    assert_eq!(
        one.sync("g", (&a, 1), &[(&a, "all")]).await,
        (NONE, Bytes::from_static(b"all"))
    );

    let waiting = tokio::spawn(async move {
        let joined = two.enter("g", 30_000).await;
        (two, joined)
    });
    while one.heartbeat("g", (&a, 1), None).await != REBALANCE_IN_PROGRESS {
        tokio::task::yield_now().await;
    }
    let again = one.join(&join("g", &a, None, 30_000)).await;
    let (mut two, second) = waiting.await.unwrap();
    let b = second.member_id.to_string();
    assert_eq!((again.generation_id, second.generation_id), (2, 2));
    assert_eq!((again.members.len(), second.members.len()), (2, 0));
    assert_eq!(one.heartbeat("g", (&a, 1), None).await, ILLEGAL_GENERATION);

    let follower = {
        let b = b.clone();
        tokio::spawn(async move {
            let synced = two.sync("g", (&b, 2), &[]).await;
            (two, synced)
        })
    };
    one.sync("g", (&a, 2), &[(&a, "left"), (&b, "right")]).await;
    let (mut two, synced) = follower.await.unwrap();
    assert_eq!(synced, (NONE, Bytes::from_static(b"right")));

    assert_eq!(one.leave("g", &a).await, NONE);
    assert_eq!(
        two.heartbeat("g", (&b, 2), None).await,
        REBALANCE_IN_PROGRESS
    );
    let alone = two.join(&join("g", &b, None, 30_000)).await;
    assert_eq!(
        (alone.generation_id, alone.leader.as_str()),
        (3, b.as_str())
    );
    assert_eq!(one.heartbeat("g", (&a, 3), None).await, UNKNOWN_MEMBER_ID);
    broker.shutdown().await;
}

#[tokio::test]
async fn a_silent_member_is_out_when_its_session_ends() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(&dir).await;
    let mut client = Client::connect(&broker.bootstrap()).await;
    let joined = client.enter("g", 6_000).await;
    let id = joined.member_id.to_string();
    client.sync("g", (&id, 1), &[(&id, "all")]).await;
    let mut other = Client::connect(&broker.bootstrap()).await;
    // Joins while the first says nothing: the answer comes with the end of the first one's session.
    let second = other.enter("g", 6_000).await;
    assert_eq!((second.error_code, second.generation_id), (NONE, 2));
    assert_eq!(second.members.len(), 1);
    assert_eq!(
        client.heartbeat("g", (&id, 2), None).await,
        UNKNOWN_MEMBER_ID
    );
    broker.shutdown().await;
}

/// KIP-394: who was given an id is about to join.
#[tokio::test]
async fn a_round_waits_for_a_member_that_was_given_an_id() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(&dir).await;
    let mut one = Client::connect(&broker.bootstrap()).await;
    let mut two = Client::connect(&broker.bootstrap()).await;
    let mut three = Client::connect(&broker.bootstrap()).await;
    let first = one.enter("g", 30_000).await;
    let a = first.member_id.to_string();
    one.sync("g", (&a, 1), &[(&a, "all")]).await;

    let promised = three.join(&join("g", "", None, 30_000)).await;
    assert_eq!(promised.error_code, MEMBER_ID_REQUIRED);
    let c = promised.member_id.to_string();
    let second = tokio::spawn(async move { two.enter("g", 30_000).await });
    while one.heartbeat("g", (&a, 1), None).await != REBALANCE_IN_PROGRESS {
        tokio::task::yield_now().await;
    }
    one.send(ApiKey::JoinGroup, 7, &join("g", &a, None, 30_000))
        .await;
    let third = three.join(&join("g", &c, None, 30_000)).await;
    let again: JoinGroupResponse = one.receive(7).await;
    let second = second.await.unwrap();
    let generations = [&again, &second, &third].map(|joined| joined.generation_id);
    assert_eq!(generations, [2, 2, 2]);
    assert_eq!(again.members.len(), 3);
    broker.shutdown().await;
}

#[tokio::test]
async fn session_timeouts_are_kept_to_what_the_broker_allows() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = BrokerConfig::new(dir.path(), ([127, 0, 0, 1], 0).into());
    config.group_min_session_timeout = std::time::Duration::from_millis(100);
    let broker = Broker::start(config).await.unwrap();
    let mut client = Client::connect(&broker.bootstrap()).await;
    for (session, error) in [
        (99, INVALID_SESSION_TIMEOUT),
        (100, MEMBER_ID_REQUIRED),
        (1_800_001, INVALID_SESSION_TIMEOUT),
    ] {
        let answer = client.join(&join("g", "", None, session)).await;
        assert_eq!(answer.error_code, error, "{session} ms");
    }
    broker.shutdown().await;
}

#[tokio::test]
async fn a_stranger_does_not_commit_for_a_group_that_has_only_offsets() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(&dir).await;
    let mut client = Client::connect(&broker.bootstrap()).await;
    client.create("t", 1, 1).await;
    assert_eq!(
        client.commit("g", ("who", 1), "t", 5).await,
        ILLEGAL_GENERATION
    );
    assert_eq!(client.commit("g", ("", -1), "t", 5).await, NONE);
    assert_eq!(
        client.commit("g", ("who", 1), "t", 5).await,
        UNKNOWN_MEMBER_ID
    );
    broker.shutdown().await;
}

#[tokio::test]
async fn a_static_member_returns_without_a_rebalance_and_fences_its_former_self() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(&dir).await;
    let mut one = Client::connect(&broker.bootstrap()).await;
    let leader = one.enter("g", 30_000).await.member_id.to_string();
    one.sync("g", (&leader, 1), &[(&leader, "all")]).await;
    let mut two = Client::connect(&broker.bootstrap()).await;
    let waiting = tokio::spawn(async move {
        let joined = two.join(&join("g", "", Some("i"), 30_000)).await;
        (two, joined)
    });
    while one.heartbeat("g", (&leader, 1), None).await != REBALANCE_IN_PROGRESS {
        tokio::task::yield_now().await;
    }
    one.join(&join("g", &leader, None, 30_000)).await;
    let (mut two, joined) = waiting.await.unwrap();
    let old = joined.member_id.to_string();
    one.sync("g", (&leader, 2), &[(&leader, "left"), (&old, "right")])
        .await;

    let back = two.join(&join("g", "", Some("i"), 30_000)).await;
    let new = back.member_id.to_string();
    assert_eq!((back.error_code, back.generation_id), (NONE, 2));
    assert_ne!(new, old);
    assert_eq!(
        two.sync("g", (&new, 2), &[]).await,
        (NONE, Bytes::from_static(b"right"))
    );
    assert_eq!(one.heartbeat("g", (&leader, 2), None).await, NONE);
    assert_eq!(
        two.heartbeat("g", (&old, 2), Some("i")).await,
        FENCED_INSTANCE_ID
    );
    broker.shutdown().await;
}

#[tokio::test]
async fn committed_offsets_survive_a_restart_and_go_with_their_topic() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(&dir).await;
    let mut client = Client::connect(&broker.bootstrap()).await;
    assert_eq!(client.create("t", 1, 1).await, NONE);
    assert_eq!(client.commit("g", ("", -1), "t", 42).await, NONE);
    broker.shutdown().await;

    let broker = start(&dir).await;
    let mut client = Client::connect(&broker.bootstrap()).await;
    assert_eq!(client.committed("g", "t").await, (NONE, 42));
    let topic = DeleteTopicState::default().with_name(Some(text("t").into()));
    let request = DeleteTopicsRequest::default().with_topics(vec![topic]);
    let deleted: DeleteTopicsResponse = client.call(ApiKey::DeleteTopics, 6, &request).await;
    assert_eq!(deleted.responses[0].error_code, NONE);
    assert_eq!(client.create("t", 1, 1).await, NONE);
    assert_eq!(client.committed("g", "t").await, (NONE, -1));
    broker.shutdown().await;
}
