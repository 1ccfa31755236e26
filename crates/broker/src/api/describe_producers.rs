//! DescribeProducers.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    DescribeProducersRequest, DescribeProducersResponse,
    describe_producers_response::{PartitionResponse, ProducerState, TopicResponse},
};

use super::{Answer, RequestError, read, write};
use crate::{
    broker::Shared,
    group::{NONE, UNKNOWN_SERVER_ERROR, UNKNOWN_TOPIC_OR_PARTITION},
};

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: DescribeProducersRequest = read(body, version)?;
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| {
            let response = PartitionResponse::default().with_partition_index(*index);
            let Some(log) = shared.store.partition(&topic.name, *index) else {
                return response.with_error_code(UNKNOWN_TOPIC_OR_PARTITION);
            };
            let Ok(producers) = log.producers() else {
                return response.with_error_code(UNKNOWN_SERVER_ERROR);
            };
            let one = |producer: crate::log::ProducerSummary| {
                ProducerState::default()
                    .with_producer_id(producer.producer_id.into())
                    .with_producer_epoch(i32::from(producer.producer_epoch))
                    .with_last_sequence(producer.last_sequence)
                    .with_last_timestamp(producer.last_timestamp)
                    .with_coordinator_epoch(producer.coordinator_epoch)
                    .with_current_txn_start_offset(producer.current_txn_first_offset.unwrap_or(-1))
            };
            response
                .with_error_code(NONE)
                .with_active_producers(producers.into_iter().map(one).collect())
        });
        let partitions = partitions.collect();
        TopicResponse::default()
            .with_name(topic.name)
            .with_partitions(partitions)
    });
    write(
        &DescribeProducersResponse::default().with_topics(topics.collect()),
        version,
    )
}
