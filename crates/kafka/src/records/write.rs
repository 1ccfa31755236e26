//! Record batches of format 2 (KIP-98), written record by record into the buffer that goes over the wire.
//!
//! Answers to `org.apache.kafka.common.record.MemoryRecordsBuilder`. No object is made per record.

use std::io::{self, Write as _};

use super::read::{CHECKED_FROM, HEADER_BYTES, PREFIX_BYTES};
use crate::ports::OutRecord;

/// The most that a record takes beside key, value and headers, as Java bounds it.
const RECORD_OVERHEAD_MAX: usize = 21;
const ATTRIBUTES: usize = 21;
const PRODUCER: usize = 43;
const TRANSACTIONAL: u8 = 0x10;

/// How the records of a batch are compressed, with the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip(u32),
    Snappy,
    /// 9, Java's default, is the fast compressor; every other level is of the high one.
    Lz4(u32),
    Zstd(i32),
}

impl Compression {
    const fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip(_) => 1,
            Self::Snappy => 2,
            Self::Lz4(_) => 3,
            Self::Zstd(_) => 4,
        }
    }

    /// Compresses to the end of `out`.
    fn compress(self, plain: &[u8], out: Vec<u8>) -> io::Result<Vec<u8>> {
        match self {
            Self::None => {
                let mut out = out;
                out.extend_from_slice(plain);
                Ok(out)
            }
            Self::Gzip(level) => {
                let level = flate2::Compression::new(level);
                let mut encoder = flate2::write::GzEncoder::new(out, level);
                encoder.write_all(plain)?;
                encoder.finish()
            }
            Self::Snappy => snappy(plain, out),
            Self::Lz4(level) => {
                let level = if level == LZ4_DEFAULT {
                    1
                } else {
                    level.max(3)
                };
                let mut encoder = lz4::EncoderBuilder::new()
                    .level(level)
                    .block_size(lz4::BlockSize::Max64KB)
                    .block_mode(lz4::BlockMode::Independent)
                    .checksum(lz4::ContentChecksum::NoChecksum)
                    .build(out)?;
                encoder.write_all(plain)?;
                let (out, ended) = encoder.finish();
                ended.map(|()| out)
            }
            Self::Zstd(level) => {
                let mut encoder = zstd::stream::write::Encoder::new(out, level)?;
                encoder.write_all(plain)?;
                encoder.finish()
            }
        }
    }
}

/// `compression.lz4.level`'s default.
pub(crate) const LZ4_DEFAULT: u32 = 9;

/// The framing that Kafka's readers know: that of the Java library, blocks of 32 KB.
fn snappy(plain: &[u8], mut out: Vec<u8>) -> io::Result<Vec<u8>> {
    const MAGIC: &[u8] = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01";
    const BLOCK: usize = 32 * 1024;
    out.extend_from_slice(MAGIC);
    let mut encoder = snap::raw::Encoder::new();
    for block in plain.chunks(BLOCK) {
        let packed = encoder.compress_vec(block).map_err(io::Error::other)?;
        out.extend_from_slice(&u32_of(packed.len()).to_be_bytes());
        out.extend_from_slice(&packed);
    }
    Ok(out)
}

/// Who writes a batch, and its place in the row of what he writes into the partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) producer: i64,
    pub(crate) epoch: i16,
    pub(crate) sequence: i32,
    pub(crate) transactional: bool,
}

/// A batch that is being written.
pub(crate) struct BatchWriter {
    /// The overhead, not filled in yet, and the records.
    buffer: Vec<u8>,
    first: i64,
    last: i64,
    count: i32,
}

impl BatchWriter {
    /// A batch whose first record has this timestamp, in a buffer that may have been used before.
    pub(crate) fn new(mut buffer: Vec<u8>, timestamp: i64) -> Self {
        buffer.clear();
        buffer.resize(HEADER_BYTES, 0);
        Self {
            buffer,
            first: timestamp,
            last: timestamp,
            count: 0,
        }
    }

