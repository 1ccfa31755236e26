//! AddPartitionsToTxn, as clients send it (versions 0 to 3).

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    add_partitions_to_txn_response::{
        AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
    },
};

use super::{Answer, RequestError, fenced, read, write};
use crate::{
    broker::Shared,
    group::{NONE, UNKNOWN_TOPIC_OR_PARTITION},
};

/// Nothing was added because another partition of the request was refused.
const OPERATION_NOT_ATTEMPTED: i16 = 55;

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: AddPartitionsToTxnRequest = read(body, version)?;
    let topics = request.v3_and_below_topics;
    let exists = |topic: &str, partition: i32| shared.store.partition(topic, partition).is_some();
    let all = topics
        .iter()
        .all(|topic| topic.partitions.iter().all(|p| exists(&topic.name, *p)));
    let outcome = if all {
        let wanted = topics.iter().flat_map(|topic| {
            let name = topic.name.to_string();
            topic.partitions.iter().map(move |p| (name.clone(), *p))
        });
        let (id, producer) = (
            &request.v3_and_below_transactional_id,
            *request.v3_and_below_producer_id,
        );
        let added = shared.transactions.add(
            shared,
            id,
            producer,
            request.v3_and_below_producer_epoch,
            wanted,
        );
        added.map_or_else(|error| fenced(error.0, version >= 2), |()| NONE)
    } else {
        OPERATION_NOT_ATTEMPTED
    };
    let results = topics.into_iter().map(|topic| {
        let one = |partition: &i32| {
            let known = exists(&topic.name, *partition);
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*partition)
                .with_partition_error_code(if known {
                    outcome
                } else {
                    UNKNOWN_TOPIC_OR_PARTITION
                })
        };
        let partitions = topic.partitions.iter().map(one).collect();
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name.clone())
            .with_results_by_partition(partitions)
    });
    let results = results.collect();
    write(
        &AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results),
        version,
    )
}
