//! The header of a record batch (format v2, magic 2), read from and written to raw bytes.
//!
//! Never decodes records and never trusts a length: every accessor is bounds-checked and a batch
//! that fails its checksum is an error, not a value. Answers to Java's `DefaultRecordBatch`.

use bytes::{Buf, Bytes};

/// Bytes of a batch before its first record.
pub const HEADER_LEN: usize = 61;
/// Bytes of `baseOffset` and `batchLength`, which `batchLength` does not count.
pub const LOG_OVERHEAD: usize = 12;
/// First byte covered by the checksum (`attributes`).
pub const CRC_START: usize = 21;
/// `producerId` of a batch without producer.
pub const NO_PRODUCER_ID: i64 = -1;
/// `baseSequence` of a batch without sequence.
pub const NO_SEQUENCE: i32 = -1;
/// Timestamp of a record that has none.
pub const NO_TIMESTAMP: i64 = -1;

const COMPRESSION_MASK: i16 = 0x07;
const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
const DELETE_HORIZON: i16 = 0x40;

/// Why bytes are not a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Fewer bytes than the header or the stated length needs.
    #[error("record batch is cut short: {have} of {need} bytes")]
    Truncated {
        /// Bytes present.
        have: usize,
        /// Bytes needed.
        need: usize,
    },
    /// The length field cannot be true.
    #[error("record batch states an impossible length {0}")]
    Length(i32),
    /// Not format v2.
    #[error("record batch has magic {0}, only 2 is supported")]
    Magic(i8),
    /// The checksum does not match.
    #[error("record batch checksum is {computed:#010x}, stated {stated:#010x}")]
    Checksum {
        /// In the header.
        stated: u32,
        /// Of the bytes.
        computed: u32,
    },
    /// Counts, deltas or offsets contradict each other.
    #[error("record batch counts are inconsistent: {0}")]
    Counts(&'static str),
}

