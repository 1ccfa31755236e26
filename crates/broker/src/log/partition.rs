//! The log of one partition: the lock around its state, and what a caller can ask.
//!
//! Must never hold the lock while data is read, compacted or (but for `flush.messages`) synced.
//! Answers to Java's `UnifiedLog`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use super::append::{AppendError, AppendOrigin, Appended};
use super::files::{BufferPool, FilePool, lock};
use super::prepare::Prepared;
use super::read::{
    AbortedTransaction, Bounds, FoundSlice, Isolation, ReadError, ReadSlice, Records,
    TimestampedOffset,
};
use super::reading::{Checked, ReadLimits};
use super::recovery::Marker;
use super::state::{LogState, elapsed, sync_segments};
use super::{LogConfig, MarkerKind};

/// One producer as `DescribeProducers` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerSummary {
    /// Producer id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Sequence of its last record, -1 if unknown.
    pub last_sequence: i32,
    /// Timestamp of its last write in milliseconds.
    pub last_timestamp: i64,
    /// Epoch of the coordinator that last wrote a marker, -1 if none.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction.
    pub current_txn_first_offset: Option<i64>,
}

/// A transaction with records and no marker yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenTransaction {
    /// Producer id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Offset of its first record.
    pub first_offset: i64,
}

/// Why records were not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteRecordsError {
    /// The offset lies above the high watermark.
    #[error("offset {offset} is above the high watermark {high_watermark}")]
    OffsetOutOfRange {
        /// The offset asked for.
        offset: i64,
        /// The high watermark.
        high_watermark: i64,
    },
    /// The cleanup policy of the topic is not `delete`.
    #[error("records of a topic without cleanup.policy=delete cannot be deleted")]
    PolicyViolation,
    /// The log cannot be written.
    #[error("log storage failed: {0}")]
    Io(#[from] io::Error),
}

/// The log of one partition; internally synchronised, shared behind an `Arc`. Opened on first use,
/// so that a store of many partitions starts at once and holds memory for those in use.
#[derive(Debug)]
pub struct PartitionLog {
    dir: PathBuf,
    shared: Arc<Shared>,
    config: Mutex<Arc<LogConfig>>,
    state: Mutex<Slot>,
    /// Held by whatever replaces or removes segments, so that one such work runs at a time.
    upkeep: Mutex<()>,
    marks: UpkeepMarks,
}

/// What maintenance notes about a partition between its rounds.
#[derive(Debug)]
pub(super) struct UpkeepMarks {
    /// Used by a caller since the last round.
    used: AtomicBool,
    idle_since_ms: AtomicI64,
    checked_ms: AtomicI64,
}

impl UpkeepMarks {
    /// When retention was last looked at.
    pub(super) fn checked_ms(&self) -> i64 {
        self.checked_ms.load(Ordering::Relaxed)
    }

    pub(super) fn set_checked(&self, now_ms: i64) {
        self.checked_ms.store(now_ms, Ordering::Relaxed);
    }

    /// How long nobody has used the partition, as of this round.
    pub(super) fn idle(&self, now_ms: i64) -> Duration {
        if self.used.swap(false, Ordering::Relaxed) {
            self.idle_since_ms.store(now_ms, Ordering::Relaxed);
        }
        elapsed(self.idle_since_ms.load(Ordering::Relaxed), now_ms)
    }
}

/// What the partitions of a store have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) files: Arc<FilePool>,
    pub(super) buffers: Arc<BufferPool>,
    pub(super) producer_id_expiration: Duration,
    pub(super) started_ms: i64,
}

#[derive(Debug)]
enum Slot {
    Closed,
    Open(Box<LogState>),
    Deleted,
}

/// Rounds a read makes when segments are replaced under it.
const READ_ROUNDS_MAX: usize = 8;

impl PartitionLog {
    /// Opens (and creates) the log in `dir`, repairing what a crash left behind. A log of a
    /// [`LogStore`](super::LogStore) is taken from there instead.
    ///
    /// # Errors
    /// The directory cannot be read or written.
    pub fn open(dir: &Path, config: LogConfig) -> io::Result<PartitionLog> {
        let options = super::StoreOptions::default();
        let shared = Arc::new(Shared {
            files: FilePool::new(options.open_files_max),
            buffers: Arc::default(),
            producer_id_expiration: options.producer_id_expiration,
            started_ms: 0,
        });
        let log = PartitionLog::closed(dir.to_owned(), Arc::new(config), shared);
        log.with_state(|_| ())?;
        Ok(log)
    }

