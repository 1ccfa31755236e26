//! What is told in every version that the embedded broker offers of the requests that clients of all ages send.

use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, FetchRequest, FetchResponse,
    FindCoordinatorRequest, FindCoordinatorResponse, ListOffsetsRequest, ListOffsetsResponse,
    MetadataRequest, MetadataResponse, OffsetCommitRequest, OffsetCommitResponse,
    OffsetFetchRequest, OffsetFetchResponse, ProduceRequest, ProduceResponse,
    fetch_request::{FetchPartition, FetchTopic},
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    metadata_request::MetadataRequestTopic,
    offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_fetch_request::{
        OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    },
    produce_request::{PartitionProduceData, TopicProduceData},
};
use uuid::Uuid;

use super::{
    Notes,
    producing::{batch, record},
};
use crate::client::{Client, text};

const TOPIC: &str = "of.all.ages";
const TIME: i64 = 1_700_000_000_000;

pub(super) async fn versions(c: &mut Client, notes: &mut Notes) {
    c.create(TOPIC, 2, 1).await;
    c.led(TOPIC).await;
    let id = metadata(c, notes).await;
    produce(c, notes).await;
    fetch(c, notes, id).await;
    list_offsets(c, notes).await;
    coordinators(c, notes).await;
    offsets(c, notes).await;
}

async fn metadata(c: &mut Client, notes: &mut Notes) -> Uuid {
    let mut id = Uuid::nil();
    for version in 0..=12 {
        for topic in [TOPIC, "nope", "b ad"] {
            let topics = MetadataRequestTopic::default().with_name(Some(text(topic).into()));
            let mut request = MetadataRequest::default().with_topics(Some(vec![topics]));
            // From version 4 on one may ask for no creation.
            request.allow_auto_topic_creation = version < 4;
            let answer: MetadataResponse = c.call(ApiKey::Metadata, version, &request).await;
            let topics = answer.topics.iter().map(|topic| {
                let mut partitions: Vec<_> = topic
                    .partitions
                    .iter()
                    .map(|p| {
                        let (replicas, isr) = (p.replica_nodes.len(), p.isr_nodes.len());
                        let offline = p.offline_replicas.len();
                        let epoch = p.leader_epoch;
                        (
                            p.error_code,
                            p.partition_index,
                            epoch,
                            replicas,
                            isr,
                            offline,
                        )
                    })
                    .collect();
                partitions.sort_unstable();
                (
                    topic.error_code,
                    topic.name.as_ref().map(|name| name.to_string()),
                    topic.is_internal,
                    topic.topic_authorized_operations,
                    topic.topic_id.is_nil(),
                    partitions,
                )
            });
            notes.note(
                &format!("metadata {version} of {topic}"),
                (
                    answer.brokers.len(),
                    answer.cluster_id.is_some(),
                    answer.cluster_authorized_operations,
                    topics.collect::<Vec<_>>(),
                ),
            );
            if topic == TOPIC && version >= 10 {
                id = answer.topics[0].topic_id;
            }
        }
    }
    id
}

async fn produce(c: &mut Client, notes: &mut Notes) {
    for version in 3..=12 {
        for (what, acks, partition) in [
            ("all", -1, 0),
            ("one", 1, 0),
            ("no partition", -1, 9),
            ("bad acks", 7, 0),
        ] {
            let records = batch(&[record(0, Some("k"), TIME, 3)]).freeze();
            let data = PartitionProduceData::default()
                .with_index(partition)
                .with_records(Some(records));
            let topic = TopicProduceData::default()
                .with_name(text(TOPIC).into())
                .with_partition_data(vec![data]);
            let request = ProduceRequest::default()
                .with_acks(acks)
                .with_timeout_ms(10_000)
                .with_topic_data(vec![topic]);
            let answer: ProduceResponse = c.call(ApiKey::Produce, version, &request).await;
            let p = &answer.responses[0].partition_responses[0];
            notes.note(
                &format!("produce {version}, {what}"),
                (
                    (p.index, p.error_code, p.base_offset),
                    (p.log_append_time_ms, p.log_start_offset),
                    p.record_errors.len(),
                    answer.node_endpoints.len(),
                    answer.throttle_time_ms,
                ),
            );
        }
    }
}

async fn fetch(c: &mut Client, notes: &mut Notes, id: Uuid) {
    for version in 4..=16 {
        for (what, partition, offset) in [("from 1", 0, 1), ("beyond", 0, 9999), ("nowhere", 7, 0)]
        {
            let at = FetchPartition::default()
                .with_partition(partition)
                .with_fetch_offset(offset)
                .with_partition_max_bytes(1 << 20);
            let mut topic = FetchTopic::default().with_partitions(vec![at]);
            if version >= 13 {
                topic.topic_id = id;
            } else {
                topic.topic = text(TOPIC).into();
            }
            let mut request = FetchRequest::default()
                .with_max_bytes(1 << 20)
                .with_topics(vec![topic]);
            if version < 15 {
                request.replica_id = (-1).into();
            }
            let answer: FetchResponse = c.call(ApiKey::Fetch, version, &request).await;
            let topic = &answer.responses[0];
            let p = &topic.partitions[0];
            notes.note(
                &format!("fetch {version}, {what}"),
                (
                    (
                        answer.error_code,
                        answer.session_id,
                        topic.topic.to_string(),
                    ),
                    (p.partition_index, p.error_code, p.high_watermark),
                    (p.last_stable_offset, p.log_start_offset),
                    p.aborted_transactions.as_ref().map(Vec::len),
                    p.records.as_ref().map(bytes::Bytes::len),
                ),
            );
        }
    }
}

