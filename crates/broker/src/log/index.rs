//! The sparse index of one segment: offset and time to file position.
//!
//! At most [`ENTRIES_MAX`] entries whatever the segment's size: when full, every other entry goes
//! and the spacing doubles. Never authoritative: a missing or damaged index file is rebuilt from
//! the segment. Answers to Java's `OffsetIndex` and `TimeIndex`.

use bytes::{Buf, BufMut, BytesMut};

/// Entries of one index (128 KiB). A segment of 1 GiB has one entry per 128 to 256 KiB at most.
const ENTRIES_MAX: usize = 8192;
const MAGIC: u32 = 0x4d49_4458;
const VERSION: u32 = 1;
const ENTRY_LEN: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// Base offset of a batch, relative to the segment's.
    offset: u32,
    /// Position of that batch.
    position: u32,
    /// Largest timestamp of all batches before it, -1 if none.
    timestamp_before: i64,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index {
    entries: Vec<Entry>,
    interval: u32,
}

impl Index {
    pub(super) fn new(interval: u32) -> Index {
        Index {
            entries: Vec::new(),
            interval: interval.max(1),
        }
    }

    /// Notes a batch appended at `position`; batches come in order.
    pub(super) fn observe(&mut self, offset: u32, position: u32, timestamp_before: i64) {
        let last = self.entries.last().map_or(0, |entry| entry.position);
        if position - last.min(position) < self.interval {
            return;
        }
        if self.entries.len() >= ENTRIES_MAX {
            let mut keep = false;
            self.entries.retain(|_| {
                keep = !keep;
                keep
            });
            self.interval = self.interval.saturating_mul(2);
        }
        self.entries.push(Entry {
            offset,
            position,
            timestamp_before,
        });
    }

    /// Position of a batch at or before the one holding the relative offset.
    pub(super) fn position_of(&self, offset: u32) -> u32 {
        let after = self.entries.partition_point(|entry| entry.offset <= offset);
        self.before(after)
    }

    /// Offset and position of the last noted batch that starts at or before both limits.
    pub(super) fn last_within(&self, offset: u32, position: u64) -> Option<(u32, u32)> {
        let after = self.entries.partition_point(|entry| {
            entry.offset <= offset && u64::from(entry.position) <= position
        });
        let entry = self.entries.get(after.checked_sub(1)?)?;
        Some((entry.offset, entry.position))
    }

    /// Position from which a record of at least `timestamp` can come first.
    pub(super) fn position_of_time(&self, timestamp: i64) -> u32 {
        let after = self
            .entries
            .partition_point(|entry| entry.timestamp_before < timestamp);
        self.before(after)
    }

    fn before(&self, after: usize) -> u32 {
        after
            .checked_sub(1)
            .and_then(|at| self.entries.get(at))
            .map_or(0, |entry| entry.position)
    }

    /// Forgets entries at or after `position`.
    pub(super) fn truncate(&mut self, position: u32) {
        let keep = self
            .entries
            .partition_point(|entry| entry.position < position);
        self.entries.truncate(keep);
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body = BytesMut::with_capacity(self.entries.len() * ENTRY_LEN + 16);
        body.put_u32(self.interval);
        for entry in &self.entries {
            body.put_u32(entry.offset);
            body.put_u32(entry.position);
            body.put_i64(entry.timestamp_before);
        }
        let mut out = Vec::with_capacity(body.len() + 12);
        out.put_u32(MAGIC);
        out.put_u32(VERSION);
        out.put_u32(crc32c::crc32c(&body));
        out.extend_from_slice(&body);
        out
    }

    /// The index in a file's bytes, `None` if they are not one.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<Index> {
        if bytes.try_get_u32().ok()? != MAGIC || bytes.try_get_u32().ok()? != VERSION {
            return None;
        }
        if bytes.try_get_u32().ok()? != crc32c::crc32c(bytes) {
            return None;
        }
        let mut index = Index::new(bytes.try_get_u32().ok()?);
        if bytes.len() / ENTRY_LEN > ENTRIES_MAX {
            return None;
        }
        while bytes.has_remaining() {
            index.entries.push(Entry {
                offset: bytes.try_get_u32().ok()?,
                position: bytes.try_get_u32().ok()?,
                timestamp_before: bytes.try_get_i64().ok()?,
            });
        }
        Some(index)
    }
}