/// The fields of a batch header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record as produced (kept by compaction).
    pub base_offset: i64,
    /// Bytes after the length field.
    pub length: i32,
    /// Leader epoch stamped by the broker.
    pub partition_leader_epoch: i32,
    /// CRC-32C of everything from `attributes`.
    pub crc: u32,
    /// Raw attribute bits.
    pub attributes: i16,
    /// Last offset minus base offset.
    pub last_offset_delta: i32,
    /// Timestamp the records' deltas refer to, or the delete horizon when that bit is set.
    pub base_timestamp: i64,
    /// Largest timestamp of the records.
    pub max_timestamp: i64,
    /// Producer id or [`NO_PRODUCER_ID`].
    pub producer_id: i64,
    /// Producer epoch or -1.
    pub producer_epoch: i16,
    /// Sequence of the first record or [`NO_SEQUENCE`].
    pub base_sequence: i32,
    /// Number of records.
    pub records_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`. Checks magic, length and the signs of counts, not
    /// the checksum; `bytes` may end after the header.
    ///
    /// # Errors
    /// See [`BatchError`].
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        let Some(mut buf) = bytes.get(..HEADER_LEN) else {
            return Err(BatchError::Truncated {
                have: bytes.len(),
                need: HEADER_LEN,
            });
        };
        let base_offset = buf.get_i64();
        let length = buf.get_i32();
        let partition_leader_epoch = buf.get_i32();
        let magic = buf.get_i8();
        if magic != 2 {
            return Err(BatchError::Magic(magic));
        }
        if length < (HEADER_LEN - LOG_OVERHEAD) as i32 {
            return Err(BatchError::Length(length));
        }
        let header = BatchHeader {
            base_offset,
            length,
            partition_leader_epoch,
            crc: buf.get_u32(),
            attributes: buf.get_i16(),
            last_offset_delta: buf.get_i32(),
            base_timestamp: buf.get_i64(),
            max_timestamp: buf.get_i64(),
            producer_id: buf.get_i64(),
            producer_epoch: buf.get_i16(),
            base_sequence: buf.get_i32(),
            records_count: buf.get_i32(),
        };
        header.check_counts()?;
        Ok(header)
    }

    /// Reads and verifies the whole batch at the start of `bytes`.
    ///
    /// # Errors
    /// See [`BatchError`].
    pub fn parse_verified(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        let header = Self::parse(bytes)?;
        let need = header.size();
        let Some(covered) = bytes.get(CRC_START..need) else {
            return Err(BatchError::Truncated {
                have: bytes.len(),
                need,
            });
        };
        let computed = crc32c::crc32c(covered);
        if computed != header.crc {
            return Err(BatchError::Checksum {
                stated: header.crc,
                computed,
            });
        }
        Ok(header)
    }

    fn check_counts(&self) -> Result<(), BatchError> {
        if self.last_offset_delta < 0 {
            return Err(BatchError::Counts("negative last offset delta"));
        }
        if self.records_count < 0 {
            return Err(BatchError::Counts("negative record count"));
        }
        // A compacted batch may hold fewer records than offsets, never more.
        if i64::from(self.records_count) > i64::from(self.last_offset_delta) + 1 {
            return Err(BatchError::Counts("more records than offsets"));
        }
        // Every record takes at least seven bytes, if it is not compressed.
        if self
            .base_offset
            .checked_add(i64::from(self.last_offset_delta))
            .is_none()
        {
            return Err(BatchError::Counts("offsets overflow"));
        }
        Ok(())
    }

    /// Bytes of the whole batch.
    #[must_use]
    pub fn size(&self) -> usize {
        LOG_OVERHEAD + usize::try_from(self.length).unwrap_or(0)
    }

    /// Offset of the last record (or of the last record before compaction).
    #[must_use]
    pub fn last_offset(&self) -> i64 {
        self.base_offset
            .saturating_add(i64::from(self.last_offset_delta))
    }

    /// Offset after the batch.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// Sequence of the last record, with Kafka's wraparound at `i32::MAX`.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == NO_SEQUENCE {
            return NO_SEQUENCE;
        }
        increment_sequence(self.base_sequence, self.last_offset_delta)
    }

    /// Compression code: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    #[must_use]
    pub fn compression(&self) -> i16 {
        self.attributes & COMPRESSION_MASK
    }

    /// Whether `max_timestamp` is the broker's and holds for every record.
    #[must_use]
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    /// Whether the batch is part of a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether the batch is a control batch (a transaction marker).
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Whether the batch was written by an idempotent producer.
    #[must_use]
    pub fn has_producer(&self) -> bool {
        self.producer_id >= 0
    }

    /// Time after which tombstones of this batch may go (KIP-534), once compaction has set it.
    #[must_use]
    pub fn delete_horizon(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON != 0).then_some(self.base_timestamp)
    }

    /// The header as bytes, `crc` as it stands in the struct.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        use bytes::BufMut;
        let mut out = [0u8; HEADER_LEN];
        let mut buf = out.as_mut_slice();
        buf.put_i64(self.base_offset);
        buf.put_i32(self.length);
        buf.put_i32(self.partition_leader_epoch);
        buf.put_i8(2);
        buf.put_u32(self.crc);
        buf.put_i16(self.attributes);
        buf.put_i32(self.last_offset_delta);
        buf.put_i64(self.base_timestamp);
        buf.put_i64(self.max_timestamp);
        buf.put_i64(self.producer_id);
        buf.put_i16(self.producer_epoch);
        buf.put_i32(self.base_sequence);
        buf.put_i32(self.records_count);
        out
    }

    /// The header with the checksum recomputed over itself and `records`.
    #[must_use]
    pub fn sealed(mut self, records: &[u8]) -> BatchHeader {
        let bytes = self.to_bytes();
        let own = bytes.get(CRC_START..).unwrap_or_default();
        self.crc = crc32c::crc32c_append(crc32c::crc32c(own), records);
        self
    }

    /// Sets or clears the bit of log append time.
    pub fn set_log_append_time(&mut self, on: bool) {
        self.set_bit(LOG_APPEND_TIME, on);
    }

    /// Sets the delete horizon: the bit, and the time in place of the base timestamp. The caller
    /// re-encodes the records' timestamp deltas.
    pub fn set_delete_horizon(&mut self, horizon_ms: i64) {
        self.set_bit(DELETE_HORIZON, true);
        self.base_timestamp = horizon_ms;
    }

    /// Marks the batch as transactional or not.
    pub fn set_transactional(&mut self, on: bool) {
        self.set_bit(TRANSACTIONAL, on);
    }

    /// Marks the batch as a control batch or not.
    pub fn set_control(&mut self, on: bool) {
        self.set_bit(CONTROL, on);
    }

    /// Sets the compression code.
    pub fn set_compression(&mut self, code: i16) {
        self.attributes = (self.attributes & !COMPRESSION_MASK) | (code & COMPRESSION_MASK);
    }

    fn set_bit(&mut self, bit: i16, on: bool) {
        if on {
            self.attributes |= bit;
        } else {
            self.attributes &= !bit;
        }
    }
}

/// `sequence + by`, wrapping from `i32::MAX` to 0 as producers do.
#[must_use]
pub fn increment_sequence(sequence: i32, by: i32) -> i32 {
    sequence
        .checked_add(by)
        .unwrap_or_else(|| by - (i32::MAX - sequence) - 1)
}

/// The batches of `bytes`, headers parsed, checksums not verified. Ends silently before a batch cut
/// short (as Kafka's consumers do); any other fault is the last item.
#[must_use]
pub fn batches(bytes: Bytes) -> Batches {
    Batches { rest: bytes }
}

/// Iterator of [`batches`].
#[derive(Debug, Clone)]
pub struct Batches {
    rest: Bytes,
}

impl Iterator for Batches {
    type Item = Result<(BatchHeader, Bytes), BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.len() < HEADER_LEN {
            return None;
        }
        match BatchHeader::parse(&self.rest) {
            Ok(header) if header.size() > self.rest.len() => {
                self.rest = Bytes::new();
                None
            }
            Ok(header) => Some(Ok((header, self.rest.split_to(header.size())))),
            Err(error) => {
                self.rest = Bytes::new();
                Some(Err(error))
            }
        }
    }
}
