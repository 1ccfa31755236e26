//! The transaction coordinator.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use kafka_protocol::records::RecordBatchDecoder;
use tracing::{error, info};

use super::{codec, producer_ids::ProducerIds};
use crate::{
    broker::Shared,
    clock::now_ms,
    group::{
        CONCURRENT_TRANSACTIONS, INVALID_PRODUCER_ID_MAPPING, INVALID_REQUEST,
        INVALID_TRANSACTION_TIMEOUT, INVALID_TXN_STATE, OFFSETS_TOPIC, PRODUCER_FENCED,
        UNKNOWN_SERVER_ERROR,
    },
    log::{
        AppendOrigin, BatchBuilder, Isolation, LogStore, MarkerKind, PartitionLog, batch::batches,
    },
};

const TOPIC: &str = "__transaction_state";
const READ_BYTES: usize = 1 << 20;
/// `transaction.max.timeout.ms`.
const TIMEOUT_MAX_MS: i32 = 15 * 60 * 1000;
/// An epoch from which no further bump is made: a new producer id is given instead.
const EPOCH_LAST: i16 = i16::MAX - 2;

/// A Kafka error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TxnError(pub(crate) i16);

/// Where a transaction stands; numbers as in Kafka's `TransactionState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Empty,
    Ongoing,
    PrepareCommit,
    PrepareAbort,
    CompleteCommit,
    CompleteAbort,
}

impl Phase {
    /// Every phase.
    pub(crate) const ALL: [Self; 6] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
    ];

    pub(crate) fn number(self) -> i8 {
        match self {
            Self::Empty => 0,
            Self::Ongoing => 1,
            Self::PrepareCommit => 2,
            Self::PrepareAbort => 3,
            Self::CompleteCommit => 4,
            Self::CompleteAbort => 5,
        }
    }

    pub(crate) fn from_number(number: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.number() == number)
    }

    /// Whether the end is decided and its markers are being written.
    fn is_decided(self) -> bool {
        matches!(self, Self::PrepareCommit | Self::PrepareAbort)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
        }
    }
}

/// The state of one transactional id.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    /// The epoch before the last bump that a client asked for, so that its retry is recognised.
    pub(crate) last_epoch: i16,
    pub(crate) timeout_ms: i32,
    pub(crate) phase: Phase,
    pub(crate) partitions: BTreeSet<(String, i32)>,
    pub(crate) updated_ms: i64,
    pub(crate) started_ms: i64,
}

/// InitProducerId.
pub(crate) struct InitProducer {
    pub(crate) transactional_id: Option<String>,
    pub(crate) timeout_ms: i32,
    /// -1, or the id the client had (KIP-360).
    pub(crate) producer_id: i64,
    /// -1, or the epoch the client had.
    pub(crate) epoch: i16,
}

/// A transaction for ListTransactions and DescribeTransactions.
pub(crate) type Listing = (String, Transaction);

/// All transactions, and the producer ids.
pub(crate) struct Transactions {
    state: Mutex<BTreeMap<String, Transaction>>,
    ids: Mutex<ProducerIds>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn storage(error: &io::Error) -> TxnError {
    error!(%error, "the state of transactions could not be written");
    TxnError(UNKNOWN_SERVER_ERROR)
}

impl Transactions {
    pub(crate) fn load(store: &LogStore, dir: &Path) -> io::Result<Self> {
        let mut state = BTreeMap::new();
        if let Some(log) = store.partition(TOPIC, 0) {
            read(&log, &mut state)?;
        }
        Ok(Self {
            state: Mutex::new(state),
            ids: Mutex::new(ProducerIds::load(dir)?),
        })
    }

