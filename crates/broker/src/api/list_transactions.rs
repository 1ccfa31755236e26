//! ListTransactions and DescribeTransactions (KIP-664).

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        DescribeTransactionsRequest, DescribeTransactionsResponse, ListTransactionsRequest,
        ListTransactionsResponse, TopicName, TransactionalId, describe_transactions_response,
        list_transactions_response,
    },
    protocol::StrBytes,
};

use super::{Answer, RequestError, read, text, write};
use crate::{
    broker::Shared,
    clock::now_ms,
    group::{NONE, TRANSACTIONAL_ID_NOT_FOUND},
    txn::{Listing, Phase},
};

/// ListTransactions.
pub(super) fn list(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: ListTransactionsRequest = read(body, version)?;
    let now = now_ms();
    let wanted = |(_, txn): &Listing| {
        let state = &request.state_filters;
        let producer = &request.producer_id_filters;
        (state.is_empty() || state.iter().any(|name| name.as_str() == txn.phase.name()))
            && (producer.is_empty() || producer.iter().any(|id| **id == txn.producer_id))
            && (request.duration_filter < 0 || now - txn.started_ms >= request.duration_filter)
    };
    let one = |(id, txn): Listing| {
        list_transactions_response::TransactionState::default()
            .with_transactional_id(TransactionalId(text(&id)))
            .with_producer_id(txn.producer_id.into())
            .with_transaction_state(text(txn.phase.name()))
    };
    let states = shared
        .transactions
        .list()
        .into_iter()
        .filter(wanted)
        .map(one)
        .collect();
    let unknown = |name: &StrBytes| !Phase::ALL.iter().any(|phase| phase.name() == name.as_str());
    let filters = request.state_filters.iter();
    let unknown = filters.filter(|name| unknown(name)).cloned().collect();
    write(
        &ListTransactionsResponse::default()
            .with_unknown_state_filters(unknown)
            .with_transaction_states(states),
        version,
    )
}

/// DescribeTransactions.
pub(super) fn describe(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: DescribeTransactionsRequest = read(body, version)?;
    let all: BTreeMap<String, _> = shared.transactions.list().into_iter().collect();
    let one = |id: TransactionalId| {
        let state = describe_transactions_response::TransactionState::default()
            .with_transactional_id(id.clone());
        let Some(txn) = all.get(id.as_str()) else {
            return state.with_error_code(TRANSACTIONAL_ID_NOT_FOUND);
        };
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in &txn.partitions {
            topics.entry(topic).or_default().push(*partition);
        }
        let topic = |(name, partitions): (&str, Vec<i32>)| {
            describe_transactions_response::TopicData::default()
                .with_topic(TopicName(text(name)))
                .with_partitions(partitions)
        };
        state
            .with_error_code(NONE)
            .with_transaction_state(text(txn.phase.name()))
            .with_transaction_timeout_ms(txn.timeout_ms)
            .with_transaction_start_time_ms(txn.started_ms)
            .with_producer_id(txn.producer_id.into())
            .with_producer_epoch(txn.epoch)
            .with_topics(topics.into_iter().map(topic).collect())
    };
    let states = request.transactional_ids.into_iter().map(one).collect();
    write(
        &DescribeTransactionsResponse::default().with_transaction_states(states),
        version,
    )
}
