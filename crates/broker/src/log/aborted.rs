//! The aborted transactions of a segment, kept with the segment that holds the marker.
//!
//! Answers to Java's `TransactionIndex` and `AbortedTxn`.

use bytes::{Buf, BufMut};

const MAGIC: u32 = 0x4d54_584e;
const VERSION: u32 = 1;
const ENTRY_LEN: usize = 32;

/// One aborted transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AbortedEntry {
    pub(super) producer_id: i64,
    /// Offset of its first record.
    pub(super) first_offset: i64,
    /// Offset of its marker.
    pub(super) last_offset: i64,
    /// Last stable offset once the marker was written: no later entry reaches below it.
    pub(super) last_stable_offset: i64,
}

pub(super) fn encode(entries: &[AbortedEntry]) -> Vec<u8> {
    let mut body = Vec::with_capacity(entries.len() * ENTRY_LEN);
    for entry in entries {
        body.put_i64(entry.producer_id);
        body.put_i64(entry.first_offset);
        body.put_i64(entry.last_offset);
        body.put_i64(entry.last_stable_offset);
    }
    let mut out = Vec::with_capacity(body.len() + 12);
    out.put_u32(MAGIC);
    out.put_u32(VERSION);
    out.put_u32(crc32c::crc32c(&body));
    out.extend_from_slice(&body);
    out
}

/// The entries in a file's bytes, `None` if they are damaged.
pub(super) fn decode(mut bytes: &[u8]) -> Option<Vec<AbortedEntry>> {
    if bytes.try_get_u32().ok()? != MAGIC || bytes.try_get_u32().ok()? != VERSION {
        return None;
    }
    if bytes.try_get_u32().ok()? != crc32c::crc32c(bytes) {
        return None;
    }
    let mut entries = Vec::with_capacity(bytes.len() / ENTRY_LEN);
    while bytes.has_remaining() {
        entries.push(AbortedEntry {
            producer_id: bytes.try_get_i64().ok()?,
            first_offset: bytes.try_get_i64().ok()?,
            last_offset: bytes.try_get_i64().ok()?,
            last_stable_offset: bytes.try_get_i64().ok()?,
        });
    }
    Some(entries)
}
