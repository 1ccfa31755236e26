//! DeleteRecords.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    DeleteRecordsRequest, DeleteRecordsResponse,
    delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult},
};

use super::{Answer, RequestError, read, write};
use crate::{
    broker::Shared,
    group::{NONE, OFFSET_OUT_OF_RANGE, POLICY_VIOLATION, UNKNOWN_TOPIC_OR_PARTITION},
    log::DeleteRecordsError,
};

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: DeleteRecordsRequest = read(body, version)?;
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| {
            let result = DeleteRecordsPartitionResult::default()
                .with_partition_index(wanted.partition_index);
            let Some(log) = shared.store.partition(&topic.name, wanted.partition_index) else {
                return result
                    .with_error_code(UNKNOWN_TOPIC_OR_PARTITION)
                    .with_low_watermark(-1);
            };
            match log.delete_records(wanted.offset) {
                Ok(start) => result.with_error_code(NONE).with_low_watermark(start),
                Err(DeleteRecordsError::PolicyViolation) => result
                    .with_error_code(POLICY_VIOLATION)
                    .with_low_watermark(-1),
                Err(_) => result
                    .with_error_code(OFFSET_OUT_OF_RANGE)
                    .with_low_watermark(-1),
            }
        });
        let partitions = partitions.collect();
        DeleteRecordsTopicResult::default()
            .with_name(topic.name)
            .with_partitions(partitions)
    });
    write(
        &DeleteRecordsResponse::default().with_topics(topics.collect()),
        version,
    )
}
