//! Reading whole batches from an offset.
//!
//! The lock is held to look up where to read and to name aborted transactions, not while reading.
//! A consumer that reads on finds its position without any index. Answers to Java's
//! `UnifiedLog.read`, `LogSegment.read`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::batch::{BatchHeader, HEADER_LEN};
use super::files::BufferPool;
use super::read::{AbortedTransaction, FileSlice, Isolation, ReadError, Records};
use super::segment::{HeaderWalk, Segment, locate};
use super::state::LogState;

/// Readers of a partition whose next position is remembered.
const CURSORS: usize = 8;

/// Where the last reads ended: the next read of the same consumer starts there.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    recent: [Option<Cursor>; CURSORS],
    next: usize,
}

#[derive(Debug, Clone, Copy)]
struct Cursor {
    offset: i64,
    segment: i64,
    position: u64,
}

impl Cursors {
    fn find(&self, offset: i64, segment: i64) -> Option<u64> {
        self.recent
            .iter()
            .flatten()
            .find(|cursor| cursor.offset == offset && cursor.segment == segment)
            .map(|cursor| cursor.position)
    }

    fn remember(&mut self, read_from: i64, cursor: Cursor) {
        let own = self.recent.iter().position(|known| {
            known.is_some_and(|known| known.offset == read_from || known.offset == cursor.offset)
        });
        let at = own.unwrap_or(self.next);
        if own.is_none() {
            self.next = (self.next + 1) % CURSORS;
        }
        if let Some(slot) = self.recent.get_mut(at) {
            *slot = Some(cursor);
        }
    }

    /// Forgets everything: segments were replaced.
    pub(super) fn clear(&mut self) {
        self.recent = [None; CURSORS];
    }
}

/// A read decided on under the lock, to be done outside it.
pub(super) struct ReadPlan {
    segment: Segment,
    file: Arc<File>,
    start: Start,
    /// Offset and position of a batch up to which everything fits, as the index knows it.
    known: Option<(i64, u64)>,
    offset: i64,
    /// The first offset that must not be seen.
    upper: i64,
    generation: u64,
    dir: Arc<Path>,
}

enum Start {
    /// The batch starts here.
    At(u64),
    /// Search from here.
    From(u64),
    /// Search with the index of a sealed segment.
    Indexed,
}

/// A completed read.
pub(super) enum Checked {
    /// To be done again.
    Stale,
    /// Nothing fits or may be seen.
    Nothing,
    /// Batches and the aborted transactions among them.
    Found(Found, Vec<AbortedTransaction>),
}

/// How much may be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadLimits {
    pub(super) max_bytes: usize,
    /// The first batch comes whatever its size.
    pub(super) always_one: bool,
    /// From here on batches are only found, and left in their file.
    pub(super) memory_max: usize,
}

/// Whole batches, and the offset after them.
pub(super) struct Found {
    pub(super) records: Records,
    next_offset: i64,
    position: u64,
}

impl LogState {
    /// Decides what to read, at most about `max_bytes`; `None` when there is nothing to see at `offset` yet.
    pub(super) fn plan_read(
        &self,
        offset: i64,
        max_bytes: usize,
        isolation: Isolation,
    ) -> Result<Option<ReadPlan>, ReadError> {
        let bounds = self.bounds();
        if offset < bounds.log_start_offset || offset > bounds.high_watermark {
            return Err(ReadError::OffsetOutOfRange {
                offset,
                start: bounds.log_start_offset,
                end: bounds.high_watermark,
            });
        }
        let upper = match isolation {
            Isolation::ReadUncommitted => bounds.high_watermark,
            Isolation::ReadCommitted => bounds.last_stable_offset,
        };
        if offset >= upper {
            return Ok(None);
        }
        let after = self
            .sealed
            .partition_point(|segment| segment.info.next_offset <= offset);
        let mut sealed = self.sealed.iter().skip(after);
        let (segment, start) = match sealed.find(|segment| segment.info.size > 0) {
            Some(sealed) => (sealed, Start::Indexed),
            // Compaction took what was there, and nothing came since.
            None if self.active.info.size == 0 => return Ok(None),
            None => {
                let relative = u32::try_from(offset - self.active.info.base).unwrap_or(0);
                let from = u64::from(self.index.position_of(relative));
                (&self.active, Start::From(from))
            }
        };
        let start = match self.cursors.find(offset, segment.info.base) {
            Some(position) => Start::At(position),
            None => start,
        };
        let known = match start {
            Start::At(position) if segment.info.base == self.active.info.base => {
                let base = segment.info.base;
                let limit = position.saturating_add(max_bytes as u64);
                let relative = u32::try_from(upper - base).unwrap_or(u32::MAX);
                let last = self.index.last_within(relative, limit);
                last.map(|(relative, end)| (base + i64::from(relative), u64::from(end)))
            }
            _ => None,
        };
        Ok(Some(ReadPlan {
            known,
            file: segment.file.get()?,
            segment: segment.clone(),
            start,
            offset,
            upper,
            generation: self.generation,
            dir: Arc::clone(&self.dir),
        }))
    }

    /// Completes a read, unless segments were replaced since it was planned: its bytes would come
    /// without their aborted transactions, or from a position that no longer stands.
    pub(super) fn check_read(
        &mut self,
        plan: &ReadPlan,
        found: io::Result<Option<Found>>,
        isolation: Isolation,
    ) -> io::Result<Checked> {
        if plan.generation != self.generation {
            return Ok(Checked::Stale);
        }
        let Some(found) = found? else {
            return Ok(Checked::Nothing);
        };
        self.cursors.remember(
            plan.offset,
            Cursor {
                offset: found.next_offset,
                segment: plan.segment.info.base,
                position: found.position + found.records.len() as u64,
            },
        );
        let aborted = match isolation {
            Isolation::ReadUncommitted => Vec::new(),
            Isolation::ReadCommitted => self.aborted_between(plan.offset, found.next_offset)?,
        };
        Ok(Checked::Found(found, aborted))
    }

