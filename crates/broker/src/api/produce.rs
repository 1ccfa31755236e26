//! Produce: whole batches go to the log as they came.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    ProduceRequest, ProduceResponse,
    produce_response::{PartitionProduceResponse, TopicProduceResponse},
};

use super::{Answer, RequestError, read, text, write};
use crate::{
    broker::Shared,
    clock::now_ms,
    group::{INVALID_REQUIRED_ACKS, NONE, UNKNOWN_TOPIC_OR_PARTITION},
    log::{AppendOrigin, batch::BatchHeader},
};

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: ProduceRequest = read(body, version)?;
    let transactional = request.transactional_id.as_ref().map(|id| id.to_string());
    let acks = request.acks;
    let mut responses = Vec::with_capacity(request.topic_data.len());
    for topic in request.topic_data {
        let mut partitions = Vec::with_capacity(topic.partition_data.len());
        for data in topic.partition_data {
            let index = data.index;
            let answer = if (-1..=1).contains(&acks) {
                append(
                    shared,
                    transactional.as_deref(),
                    &topic.name,
                    index,
                    data.records.unwrap_or_default(),
                )
            } else {
                refused(INVALID_REQUIRED_ACKS, None)
            };
            let answer = if version < 5 {
                answer.with_log_start_offset(-1)
            } else {
                answer
            };
            let answer = if version < 8 {
                answer.with_error_message(None)
            } else {
                answer
            };
            partitions.push(answer.with_index(index));
        }
        responses.push(
            TopicProduceResponse::default()
                .with_name(topic.name)
                .with_partition_responses(partitions),
        );
    }
    if acks == 0 {
        return Ok(Answer::None);
    }
    write(
        &ProduceResponse::default().with_responses(responses),
        version,
    )
}

fn refused(error: i16, message: Option<String>) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_error_code(error)
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(-1)
        .with_error_message(message.map(|message| text(&message)))
}

fn append(
    shared: &Arc<Shared>,
    transactional: Option<&str>,
    name: &str,
    index: i32,
    records: Bytes,
) -> PartitionProduceResponse {
    let Some(topic) = shared.store.topic(name) else {
        return refused(UNKNOWN_TOPIC_OR_PARTITION, None);
    };
    let Some(log) = topic.partition(index) else {
        return refused(UNKNOWN_TOPIC_OR_PARTITION, None);
    };
    if let Some(id) = transactional
        && let Ok(header) = BatchHeader::parse(&records)
        && header.is_transactional()
    {
        let (producer, epoch) = (header.producer_id, header.producer_epoch);
        if let Err(error) = shared.transactions.covers(id, producer, epoch, name, index) {
            return refused(error.0, None);
        }
    }
    match log.append(records, AppendOrigin::Client, now_ms()) {
        Ok(appended) => {
            shared.appends.wake(topic.id(), index);
            PartitionProduceResponse::default()
                .with_error_code(NONE)
                .with_base_offset(appended.first_offset)
                .with_log_append_time_ms(appended.log_append_time)
                .with_log_start_offset(appended.log_start_offset)
        }
        Err(error) => refused(error.code(), Some(error.to_string())),
    }
}
