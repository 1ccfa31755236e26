//! Opening a partition's directory: finishing what a crash interrupted, cutting a torn tail,
//! rebuilding what is not stored.
//!
//! With a believed checkpoint only what was appended after it is read. Without one every segment
//! is. Valid batches are never given up for invalid ones: each segment is cut at its own first
//! fault, later segments stay. Answers to Java's `LogLoader`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use tracing::warn;

use super::aborted::{self, AbortedEntry};
use super::build::MarkerKind;
use super::checkpoint::{self, Checkpoint};
use super::config::LogConfig;
use super::files::{FilePool, remove_if_there, replace_file};
use super::index::Index;
use super::producers::Producers;
use super::reading::Cursors;
use super::recovery::scan;
use super::segment::{Segment, SegmentInfo, aborted_path, index_path, load_aborted, log_path};
use super::state::{LogState, Unsynced, modified_ms, next_generation, remove_segments};
use super::swap;

/// Opens the log in `dir`, creating it if it is not there.
pub(super) fn open(dir: &Path, config: &LogConfig, pool: &Arc<FilePool>) -> io::Result<LogState> {
    fs::create_dir_all(dir)?;
    swap::finish(dir)?;
    let files = list(dir)?;
    let checkpoint = fs::read(dir.join(checkpoint::FILE_NAME))
        .ok()
        .and_then(|bytes| Checkpoint::decode(&bytes));
    let mut opening = Opening {
        dir,
        interval: config.index_interval_bytes,
        producers: Producers::default(),
        last: None,
        synced: false,
        pool,
        infos: Vec::with_capacity(files.len()),
        scanned: 0,
    };
    let believed = match checkpoint {
        Some(checkpoint) => {
            if opening.resume(&checkpoint, &files)? {
                Some(checkpoint)
            } else {
                opening.restart();
                None
            }
        }
        None => None,
    };
    if believed.is_none() {
        for (base, file) in &files {
            opening.replay(*base, file, None)?;
        }
    }
    let log_start = believed.as_ref().map_or(0, |known| known.log_start_offset);
    let cleaned_to = believed.as_ref().map_or(0, |known| known.cleaned_to);
    opening.finish(log_start, cleaned_to)
}

/// A segment file as found.
#[derive(Debug, Clone, Copy)]
struct FoundFile {
    size: u64,
    modified_ms: i64,
}

fn list(dir: &Path) -> io::Result<BTreeMap<i64, FoundFile>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            continue;
        };
        if name.ends_with(".tmp") {
            remove_if_there(&entry.path())?;
        } else if let Some(base) = name.strip_suffix(".log").and_then(|base| base.parse().ok()) {
            let metadata = entry.metadata()?;
            let found = FoundFile {
                size: metadata.len(),
                modified_ms: modified_ms(&metadata),
            };
            files.insert(base, found);
        }
    }
    Ok(files)
}

/// A log being put together.
struct Opening<'a> {
    dir: &'a Path,
    interval: u32,
    producers: Producers,
    infos: Vec<SegmentInfo>,
    /// Index and aborted transactions of the last segment replayed: the active one in the end.
    last: Option<(Index, Vec<AbortedEntry>)>,
    /// Bytes read and verified.
    scanned: u64,
    /// Whether the checkpoint states that everything it covers is on disk.
    synced: bool,
    pool: &'a Arc<FilePool>,
}