    /// Aborted transactions with records in `offset..end`, by first offset.
    pub(super) fn aborted_between(
        &self,
        offset: i64,
        end: i64,
    ) -> io::Result<Vec<AbortedTransaction>> {
        let mut found = Vec::new();
        let mut take = |entries: &[super::aborted::AbortedEntry]| {
            for entry in entries {
                if entry.last_offset >= offset && entry.first_offset < end {
                    found.push(AbortedTransaction {
                        producer_id: entry.producer_id,
                        first_offset: entry.first_offset,
                    });
                }
            }
            entries.iter().any(|entry| entry.last_stable_offset >= end)
        };
        let first = self
            .sealed
            .partition_point(|segment| segment.info.next_offset <= offset);
        let mut complete = false;
        for segment in self.sealed.iter().skip(first) {
            complete = take(&segment.load_aborted(&self.dir)?);
            if complete {
                break;
            }
        }
        if !complete {
            take(&self.aborted);
        }
        found.sort_unstable_by_key(|txn| txn.first_offset);
        Ok(found)
    }
}

impl ReadPlan {
    /// Reads or finds whole batches.
    pub(super) fn read(
        &self,
        limits: ReadLimits,
        interval: u32,
        pool: &Arc<BufferPool>,
    ) -> io::Result<Option<Found>> {
        let position = self.position(interval)?;
        let available =
            usize::try_from(self.segment.info.size.saturating_sub(position)).unwrap_or(usize::MAX);
        if available < HEADER_LEN {
            return Err(damaged("position lies behind the segment"));
        }
        if limits.max_bytes.min(available) > limits.memory_max {
            return self.find(limits, position);
        }
        // Even if nothing fits, the first header is needed to know.
        let want = limits.max_bytes.clamp(HEADER_LEN, available);
        let mut buffer = pool.take(want);
        self.file.read_exact_at(buffer.as_mut(), position)?;
        let first = BatchHeader::parse(buffer.as_slice()).map_err(damaged)?;
        if first.base_offset >= self.upper {
            return Ok(None);
        }
        if first.size() > limits.max_bytes {
            if !limits.always_one {
                return Ok(None);
            }
            if first.size() > available {
                return Err(damaged("batch reaches behind the segment"));
            }
            if first.size() > limits.memory_max {
                return Ok(Some(self.found(
                    position,
                    first.size(),
                    first.next_offset(),
                )));
            }
            if first.size() > buffer.as_slice().len() {
                buffer = pool.take(first.size());
                self.file.read_exact_at(buffer.as_mut(), position)?;
            }
        }
        let (len, next_offset) = whole_batches(buffer.as_slice(), &first, self.upper);
        Ok(Some(Found {
            records: Records::Memory(buffer.into_bytes(len)),
            next_offset,
            position,
        }))
    }

    /// Finds whole batches by their headers alone.
    fn find(&self, limits: ReadLimits, position: u64) -> io::Result<Option<Found>> {
        let (mut len, mut next_offset) = (0, self.offset);
        if let Some((offset, end)) = self.known
            && let Ok(known) = usize::try_from(end.saturating_sub(position))
            && (1..=limits.max_bytes).contains(&known)
        {
            (len, next_offset) = (known, offset);
        }
        let from = position + len as u64;
        let mut walk = HeaderWalk::new(&self.file, from, self.segment.info.size);
        loop {
            let header = match walk.next() {
                Ok(Some((_, header))) => header,
                // What is whole before the damage is read; the next read tells of it.
                Err(error) if len == 0 => return Err(error),
                Ok(None) | Err(_) => break,
            };
            let first = len == 0;
            let fits = len + header.size() <= limits.max_bytes || first && limits.always_one;
            if header.base_offset >= self.upper || !fits {
                break;
            }
            len += header.size();
            next_offset = header.next_offset();
            if len >= limits.max_bytes {
                break;
            }
        }
        Ok((len > 0).then(|| self.found(position, len, next_offset)))
    }

    fn found(&self, position: u64, len: usize, next_offset: i64) -> Found {
        Found {
            records: Records::File(FileSlice {
                file: Arc::clone(&self.file),
                position,
                len,
            }),
            next_offset,
            position,
        }
    }

    fn position(&self, interval: u32) -> io::Result<u64> {
        let from = match self.start {
            Start::At(position) => return Ok(position),
            Start::From(position) => position,
            Start::Indexed => {
                let base = self.segment.info.base;
                let relative = u32::try_from(self.offset - base).unwrap_or(0);
                let index = self.segment.load_index(&self.dir, interval)?;
                u64::from(index.position_of(relative))
            }
        };
        let end = self.segment.info.size;
        match locate(&self.file, from, end, self.offset)? {
            Some((position, _)) => Ok(position),
            None => Err(damaged("offset is not where the index says")),
        }
    }
}

/// Length of the whole batches at the start of `bytes` below `upper`, and the offset after them.
fn whole_batches(bytes: &[u8], first: &BatchHeader, upper: i64) -> (usize, i64) {
    let mut len = first.size().min(bytes.len());
    let mut next_offset = first.next_offset();
    while let Some(rest) = bytes.get(len..)
        && let Ok(header) = BatchHeader::parse(rest)
        && header.size() <= rest.len()
        && header.base_offset < upper
    {
        len += header.size();
        next_offset = header.next_offset();
    }
    (len, next_offset)
}

fn damaged(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
