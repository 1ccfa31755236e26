//! TxnOffsetCommit: offsets that become true with the transaction (KIP-447).

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    TxnOffsetCommitRequest, TxnOffsetCommitResponse,
    txn_offset_commit_response::{TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic},
};

use super::{Answer, RequestError, read, write};
use crate::{
    broker::Shared,
    group::{
        CONCURRENT_TRANSACTIONS, COORDINATOR_LOAD_IN_PROGRESS, CommittedOffset,
        INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE, NONE, OFFSETS_TOPIC, PRODUCER_FENCED,
        TRANSACTION_ABORTABLE,
    },
    txn::Joining,
};

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: TxnOffsetCommitRequest = read(body, version)?;
    let (producer, epoch) = (*request.producer_id, request.producer_epoch);
    let mut error = NONE;
    if version >= 3 {
        let instance = request.group_instance_id.as_ref().map(|id| id.as_str());
        error = shared.groups.may_commit(
            &request.group_id,
            &request.member_id,
            instance,
            request.generation_id,
            true,
        );
    }
    if error == NONE {
        let offsets = request.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|at| {
                let offset = CommittedOffset {
                    offset: at.committed_offset,
                    leader_epoch: at.committed_leader_epoch,
                    metadata: at
                        .committed_metadata
                        .as_ref()
                        .map(|text| text.to_string())
                        .unwrap_or_default(),
                };
                ((topic.name.to_string(), at.partition_index), offset)
            })
        });
        let commit = || {
            let producer = Some((producer, epoch));
            let (groups, store) = (&shared.groups, &shared.store);
            groups.commit(store, &request.group_id, producer, offsets.collect())
        };
        let id = &request.transactional_id;
        let joining = if version >= 5 {
            Joining::ByWriting
        } else {
            Joining::Before
        };
        error = shared
            .transactions
            .within(
                shared,
                id,
                producer,
                epoch,
                OFFSETS_TOPIC,
                0,
                joining,
                commit,
            )
            .unwrap_or_else(|error| match error.0 {
                // Producers know the older code here: the group's, not the coordinator's.
                PRODUCER_FENCED => INVALID_PRODUCER_EPOCH,
                TRANSACTION_ABORTABLE if version < 4 => INVALID_TXN_STATE,
                CONCURRENT_TRANSACTIONS if version < 5 => COORDINATOR_LOAD_IN_PROGRESS,
                code => code,
            });
    }
    let topics = request.topics.into_iter().map(|topic| {
        let one = |at: &kafka_protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestPartition| {
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(at.partition_index)
                .with_error_code(error)
        };
        let partitions = topic.partitions.iter().map(one).collect();
        TxnOffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions)
    });
    write(
        &TxnOffsetCommitResponse::default().with_topics(topics.collect()),
        version,
    )
}
