//! Compaction of a partition: which segments, in which groups, and putting the result in place.
//!
//! Works on sealed segments outside the lock; the active segment and everything from the oldest
//! open transaction on are never touched. Memory is the key map and one batch. Answers to Java's
//! `LogCleaner`, `LogCleanerManager`, `Cleaner`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::aborted::AbortedEntry;
use super::batch::{BatchHeader, HEADER_LEN};
use super::compact_filter::{BatchFilter, Kept, KeyMap, TransactionFilter};
use super::config::LogConfig;
use super::files::{FilePool, replace_file};
use super::index::Index;
use super::producers::LastBatch;
use super::segment::{HeaderWalk, Segment, SegmentInfo, index_path};
use super::state::{LogState, before};
use super::swap;

/// Bytes gathered before a write.
const WRITE_BUFFER: usize = 256 << 10;

/// A pass decided on under the lock.
pub(super) struct CompactionPlan {
    dir: Arc<Path>,
    /// Sealed segments from the first to the last that may be compacted.
    segments: Vec<Segment>,
    /// Base of the segment after them.
    end: i64,
    dirty_from: i64,
    aborted: Vec<AbortedEntry>,
    last_batches: HashMap<i64, LastBatch>,
}

/// What a pass did.
pub(super) struct Cleaned {
    pub(super) freed: u64,
    pub(super) up_to: i64,
    /// Whether the pass reached the end of its plan.
    pub(super) complete: bool,
}

/// A run of segments and what takes their place.
pub(super) struct CleanedGroup {
    bases: Vec<i64>,
    /// Base of the segment after the group.
    end: i64,
    info: SegmentInfo,
    index: Index,
}

impl LogState {
    /// Decides whether compaction is due, and on what.
    pub(super) fn plan_compaction(
        &self,
        config: &LogConfig,
        now_ms: i64,
    ) -> io::Result<Option<CompactionPlan>> {
        let limit = self.last_stable_offset();
        let newest = before(now_ms, config.min_compaction_lag_ms);
        let segments: Vec<Segment> = self
            .sealed
            .iter()
            .take_while(|segment| {
                let info = &segment.info;
                let settled =
                    config.min_compaction_lag_ms == Duration::ZERO || info.max_timestamp <= newest;
                info.next_offset <= limit && settled
            })
            .cloned()
            .collect();
        let dirty_from = self.cleaned_to.max(self.log_start_offset);
        let is_dirty = |segment: &&Segment| segment.info.next_offset > dirty_from;
        let total: u64 = segments.iter().map(|segment| segment.info.size).sum();
        let dirty: u64 = segments
            .iter()
            .filter(is_dirty)
            .map(|segment| segment.info.size)
            .sum();
        let overdue = segments.iter().filter(is_dirty).any(|segment| {
            segment.info.first_timestamp >= 0
                && segment.info.first_timestamp < before(now_ms, config.max_compaction_lag_ms)
        });
        let ratio = dirty as f64 / total.max(1) as f64;
        if dirty == 0 || !(overdue || ratio > config.min_cleanable_dirty_ratio) {
            return Ok(None);
        }
        let after = self.sealed.get(segments.len()).unwrap_or(&self.active);
        let end_base = after.info.base;
        // A marker may lie behind the segments compacted, next to another transaction still open.
        let end = segments.last().map_or(0, |last| last.info.next_offset);
        let mut aborted = self.aborted.clone();
        for segment in &self.sealed {
            aborted.extend(segment.load_aborted(&self.dir)?);
        }
        aborted.retain(|entry| entry.first_offset < end);
        Ok(Some(CompactionPlan {
            dir: Arc::clone(&self.dir),
            segments,
            end: end_base,
            dirty_from,
            aborted,
            last_batches: self.producers.last_batches(),
        }))
    }

    /// Puts a compacted segment in place of its group.
    pub(super) fn install(&mut self, group: CleanedGroup, pool: &Arc<FilePool>) -> io::Result<()> {
        let (Some(first), Some(last)) = (group.bases.first(), group.bases.last()) else {
            return Ok(());
        };
        let from = self
            .sealed
            .partition_point(|segment| segment.info.base < *first);
        let to = self
            .sealed
            .partition_point(|segment| segment.info.base <= *last);
        if let Err(error) = swap::replace(&self.dir, *first, group.end, &group.bases) {
            // Which files are there is not known until the next open sorts it out.
            self.broken = true;
            return Err(error);
        }
        let segment = Segment::new(&self.dir, group.info, pool);
        self.sealed.splice(from..to, [segment]);
        self.segments_changed();
        replace_file(
            &index_path(&self.dir, group.info.base),
            &group.index.encode(),
            false,
        )?;
        self.checkpoint_or_warn();
        Ok(())
    }

    /// Notes how far the log is compacted.
    pub(super) fn compacted_to(&mut self, offset: i64) {
        self.cleaned_to = self.cleaned_to.max(offset);
        self.checkpoint_or_warn();
    }
}

