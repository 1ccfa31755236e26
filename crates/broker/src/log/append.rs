//! What an append is asked and answers.

use std::io;

use super::batch::BatchError;

/// Who appends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendOrigin {
    /// A producer: sequences, timestamps, record structure and (on compacted topics) keys are
    /// checked; control batches are refused.
    Client,
    /// A coordinator of this broker: sequences are not checked.
    Coordinator,
}

/// What an append did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Offset of the first record (of the original append when `duplicate`).
    pub first_offset: i64,
    /// Offset of the last record.
    pub last_offset: i64,
    /// The broker's timestamp in milliseconds with `LogAppendTime`, otherwise -1.
    pub log_append_time: i64,
    /// The log start offset, which the produce answer carries.
    pub log_start_offset: i64,
    /// Whether the same batch had been appended before; nothing was written.
    pub duplicate: bool,
}

/// Why nothing was appended. Each but `Io` has its Kafka error code (see [`AppendError::code`]).
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The bytes are not whole, valid batches.
    #[error("record batch is corrupt: {0}")]
    CorruptMessage(#[from] BatchError),
    /// A batch is larger than `max.message.bytes`.
    #[error("record batch of {size} bytes is larger than max.message.bytes = {max}")]
    MessageTooLarge {
        /// Bytes of the batch.
        size: usize,
        /// The limit.
        max: u32,
    },
    /// A batch is larger than `segment.bytes`.
    #[error("record batch of {size} bytes is larger than segment.bytes = {max}")]
    RecordListTooLarge {
        /// Bytes of the append.
        size: usize,
        /// The limit.
        max: u32,
    },
    /// A timestamp is too far from the broker's clock.
    #[error("record timestamp {timestamp} is outside the accepted range of the topic")]
    InvalidTimestamp {
        /// The offending timestamp in milliseconds.
        timestamp: i64,
    },
    /// The records contradict the batch header, the origin or the topic.
    #[error("invalid record: {0}")]
    InvalidRecord(&'static str),
    /// The sequence does not follow the producer's last one.
    #[error("producer {producer_id}: sequence {found} does not follow {last}")]
    OutOfOrderSequence {
        /// The producer.
        producer_id: i64,
        /// The sequence that came.
        found: i32,
        /// The last sequence known.
        last: i32,
    },
    /// A newer incarnation of the producer has written.
    #[error("producer {producer_id}: epoch {found} is older than {current}")]
    InvalidProducerEpoch {
        /// The producer.
        producer_id: i64,
        /// The epoch that came.
        found: i16,
        /// The current epoch.
        current: i16,
    },
    /// A plain batch inside an open transaction.
    #[error("producer {producer_id}: a transaction is open, a transactional batch was expected")]
    InvalidTxnState {
        /// The producer.
        producer_id: i64,
    },
    /// A marker of a coordinator that has been replaced.
    #[error("marker of coordinator epoch {found}, current is {current}")]
    CoordinatorFenced {
        /// The epoch that came.
        found: i32,
        /// The newest epoch seen.
        current: i32,
    },
    /// The log cannot be read or written.
    #[error("log storage failed: {0}")]
    Io(#[from] io::Error),
}

impl AppendError {
    /// The Kafka error code of the answer.
    #[must_use]
    pub fn code(&self) -> i16 {
        match self {
            // Bytes that no producer would frame so are an invalid record, others have suffered on the way.
            AppendError::CorruptMessage(BatchError::Truncated { .. } | BatchError::Counts(_)) => 87,
            AppendError::CorruptMessage(_) => 2,
            AppendError::MessageTooLarge { .. } => 10,
            AppendError::RecordListTooLarge { .. } => 18,
            AppendError::InvalidTimestamp { .. } => 32,
            AppendError::OutOfOrderSequence { .. } => 45,
            AppendError::InvalidProducerEpoch { .. } => 47,
            AppendError::InvalidTxnState { .. } => 48,
            AppendError::CoordinatorFenced { .. } => 52,
            AppendError::Io(_) => 56,
            AppendError::InvalidRecord(_) => 87,
        }
    }
}