    /// Bytes so far, not compressed.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Records so far.
    pub(crate) const fn count(&self) -> i32 {
        self.count
    }

    /// How many bytes the body of a record takes, without its length.
    fn body(&self, record: &OutRecord, timestamp: i64) -> usize {
        let delta = timestamp.wrapping_sub(self.first);
        1 + varlong_size(delta) + varlong_size(self.count.into()) + payload_size(record)
    }

    /// How many bytes a record would take here.
    pub(crate) fn size_of(&self, record: &OutRecord, timestamp: i64) -> usize {
        let body = self.body(record, timestamp);
        varlong_size(length(body)) + body
    }

    /// Writes a record.
    pub(crate) fn append(&mut self, record: &OutRecord, timestamp: i64) {
        let body = self.body(record, timestamp);
        let out = &mut self.buffer;
        out.reserve(body + 5);
        varlong(out, length(body));
        out.push(0);
        varlong(out, timestamp.wrapping_sub(self.first));
        varlong(out, self.count.into());
        bytes(out, record.key.as_deref());
        bytes(out, record.value.as_deref());
        varlong(out, length(record.headers.len()));
        for header in &record.headers {
            bytes(out, Some(header.key.as_bytes()));
            bytes(out, header.value.as_deref());
        }
        self.last = self.last.max(timestamp);
        self.count = self.count.saturating_add(1);
    }

    /// Ends the batch: all is written but the stamp and the checksum. With compression the second buffer is the one that
    /// was written to, to be used again.
    pub(crate) fn seal(self, compression: Compression) -> io::Result<(Vec<u8>, Option<Vec<u8>>)> {
        let head = self.head(compression);
        let (mut sealed, spare) = match compression {
            Compression::None => (self.buffer, None),
            _ => {
                let plain = self.buffer.get(HEADER_BYTES..).unwrap_or_default();
                let mut out = Vec::with_capacity(HEADER_BYTES + plain.len() / 2);
                out.resize(HEADER_BYTES, 0);
                (compression.compress(plain, out)?, Some(self.buffer))
            }
        };
        let length = u32_of(sealed.len().saturating_sub(PREFIX_BYTES));
        if let Some(front) = sealed.first_chunk_mut::<HEADER_BYTES>() {
            *front = head;
        }
        put(&mut sealed, 8, &length.to_be_bytes());
        Ok((sealed, spare))
    }

    fn head(&self, compression: Compression) -> [u8; HEADER_BYTES] {
        let mut head = [0; HEADER_BYTES];
        // No leader epoch.
        put(&mut head, 12, &(-1_i32).to_be_bytes());
        put(&mut head, 16, &[2]);
        put(&mut head, ATTRIBUTES, &[0, compression.id()]);
        put(&mut head, 23, &(self.count - 1).to_be_bytes());
        put(&mut head, 27, &self.first.to_be_bytes());
        put(&mut head, 35, &self.last.to_be_bytes());
        put(&mut head, 57, &self.count.to_be_bytes());
        head
    }
}

/// Writes the producer's part and the checksum of a sealed batch.
pub(crate) fn stamp(sealed: &mut [u8], stamp: Option<Stamp>) {
    let stamp = stamp.unwrap_or(Stamp {
        producer: -1,
        epoch: -1,
        sequence: -1,
        transactional: false,
    });
    if let Some(low) = sealed.get_mut(ATTRIBUTES + 1) {
        *low = match stamp.transactional {
            true => *low | TRANSACTIONAL,
            false => *low & !TRANSACTIONAL,
        };
    }
    put(sealed, PRODUCER, &stamp.producer.to_be_bytes());
    put(sealed, PRODUCER + 8, &stamp.epoch.to_be_bytes());
    put(sealed, PRODUCER + 10, &stamp.sequence.to_be_bytes());
    let checked = sealed.get(CHECKED_FROM..).unwrap_or_default();
    let sum = crc32c::crc32c(checked);
    put(sealed, 17, &sum.to_be_bytes());
}

