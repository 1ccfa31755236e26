//! How transactions end: by their producer, by their timeout, or at start, when the broker died in between.

use std::sync::Arc;

use tracing::{error, info};

use super::coordinator::{
    EPOCH_LAST, Entry, Phase, Transaction, Transactions, TxnError, lock, save, storage,
};
use crate::{
    broker::Shared,
    clock::now_ms,
    group::{
        CONCURRENT_TRANSACTIONS, INVALID_PRODUCER_ID_MAPPING, INVALID_TXN_STATE, OFFSETS_TOPIC,
        PRODUCER_FENCED,
    },
    log::MarkerKind,
};

impl Transactions {
    /// Ends the transaction.
    pub(crate) fn end(
        &self,
        shared: &Shared,
        id: &str,
        producer_id: i64,
        epoch: i16,
        kind: MarkerKind,
    ) -> Result<(), TxnError> {
        let entry = self.entry(id)?;
        let mut txn = lock(&entry);
        txn.check(producer_id, epoch)?;
        let wanted = match kind {
            MarkerKind::Commit => Phase::CompleteCommit,
            MarkerKind::Abort => Phase::CompleteAbort,
        };
        match txn.phase {
            Phase::Ongoing => {}
            // Its markers could not be written: once more.
            Phase::PrepareCommit if kind == MarkerKind::Commit => {}
            Phase::PrepareAbort if kind == MarkerKind::Abort => {}
            // The answer was lost: the same again.
            phase if phase == wanted => return Ok(()),
            _ => return Err(TxnError(INVALID_TXN_STATE)),
        }
        let mut next = txn.clone();
        let finished = finish(shared, id, &mut next, kind);
        if finished.is_ok() || next.phase.is_decided() {
            // What was decided stays so, even where a marker could not be written.
            *txn = next;
        }
        finished
    }

    /// Ends the transaction as clients of KIP-890 do: every end bumps the epoch, so that no write that was
    /// under way can belong to the next transaction. Answers the producer id and epoch to go on with.
    pub(crate) fn end_and_bump(
        &self,
        shared: &Shared,
        id: &str,
        producer_id: i64,
        epoch: i16,
        kind: MarkerKind,
    ) -> Result<(i64, i16), TxnError> {
        let entry = self.entry(id)?;
        let mut txn = lock(&entry);
        let overflowed = producer_id == txn.former_id && epoch >= EPOCH_LAST - 1 && txn.epoch == 0;
        if producer_id != txn.producer_id && !overflowed {
            return Err(TxnError(INVALID_PRODUCER_ID_MAPPING));
        }
        let retried = overflowed || epoch.checked_add(1) == Some(txn.epoch);
        let same = producer_id == txn.producer_id && epoch == txn.epoch;
        let valid = match txn.phase {
            Phase::Ongoing | Phase::Empty => same,
            Phase::PrepareCommit | Phase::PrepareAbort => retried,
            Phase::CompleteCommit | Phase::CompleteAbort => same || retried,
        };
        if !valid {
            return Err(TxnError(PRODUCER_FENCED));
        }
        let commits = kind == MarkerKind::Commit;
        match txn.phase {
            Phase::Ongoing => {}
            // The answer was lost: the same again.
            Phase::CompleteCommit if retried && commits => return Ok((txn.producer_id, txn.epoch)),
            Phase::CompleteAbort if retried && !commits => return Ok((txn.producer_id, txn.epoch)),
            Phase::PrepareCommit if commits => return Err(TxnError(CONCURRENT_TRANSACTIONS)),
            Phase::PrepareAbort if !commits => return Err(TxnError(CONCURRENT_TRANSACTIONS)),
            // A client cannot know whether a write of its has begun a transaction: it aborts nothing.
            Phase::Empty | Phase::CompleteCommit | Phase::CompleteAbort if !retried && !commits => {
            }
            _ => return Err(TxnError(INVALID_TXN_STATE)),
        }
        let mut next = txn.clone();
        if next.phase != Phase::Ongoing {
            next.partitions.clear();
        }
        next.epoch += 1;
        next.last_epoch = -1;
        if next.epoch >= EPOCH_LAST {
            let fresh = lock(&self.ids).take();
            next.successor_id = fresh.map_err(|error| storage(&error))?;
        }
        let finished = finish(shared, id, &mut next, kind);
        if finished.is_ok() || next.phase.is_decided() {
            *txn = next;
        }
        finished.map(|()| (txn.producer_id, txn.epoch))
    }

