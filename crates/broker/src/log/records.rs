//! Records inside a batch, as raw slices; decompression with a cap.
//!
//! Used where the content matters (structure checks, compaction, search by time), never on the way
//! of a fetch. Answers to Java's `DefaultRecord`, `EndTransactionMarker`, `Compression`.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use bytes::{Buf, BytesMut};

use super::batch::BatchHeader;
use super::build::{MarkerKind, put_varint, varint_len};
use super::recovery::Marker;

/// Most bytes one batch may decompress to. A larger one is stored and served, but neither
/// compacted nor searched, so that a small batch cannot take all memory.
pub(super) const DECOMPRESSED_LEN_MAX: u64 = 128 << 20;

/// One record, borrowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawRecord<'a> {
    pub(super) attributes: u8,
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    pub(super) key: Option<&'a [u8]>,
    pub(super) has_value: bool,
    /// From the key's length to the end.
    rest: &'a [u8],
    /// The value's bytes.
    value: Option<&'a [u8]>,
}

impl RawRecord<'_> {
    /// Writes the record with another timestamp delta.
    pub(super) fn write(&self, out: &mut BytesMut, timestamp_delta: i64) {
        let offset_delta = i64::from(self.offset_delta);
        let length = 1 + varint_len(timestamp_delta) + varint_len(offset_delta) + self.rest.len();
        put_varint(out, length as i64);
        out.extend_from_slice(&[self.attributes]);
        put_varint(out, timestamp_delta);
        put_varint(out, offset_delta);
        out.extend_from_slice(self.rest);
    }
}

/// The records of decompressed bytes; ends after the first fault.
pub(super) struct RawRecords<'a> {
    rest: &'a [u8],
}

pub(super) fn raw_records(bytes: &[u8]) -> RawRecords<'_> {
    RawRecords { rest: bytes }
}

impl<'a> Iterator for RawRecords<'a> {
    type Item = Result<RawRecord<'a>, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = split_record(&mut self.rest);
        if record.is_none() {
            self.rest = &[];
        }
        Some(record.ok_or("record is malformed"))
    }
}

fn split_record<'a>(bytes: &mut &'a [u8]) -> Option<RawRecord<'a>> {
    let length = usize::try_from(varint(bytes)?).ok()?;
    let (mut body, after) = bytes.split_at_checked(length)?;
    *bytes = after;
    let attributes = body.try_get_u8().ok()?;
    let timestamp_delta = varint(&mut body)?;
    let offset_delta = i32::try_from(varint(&mut body)?).ok()?;
    let rest = body;
    let key = field(&mut body)?;
    let value = field(&mut body)?;
    let headers = varint(&mut body)?;
    if headers < 0 || (headers == 0 && !body.is_empty()) {
        return None;
    }
    Some(RawRecord {
        attributes,
        timestamp_delta,
        offset_delta,
        key,
        has_value: value.is_some(),
        rest,
        value,
    })
}

fn field<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = varint(bytes)?;
    if length < 0 {
        return (length == -1).then_some(None);
    }
    let (field, after) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = after;
    Some(Some(field))
}

fn varint(bytes: &mut &[u8]) -> Option<i64> {
    // One byte is the common case: lengths, deltas and counts are small.
    let (&first, rest) = bytes.split_first()?;
    *bytes = rest;
    let mut bits = u64::from(first & 0x7f);
    let mut byte = first;
    let mut shift = 7;
    while byte & 0x80 != 0 {
        if shift > 63 {
            return None;
        }
        let (&next, rest) = bytes.split_first()?;
        *bytes = rest;
        byte = next;
        bits |= u64::from(byte & 0x7f) << shift;
        shift += 7;
    }
    Some(((bits >> 1) as i64) ^ -((bits & 1) as i64))
}

/// Checks the records of a producer's batch: number, consecutive offsets, nothing left over and,
/// if asked, a key in each.
pub(super) fn check(
    header: &BatchHeader,
    records: &[u8],
    keys_required: bool,
) -> Result<(), &'static str> {
    let mut count = 0;
    for record in raw_records(records) {
        let record = record?;
        if record.offset_delta != count {
            return Err("record offsets are not consecutive");
        }
        if keys_required && record.key.is_none() {
            return Err("record of a compacted topic has no key");
        }
        count += 1;
    }
    if count == header.records_count {
        Ok(())
    } else {
        Err("record count differs from the header")
    }
}