async fn list_offsets(c: &mut Client, notes: &mut Notes) {
    for version in 1..=9 {
        for time in [-6, -5, -4, -3, -2, -1, 1, TIME, TIME + 1] {
            let at = ListOffsetsPartition::default().with_timestamp(time);
            let topic = ListOffsetsTopic::default()
                .with_name(text(TOPIC).into())
                .with_partitions(vec![at]);
            let request = ListOffsetsRequest::default()
                .with_replica_id((-1).into())
                .with_topics(vec![topic]);
            let answer: ListOffsetsResponse = c.call(ApiKey::ListOffsets, version, &request).await;
            let p = &answer.topics[0].partitions[0];
            notes.note(
                &format!("offset {version} at {time}"),
                (p.error_code, p.offset, p.timestamp, p.leader_epoch),
            );
        }
    }
}

async fn coordinators(c: &mut Client, notes: &mut Notes) {
    for version in 0..=6 {
        for kind in [0, 1, 2, 9] {
            if version == 0 && kind != 0 {
                continue;
            }
            let mut request = FindCoordinatorRequest::default().with_key_type(kind);
            if version >= 4 {
                request.coordinator_keys = vec![text("any"), text("")];
            } else {
                request.key = text("any");
            }
            let answer: FindCoordinatorResponse =
                c.call(ApiKey::FindCoordinator, version, &request).await;
            let all = answer.coordinators.iter();
            let all: Vec<_> = all
                .map(|one| (one.key.to_string(), one.error_code, *one.node_id >= 0))
                .collect();
            notes.note(
                &format!("coordinator {version} of kind {kind}"),
                (answer.error_code, *answer.node_id >= 0, all),
            );
        }
    }
}

async fn offsets(c: &mut Client, notes: &mut Notes) {
    for version in 2..=9 {
        let at = OffsetCommitRequestPartition::default()
            .with_partition_index(i32::from(version % 2))
            .with_committed_offset(i64::from(version))
            .with_committed_metadata(Some(text("said")));
        let topic = OffsetCommitRequestTopic::default()
            .with_name(text(TOPIC).into())
            .with_partitions(vec![at]);
        let request = OffsetCommitRequest::default()
            .with_group_id(text("ages").into())
            .with_topics(vec![topic]);
        let answer: OffsetCommitResponse = c.call(ApiKey::OffsetCommit, version, &request).await;
        let told = answer.topics[0].partitions[0].error_code;
        notes.note(&format!("commit {version}"), told);
    }
    for version in 1..=9 {
        for (what, topics) in [("of some", Some([0, 1, 5])), ("of all", None)] {
            // All were first asked for by an absent list in version 2.
            if topics.is_none() && version < 2 {
                continue;
            }
            let mut request = OffsetFetchRequest::default();
            if version >= 8 {
                let topics = topics.map(|indexes| {
                    let topic = OffsetFetchRequestTopics::default()
                        .with_name(text(TOPIC).into())
                        .with_partition_indexes(indexes.to_vec());
                    vec![topic]
                });
                request.groups = ["ages", "unknown"]
                    .map(|group| {
                        OffsetFetchRequestGroup::default()
                            .with_group_id(text(group).into())
                            .with_topics(topics.clone())
                    })
                    .to_vec();
            } else {
                request.group_id = text("ages").into();
                request.topics = topics.map(|indexes| {
                    let topic = OffsetFetchRequestTopic::default()
                        .with_name(text(TOPIC).into())
                        .with_partition_indexes(indexes.to_vec());
                    vec![topic]
                });
            }
            let answer: OffsetFetchResponse = c.call(ApiKey::OffsetFetch, version, &request).await;
            let mut told: Vec<_> = answer
                .topics
                .iter()
                .flat_map(|topic| &topic.partitions)
                .map(|p| {
                    let said = p.metadata.as_ref().map(ToString::to_string);
                    let at = (p.committed_offset, p.committed_leader_epoch);
                    format!("{} {at:?} {said:?} {}", p.partition_index, p.error_code)
                })
                .collect();
            told.sort();
            let mut grouped: Vec<_> = answer
                .groups
                .iter()
                .flat_map(|group| {
                    let all = group.topics.iter().flat_map(|topic| &topic.partitions);
                    let all = all.map(|p| {
                        let said = p.metadata.as_ref().map(ToString::to_string);
                        let at = (p.committed_offset, p.committed_leader_epoch);
                        format!("{} {at:?} {said:?} {}", p.partition_index, p.error_code)
                    });
                    let name = group.group_id.to_string();
                    let error = group.error_code;
                    all.map(move |told| format!("{name} {error} {told}"))
                        .collect::<Vec<_>>()
                })
                .collect();
            grouped.sort();
            notes.note(
                &format!("offsets {version} {what}"),
                (answer.error_code, told, grouped),
            );
        }
    }
}

impl Client {
    /// Key, least and greatest version of each request that is offered.
    pub(super) async fn offered(&mut self) -> Vec<(i16, i16, i16)> {
        let request = ApiVersionsRequest::default();
        let answer: ApiVersionsResponse = self.call(ApiKey::ApiVersions, 0, &request).await;
        let keys = answer.api_keys.iter();
        keys.map(|key| (key.api_key, key.min_version, key.max_version))
            .collect()
    }
}
