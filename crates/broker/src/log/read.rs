//! What a read is asked and answers.

use std::fs::File;
use std::io;
use std::sync::Arc;

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

/// Whole batches that were found in a segment and not read.
#[derive(Debug, Clone)]
pub(crate) struct FileSlice {
    /// Stays readable when the segment is replaced or removed.
    pub(crate) file: Arc<File>,
    /// Where the first batch starts.
    pub(crate) position: u64,
    /// Never zero.
    pub(crate) len: usize,
}

/// Where the batches are.
#[derive(Debug, Clone)]
pub(crate) enum Records {
    /// Read already: too little to be worth another way. Empty at the end.
    Memory(Bytes),
    /// In their file, from which they go to the socket without passing through this process.
    File(FileSlice),
}

impl Default for Records {
    fn default() -> Self {
        Self::Memory(Bytes::new())
    }
}

impl Records {
    /// Their length in bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File(slice) => slice.len,
        }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a search for batches found; as [`ReadSlice`].
#[derive(Debug, Clone)]
pub(crate) struct FoundSlice {
    pub(crate) records: Records,
    pub(crate) bounds: Bounds,
    pub(crate) aborted: Vec<AbortedTransaction>,
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