    /// A log that opens itself when it is used.
    pub(super) fn closed(dir: PathBuf, config: Arc<LogConfig>, shared: Arc<Shared>) -> Self {
        PartitionLog {
            dir,
            marks: UpkeepMarks {
                used: AtomicBool::new(false),
                idle_since_ms: AtomicI64::new(shared.started_ms),
                checked_ms: AtomicI64::new(shared.started_ms),
            },
            shared,
            config: Mutex::new(config),
            state: Mutex::new(Slot::Closed),
            upkeep: Mutex::new(()),
        }
    }

    /// Works on the state for a caller, opening the log if need be.
    fn with_state<T>(&self, work: impl FnOnce(&mut LogState) -> T) -> io::Result<T> {
        self.marks.used.store(true, Ordering::Relaxed);
        self.with_opened(work)
    }

    /// As `with_state`, but for maintenance.
    fn with_opened<T>(&self, work: impl FnOnce(&mut LogState) -> T) -> io::Result<T> {
        let mut slot = lock(&self.state);
        if let Slot::Closed = *slot {
            let config = self.config();
            let state = super::open::open(&self.dir, &config, &self.shared.files)?;
            *slot = Slot::Open(Box::new(state));
        }
        match &mut *slot {
            Slot::Open(state) => Ok(work(state)),
            _ => Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the partition was deleted",
            )),
        }
    }

    /// Works on the state if the log is open.
    fn with_open<T>(&self, work: impl FnOnce(&mut LogState) -> T) -> Option<T> {
        match &mut *lock(&self.state) {
            Slot::Open(state) => Some(work(state)),
            _ => None,
        }
    }

    /// Appends whole batches. On success the bytes are with the operating system (a killed broker
    /// has them after its restart), and on disk if `flush.messages` asks for it.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing was appended.
    pub fn append(
        &self,
        batches: Bytes,
        origin: AppendOrigin,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let config = self.config();
        let prepared = Prepared::judge(batches, origin, &config, now_ms)?;
        self.with_state(|state| {
            state.append(prepared, origin, &config, now_ms, &self.shared.files)
        })?
    }

    /// Appends the marker that ends a producer's transaction. The epoch may be newer than the
    /// producer's (KIP-360, KIP-890); a producer without open transaction gets its marker too.
    ///
    /// # Errors
    /// An older epoch of the producer or the coordinator, or storage.
    pub fn append_marker(
        &self,
        producer_id: i64,
        producer_epoch: i16,
        kind: MarkerKind,
        coordinator_epoch: i32,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let config = self.config();
        let marker = Marker {
            kind,
            coordinator_epoch,
        };
        self.with_state(|state| {
            let producer = (producer_id, producer_epoch);
            state.append_marker(producer, marker, &config, now_ms, &self.shared.files)
        })?
    }

    /// Whole batches from the one holding `offset`, at most `max_bytes`; with `always_one` the
    /// first batch comes whatever its size. Records of the first batch may lie below `offset`:
    /// clients skip them.
    ///
    /// # Errors
    /// The offset is out of range, or storage.
    pub fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        isolation: Isolation,
        always_one: bool,
    ) -> Result<ReadSlice, ReadError> {
        let found = self.find(offset, max_bytes, isolation, always_one, usize::MAX)?;
        let bytes = match found.records {
            Records::Memory(bytes) => bytes,
            Records::File(_) => Bytes::new(),
        };
        Ok(slice(found.bounds, bytes, found.aborted))
    }

    /// As [`Self::read`], but batches that take more than `memory_max` bytes are found in their file
    /// and left there.
    pub(crate) fn find(
        &self,
        offset: i64,
        max_bytes: usize,
        isolation: Isolation,
        always_one: bool,
        memory_max: usize,
    ) -> Result<FoundSlice, ReadError> {
        let interval = self.config().index_interval_bytes;
        for _ in 0..READ_ROUNDS_MAX {
            let (plan, bounds) = self.with_state(|state| {
                let plan = state.plan_read(offset, max_bytes, isolation)?;
                Ok::<_, ReadError>((plan, state.bounds()))
            })??;
            let nothing = FoundSlice {
                records: Records::default(),
                bounds,
                aborted: Vec::new(),
            };
            let Some(plan) = plan else {
                return Ok(nothing);
            };
            let limits = ReadLimits {
                max_bytes,
                always_one,
                memory_max,
            };
            let found = plan.read(limits, interval, &self.shared.buffers);
            let checked = self.with_state(|state| state.check_read(&plan, found, isolation))?;
            match checked? {
                Checked::Stale => {}
                Checked::Nothing => return Ok(nothing),
                Checked::Found(found, aborted) => {
                    return Ok(FoundSlice {
                        records: found.records,
                        bounds,
                        aborted,
                    });
                }
            }
        }
        Err(io::Error::other("segments are replaced faster than they can be read").into())
    }

    /// Log start offset, high watermark and last stable offset, taken together.
    ///
    /// # Errors
    /// The log could not be opened.
    pub fn bounds(&self) -> io::Result<Bounds> {
        self.with_state(|state| state.bounds())
    }

    /// The first offset that may be read.
    ///
    /// # Errors
    /// The log could not be opened.
    pub fn log_start_offset(&self) -> io::Result<i64> {
        Ok(self.bounds()?.log_start_offset)
    }

    /// The offset after the last record.
    ///
    /// # Errors
    /// The log could not be opened.
    pub fn high_watermark(&self) -> io::Result<i64> {
        Ok(self.bounds()?.high_watermark)
    }

    /// The end of what `read_committed` sees.
    ///
    /// # Errors
    /// The log could not be opened.
    pub fn last_stable_offset(&self) -> io::Result<i64> {
        Ok(self.bounds()?.last_stable_offset)
    }

    /// The first record whose timestamp is at least `timestamp_ms`, `None` if there is none.
    ///
    /// # Errors
    /// Storage.
    pub fn offset_for_timestamp(&self, timestamp_ms: i64) -> io::Result<Option<TimestampedOffset>> {
        let least = self.log_start_offset()?;
        self.search(timestamp_ms, least)
    }

    /// The record with the largest timestamp (the first of equals), `None` if the log is empty or
    /// has no timestamps. As with Apache Kafka it may lie below the log start offset as long as its
    /// segment is there.
    ///
    /// # Errors
    /// Storage.
    pub fn max_timestamp_offset(&self) -> io::Result<Option<TimestampedOffset>> {
        let timestamp = self.with_state(|state| state.max_timestamp())?;
        if timestamp < 0 {
            return Ok(None);
        }
        self.search(timestamp, i64::MIN)
    }

    /// The first record of at least this time, at or above an offset.
    fn search(&self, timestamp_ms: i64, least: i64) -> io::Result<Option<TimestampedOffset>> {
        let interval = self.config().index_interval_bytes;
        for _ in 0..READ_ROUNDS_MAX {
            let search = self.with_state(|state| state.plan_search(timestamp_ms, least))??;
            let found = search.run(timestamp_ms, interval);
            if self.with_state(|state| state.generation)? == search.generation {
                return found;
            }
        }
        Err(io::Error::other(
            "segments are replaced faster than they can be read",
        ))
    }

    /// Moves the log start offset up to `before` (-1: the high watermark) and answers the new one;
    /// the data goes with the next retention.
    ///
    /// # Errors
    /// See [`DeleteRecordsError`].
    pub fn delete_records(&self, before: i64) -> Result<i64, DeleteRecordsError> {
        let config = self.config();
        self.with_state(|state| state.delete_records(before, &config))?
    }

    /// The producers known, by id.
    ///
    /// # Errors
    /// The log could not be opened.
    pub fn producers(&self) -> io::Result<Vec<ProducerSummary>> {
        self.with_state(|state| state.producers.summaries())
    }

    /// Transactions with records here and no marker yet, by first offset.
    ///
    /// # Errors
    /// The log could not be opened.
    pub fn open_transactions(&self) -> io::Result<Vec<OpenTransaction>> {
        self.with_state(|state| state.producers.open_transactions())
    }

    /// Whether `producer_id` at `producer_epoch` has a transaction open here.
    ///
    /// # Errors
    /// The log could not be opened.
    pub fn has_open_transaction(&self, producer_id: i64, producer_epoch: i16) -> io::Result<bool> {
        self.with_state(|state| {
            state
                .producers
                .has_open_transaction(producer_id, producer_epoch)
        })
    }

    /// Replaces the settings; they hold from the next operation.
    pub fn set_config(&self, config: LogConfig) {
        self.set_shared_config(Arc::new(config));
    }

    pub(super) fn set_shared_config(&self, config: Arc<LogConfig>) {
        *lock(&self.config) = config;
    }

    /// The settings in force.
    #[must_use]
    pub fn config(&self) -> Arc<LogConfig> {
        Arc::clone(&lock(&self.config))
    }

    /// Removes segments by age, size and log start offset, and forgets producers idle for too long;
    /// answers bytes removed.
    ///
    /// # Errors
    /// Storage.
    pub fn enforce_retention(&self, now_ms: i64) -> io::Result<u64> {
        let _upkeep = lock(&self.upkeep);
        let config = self.config();
        self.with_opened(|state| {
            state
                .producers
                .expire(now_ms, self.shared.producer_id_expiration);
            state.enforce_retention(&config, now_ms, &self.shared.files)
        })?
    }

    /// Compacts if the topic is compacted and it is due; answers bytes freed. Takes long: call it
    /// on a blocking thread. Appends and reads go on meanwhile.
    ///
    /// # Errors
    /// Storage; the log is as before.
    pub fn compact(&self, now_ms: i64) -> io::Result<u64> {
        let _upkeep = lock(&self.upkeep);
        let config = self.config();
        if !config.cleanup_policy.compact {
            return Ok(0);
        }
        let mut freed = 0;
        // A pass covers as many distinct keys as its memory allows; the next goes on behind it. What
        // is written meanwhile waits for another call, or a busy log would never let go.
        loop {
            let plan = self.with_opened(|state| state.plan_compaction(&config, now_ms))??;
            let Some(plan) = plan else {
                return Ok(freed);
            };
            let cleaned = plan.run(&config, now_ms, |group| {
                self.with_opened(|state| state.install(group, &self.shared.files))?
            })?;
            freed += cleaned.freed;
            self.with_opened(|state| state.compacted_to(cleaned.up_to))?;
            if cleaned.complete {
                return Ok(freed);
            }
        }
    }

    /// Writes everything appended to the disk (fsync). Appends go on meanwhile.
    ///
    /// # Errors
    /// Storage.
    pub fn flush(&self) -> io::Result<()> {
        let (segments, dir, unsynced) = self.with_opened(|state| {
            (
                state.unsynced_segments(),
                Arc::clone(&state.dir),
                state.unsynced,
            )
        })?;
        if segments.is_empty() {
            return Ok(());
        }
        sync_segments(&segments, &dir)?;
        let end = segments.last().map(|last| (last.info.base, last.info.size));
        let flushed = self.with_open(|state| {
            let now = (state.active.info.base, state.active.info.size);
            if end == Some(now) && state.unsynced.from == unsynced.from {
                state.unsynced.from = None;
                state.unsynced.records = 0;
                state.checkpoint(true)
            } else {
                // Newer data came meanwhile; what is sealed is on disk.
                state.unsynced.from = end.map(|(base, _)| base);
                state.unsynced.since_ms = state.unsynced.last_append_ms;
                Ok(())
            }
        });
        flushed.unwrap_or(Ok(()))
    }

    /// Bytes of all segments.
    ///
    /// # Errors
    /// The log could not be opened.
    pub fn size_bytes(&self) -> io::Result<u64> {
        self.with_state(|state| state.size_bytes())
    }

    /// Syncs, writes the checkpoint that makes the next open quick, and closes the files. A later
    /// use opens the log again.
    ///
    /// # Errors
    /// Storage; the log stays open.
    pub fn close(&self) -> io::Result<()> {
        let _upkeep = lock(&self.upkeep);
        close(&mut lock(&self.state), true)
    }

    /// As [`PartitionLog::close`], leaving it to the operating system to write the data.
    pub(super) fn close_without_sync(&self) -> io::Result<()> {
        let _upkeep = lock(&self.upkeep);
        close(&mut lock(&self.state), false)
    }

    /// As [`PartitionLog::close`], unless somebody has used the log since the last round of
    /// maintenance; answers whether it was closed.
    pub(super) fn close_if_unused(&self) -> io::Result<bool> {
        let _upkeep = lock(&self.upkeep);
        let mut slot = lock(&self.state);
        if self.marks.used.load(Ordering::Relaxed) {
            return Ok(false);
        }
        close(&mut slot, true).map(|()| true)
    }

    pub(super) fn upkeep_marks(&self) -> &UpkeepMarks {
        &self.marks
    }

    /// Whether the log is open.
    pub(super) fn is_open(&self) -> bool {
        self.with_open(|_| ()).is_some()
    }

    /// Whether anything was ever stored.
    pub(super) fn exists(&self) -> bool {
        self.is_open() || self.dir.exists()
    }

    /// When the oldest unsynced append and the newest append happened, if something is unsynced.
    pub(super) fn unsynced_since(&self) -> Option<(i64, i64)> {
        self.with_open(|state| {
            let unsynced = state.unsynced;
            unsynced
                .from
                .map(|_| (unsynced.since_ms, unsynced.last_append_ms))
        })?
    }

    /// Makes every further use fail: the topic is deleted.
    pub(super) fn mark_deleted(&self) {
        let _upkeep = lock(&self.upkeep);
        *lock(&self.state) = Slot::Deleted;
    }
}

fn close(slot: &mut Slot, sync: bool) -> io::Result<()> {
    if let Slot::Open(state) = slot {
        if !state.settled {
            if sync {
                sync_segments(&state.unsynced_segments(), &state.dir)?;
                state.unsynced.from = None;
            }
            state.checkpoint(sync)?;
        }
        *slot = Slot::Closed;
    }
    Ok(())
}

fn slice(bounds: Bounds, bytes: Bytes, aborted: Vec<AbortedTransaction>) -> ReadSlice {
    ReadSlice {
        bytes,
        high_watermark: bounds.high_watermark,
        last_stable_offset: bounds.last_stable_offset,
        log_start_offset: bounds.log_start_offset,
        aborted,
    }
}