impl CompactionPlan {
    /// Compacts group by group, handing each to `install`.
    pub(super) fn run(
        self,
        config: &LogConfig,
        now_ms: i64,
        install: impl Fn(CleanedGroup) -> io::Result<()>,
    ) -> io::Result<Cleaned> {
        let keys = self.read_keys()?;
        let up_to = keys.up_to;
        let horizon = i64::try_from(config.delete_retention_ms.as_millis()).unwrap_or(i64::MAX);
        let mut filter = BatchFilter {
            keys,
            transactions: TransactionFilter::new(self.aborted),
            last_batches: self.last_batches,
            now_ms,
            horizon_ms: now_ms.saturating_add(horizon),
        };
        let mut freed = 0;
        let reached = self
            .segments
            .partition_point(|segment| segment.info.base < up_to);
        let segments = self.segments.get(..reached).unwrap_or_default();
        let mut done = 0;
        for group in groups(segments, config) {
            done += group.len();
            let next = self.segments.get(done);
            let end = next.map_or(self.end, |next| next.info.base);
            let before: u64 = group.iter().map(|segment| segment.info.size).sum();
            let mut writer = GroupWriter::create(&self.dir, group, config)?;
            for segment in group {
                clean_segment(segment, &mut filter, &mut writer)?;
            }
            if let Some(cleaned) = writer.finish(&self.dir, end)? {
                freed += before.saturating_sub(cleaned.info.size);
                install(cleaned)?;
            }
        }
        let end = self.segments.last().map_or(0, |last| last.info.next_offset);
        Ok(Cleaned {
            freed,
            up_to,
            complete: up_to >= end,
        })
    }

    /// The last offset of each key in the uncompacted part, as far as memory goes.
    fn read_keys(&self) -> io::Result<KeyMap> {
        let mut keys = KeyMap::default();
        let mut transactions = TransactionFilter::new(self.aborted.clone());
        for segment in &self.segments {
            if segment.info.next_offset <= self.dirty_from {
                // Followed for the transactions that reach into the rest.
                continue;
            }
            let file = segment.file.get()?;
            let mut walk = HeaderWalk::new(&file, 0, segment.info.size);
            while let Some((position, header)) = walk.next()? {
                if header.is_control() {
                    transactions.pass_marker(&header);
                } else if !transactions.is_aborted(&header)
                    && header.last_offset() >= self.dirty_from
                    && header.records_count > 0
                {
                    keys.add(&header, &read_payload(&file, position, &header)?);
                }
                keys.up_to = header.next_offset();
                if keys.is_full() {
                    return Ok(keys);
                }
            }
            // The rest of the segment's range was compacted away before.
            keys.up_to = keys.up_to.max(segment.info.next_offset);
        }
        Ok(keys)
    }
}

/// Runs of segments that fit into one.
fn groups<'a>(segments: &'a [Segment], config: &LogConfig) -> Vec<&'a [Segment]> {
    let mut groups = Vec::new();
    let mut rest = segments;
    while let Some(first) = rest.first() {
        let mut size = 0;
        let count = rest
            .iter()
            .take_while(|segment| {
                size += segment.info.size;
                size <= u64::from(config.segment_bytes)
                    && segment.info.next_offset - first.info.base <= i64::from(i32::MAX)
            })
            .count()
            .max(1);
        let (group, after) = rest.split_at(count);
        groups.push(group);
        rest = after;
    }
    groups
}

fn clean_segment(
    segment: &Segment,
    filter: &mut BatchFilter,
    writer: &mut GroupWriter,
) -> io::Result<()> {
    let file = segment.file.get()?;
    let mut walk = HeaderWalk::new(&file, 0, segment.info.size);
    while let Some((position, header)) = walk.next()? {
        let payload = read_payload(&file, position, &header)?;
        match filter.keep(&header, &payload)? {
            Kept::AsItIs => writer.write(&header, &payload)?,
            Kept::Instead(header, payload) => {
                writer.changed = true;
                writer.write(&header, &payload)?;
            }
            Kept::Nothing => writer.changed = true,
        }
    }
    Ok(())
}

fn read_payload(file: &File, position: u64, header: &BatchHeader) -> io::Result<Vec<u8>> {
    let mut payload = vec![0; header.size() - HEADER_LEN];
    file.read_exact_at(&mut payload, position + HEADER_LEN as u64)?;
    Ok(payload)
}

/// The compacted segment being written.
struct GroupWriter {
    bases: Vec<i64>,
    path: std::path::PathBuf,
    file: BufWriter<File>,
    info: SegmentInfo,
    index: Index,
    changed: bool,
}

impl GroupWriter {
    fn create(dir: &Path, group: &[Segment], config: &LogConfig) -> io::Result<GroupWriter> {
        let bases: Vec<i64> = group.iter().map(|segment| segment.info.base).collect();
        let created = group.iter().map(|segment| segment.info.created_ms).max();
        let base = bases.first().copied().unwrap_or(0);
        let path = swap::cleaned_path(dir, base);
        Ok(GroupWriter {
            file: BufWriter::with_capacity(WRITE_BUFFER, File::create(&path)?),
            path,
            info: SegmentInfo::new(base, created.unwrap_or(0)),
            index: Index::new(config.index_interval_bytes),
            changed: bases.len() > 1,
            bases,
        })
    }

    fn write(&mut self, header: &BatchHeader, payload: &[u8]) -> io::Result<()> {
        self.file.write_all(&header.to_bytes())?;
        self.file.write_all(payload)?;
        self.info.observe(header, &mut self.index);
        Ok(())
    }

    /// The synced and committed segment, or nothing if it would be what is there already.
    fn finish(self, dir: &Path, end: i64) -> io::Result<Option<CleanedGroup>> {
        let file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        if !self.changed {
            drop(file);
            std::fs::remove_file(&self.path)?;
            return Ok(None);
        }
        file.sync_all()?;
        swap::commit(dir, self.info.base, end)?;
        Ok(Some(CleanedGroup {
            end,
            bases: self.bases,
            info: self.info,
            index: self.index,
        }))
    }
}