/// The marker in the records of a control batch, if it is a transaction marker.
pub(super) fn marker(records: &[u8]) -> Option<Marker> {
    let record = raw_records(records).next()?.ok()?;
    let mut key = record.key?;
    let _version = key.try_get_i16().ok()?;
    let kind = match key.try_get_i16().ok()? {
        0 => MarkerKind::Abort,
        1 => MarkerKind::Commit,
        _ => return None,
    };
    let mut value = record.value.unwrap_or_default();
    let _version = value.try_get_i16();
    Some(Marker {
        kind,
        coordinator_epoch: value.try_get_i32().unwrap_or(-1),
    })
}

/// The records of a batch as they were before compression (code as in the batch's attributes).
///
/// # Errors
/// Damaged data, an unknown code, or more than `limit` bytes.
pub(super) fn decompress(code: i16, bytes: &[u8], limit: u64) -> io::Result<Cow<'_, [u8]>> {
    match code {
        0 => Ok(Cow::Borrowed(bytes)),
        1 => read_capped(flate2::read::MultiGzDecoder::new(bytes), limit),
        2 => snappy(bytes, limit).map(Cow::Owned),
        3 => read_capped(lz4::Decoder::new(bytes)?, limit),
        4 => read_capped(zstd::stream::read::Decoder::with_buffer(bytes)?, limit),
        _ => Err(invalid("unknown compression")),
    }
}

/// Compresses records with the code's default level.
pub(super) fn compress(code: i16, bytes: &[u8]) -> io::Result<Vec<u8>> {
    match code {
        0 => Ok(bytes.to_vec()),
        1 => {
            let level = flate2::Compression::default();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        2 => {
            let mut out = SNAPPY_HEADER.to_vec();
            for block in bytes.chunks(SNAPPY_BLOCK) {
                let block = snap::raw::Encoder::new().compress_vec(block)?;
                out.extend_from_slice(&(block.len() as u32).to_be_bytes());
                out.extend_from_slice(&block);
            }
            Ok(out)
        }
        3 => {
            let mut encoder = lz4::EncoderBuilder::new()
                .block_mode(lz4::BlockMode::Independent)
                .build(Vec::new())?;
            encoder.write_all(bytes)?;
            let (out, result) = encoder.finish();
            result.map(|()| out)
        }
        4 => zstd::bulk::compress(bytes, 3),
        _ => Err(invalid("unknown compression")),
    }
}

fn read_capped<'a>(source: impl Read, limit: u64) -> io::Result<Cow<'a, [u8]>> {
    let mut out = Vec::new();
    let read = source.take(limit + 1).read_to_end(&mut out)?;
    if read as u64 > limit {
        return Err(invalid("batch decompresses to more than the limit"));
    }
    Ok(Cow::Owned(out))
}

/// Start of the framed format Java's snappy stream writes (magic, version 1, compatible 1).
const SNAPPY_HEADER: &[u8; 16] = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01";
const SNAPPY_MAGIC_LEN: usize = 8;
const SNAPPY_BLOCK: usize = 32 << 10;

fn snappy(bytes: &[u8], limit: u64) -> io::Result<Vec<u8>> {
    let framed = bytes.get(..SNAPPY_MAGIC_LEN) == SNAPPY_HEADER.get(..SNAPPY_MAGIC_LEN);
    let mut out = Vec::new();
    if !framed {
        return snappy_block(bytes, limit, &mut out).map(|()| out);
    }
    let mut rest = bytes.get(SNAPPY_HEADER.len()..).unwrap_or_default();
    while rest.has_remaining() {
        let length = rest
            .try_get_u32()
            .map_err(|_| invalid("snappy frame is cut short"))?;
        let (block, after) = rest
            .split_at_checked(length as usize)
            .ok_or_else(|| invalid("snappy block is cut short"))?;
        snappy_block(block, limit, &mut out)?;
        rest = after;
    }
    Ok(out)
}

fn snappy_block(block: &[u8], limit: u64, out: &mut Vec<u8>) -> io::Result<()> {
    let start = out.len();
    let end = start.saturating_add(snap::raw::decompress_len(block)?);
    if end as u64 > limit {
        return Err(invalid("batch decompresses to more than the limit"));
    }
    out.resize(end, 0);
    let room = out.get_mut(start..).unwrap_or_default();
    snap::raw::Decoder::new().decompress(block, room)?;
    Ok(())
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