fn put(buffer: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = buffer.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// Key, value and headers with their lengths.
fn payload_size(record: &OutRecord) -> usize {
    let mut size = bytes_size(record.key.as_deref()) + bytes_size(record.value.as_deref());
    size += varlong_size(length(record.headers.len()));
    for header in &record.headers {
        size += bytes_size(Some(header.key.as_bytes())) + bytes_size(header.value.as_deref());
    }
    size
}

/// The most that a batch of this record alone takes, as Java estimates it against `max.request.size`.
pub(crate) fn size_bound(record: &OutRecord) -> usize {
    HEADER_BYTES + RECORD_OVERHEAD_MAX + payload_size(record)
}

fn bytes_size(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varlong_size(length(bytes.len())) + bytes.len())
}

fn bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => varlong(out, -1),
        Some(bytes) => {
            varlong(out, length(bytes.len()));
            out.extend_from_slice(bytes);
        }
    }
}

fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn u32_of(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[expect(clippy::cast_sign_loss, reason = "zigzag works on bits")]
const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// A number takes the same bytes whether it is written as 32 or 64 bits.
const fn varlong_size(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
fn varlong(out: &mut Vec<u8>, value: i64) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn take_varlong(from: &mut &[u8]) -> Option<i64> {
    let (mut value, mut shift) = (0_u64, 0_u32);
    loop {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
    }
    let half = i64::try_from(value >> 1).ok()?;
    Some(if value & 1 == 1 { !half } else { half })
}

/// Cuts a batch of several records, which a broker found too large, in two of about the same size.
///
/// `None` when it has one record, or is not one that was written here.
pub(crate) fn halves(sealed: &[u8]) -> Option<[BatchWriter; 2]> {
    let number = |at: usize| Some(i64::from_be_bytes(*sealed.get(at..)?.first_chunk()?));
    let (first, last) = (number(27)?, number(35)?);
    let count = i32::from_be_bytes(*sealed.get(57..)?.first_chunk()?);
    let plain = plain(*sealed.get(ATTRIBUTES + 1)?, sealed.get(HEADER_BYTES..)?)?;
    let half = plain.len() / 2;
    // The timestamps are those of the whole: an upper bound is enough for a batch's own.
    let make = || {
        let mut writer = BatchWriter::new(Vec::new(), first);
        writer.last = last;
        writer
    };
    let (mut left, mut right) = (make(), make());
    let mut rest: &[u8] = &plain;
    for at in 0..count {
        let length = usize::try_from(take_varlong(&mut rest)?).ok()?;
        let (mut record, after) = rest.split_at_checked(length)?;
        rest = after;
        let cut = right.count > 0 || (at > 0 && (left.len() >= half || at == count - 1));
        let to = if cut { &mut right } else { &mut left };
        record = record.get(1..)?;
        let delta = take_varlong(&mut record)?;
        take_varlong(&mut record)?;
        let body = 1 + varlong_size(delta) + varlong_size(to.count.into()) + record.len();
        varlong(&mut to.buffer, self::length(body));
        to.buffer.push(0);
        varlong(&mut to.buffer, delta);
        varlong(&mut to.buffer, to.count.into());
        to.buffer.extend_from_slice(record);
        to.count += 1;
    }
    (left.count > 0 && right.count > 0).then_some([left, right])
}

fn plain(attributes: u8, packed: &[u8]) -> Option<bytes::Bytes> {
    use kafka_protocol::compression::{Decompressor as _, Gzip, Lz4, Snappy, Zstd};
    let mut packed = bytes::Bytes::copy_from_slice(packed);
    let whole = |plain: &mut bytes::Bytes| Ok(plain.clone());
    match attributes & 7 {
        0 => Some(packed),
        1 => Gzip::decompress(&mut packed, whole).ok(),
        2 => Snappy::decompress(&mut packed, whole).ok(),
        3 => Lz4::decompress(&mut packed, whole).ok(),
        4 => Zstd::decompress(&mut packed, whole).ok(),
        _ => None,
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
