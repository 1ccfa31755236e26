//! The transaction coordinator.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kafka_protocol::records::RecordBatchDecoder;
use tracing::error;

use super::{codec, ending::finish, producer_ids::ProducerIds};
use crate::{
    broker::Shared,
    clock::now_ms,
    group::{
        CONCURRENT_TRANSACTIONS, INVALID_PRODUCER_ID_MAPPING, INVALID_REQUEST,
        INVALID_TRANSACTION_TIMEOUT, PRODUCER_FENCED, TRANSACTION_ABORTABLE, UNKNOWN_SERVER_ERROR,
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
pub(super) const EPOCH_LAST: i16 = i16::MAX - 2;

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
    pub(super) fn is_decided(self) -> bool {
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The producer id before the last, which ran out of epochs, so that a retry is recognised; or -1.
    pub(crate) former_id: i64,
    /// The producer id to go on with, at epoch 0, once the end that used up the last epoch is complete; or -1.
    pub(crate) successor_id: i64,
}

impl Transaction {
    pub(super) fn check(&self, producer_id: i64, epoch: i16) -> Result<(), TxnError> {
        if self.producer_id != producer_id {
            Err(TxnError(INVALID_PRODUCER_ID_MAPPING))
        } else if self.epoch != epoch {
            Err(TxnError(PRODUCER_FENCED))
        } else {
            Ok(())
        }
    }

    /// Adds partitions; begins when nothing is open.
    fn add(
        &mut self,
        shared: &Shared,
        id: &str,
        partitions: impl IntoIterator<Item = (String, i32)>,
    ) -> Result<(), TxnError> {
        if self.phase.is_decided() {
            return Err(TxnError(CONCURRENT_TRANSACTIONS));
        }
        let mut next = self.clone();
        if next.phase != Phase::Ongoing {
            next.phase = Phase::Ongoing;
            next.partitions.clear();
            next.started_ms = now_ms();
        }
        let before = next.partitions.len();
        next.partitions.extend(partitions);
        if self.phase == Phase::Ongoing && before == next.partitions.len() {
            return Ok(());
        }
        next.updated_ms = now_ms();
        save(&shared.store, id, &next)?;
        *self = next;
        Ok(())
    }
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

pub(super) type Entry = Arc<Mutex<Transaction>>;

/// Whether a write must find its partition in the transaction or adds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joining {
    /// It was added before (AddPartitionsToTxn, AddOffsetsToTxn).
    Before,
    /// The write adds it (KIP-890: Produce v12, TxnOffsetCommit v5).
    ByWriting,
}

/// All transactions, and the producer ids.
pub(crate) struct Transactions {
    /// One lock for each: writes of one transaction wait for its end, those of others do not.
    pub(super) state: Mutex<BTreeMap<String, Entry>>,
    pub(super) ids: Mutex<ProducerIds>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn storage(error: &io::Error) -> TxnError {
    error!(%error, "the state of transactions could not be written");
    TxnError(UNKNOWN_SERVER_ERROR)
}

impl Transactions {
    pub(crate) fn load(store: &LogStore, dir: &Path) -> io::Result<Self> {
        let mut state = BTreeMap::new();
        if let Some(log) = store.partition(TOPIC, 0) {
            read(&log, &mut state)?;
        }
        let shared = |(id, txn)| (id, Arc::new(Mutex::new(txn)));
        Ok(Self {
            state: Mutex::new(state.into_iter().map(shared).collect()),
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
        let Some(entry) = state.get(&id).cloned() else {
            let txn = Transaction {
                producer_id: lock(&self.ids).take().map_err(|error| storage(&error))?,
                epoch: 0,
                last_epoch: -1,
                timeout_ms: init.timeout_ms,
                phase: Phase::Empty,
                partitions: BTreeSet::new(),
                updated_ms: now,
                started_ms: -1,
                former_id: -1,
                successor_id: -1,
            };
            save(&shared.store, &id, &txn)?;
            let answer = (txn.producer_id, txn.epoch);
            state.insert(id, Arc::new(Mutex::new(txn)));
            return Ok(answer);
        };
        drop(state);
        let mut txn = lock(&entry);
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
            let aborted = finish(shared, &id, &mut next, MarkerKind::Abort);
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
            next.former_id = -1;
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

    pub(super) fn entry(&self, id: &str) -> Result<Entry, TxnError> {
        let entry = lock(&self.state).get(id).cloned();
        entry.ok_or(TxnError(INVALID_PRODUCER_ID_MAPPING))
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
        let entry = self.entry(id)?;
        let mut txn = lock(&entry);
        txn.check(producer_id, epoch)?;
        txn.add(shared, id, partitions)
    }

    /// Writes to a partition of the producer's open transaction. The transaction does not end meanwhile: a
    /// record behind its marker would belong to a transaction that nobody ends.
    #[expect(
        clippy::too_many_arguments,
        reason = "who writes where, each of them checked"
    )]
    pub(crate) fn within<T>(
        &self,
        shared: &Shared,
        id: &str,
        producer_id: i64,
        epoch: i16,
        topic: &str,
        partition: i32,
        joining: Joining,
        write: impl FnOnce() -> T,
    ) -> Result<T, TxnError> {
        let entry = self.entry(id)?;
        let mut txn = lock(&entry);
        txn.check(producer_id, epoch)?;
        if txn.phase.is_decided() {
            return Err(TxnError(CONCURRENT_TRANSACTIONS));
        }
        let place = (topic.to_owned(), partition);
        if joining == Joining::ByWriting {
            txn.add(shared, id, [place])?;
        } else if txn.phase != Phase::Ongoing || !txn.partitions.contains(&place) {
            return Err(TxnError(TRANSACTION_ABORTABLE));
        }
        Ok(write())
    }

    /// The partitions of the producer's transaction.
    pub(crate) fn partitions_of(
        &self,
        id: &str,
        producer_id: i64,
        epoch: i16,
    ) -> Result<BTreeSet<(String, i32)>, TxnError> {
        let entry = self.entry(id)?;
        let txn = lock(&entry);
        txn.check(producer_id, epoch)?;
        if txn.phase.is_decided() {
            return Err(TxnError(CONCURRENT_TRANSACTIONS));
        }
        Ok(txn.partitions.clone())
    }

    /// All transactions.
    pub(crate) fn list(&self) -> Vec<Listing> {
        lock(&self.state)
            .iter()
            .map(|(id, txn)| (id.clone(), lock(txn).clone()))
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

pub(super) fn save(store: &LogStore, id: &str, txn: &Transaction) -> Result<(), TxnError> {
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
