//! What a read is asked and answers.

use std::io;

use bytes::Bytes;

/// Which records a reader may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Everything up to the high watermark.
    ReadUncommitted,
    /// Everything up to the last stable offset; aborted transactions are named in the answer.
    ReadCommitted,
}

/// The three offsets that bound a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The first offset that may be read.
    pub log_start_offset: i64,
    /// The offset after the last record (one broker: also the log end offset).
    pub high_watermark: i64,
    /// The first offset of the oldest open transaction, or the high watermark.
    pub last_stable_offset: i64,
}

/// An aborted transaction as a fetch answer names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// The producer.
    pub producer_id: i64,
    /// Offset of its first record in the transaction.
    pub first_offset: i64,
}

/// What a read found.
#[derive(Debug, Clone)]
pub struct ReadSlice {
    /// Whole batches; the first one holds the offset asked for or is the next after it. Empty at
    /// the end of what the isolation lets see.
    pub bytes: Bytes,
    /// See [`Bounds`].
    pub high_watermark: i64,
    /// See [`Bounds`].
    pub last_stable_offset: i64,
    /// See [`Bounds`].
    pub log_start_offset: i64,
    /// Aborted transactions overlapping `bytes`, by first offset; empty for `ReadUncommitted`.
    pub aborted: Vec<AbortedTransaction>,
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The offset is below the log start or above the high watermark.
    #[error("offset {offset} is out of range {start}..={end}")]
    OffsetOutOfRange {
        /// The offset asked for.
        offset: i64,
        /// The log start offset.
        start: i64,
        /// The high watermark.
        end: i64,
    },
    /// The log cannot be read.
    #[error("log storage failed: {0}")]
    Io(#[from] io::Error),
}

/// The answer of a search by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampedOffset {
    /// Timestamp of the record in milliseconds.
    pub timestamp: i64,
    /// Its offset.
    pub offset: i64,
}