    fn entries(&self) -> Vec<(String, Entry)> {
        let state = lock(&self.state);
        let entries = state
            .iter()
            .map(|(id, entry)| (id.clone(), Arc::clone(entry)));
        entries.collect()
    }

    /// Completes what was decided before the broker died, or while a marker could not be written.
    pub(crate) fn finish_pending(&self, shared: &Shared) {
        for (id, entry) in self.entries() {
            let mut txn = lock(&entry);
            let kind = match txn.phase {
                Phase::PrepareCommit => MarkerKind::Commit,
                Phase::PrepareAbort => MarkerKind::Abort,
                _ => continue,
            };
            if finish(shared, &id, &mut txn, kind).is_ok() {
                info!(
                    transactional_id = id,
                    "completed a transaction that was decided before"
                );
            }
        }
    }

    /// Aborts transactions that were open for too long, fencing their producers.
    pub(crate) fn time_out(&self, shared: &Shared) {
        self.finish_pending(shared);
        let now = now_ms();
        self.abort_open(shared, |txn| {
            now >= txn.started_ms + i64::from(txn.timeout_ms)
        });
    }

    /// Aborts the open transactions that are chosen, fencing their producers.
    pub(crate) fn abort_open(&self, shared: &Shared, chosen: impl Fn(&Transaction) -> bool) {
        for (id, entry) in self.entries() {
            let mut txn = lock(&entry);
            if txn.phase != Phase::Ongoing || !chosen(&txn) {
                continue;
            }
            let mut next = txn.clone();
            next.epoch += 1;
            let finished = finish(shared, &id, &mut next, MarkerKind::Abort);
            if finished.is_err() && next.phase.is_decided() {
                *txn = next;
            } else if finished.is_ok() {
                info!(
                    transactional_id = id,
                    timeout_ms = txn.timeout_ms,
                    "aborted an open transaction"
                );
                *txn = next;
            }
        }
    }
}

/// The two phases: the decision is durable before any marker, the end after all. A decision whose marker cannot be
/// written stands, and is completed later: the client is told to ask again.
pub(super) fn finish(
    shared: &Shared,
    id: &str,
    txn: &mut Transaction,
    kind: MarkerKind,
) -> Result<(), TxnError> {
    let (prepare, complete) = match kind {
        MarkerKind::Commit => (Phase::PrepareCommit, Phase::CompleteCommit),
        MarkerKind::Abort => (Phase::PrepareAbort, Phase::CompleteAbort),
    };
    let before = txn.phase;
    txn.phase = prepare;
    txn.updated_ms = now_ms();
    if let Err(error) = save(&shared.store, id, txn) {
        txn.phase = before;
        return Err(error);
    }
    for (topic, number) in &txn.partitions {
        // A topic that was deleted meanwhile needs no marker.
        let Some(topic) = shared.store.topic(topic) else {
            continue;
        };
        let Some(log) = topic.partition(*number) else {
            continue;
        };
        let marked = log.append_marker(txn.producer_id, txn.epoch, kind, 0, now_ms());
        if let Err(error) = marked {
            error!(transactional_id = id, topic = topic.name(), partition = number, %error, "no marker");
            return Err(TxnError(CONCURRENT_TRANSACTIONS));
        }
        if topic.name() == OFFSETS_TOPIC {
            shared.groups.end_transaction(txn.producer_id, kind);
        }
        shared.appends.wake(topic.id(), *number);
    }
    let mut done = txn.clone();
    done.phase = complete;
    done.partitions.clear();
    if done.successor_id >= 0 {
        (done.former_id, done.producer_id) = (done.producer_id, done.successor_id);
        (done.successor_id, done.epoch) = (-1, 0);
    }
    done.updated_ms = now_ms();
    save(&shared.store, id, &done).map_err(|_| TxnError(CONCURRENT_TRANSACTIONS))?;
    *txn = done;
    Ok(())
}