impl Opening<'_> {
    fn restart(&mut self) {
        self.producers = Producers::default();
        self.infos.clear();
        self.last = None;
        self.synced = false;
    }

    /// Continues from a checkpoint; `false` if the files contradict it.
    fn resume(
        &mut self,
        checkpoint: &Checkpoint,
        files: &BTreeMap<i64, FoundFile>,
    ) -> io::Result<bool> {
        let Some(active) = checkpoint.segments.last() else {
            return Ok(false);
        };
        if files
            .get(&active.base)
            .is_none_or(|file| file.size < active.size)
        {
            return Ok(false);
        }
        let known: BTreeMap<i64, &SegmentInfo> = checkpoint
            .segments
            .iter()
            .map(|segment| (segment.base, segment))
            .collect();
        self.producers = checkpoint.producers.clone();
        self.synced = checkpoint.synced;
        let first = checkpoint.segments.first().map_or(0, |first| first.base);
        for (base, file) in files {
            if *base < first {
                // Retention let it go and was killed before the file went.
                Segment::new(self.dir, SegmentInfo::new(*base, 0), self.pool).remove(self.dir)?;
                continue;
            }
            match known.get(base) {
                Some(info) if info.base == active.base => {
                    if !self.replay(*base, file, Some(info))? {
                        return Ok(false);
                    }
                }
                Some(info) if info.size == file.size => {
                    if info.aborted > 0 && load_aborted(self.dir, *base).is_err() {
                        return Ok(false);
                    }
                    self.infos.push(**info);
                }
                _ if *base > active.base => {
                    self.replay(*base, file, None)?;
                }
                // Compaction replaced it after the checkpoint; the producers are in there.
                _ => self.survey(*base, file)?,
            }
        }
        Ok(true)
    }

    /// Reads a segment from where `known` ends, taking its batches into the producers' state.
    /// `false` if files belonging to `known` are missing.
    fn replay(
        &mut self,
        base: i64,
        file: &FoundFile,
        known: Option<&SegmentInfo>,
    ) -> io::Result<bool> {
        self.seal_last()?;
        let mut info = known
            .copied()
            .unwrap_or_else(|| SegmentInfo::new(base, file.modified_ms));
        let mut aborted = Vec::new();
        let mut index = Index::new(self.interval);
        if known.is_some() {
            if info.aborted > 0 {
                match load_aborted(self.dir, base) {
                    Ok(entries) => aborted = entries,
                    Err(_) => return Ok(false),
                }
                aborted.truncate(info.aborted as usize);
            }
            if info.size > 0 {
                let stored = fs::read(index_path(self.dir, base)).unwrap_or_default();
                match Index::decode(&stored) {
                    Some(stored) => index = stored,
                    None => return Ok(false),
                }
                index.truncate(u32::try_from(info.size).unwrap_or(u32::MAX));
            }
        }
        let producers = &mut self.producers;
        scan_segment(self.dir, file.size, &mut info, &mut index, |batch, next| {
            let ended = producers.replay(batch);
            if let (Some(ended), Some(marker)) = (ended, batch.marker)
                && marker.kind == MarkerKind::Abort
            {
                aborted.push(AbortedEntry {
                    producer_id: ended.producer_id,
                    first_offset: ended.first_offset,
                    last_offset: batch.header.base_offset,
                    last_stable_offset: producers.first_unstable_offset().unwrap_or(next),
                });
            }
        })?;
        self.scanned += file
            .size
            .saturating_sub(known.map_or(0, |known| known.size));
        info.aborted = aborted.len() as u32;
        self.infos.push(info);
        self.last = Some((index, aborted));
        Ok(true)
    }

    /// Writes the side files of the last replayed segment: another one follows it.
    fn seal_last(&mut self) -> io::Result<()> {
        if let (Some((index, aborted)), Some(info)) = (self.last.take(), self.infos.last()) {
            replace_file(&index_path(self.dir, info.base), &index.encode(), false)?;
            if !aborted.is_empty() {
                let path = aborted_path(self.dir, info.base);
                replace_file(&path, &aborted::encode(&aborted), false)?;
            }
        }
        Ok(())
    }

    /// Reads a sealed segment for its summary alone.
    fn survey(&mut self, base: i64, file: &FoundFile) -> io::Result<()> {
        let mut info = SegmentInfo::new(base, file.modified_ms);
        let mut index = Index::new(self.interval);
        scan_segment(self.dir, file.size, &mut info, &mut index, |_, _| {})?;
        self.scanned += file.size;
        replace_file(&index_path(self.dir, base), &index.encode(), false)?;
        // Compaction removes it together with the records; otherwise it still holds.
        if let Ok(entries) = load_aborted(self.dir, base) {
            info.aborted = entries.len() as u32;
        }
        self.infos.push(info);
        Ok(())
    }

    fn finish(self, log_start: i64, cleaned_to: i64) -> io::Result<LogState> {
        let pool = self.pool;
        let mut segments: Vec<Segment> = self
            .infos
            .iter()
            .map(|info| Segment::new(self.dir, *info, pool))
            .collect();
        let log_start = log_start.max(self.infos.first().map_or(0, |first| first.base));
        let end = self.infos.last().map_or(0, |last| last.next_offset);
        // Records deleted up to an offset that the log, cut short, does not reach any more.
        if log_start > end {
            remove_segments(&segments, self.dir)?;
            segments.clear();
        }
        let (index, aborted) = match self.last {
            Some(last) if !segments.is_empty() => last,
            _ => (Index::new(self.interval), Vec::new()),
        };
        let active = match segments.pop() {
            Some(active) => active,
            None => Segment::create(self.dir, log_start, 0, pool)?,
        };
        let scanned = self.scanned;
        Ok(LogState {
            dir: self.dir.into(),
            unsynced: Unsynced {
                // What was scanned was written by a process that did not end in order.
                from: (scanned > 0 || !self.synced).then(|| {
                    segments
                        .first()
                        .map_or(active.info.base, |first| first.info.base)
                }),
                ..Unsynced::default()
            },
            sealed: segments,
            active,
            index,
            aborted,
            producers: self.producers,
            log_start_offset: log_start,
            cleaned_to,
            generation: next_generation(),
            cursors: Cursors::default(),
            since_checkpoint: scanned,
            settled: scanned == 0 && self.synced,
            broken: false,
        })
    }
}

/// Scans a segment's file from `info.size`, cuts it after the last valid batch, and tells each batch
/// with the offset after it.
fn scan_segment(
    dir: &Path,
    size: u64,
    info: &mut SegmentInfo,
    index: &mut Index,
    mut visit: impl FnMut(&super::recovery::ScannedBatch, i64),
) -> io::Result<()> {
    if size == info.size {
        return Ok(());
    }
    let path = log_path(dir, info.base);
    let mut file = File::open(&path)?;
    file.seek(SeekFrom::Start(info.size))?;
    let end = scan(file, info.size, info.next_offset, |batch| {
        info.observe(&batch.header, index);
        visit(batch, batch.header.next_offset());
    })?;
    if let Some(fault) = end.fault {
        warn!(path = %path.display(), at = end.valid_len, cut = size.saturating_sub(end.valid_len), %fault, "torn tail cut");
        fs::OpenOptions::new()
            .write(true)
            .open(&path)?
            .set_len(end.valid_len)?;
    }
    Ok(())
}
