//! Message sets (formats 0 and 1), which a cluster that was upgraded may still hold: each entry is rewritten as records of
//! format 2 and read as such. Answers to Java's `AbstractLegacyRecordBatch`.

use bytes::Bytes;

use super::{decompress::decompress, read::Times};

/// Where an entry's checksum is, and what it covers begins.
const CHECKED_FROM: usize = 16;
const COMPRESSION: u8 = 0x07;
const LOG_APPEND_TIME: u8 = 0x08;

/// The records of one entry.
#[derive(Debug)]
pub(super) struct Entry {
    /// As in a batch of format 2.
    pub(super) records: Bytes,
    pub(super) count: usize,
    pub(super) base_offset: i64,
    pub(super) times: Times,
    pub(super) compressed: bool,
}

struct Message<'a> {
    offset: i64,
    attributes: u8,
    /// Of format 1.
    timestamp: Option<i64>,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

/// Reads a whole entry.
pub(super) fn entry(bytes: &[u8], check: bool) -> Result<Entry, String> {
    let torn = || "a message is malformed".to_owned();
    let mut rest = bytes;
    let outer = message(&mut rest, check)?.ok_or_else(torn)?;
    let code = outer.attributes & COMPRESSION;
    let inflated;
    let (messages, base) = if code == 0 {
        let offset = outer.offset;
        (vec![outer], offset)
    } else {
        let (attributes, timestamp, last) = (outer.attributes, outer.timestamp, outer.offset);
        let value = Bytes::copy_from_slice(outer.value.unwrap_or_default());
        inflated = decompress(code.into(), &value)?;
        let mut rest = &*inflated;
        let mut list = Vec::new();
        while !rest.is_empty() {
            let mut inner = message(&mut rest, false)?.ok_or_else(torn)?;
            if timestamp.is_some() && attributes & LOG_APPEND_TIME != 0 {
                inner.timestamp = timestamp;
            }
            inner.attributes = attributes;
            list.push(inner);
        }
        // In format 1 the offsets inside count from the first, and the outer one is that of the last.
        let shift = match (timestamp, list.last()) {
            (Some(_), Some(inner)) => last.saturating_sub(inner.offset),
            _ => 0,
        };
        for inner in &mut list {
            inner.offset = inner.offset.saturating_add(shift);
        }
        let base = list.first().map_or(last, |inner| inner.offset);
        (list, base)
    };
    let appended = messages.first().and_then(|first| {
        let appended = first.attributes & LOG_APPEND_TIME != 0;
        first.timestamp.filter(|_| appended)
    });
    let times = match (messages.first().and_then(|first| first.timestamp), appended) {
        (None, _) => Times::Without,
        (_, Some(time)) => Times::Appended(time),
        (_, None) => Times::Created(0),
    };
    let mut records = Vec::with_capacity(bytes.len());
    for message in &messages {
        let delta = message.offset.saturating_sub(base);
        put(&mut records, message, delta);
    }
    Ok(Entry {
        records: records.into(),
        count: messages.len(),
        base_offset: base,
        times,
        compressed: code != 0,
    })
}

fn message<'a>(rest: &mut &'a [u8], check: bool) -> Result<Option<Message<'a>>, String> {
    let parse = || {
        let (offset, after) = rest.split_first_chunk()?;
        let (size, after) = after.split_first_chunk()?;
        let size = usize::try_from(i32::from_be_bytes(*size)).ok()?;
        let (body, after) = after.split_at_checked(size)?;
        let (crc, body) = body.split_first_chunk()?;
        let ([magic, attributes], mut fields) = body.split_first_chunk::<2>()?;
        let timestamp = match magic {
            0 => None,
            _ => {
                let (time, after) = fields.split_first_chunk()?;
                fields = after;
                Some(i64::from_be_bytes(*time))
            }
        };
        let key = field(&mut fields)?;
        let value = field(&mut fields)?;
        let message = Message {
            offset: i64::from_be_bytes(*offset),
            attributes: *attributes,
            timestamp,
            key,
            value,
        };
        Some((message, u32::from_be_bytes(*crc), after))
    };
    let Some((message, stored, after)) = parse() else {
        return Ok(None);
    };
    if check {
        let mut crc = flate2::Crc::new();
        let end = rest.len() - after.len();
        crc.update(rest.get(CHECKED_FROM..end).unwrap_or_default());
        if crc.sum() != stored {
            return Err(format!(
                "Record is corrupt (stored crc = {stored}, computed crc = {})",
                crc.sum()
            ));
        }
    }
    *rest = after;
    Ok(Some(message))
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let (length, after) = rest.split_first_chunk()?;
    let length = i32::from_be_bytes(*length);
    *rest = after;
    if length < 0 {
        return Some(None);
    }
    let (field, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(Some(field))
}

fn put(out: &mut Vec<u8>, message: &Message<'_>, delta: i64) {
    let mut body = vec![0];
    varlong(&mut body, message.timestamp.unwrap_or(0));
    varlong(&mut body, delta);
    for field in [message.key, message.value] {
        match field {
            None => varlong(&mut body, -1),
            Some(bytes) => {
                varlong(&mut body, i64::try_from(bytes.len()).unwrap_or(0));
                body.extend_from_slice(bytes);
            }
        }
    }
    // No headers.
    body.push(0);
    varlong(out, i64::try_from(body.len()).unwrap_or(0));
    out.append(&mut body);
}

fn varlong(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push((rest & 0x7f) as u8);
}
