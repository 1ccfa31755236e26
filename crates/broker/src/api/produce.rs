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
    group::{
        CONCURRENT_TRANSACTIONS, INVALID_PRODUCER_EPOCH, INVALID_RECORD, INVALID_REQUIRED_ACKS,
        INVALID_TOPIC_EXCEPTION, INVALID_TXN_STATE, NONE, NOT_ENOUGH_REPLICAS, OFFSETS_TOPIC,
        PRODUCER_FENCED, TRANSACTION_ABORTABLE, TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        UNKNOWN_TOPIC_OR_PARTITION,
    },
    log::{AppendOrigin, batch::BatchHeader},
    txn::Joining,
};

const TRANSACTIONS_TOPIC: &str = "__transaction_state";

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
                    version,
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
        return unasked(&responses);
    }
    write(
        &ProduceResponse::default().with_responses(responses),
        version,
    )
}

/// Who wants no answer learns by the end of the connection that its records were not taken.
fn unasked(responses: &[TopicProduceResponse]) -> Result<Answer, RequestError> {
    let all = responses.iter().flat_map(|topic| {
        let partitions = topic.partition_responses.iter();
        partitions.map(move |partition| (&topic.name, partition))
    });
    match all.into_iter().find(|(_, p)| p.error_code != NONE) {
        None => Ok(Answer::None),
        Some((topic, partition)) => Err(RequestError::Unacknowledged {
            topic: topic.to_string(),
            partition: partition.index,
            error: partition.error_code,
        }),
    }
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
    version: i16,
) -> PartitionProduceResponse {
    if name == OFFSETS_TOPIC || name == TRANSACTIONS_TOPIC {
        return refused(INVALID_TOPIC_EXCEPTION, None);
    }
    let Some(topic) = shared.store.topic(name) else {
        return refused(UNKNOWN_TOPIC_OR_PARTITION, None);
    };
    let Some(log) = topic.partition(index) else {
        return refused(UNKNOWN_TOPIC_OR_PARTITION, None);
    };
    let header = BatchHeader::parse(&records).ok();
    if header
        .as_ref()
        .is_some_and(|header| header.size() < records.len())
    {
        // What is judged of the first would not be judged of the others.
        let message = "Produce requests must contain exactly one record batch per partition";
        return refused(INVALID_RECORD, Some(message.to_owned()));
    }
    let transaction = header.filter(BatchHeader::is_transactional);
    let write = || log.append(records, AppendOrigin::Client, now_ms());
    let appended = match (transaction, transactional) {
        (None, _) => write(),
        // Nobody could ever end such a transaction.
        (Some(_), None) => return refused(TRANSACTIONAL_ID_AUTHORIZATION_FAILED, None),
        (Some(header), Some(id)) => {
            let (producer, epoch) = (header.producer_id, header.producer_epoch);
            let joining = if version >= 12 {
                Joining::ByWriting
            } else {
                Joining::Before
            };
            let transactions = &shared.transactions;
            let within =
                transactions.within(shared, id, producer, epoch, name, index, joining, write);
            match within {
                Ok(appended) => appended,
                Err(error) => {
                    let error = match error.0 {
                        // Producers know the older code here: the partition's, not the coordinator's.
                        PRODUCER_FENCED => INVALID_PRODUCER_EPOCH,
                        TRANSACTION_ABORTABLE if version < 11 => INVALID_TXN_STATE,
                        CONCURRENT_TRANSACTIONS if version < 12 => NOT_ENOUGH_REPLICAS,
                        error => error,
                    };
                    return refused(error, None);
                }
            }
        }
    };
    match appended {
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
