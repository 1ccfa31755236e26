//! The opened log of one partition: its segments and what is known of its producers.
//!
//! Plain data behind the lock of [`PartitionLog`](super::PartitionLog); nothing here blocks on
//! anything but the file it writes. Answers to Java's `UnifiedLog`.

use std::fs::{self, File};
use std::io::{self, IoSlice, Write};
use std::iter;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing::warn;

use super::aborted::{self, AbortedEntry};
use super::append::{AppendError, AppendOrigin, Appended};
use super::batch::{BatchHeader, HEADER_LEN};
use super::build::{self, MarkerKind};
use super::checkpoint::{self, Checkpoint};
use super::config::{LogConfig, TimestampKind};
use super::files::{FilePool, replace_file};
use super::index::Index;
use super::prepare::Prepared;
use super::producers::{Producers, Verdict};
use super::read::Bounds;
use super::reading::Cursors;
use super::recovery::Marker;
use super::segment::{Segment, aborted_path, index_path};

/// Bytes appended between two checkpoints: what an open after a kill has to scan at most.
pub(super) const CHECKPOINT_INTERVAL: u64 = 64 << 20;
/// The single broker is leader since ever.
const LEADER_EPOCH: i32 = 0;

/// See the module.
#[derive(Debug)]
pub(super) struct LogState {
    pub(super) dir: Arc<Path>,
    /// Immutable segments, oldest first.
    pub(super) sealed: Vec<Segment>,
    /// The segment appended to.
    pub(super) active: Segment,
    /// Index of the active segment.
    pub(super) index: Index,
    /// Aborted transactions of the active segment.
    pub(super) aborted: Vec<AbortedEntry>,
    pub(super) producers: Producers,
    pub(super) log_start_offset: i64,
    pub(super) cleaned_to: i64,
    /// Another one whenever segments are replaced or removed, and for every open.
    pub(super) generation: u64,
    pub(super) cursors: Cursors,
    pub(super) unsynced: Unsynced,
    /// Bytes appended since the last checkpoint.
    pub(super) since_checkpoint: u64,
    /// Whether the checkpoint on disk says all there is to say and rests on synced data.
    pub(super) settled: bool,
    /// Set when a failed write could not be undone: the file's end is unknown.
    pub(super) broken: bool,
}

/// What the disk does not have yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Unsynced {
    /// Base of the first segment with unsynced bytes.
    pub(super) from: Option<i64>,
    pub(super) records: u64,
    /// When the oldest unsynced append happened.
    pub(super) since_ms: i64,
    /// When the newest append happened.
    pub(super) last_append_ms: i64,
}

impl LogState {
    pub(super) fn segments(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.sealed.iter().chain(iter::once(&self.active))
    }