    /// Gives a producer its id and epoch; with a transactional id older instances are fenced and their
    /// open transaction is aborted.
    pub(crate) fn init(&self, shared: &Shared, init: InitProducer) -> Result<(i64, i16), TxnError> {
        let Some(id) = init.transactional_id else {
            let fresh = lock(&self.ids).take().map_err(|error| storage(&error))?;
            return Ok((fresh, 0));
        };
        if id.is_empty() {
            return Err(TxnError(INVALID_REQUEST));
        }
        if (init.producer_id < 0) != (init.epoch < 0) {
            return Err(TxnError(INVALID_REQUEST));
        }
        if init.timeout_ms <= 0 || init.timeout_ms > TIMEOUT_MAX_MS {
            return Err(TxnError(INVALID_TRANSACTION_TIMEOUT));
        }
        let mut state = lock(&self.state);
        let now = now_ms();
        let Some(txn) = state.get_mut(&id) else {
            let txn = Transaction {
                producer_id: lock(&self.ids).take().map_err(|error| storage(&error))?,
                epoch: 0,
                last_epoch: -1,
                timeout_ms: init.timeout_ms,
                phase: Phase::Empty,
                partitions: BTreeSet::new(),
                updated_ms: now,
                started_ms: -1,
            };
            save(&shared.store, &id, &txn)?;
            let answer = (txn.producer_id, txn.epoch);
            state.insert(id, txn);
            return Ok(answer);
        };
        if init.producer_id >= 0 {
            let current = init.producer_id == txn.producer_id
                && (init.epoch == txn.epoch
                    || (txn.last_epoch >= 0 && init.epoch == txn.last_epoch));
            if !current {
                return Err(TxnError(PRODUCER_FENCED));
            }
            if init.epoch == txn.last_epoch && init.epoch != txn.epoch {
                // The answer to the bump was lost: the same again.
                return Ok((txn.producer_id, txn.epoch));
            }
        }
        if txn.phase.is_decided() {
            return Err(TxnError(CONCURRENT_TRANSACTIONS));
        }
        let mut next = txn.clone();
        next.timeout_ms = init.timeout_ms;
        if next.phase == Phase::Ongoing {
            // The zombie's epoch is fenced by the marker, the new instance gets one more.
            next.epoch += 1;
            let aborted = self.finish(shared, &id, &mut next, MarkerKind::Abort);
            if aborted.is_err() && next.phase.is_decided() {
                *txn = next;
                return Err(TxnError(CONCURRENT_TRANSACTIONS));
            }
            aborted?;
        }
        if next.epoch >= EPOCH_LAST {
            next.producer_id = lock(&self.ids).take().map_err(|error| storage(&error))?;
            next.epoch = 0;
            next.last_epoch = -1;
        } else {
            next.last_epoch = if init.producer_id >= 0 {
                init.epoch
            } else {
                -1
            };
            next.epoch += 1;
        }
        next.phase = Phase::Empty;
        next.partitions.clear();
        next.updated_ms = now;
        next.started_ms = -1;
        save(&shared.store, &id, &next)?;
        let answer = (next.producer_id, next.epoch);
        *txn = next;
        Ok(answer)
    }

