//! Batches the broker writes itself: records of its own topics and transaction markers.
//!
//! Uncompressed, created in one buffer, checksum sealed at the end. Answers to Java's
//! `MemoryRecordsBuilder`, `EndTransactionMarker`.

use bytes::{BufMut, Bytes, BytesMut};

use super::batch::{BatchHeader, HEADER_LEN, LOG_OVERHEAD, NO_PRODUCER_ID, NO_SEQUENCE};

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MarkerKind {
    /// Its records become visible.
    Commit,
    /// Its records are skipped by `read_committed`.
    Abort,
}

/// Builds one uncompressed batch of keyed records.
#[derive(Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    records: BytesMut,
}

impl BatchBuilder {
    /// An empty batch whose records carry `timestamp_ms`.
    #[must_use]
    pub fn new(timestamp_ms: i64) -> BatchBuilder {
        BatchBuilder {
            header: BatchHeader {
                base_offset: 0,
                length: 0,
                partition_leader_epoch: 0,
                crc: 0,
                attributes: 0,
                last_offset_delta: 0,
                base_timestamp: timestamp_ms,
                max_timestamp: timestamp_ms,
                producer_id: NO_PRODUCER_ID,
                producer_epoch: -1,
                base_sequence: NO_SEQUENCE,
                records_count: 0,
            },
            records: BytesMut::new(),
        }
    }

    /// Writes in the name of a producer (for `TxnOffsetCommit`: transactional, no sequence; for
    /// tests: an idempotent producer with its sequence).
    #[must_use]
    pub fn producer(mut self, id: i64, epoch: i16, sequence: i32, transactional: bool) -> Self {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = sequence;
        self.header.set_transactional(transactional);
        self
    }

    /// Adds a record with the batch's timestamp; a `None` value is a tombstone.
    pub fn push(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.push_at(self.header.base_timestamp, key, value);
    }

    /// Adds a record with its own timestamp.
    pub fn push_at(&mut self, timestamp_ms: i64, key: Option<&[u8]>, value: Option<&[u8]>) {
        let delta = timestamp_ms.wrapping_sub(self.header.base_timestamp);
        let offset_delta = i64::from(self.header.records_count);
        let length = 1
            + varint_len(delta)
            + varint_len(offset_delta)
            + field_len(key)
            + field_len(value)
            + 1;
        put_varint(&mut self.records, length as i64);
        self.records.put_i8(0);
        put_varint(&mut self.records, delta);
        put_varint(&mut self.records, offset_delta);
        put_field(&mut self.records, key);
        put_field(&mut self.records, value);
        put_varint(&mut self.records, 0);
        self.header.max_timestamp = self.header.max_timestamp.max(timestamp_ms);
        self.header.last_offset_delta = self.header.records_count;
        self.header.records_count += 1;
    }

    /// Number of records so far.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.header.records_count).unwrap_or(0)
    }

    /// Whether no record was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.header.records_count == 0
    }

    /// Bytes the finished batch will have.
    #[must_use]
    pub fn size(&self) -> usize {
        HEADER_LEN + self.records.len()
    }

    /// The finished batch, its base offset 0.
    #[must_use]
    pub fn finish(mut self) -> Bytes {
        self.header.length = (HEADER_LEN - LOG_OVERHEAD + self.records.len()) as i32;
        let header = self.header.sealed(&self.records);
        let mut out = BytesMut::with_capacity(self.size());
        out.put_slice(&header.to_bytes());
        out.put_slice(&self.records);
        out.freeze()
    }
}

/// The control batch that ends a transaction (one record; key: version 0 and type, value: version 0
/// and coordinator epoch). Base offset 0.
#[must_use]
pub fn control_batch(
    producer_id: i64,
    producer_epoch: i16,
    kind: MarkerKind,
    coordinator_epoch: i32,
    timestamp_ms: i64,
) -> Bytes {
    let mut key = [0u8; 4];
    let mut value = [0u8; 6];
    key.as_mut_slice().put_u32(match kind {
        MarkerKind::Abort => 0,
        MarkerKind::Commit => 1,
    });
    if let Some(epoch) = value.get_mut(2..) {
        epoch.copy_from_slice(&coordinator_epoch.to_be_bytes());
    }
    let mut builder =
        BatchBuilder::new(timestamp_ms).producer(producer_id, producer_epoch, NO_SEQUENCE, true);
    builder.header.set_control(true);
    builder.push(Some(&key), Some(&value));
    builder.finish()
}

pub(super) fn put_field(out: &mut BytesMut, field: Option<&[u8]>) {
    match field {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, bytes.len() as i64);
            out.put_slice(bytes);
        }
    }
}

pub(super) fn put_varint(out: &mut BytesMut, value: i64) {
    let mut bits = ((value << 1) ^ (value >> 63)) as u64;
    while bits >= 0x80 {
        out.put_u8((bits as u8) | 0x80);
        bits >>= 7;
    }
    out.put_u8(bits as u8);
}

pub(super) fn varint_len(value: i64) -> usize {
    let bits = ((value << 1) ^ (value >> 63)) as u64;
    (64 - (bits | 1).leading_zeros() as usize).div_ceil(7)
}

fn field_len(field: Option<&[u8]>) -> usize {
    match field {
        None => 1,
        Some(bytes) => varint_len(bytes.len() as i64) + bytes.len(),
    }
}