    pub(super) fn next_offset(&self) -> i64 {
        self.active.info.next_offset
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            log_start_offset: self.log_start_offset,
            high_watermark: self.next_offset(),
            last_stable_offset: self.last_stable_offset(),
        }
    }

    pub(super) fn last_stable_offset(&self) -> i64 {
        self.producers
            .first_unstable_offset()
            // Retention may have taken the start of an open transaction.
            .map_or(self.next_offset(), |first| first.max(self.log_start_offset))
    }

    /// Notes that segments were replaced or removed.
    pub(super) fn segments_changed(&mut self) {
        self.generation = next_generation();
        self.cursors.clear();
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.segments().map(|segment| segment.info.size).sum()
    }

    /// Appends verified batches.
    pub(super) fn append(
        &mut self,
        mut prepared: Prepared,
        origin: AppendOrigin,
        config: &LogConfig,
        now_ms: i64,
        pool: &Arc<FilePool>,
    ) -> Result<Appended, AppendError> {
        for batch in &prepared.batches {
            if !batch.header.has_producer() {
                continue;
            }
            if let Verdict::Duplicate(first) = self.producers.check(&batch.header, origin)? {
                return Ok(Appended {
                    first_offset: first.first_offset,
                    last_offset: first.last_offset,
                    log_append_time: first.timestamp,
                    log_start_offset: self.log_start_offset,
                    duplicate: true,
                });
            }
        }
        self.roll_if_due(&prepared, config, now_ms, pool)?;
        let first_offset = self.next_offset();
        let log_append_time = match config.message_timestamp_type {
            TimestampKind::LogAppendTime => Some(now_ms),
            TimestampKind::CreateTime => None,
        };
        self.stamp(&mut prepared, log_append_time);
        self.write(&prepared)?;
        if self.active.info.size == 0 {
            self.active.info.created_ms = now_ms;
        }
        for batch in &prepared.batches {
            self.active.info.observe(&batch.header, &mut self.index);
            self.producers.apply_data(&batch.header);
        }
        self.wrote(&prepared, config, now_ms)?;
        Ok(Appended {
            first_offset,
            last_offset: self.next_offset() - 1,
            log_append_time: log_append_time.unwrap_or(-1),
            log_start_offset: self.log_start_offset,
            duplicate: false,
        })
    }

    /// Appends the marker that ends a transaction.
    pub(super) fn append_marker(
        &mut self,
        (producer_id, epoch): (i64, i16),
        marker: Marker,
        config: &LogConfig,
        now_ms: i64,
        pool: &Arc<FilePool>,
    ) -> Result<Appended, AppendError> {
        self.producers
            .check_marker(producer_id, epoch, marker.coordinator_epoch)?;
        let bytes = build::control_batch(
            producer_id,
            epoch,
            marker.kind,
            marker.coordinator_epoch,
            now_ms,
        );
        let mut prepared = Prepared::trusted(bytes)?;
        self.roll_if_due(&prepared, config, now_ms, pool)?;
        let offset = self.next_offset();
        self.stamp(&mut prepared, None);
        self.write(&prepared)?;
        for batch in &prepared.batches {
            self.active.info.observe(&batch.header, &mut self.index);
            self.end_transaction(&batch.header, marker);
        }
        self.wrote(&prepared, config, now_ms)?;
        Ok(Appended {
            first_offset: offset,
            last_offset: offset,
            log_append_time: -1,
            log_start_offset: self.log_start_offset,
            duplicate: false,
        })
    }

    fn end_transaction(&mut self, header: &BatchHeader, marker: Marker) {
        let ended = self.producers.apply_marker(header, marker);
        if let (Some(ended), MarkerKind::Abort) = (ended, marker.kind) {
            self.aborted.push(AbortedEntry {
                producer_id: ended.producer_id,
                first_offset: ended.first_offset,
                last_offset: header.base_offset,
                last_stable_offset: self.last_stable_offset(),
            });
            self.active.info.aborted += 1;
        }
    }

    /// Gives the batches their offsets and, if asked, the broker's time.
    fn stamp(&self, prepared: &mut Prepared, log_append_time: Option<i64>) {
        let mut offset = self.next_offset();
        for batch in &mut prepared.batches {
            batch.header.base_offset = offset;
            batch.header.partition_leader_epoch = LEADER_EPOCH;
            if let Some(now_ms) = log_append_time {
                batch.header.set_log_append_time(true);
                batch.header.max_timestamp = now_ms;
                batch.header = batch.header.sealed(&batch.records);
            } else if batch.header.is_log_append_time() {
                batch.header.set_log_append_time(false);
                batch.header = batch.header.sealed(&batch.records);
            }
            offset = batch.header.next_offset();
        }
    }

    /// Hands the batches to the operating system, all or none.
    fn write(&mut self, prepared: &Prepared) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other(
                "the log could not be repaired after a failed write or fsync: restart the broker",
            ));
        }
        let file = self.active.file.get()?;
        let heads: Vec<[u8; HEADER_LEN]> = prepared
            .batches
            .iter()
            .map(|batch| batch.header.to_bytes())
            .collect();
        let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(heads.len() * 2);
        for (head, batch) in heads.iter().zip(&prepared.batches) {
            slices.push(IoSlice::new(head));
            slices.push(IoSlice::new(&batch.records));
        }
        let Err(error) = write_all(&file, &mut slices) else {
            return Ok(());
        };
        if let Err(undo) = file.set_len(self.active.info.size) {
            self.broken = true;
            warn!(path = %self.active.file.path().display(), %undo, "a failed write stays in the log");
        }
        Err(error)
    }

    /// What follows a write: fsync and checkpoint when due.
    fn wrote(&mut self, prepared: &Prepared, config: &LogConfig, now_ms: i64) -> io::Result<()> {
        self.settled = false;
        if self.unsynced.from.is_none() {
            self.unsynced.from = Some(self.active.info.base);
            self.unsynced.since_ms = now_ms;
        }
        self.unsynced.last_append_ms = now_ms;
        self.unsynced.records += prepared.records;
        let age = elapsed(self.unsynced.since_ms, now_ms);
        if self.unsynced.records >= config.flush_messages || age >= config.flush_ms {
            if let Err(error) = sync_segments(&self.unsynced_segments(), &self.dir) {
                // What the disk has after a failed fsync is unknown, also to the next fsync.
                self.broken = true;
                return Err(error);
            }
            self.unsynced.from = None;
            self.unsynced.records = 0;
        }
        self.since_checkpoint += prepared.size;
        if self.since_checkpoint >= CHECKPOINT_INTERVAL {
            self.checkpoint_or_warn();
        }
        Ok(())
    }

    fn roll_if_due(
        &mut self,
        prepared: &Prepared,
        config: &LogConfig,
        now_ms: i64,
        pool: &Arc<FilePool>,
    ) -> io::Result<()> {
        let info = &self.active.info;
        if info.size == 0 {
            return Ok(());
        }
        let last = prepared
            .batches
            .iter()
            .fold(info.next_offset, |offset, batch| {
                offset + i64::from(batch.header.last_offset_delta) + 1
            });
        let age = if info.first_timestamp >= 0 && prepared.max_timestamp >= 0 {
            elapsed(info.first_timestamp, prepared.max_timestamp)
        } else {
            elapsed(info.created_ms, now_ms)
        };
        let age_max = if config.cleanup_policy.compact {
            config.segment_ms.min(config.max_compaction_lag_ms)
        } else {
            config.segment_ms
        };
        if info.size + prepared.size > u64::from(config.segment_bytes)
            || last - info.base > i64::from(i32::MAX)
            || age > age_max
        {
            self.roll(config, now_ms, pool)?;
        }
        Ok(())
    }

    /// Seals the active segment and starts the next.
    pub(super) fn roll(
        &mut self,
        config: &LogConfig,
        now_ms: i64,
        pool: &Arc<FilePool>,
    ) -> io::Result<()> {
        self.write_active_indexes(false)?;
        let next = Segment::create(&self.dir, self.next_offset(), now_ms, pool)?;
        self.sealed.push(std::mem::replace(&mut self.active, next));
        self.index = Index::new(config.index_interval_bytes);
        self.aborted = Vec::new();
        self.checkpoint_or_warn();
        Ok(())
    }

    fn write_active_indexes(&self, sync: bool) -> io::Result<()> {
        let base = self.active.info.base;
        replace_file(&index_path(&self.dir, base), &self.index.encode(), sync)?;
        if !self.aborted.is_empty() {
            let bytes = aborted::encode(&self.aborted);
            replace_file(&aborted_path(&self.dir, base), &bytes, sync)?;
        }
        Ok(())
    }

    /// Writes the checkpoint; `synced` states that all data is on disk.
    pub(super) fn checkpoint(&mut self, synced: bool) -> io::Result<()> {
        self.write_active_indexes(synced)?;
        let checkpoint = Checkpoint {
            synced,
            log_start_offset: self.log_start_offset,
            cleaned_to: self.cleaned_to,
            segments: self.segments().map(|segment| segment.info).collect(),
            producers: self.producers.clone(),
        };
        let path = self.dir.join(checkpoint::FILE_NAME);
        replace_file(&path, &checkpoint.encode(), synced)?;
        self.since_checkpoint = 0;
        self.settled = synced;
        Ok(())
    }

    /// Without a checkpoint the next open is slower, nothing more.
    pub(super) fn checkpoint_or_warn(&mut self) {
        if let Err(error) = self.checkpoint(false) {
            self.since_checkpoint = 0;
            warn!(dir = %self.dir.display(), %error, "checkpoint not written");
        }
    }

    /// The segments holding bytes the disk may not have.
    pub(super) fn unsynced_segments(&self) -> Vec<Segment> {
        let Some(from) = self.unsynced.from else {
            return Vec::new();
        };
        self.segments()
            .filter(|segment| segment.info.base >= from)
            .cloned()
            .collect()
    }
}

