//! AddPartitionsToTxn: of one transaction, as clients send it (versions 0 to 3), or of several, to be added or only
//! looked for, as brokers send it (KIP-890).

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, TransactionalId,
    add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction},
    add_partitions_to_txn_response::{
        AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
    },
};

use super::{Answer, RequestError, fenced, read, write};
use crate::{
    broker::Shared,
    group::{NONE, TRANSACTION_ABORTABLE, UNKNOWN_TOPIC_OR_PARTITION},
    txn::TxnError,
};

/// Nothing was added because another partition of the request was refused.
const OPERATION_NOT_ATTEMPTED: i16 = 55;
/// From here on a request is of several transactions.
const BATCHED: i16 = 4;

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: AddPartitionsToTxnRequest = read(body, version)?;
    let response = AddPartitionsToTxnResponse::default();
    if version < BATCHED {
        let one = AddPartitionsToTxnTransaction::default()
            .with_transactional_id(request.v3_and_below_transactional_id)
            .with_producer_id(request.v3_and_below_producer_id)
            .with_producer_epoch(request.v3_and_below_producer_epoch)
            .with_topics(request.v3_and_below_topics);
        let results = add(shared, &one, version);
        let response = response.with_results_by_topic_v3_and_below(results);
        return write(&response, version);
    }
    let results = request.transactions.into_iter().map(|one| {
        let id: TransactionalId = one.transactional_id.clone();
        let topics = if one.verify_only {
            verify(shared, &one)
        } else {
            add(shared, &one, version)
        };
        AddPartitionsToTxnResult::default()
            .with_transactional_id(id)
            .with_topic_results(topics)
    });
    write(
        &response.with_results_by_transaction(results.collect()),
        version,
    )
}

fn add(
    shared: &Arc<Shared>,
    one: &AddPartitionsToTxnTransaction,
    version: i16,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let exists = |topic: &str, partition: i32| shared.store.partition(topic, partition).is_some();
    let all = one
        .topics
        .iter()
        .all(|topic| topic.partitions.iter().all(|p| exists(&topic.name, *p)));
    let outcome = if all {
        let wanted = one.topics.iter().flat_map(|topic| {
            let name = topic.name.to_string();
            topic.partitions.iter().map(move |p| (name.clone(), *p))
        });
        let (id, producer) = (&one.transactional_id, *one.producer_id);
        let added = shared
            .transactions
            .add(shared, id, producer, one.producer_epoch, wanted);
        added.map_or_else(|error| fenced(error.0, version >= 2), |()| NONE)
    } else {
        OPERATION_NOT_ATTEMPTED
    };
    results(&one.topics, |topic, partition| {
        if exists(topic, partition) {
            outcome
        } else {
            UNKNOWN_TOPIC_OR_PARTITION
        }
    })
}

/// Whether the partitions are in the transaction.
fn verify(
    shared: &Arc<Shared>,
    one: &AddPartitionsToTxnTransaction,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let known = shared.transactions.partitions_of(
        &one.transactional_id,
        *one.producer_id,
        one.producer_epoch,
    );
    results(&one.topics, |topic, partition| {
        if shared.store.partition(topic, partition).is_none() {
            return UNKNOWN_TOPIC_OR_PARTITION;
        }
        match &known {
            Ok(known) if known.contains(&(topic.to_owned(), partition)) => NONE,
            Ok(_) => TRANSACTION_ABORTABLE,
            Err(TxnError(code)) => *code,
        }
    })
}

fn results(
    topics: &[AddPartitionsToTxnTopic],
    code: impl Fn(&str, i32) -> i16,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let results = topics.iter().map(|topic| {
        let one = |partition: &i32| {
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*partition)
                .with_partition_error_code(code(&topic.name, *partition))
        };
        let partitions = topic.partitions.iter().map(one).collect();
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name.clone())
            .with_results_by_partition(partitions)
    });
    results.collect()
}
