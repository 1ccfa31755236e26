//! The log of one partition.

use std::io;
use std::path::Path;

use bytes::Bytes;

use super::append::{AppendError, AppendOrigin, Appended};
use super::read::{Bounds, Isolation, ReadError, ReadSlice, TimestampedOffset};
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

/// The log of one partition; internally synchronised, shared behind an `Arc`. Opened on first use.
#[derive(Debug)]
pub struct PartitionLog {}

fn later() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "storage is not there yet")
}

impl PartitionLog {
    /// Opens (and creates) the log in `dir`, repairing what a crash left behind.
    ///
    /// # Errors
    /// The directory cannot be read or written.
    pub fn open(_dir: &Path, _config: LogConfig, _now_ms: i64) -> io::Result<PartitionLog> {
        Err(later())
    }

    /// Appends whole batches. On success the bytes are with the operating system, and on disk if
    /// `flush.messages` asks for it.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing was appended.
    pub fn append(
        &self,
        _batches: Bytes,
        _origin: AppendOrigin,
        _now_ms: i64,
    ) -> Result<Appended, AppendError> {
        Err(later().into())
    }

    /// Appends the marker that ends a producer's transaction.
    ///
    /// # Errors
    /// An older epoch of the producer or the coordinator, or storage.
    pub fn append_marker(
        &self,
        _producer_id: i64,
        _producer_epoch: i16,
        _kind: MarkerKind,
        _coordinator_epoch: i32,
        _now_ms: i64,
    ) -> Result<Appended, AppendError> {
        Err(later().into())
    }

    /// Whole batches from the one holding `offset`, at most `max_bytes`; with `always_one` the
    /// first batch comes whatever its size.
    ///
    /// # Errors
    /// The offset is out of range, or storage.
    pub fn read(
        &self,
        _offset: i64,
        _max_bytes: usize,
        _isolation: Isolation,
        _always_one: bool,
    ) -> Result<ReadSlice, ReadError> {
        Err(later().into())
    }

    /// Log start offset, high watermark and last stable offset, taken together.
    ///
    /// # Errors
    /// The log could not be opened.
    pub fn bounds(&self) -> io::Result<Bounds> {
        Err(later())
    }

    /// The first record whose timestamp is at least `timestamp_ms`, `None` if there is none.
    ///
    /// # Errors
    /// Storage.
    pub fn offset_for_timestamp(
        &self,
        _timestamp_ms: i64,
    ) -> io::Result<Option<TimestampedOffset>> {
        Err(later())
    }

    /// The record with the largest timestamp (the first of equals), `None` if the log is empty.
    ///
    /// # Errors
    /// Storage.
    pub fn max_timestamp_offset(&self) -> io::Result<Option<TimestampedOffset>> {
        Err(later())
    }

    /// Moves the log start offset up to `before` (-1: the high watermark) and answers the new one.
    ///
    /// # Errors
    /// See [`DeleteRecordsError`].
    pub fn delete_records(&self, _before: i64) -> Result<i64, DeleteRecordsError> {
        Err(later().into())
    }

    /// The producers known, by id.
    ///
    /// # Errors
    /// The log could not be opened.
    pub fn producers(&self) -> io::Result<Vec<ProducerSummary>> {
        Err(later())
    }

    /// Transactions with records here and no marker yet, by first offset.
    ///
    /// # Errors
    /// The log could not be opened.
    pub fn open_transactions(&self) -> io::Result<Vec<OpenTransaction>> {
        Err(later())
    }

    /// Whether `producer_id` at `producer_epoch` has a transaction open here.
    ///
    /// # Errors
    /// The log could not be opened.
    pub fn has_open_transaction(
        &self,
        _producer_id: i64,
        _producer_epoch: i16,
    ) -> io::Result<bool> {
        Err(later())
    }

    /// Replaces the settings; they hold from the next operation.
    pub fn set_config(&self, _config: LogConfig) {}

    /// The settings in force.
    #[must_use]
    pub fn config(&self) -> LogConfig {
        LogConfig::default()
    }

    /// Removes segments by age, size and log start offset; answers bytes removed.
    ///
    /// # Errors
    /// Storage.
    pub fn enforce_retention(&self, _now_ms: i64) -> io::Result<u64> {
        Err(later())
    }

    /// Compacts if the topic is compacted and it is due; answers bytes freed. Takes long: call it
    /// on a blocking thread.
    ///
    /// # Errors
    /// Storage; the log is as before.
    pub fn compact(&self, _now_ms: i64) -> io::Result<u64> {
        Err(later())
    }

    /// Writes everything appended to the disk (fsync).
    ///
    /// # Errors
    /// Storage.
    pub fn flush(&self) -> io::Result<()> {
        Err(later())
    }

    /// Bytes of all segments.
    ///
    /// # Errors
    /// The log could not be opened.
    pub fn size_bytes(&self) -> io::Result<u64> {
        Err(later())
    }

    /// Syncs, writes the checkpoint that makes the next open quick, and closes the files. A later
    /// use opens the log again.
    ///
    /// # Errors
    /// Storage.
    pub fn close(&self) -> io::Result<()> {
        Err(later())
    }
}