/// Puts segments on disk: data, aborted transactions, names.
pub(super) fn sync_segments(segments: &[Segment], dir: &Path) -> io::Result<()> {
    for segment in segments {
        match segment.file.get() {
            Ok(file) => file.sync_data()?,
            // Retention may have removed it in the meantime.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        }
        if segment.info.aborted > 0
            && let Ok(file) = File::open(aborted_path(dir, segment.info.base))
        {
            file.sync_all()?;
        }
    }
    if segments.len() > 1 || segments.first().is_some_and(|first| first.info.size == 0) {
        super::files::sync_dir(dir)?;
    }
    Ok(())
}

/// Time from one timestamp in milliseconds to a later one, zero if it is not later.
pub(super) fn elapsed(from_ms: i64, to_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(to_ms.saturating_sub(from_ms)).unwrap_or(0))
}

/// `now_ms` minus `age`, in milliseconds.
pub(super) fn before(now_ms: i64, age: Duration) -> i64 {
    now_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

/// Removes the files of segments, the first failure last.
pub(super) fn remove_segments(segments: &[Segment], dir: &Path) -> io::Result<()> {
    segments.iter().try_for_each(|segment| segment.remove(dir))
}

fn write_all(file: &File, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    let mut writer = file;
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match writer.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A number no opened log has had.
pub(super) fn next_generation() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// When a file was last written, in milliseconds since 1970.
pub(super) fn modified_ms(metadata: &fs::Metadata) -> i64 {
    metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .and_then(|age| i64::try_from(age.as_millis()).ok())
        .unwrap_or(0)
}
