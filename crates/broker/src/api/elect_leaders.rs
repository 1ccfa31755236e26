//! ElectLeaders: this broker leads everything already.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    ElectLeadersRequest, ElectLeadersResponse,
    elect_leaders_response::{PartitionResult, ReplicaElectionResult},
};

use super::{Answer, RequestError, read, text, write};
use crate::{
    broker::Shared,
    group::{ELECTION_NOT_NEEDED, UNKNOWN_TOPIC_OR_PARTITION},
};

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: ElectLeadersRequest = read(body, version)?;
    // For all partitions, only those are told that needed it.
    let topics = request.topic_partitions.unwrap_or_default();
    let results = topics.into_iter().map(|topic| {
        let one = |index: &i32| {
            let known = shared.store.partition(&topic.topic, *index).is_some();
            let (error, message) = if known {
                (
                    ELECTION_NOT_NEEDED,
                    "Leader election not needed for topic partition.",
                )
            } else {
                (
                    UNKNOWN_TOPIC_OR_PARTITION,
                    "This server does not host this topic-partition.",
                )
            };
            PartitionResult::default()
                .with_partition_id(*index)
                .with_error_code(error)
                .with_error_message(Some(text(message)))
        };
        let results = topic.partitions.iter().map(one).collect();
        ReplicaElectionResult::default()
            .with_topic(topic.topic.clone())
            .with_partition_result(results)
    });
    let response = ElectLeadersResponse::default().with_replica_election_results(results.collect());
    write(&response, version)
}
