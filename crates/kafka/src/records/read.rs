//! Batches of format 2 (KIP-98) read where they lie: headers, and records into those of the ports.
//!
//! A record costs no allocation but the list of its headers. Bytes that do not fit are a fault with a text, never a panic,
//! and reserve nothing that they announce. Answers to Java's `DefaultRecordBatch` and `DefaultRecord`.

use std::sync::Arc;

use bytes::Bytes;

use crate::ports::{Header, InRecord, TimestampType};

/// The bytes of a batch in front of its records.
pub(crate) const HEADER_BYTES: usize = 61;
/// Base offset and length, which the length does not count.
pub(crate) const PREFIX_BYTES: usize = 12;
/// Where the magic is, in every format.
const MAGIC_AT: usize = 16;
/// Where the bytes begin that the checksum of format 2 covers.
pub(super) const CHECKED_FROM: usize = 21;

const COMPRESSION: i16 = 0x07;
const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// What lies at the beginning of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peeked {
    /// With the prefix.
    pub(crate) bytes: usize,
    /// The format.
    pub(crate) magic: u8,
    /// The offset after the batch; of a message set's entry, too.
    pub(crate) next_offset: i64,
}

/// The batch or message at the beginning of these bytes; `None` when it is torn, `Err` when it cannot be one.
pub(crate) fn peek(bytes: &[u8]) -> Result<Option<Peeked>, String> {
    let (Some(base), Some(length)) = (i64_at(bytes, 0), i32_at(bytes, 8)) else {
        return Ok(None);
    };
    let length = usize::try_from(length).map_err(|_| format!("a batch of {length} bytes"))?;
    let total = length + PREFIX_BYTES;
    if bytes.len() < total {
        return Ok(None);
    }
    let magic = *bytes
        .get(MAGIC_AT)
        .filter(|_| total > MAGIC_AT)
        .ok_or_else(|| format!("a batch of {length} bytes"))?;
    let last = match magic {
        2 if total < HEADER_BYTES => return Err(format!("a batch of {length} bytes")),
        2 => i64::from(i32_at(bytes, 23).unwrap_or(0).max(0)),
        0 | 1 => 0,
        _ => return Err(format!("unknown record format {magic}")),
    };
    Ok(Some(Peeked {
        bytes: total,
        magic,
        next_offset: base.saturating_add(last).saturating_add(1),
    }))
}

/// The header of a batch of format 2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchHeader {
    pub(crate) base_offset: i64,
    pub(crate) leader_epoch: i32,
    attributes: i16,
    crc: u32,
    last_delta: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) count: i32,
}

impl BatchHeader {
    /// Of a whole batch; `None` when it is too short.
    pub(crate) fn parse(batch: &[u8]) -> Option<Self> {
        Some(Self {
            base_offset: i64_at(batch, 0)?,
            leader_epoch: i32_at(batch, 12)?,
            crc: i32_at(batch, 17)?.cast_unsigned(),
            attributes: i16::from_be_bytes(*batch.get(CHECKED_FROM..)?.first_chunk()?),
            last_delta: i32_at(batch, 23)?,
            base_timestamp: i64_at(batch, 27)?,
            max_timestamp: i64_at(batch, 35)?,
            producer_id: i64_at(batch, 43)?,
            count: i32_at(batch, 57)?,
        })
    }

    pub(crate) const fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(self.last_delta as i64)
    }

    pub(crate) const fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    pub(crate) const fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// The code of its compression.
    pub(crate) const fn compression(&self) -> i16 {
        self.attributes & COMPRESSION
    }

    /// How the times of its records are told.
    pub(crate) const fn times(&self) -> Times {
        match self.attributes & LOG_APPEND_TIME != 0 {
            true => Times::Appended(self.max_timestamp),
            false => Times::Created(self.base_timestamp),
        }
    }

    /// Whether the bytes of the batch are those that were written.
    pub(crate) fn check(&self, batch: &[u8]) -> Result<(), String> {
        let computed = crc32c::crc32c(batch.get(CHECKED_FROM..).unwrap_or_default());
        match computed == self.crc {
            true => Ok(()),
            false => Err(format!(
                "Record is corrupt (stored crc = {}, computed crc = {computed})",
                self.crc
            )),
        }
    }
}

/// How the times of a batch's records are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// Each record's relative to this.
    Created(i64),
    /// All the same.
    Appended(i64),
    /// None has one (format 0).
    Without,
}

/// Whether a control batch's records (not compressed) are led by the marker of an aborted transaction.
pub(crate) fn is_abort_marker(records: &[u8]) -> bool {
    let marker = || {
        let mut at = 0;
        varint(records, &mut at)?;
        at += 1;
        varlong(records, &mut at)?;
        varint(records, &mut at)?;
        varint(records, &mut at)?;
        // The key: version and type.
        Some(*records.get(at..)?.first_chunk::<4>()?)
    };
    marker().is_some_and(|[_, _, high, low]| (high, low) == (0, 0))
}