    fn checked<'a>(
        state: &'a mut BTreeMap<String, Transaction>,
        id: &str,
        producer_id: i64,
        epoch: i16,
    ) -> Result<&'a mut Transaction, TxnError> {
        let txn = state
            .get_mut(id)
            .ok_or(TxnError(INVALID_PRODUCER_ID_MAPPING))?;
        if txn.producer_id != producer_id {
            return Err(TxnError(INVALID_PRODUCER_ID_MAPPING));
        }
        if txn.epoch != epoch {
            return Err(TxnError(PRODUCER_FENCED));
        }
        Ok(txn)
    }

    /// Adds partitions to the open transaction; begins it when none is open.
    pub(crate) fn add(
        &self,
        shared: &Shared,
        id: &str,
        producer_id: i64,
        epoch: i16,
        partitions: impl IntoIterator<Item = (String, i32)>,
    ) -> Result<(), TxnError> {
        let mut state = lock(&self.state);
        let txn = Self::checked(&mut state, id, producer_id, epoch)?;
        if txn.phase.is_decided() {
            return Err(TxnError(CONCURRENT_TRANSACTIONS));
        }
        let mut next = txn.clone();
        if next.phase != Phase::Ongoing {
            next.phase = Phase::Ongoing;
            next.partitions.clear();
            next.started_ms = now_ms();
        }
        let before = next.partitions.len();
        next.partitions.extend(partitions);
        if txn.phase == Phase::Ongoing && before == next.partitions.len() {
            return Ok(());
        }
        next.updated_ms = now_ms();
        save(&shared.store, id, &next)?;
        *txn = next;
        Ok(())
    }

    /// Writes to a partition of the producer's open transaction. The transaction does not end meanwhile: a
    /// record behind its marker would belong to a transaction that nobody ends.
    pub(crate) fn within<T>(
        &self,
        id: &str,
        producer_id: i64,
        epoch: i16,
        topic: &str,
        partition: i32,
        write: impl FnOnce() -> T,
    ) -> Result<T, TxnError> {
        let mut state = lock(&self.state);
        let txn = Self::checked(&mut state, id, producer_id, epoch)?;
        let part =
            txn.phase == Phase::Ongoing && txn.partitions.contains(&(topic.to_owned(), partition));
        if part {
            Ok(write())
        } else {
            Err(TxnError(INVALID_TXN_STATE))
        }
    }

    /// Ends the transaction.
    pub(crate) fn end(
        &self,
        shared: &Shared,
        id: &str,
        producer_id: i64,
        epoch: i16,
        kind: MarkerKind,
    ) -> Result<(), TxnError> {
        let mut state = lock(&self.state);
        let txn = Self::checked(&mut state, id, producer_id, epoch)?;
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
        let finished = self.finish(shared, id, &mut next, kind);
        if finished.is_ok() || next.phase.is_decided() {
            // What was decided stays so, even where a marker could not be written.
            *txn = next;
        }
        finished
    }

    /// The two phases: the decision is durable before any marker, the end after all.
    fn finish(
        &self,
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
                return Err(TxnError(UNKNOWN_SERVER_ERROR));
            }
            if topic.name() == OFFSETS_TOPIC {
                shared.groups.end_transaction(txn.producer_id, kind);
            }
            shared.appends.wake(topic.id(), *number);
        }
        let mut done = txn.clone();
        done.phase = complete;
        done.partitions.clear();
        done.updated_ms = now_ms();
        save(&shared.store, id, &done)?;
        *txn = done;
        Ok(())
    }

    /// Completes what was decided before the broker died, or while a marker could not be written.
    pub(crate) fn finish_pending(&self, shared: &Shared) {
        let mut state = lock(&self.state);
        for (id, txn) in state.iter_mut() {
            let kind = match txn.phase {
                Phase::PrepareCommit => MarkerKind::Commit,
                Phase::PrepareAbort => MarkerKind::Abort,
                _ => continue,
            };
            if self.finish(shared, id, txn, kind).is_ok() {
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
        let mut state = lock(&self.state);
        for (id, txn) in state.iter_mut() {
            if txn.phase != Phase::Ongoing || !chosen(txn) {
                continue;
            }
            let mut next = txn.clone();
            next.epoch += 1;
            let finished = self.finish(shared, id, &mut next, MarkerKind::Abort);
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

    /// All transactions.
    pub(crate) fn list(&self) -> Vec<Listing> {
        lock(&self.state)
            .iter()
            .map(|(id, txn)| (id.clone(), txn.clone()))
            .collect()
    }
}

fn read(log: &PartitionLog, state: &mut BTreeMap<String, Transaction>) -> io::Result<()> {
    let mut at = log.log_start_offset()?;
    loop {
        let slice = log
            .read(at, READ_BYTES, Isolation::ReadUncommitted, true)
            .map_err(io::Error::other)?;
        if slice.bytes.is_empty() {
            return Ok(());
        }
        for batch in batches(slice.bytes) {
            let (header, bytes) = batch.map_err(io::Error::other)?;
            at = header.next_offset();
            let set = RecordBatchDecoder::decode(&mut bytes.clone()).map_err(io::Error::other)?;
            for record in set.records {
                match record.key.and_then(|key| codec::decode(key, record.value)) {
                    Some((id, Some(txn))) => {
                        state.insert(id, txn);
                    }
                    Some((id, None)) => {
                        state.remove(&id);
                    }
                    None => {}
                }
            }
        }
    }
}

fn save(store: &LogStore, id: &str, txn: &Transaction) -> Result<(), TxnError> {
    let write = || -> io::Result<()> {
        if store.topic(TOPIC).is_none() {
            let config = BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]);
            store
                .create_topic(TOPIC, 1, config)
                .map_err(io::Error::other)?;
        }
        let log = store
            .partition(TOPIC, 0)
            .ok_or_else(|| io::Error::other("no partition"))?;
        let now = now_ms();
        let (key, value) = codec::encode(id, txn);
        let mut batch = BatchBuilder::new(now);
        batch.push(Some(&key), Some(&value));
        log.append(batch.finish(), AppendOrigin::Coordinator, now)
            .map_err(io::Error::other)?;
        Ok(())
    };
    write().map_err(|error| storage(&error))
}