/// So many records from here on, at most: their bytes and how many there are whole.
pub(crate) fn extent(records: &[u8], count: usize) -> (usize, usize) {
    let mut end = 0;
    for found in 0..count {
        let mut at = end;
        let length = varint(records, &mut at).and_then(|length| usize::try_from(length).ok());
        match length {
            Some(length) if length <= records.len() - at => end = at + length,
            _ => return (end, found),
        }
    }
    (end, count)
}

/// The same for those whose offset is below this.
pub(crate) fn extent_below(records: &[u8], count: usize, base: i64, offset: i64) -> (usize, usize) {
    let mut end = 0;
    for found in 0..count {
        let mut at = end;
        let mut head = || {
            let length = usize::try_from(varint(records, &mut at)?).ok()?;
            let begin = at;
            at += 1;
            varlong(records, &mut at)?;
            let delta = varint(records, &mut at)?;
            let after = begin.checked_add(length)?;
            (after <= records.len()).then_some((after, delta))
        };
        match head() {
            Some((after, delta)) if base.saturating_add(i64::from(delta)) < offset => end = after,
            _ => return (end, found),
        }
    }
    (end, count)
}

/// The most headers whose keys are kept: more than a record with sense has.
const KEYS_MAX: usize = 64;

/// The keys of the headers of the last record: the next one's are the same, most of the time.
#[derive(Debug, Default)]
pub(crate) struct HeaderKeys(Vec<Arc<str>>);

impl HeaderKeys {
    fn key(&mut self, place: usize, bytes: &[u8]) -> Arc<str> {
        match self.0.get(place) {
            Some(known) if known.as_bytes() == bytes => Arc::clone(known),
            _ => {
                let key: Arc<str> = String::from_utf8_lossy(bytes).into();
                let known = self.0.len();
                match self.0.get_mut(place) {
                    Some(known) => *known = Arc::clone(&key),
                    None if place == known && place < KEYS_MAX => self.0.push(Arc::clone(&key)),
                    None => {}
                }
                key
            }
        }
    }
}

/// Appends the records that lie in these bytes.
///
/// # Errors
/// What is wrong with the record after those that were appended.
pub(crate) fn read_records(
    bytes: &Bytes,
    base_offset: i64,
    times: Times,
    keys: &mut HeaderKeys,
    out: &mut Vec<InRecord>,
) -> Result<(), String> {
    let mut at = 0;
    while at < bytes.len() {
        let record = read_record(bytes, &mut at, base_offset, times, keys);
        out.push(record.ok_or("a record is malformed")?);
    }
    Ok(())
}

#[inline]
fn read_record(
    bytes: &Bytes,
    at: &mut usize,
    base_offset: i64,
    times: Times,
    keys: &mut HeaderKeys,
) -> Option<InRecord> {
    let length = usize::try_from(varint(bytes, at)?).ok()?;
    let end = at.checked_add(length)?;
    let body = bytes.get(..end)?;
    // No attribute of a record has a meaning.
    *at += 1;
    let time = varlong(body, at)?;
    let delta = varint(body, at)?;
    let key = field(bytes, body, at)?;
    let value = field(bytes, body, at)?;
    let count = usize::try_from(varint(body, at)?).ok()?;
    // A header has two lengths at least.
    if count > body.len().saturating_sub(*at) / 2 {
        return None;
    }
    let mut headers = Vec::new();
    if count > 0 {
        headers.reserve_exact(count);
        for place in 0..count {
            let length = usize::try_from(varint(body, at)?).ok()?;
            let name = body.get(*at..at.checked_add(length)?)?;
            let key = keys.key(place, name);
            *at += length;
            let value = field(bytes, body, at)?;
            headers.push(Header { key, value });
        }
    }
    let (timestamp, timestamp_type) = match times {
        Times::Created(base) => (base.wrapping_add(time), TimestampType::CreateTime),
        Times::Appended(time) => (time, TimestampType::LogAppendTime),
        Times::Without => (-1, TimestampType::None),
    };
    (*at == end).then_some(InRecord {
        offset: base_offset.saturating_add(i64::from(delta)),
        timestamp,
        timestamp_type,
        key,
        value,
        headers,
    })
}

/// A length and so many bytes; -1 is null.
#[inline]
fn field(bytes: &Bytes, body: &[u8], at: &mut usize) -> Option<Option<Bytes>> {
    let length = varint(body, at)?;
    if length < 0 {
        return (length == -1).then_some(None);
    }
    let end = at.checked_add(usize::try_from(length).ok()?)?;
    if end > body.len() {
        return None;
    }
    let field = bytes.slice(*at..end);
    *at = end;
    Some(Some(field))
}

/// A number of at most 32 bits in zigzag and 7 bits per byte.
#[inline]
fn varint(bytes: &[u8], at: &mut usize) -> Option<i32> {
    let first = *bytes.get(*at)?;
    *at += 1;
    if first < 0x80 {
        let value = i32::from(first);
        return Some((value >> 1) ^ -(value & 1));
    }
    let mut value = u32::from(first & 0x7f);
    for shift in [7, 14, 21, 28] {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
    None
}

/// The same of 64 bits.
#[inline]
fn varlong(bytes: &[u8], at: &mut usize) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
    None
}

fn i64_at(bytes: &[u8], at: usize) -> Option<i64> {
    Some(i64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}
