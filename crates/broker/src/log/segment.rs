//! One segment: a file of batches, its index and its aborted transactions.
//!
//! A sealed segment is immutable (compaction replaces it whole). Answers to Java's `LogSegment`.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, BufMut, TryGetError};

use super::aborted::{self, AbortedEntry};
use super::batch::{BatchHeader, HEADER_LEN};
use super::files::{FilePool, PooledFile, remove_if_there, replace_file};
use super::index::Index;

/// What is known of a segment without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentInfo {
    /// Least offset it may hold; its file is named by it.
    pub(super) base: i64,
    pub(super) size: u64,
    /// Offset after its last batch.
    pub(super) next_offset: i64,
    /// Largest timestamp, -1 if none.
    pub(super) max_timestamp: i64,
    /// Position of the batch with that timestamp.
    pub(super) max_timestamp_position: u64,
    /// Largest timestamp of the first batch, -1 if none.
    pub(super) first_timestamp: i64,
    /// When it was created, by the broker's clock.
    pub(super) created_ms: i64,
    /// Number of entries in its file of aborted transactions.
    pub(super) aborted: u32,
}

impl SegmentInfo {
    pub(super) fn new(base: i64, created_ms: i64) -> SegmentInfo {
        SegmentInfo {
            base,
            size: 0,
            next_offset: base,
            max_timestamp: -1,
            max_timestamp_position: 0,
            first_timestamp: -1,
            created_ms,
            aborted: 0,
        }
    }

    /// Takes in a batch written at the end.
    pub(super) fn observe(&mut self, header: &BatchHeader, index: &mut Index) {
        let relative = u32::try_from(header.base_offset - self.base).unwrap_or(u32::MAX);
        let position = u32::try_from(self.size).unwrap_or(u32::MAX);
        index.observe(relative, position, self.max_timestamp);
        if self.size == 0 {
            self.first_timestamp = header.max_timestamp;
        }
        if header.max_timestamp > self.max_timestamp {
            self.max_timestamp = header.max_timestamp;
            self.max_timestamp_position = self.size;
        }
        self.size += header.size() as u64;
        self.next_offset = header.next_offset();
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put_i64(self.base);
        out.put_u64(self.size);
        out.put_i64(self.next_offset);
        out.put_i64(self.max_timestamp);
        out.put_u64(self.max_timestamp_position);
        out.put_i64(self.first_timestamp);
        out.put_i64(self.created_ms);
        out.put_u32(self.aborted);
    }

    pub(super) fn decode(body: &mut &[u8]) -> Result<SegmentInfo, TryGetError> {
        Ok(SegmentInfo {
            base: body.try_get_i64()?,
            size: body.try_get_u64()?,
            next_offset: body.try_get_i64()?,
            max_timestamp: body.try_get_i64()?,
            max_timestamp_position: body.try_get_u64()?,
            first_timestamp: body.try_get_i64()?,
            created_ms: body.try_get_i64()?,
            aborted: body.try_get_u32()?,
        })
    }
}

/// A segment and its file.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) info: SegmentInfo,
    pub(super) file: PooledFile,
}

impl Segment {
    pub(super) fn new(dir: &Path, info: SegmentInfo, pool: &Arc<FilePool>) -> Segment {
        Segment {
            info,
            file: PooledFile::new(log_path(dir, info.base), pool),
        }
    }

    /// Creates the empty file of a new segment.
    pub(super) fn create(
        dir: &Path,
        base: i64,
        now_ms: i64,
        pool: &Arc<FilePool>,
    ) -> io::Result<Segment> {
        let segment = Segment::new(dir, SegmentInfo::new(base, now_ms), pool);
        File::create(segment.file.path())?;
        Ok(segment)
    }

    /// Removes the segment's files. Readers in flight keep what they have open.
    pub(super) fn remove(&self, dir: &Path) -> io::Result<()> {
        self.file.forget();
        remove_if_there(&index_path(dir, self.info.base))?;
        remove_if_there(&aborted_path(dir, self.info.base))?;
        remove_if_there(self.file.path())
    }

    /// The index of a sealed segment, rebuilt from its batches if the file is of no use.
    pub(super) fn load_index(&self, dir: &Path, interval: u32) -> io::Result<Index> {
        let path = index_path(dir, self.info.base);
        if let Ok(bytes) = fs::read(&path)
            && let Some(index) = Index::decode(&bytes)
        {
            return Ok(index);
        }
        let file = self.file.get()?;
        let mut index = Index::new(interval);
        let mut info = SegmentInfo::new(self.info.base, 0);
        let mut walk = HeaderWalk::new(&file, 0, self.info.size);
        while let Some((_, header)) = walk.next()? {
            info.observe(&header, &mut index);
        }
        replace_file(&path, &index.encode(), false)?;
        Ok(index)
    }

    /// The aborted transactions of a sealed segment.
    pub(super) fn load_aborted(&self, dir: &Path) -> io::Result<Vec<AbortedEntry>> {
        if self.info.aborted == 0 {
            return Ok(Vec::new());
        }
        load_aborted(dir, self.info.base)
    }
}

pub(super) fn load_aborted(dir: &Path, base: i64) -> io::Result<Vec<AbortedEntry>> {
    let bytes = fs::read(aborted_path(dir, base))?;
    aborted::decode(&bytes)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "aborted index is damaged"))
}

/// Position of the batch holding `offset`, or of the first after it, searching `file` from `from`;
/// `None` if there is none before `end`.
pub(super) fn locate(
    file: &File,
    from: u64,
    end: u64,
    offset: i64,
) -> io::Result<Option<(u64, BatchHeader)>> {
    let mut walk = HeaderWalk::new(file, from, end);
    while let Some((position, header)) = walk.next()? {
        if header.last_offset() >= offset {
            return Ok(Some((position, header)));
        }
    }
    Ok(None)
}

/// Reads headers one after the other, without the records between them.
pub(super) struct HeaderWalk<'a> {
    file: &'a File,
    next: u64,
    end: u64,
    window: Vec<u8>,
    window_at: u64,
    /// How much is read next.
    stride: usize,
}

/// Bytes read at first, and the size from which a batch is skipped and only its header read.
const WALK_WINDOW: usize = 4096;
/// Bytes read at a time, at most, where batches are small.
const WALK_WINDOW_MAX: usize = 64 << 10;

impl<'a> HeaderWalk<'a> {
    pub(super) fn new(file: &'a File, from: u64, end: u64) -> HeaderWalk<'a> {
        HeaderWalk {
            file,
            next: from,
            end,
            window: Vec::new(),
            window_at: from,
            stride: WALK_WINDOW,
        }
    }

    /// The next header and its position.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, BatchHeader)>> {
        if self.next + HEADER_LEN as u64 > self.end {
            return Ok(None);
        }
        let at = (self.next - self.window_at) as usize;
        if at + HEADER_LEN > self.window.len() {
            let len = (self.end - self.next).min(self.stride as u64) as usize;
            self.stride = (self.stride.max(WALK_WINDOW) * 2).min(WALK_WINDOW_MAX);
            self.window.resize(len, 0);
            self.window_at = self.next;
            self.file.read_exact_at(&mut self.window, self.next)?;
        }
        let at = (self.next - self.window_at) as usize;
        let header = BatchHeader::parse(self.window.get(at..).unwrap_or_default())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if header.size() >= WALK_WINDOW {
            self.stride = HEADER_LEN;
        }
        let position = self.next;
        self.next += header.size() as u64;
        if self.next > self.end {
            return Ok(None);
        }
        Ok(Some((position, header)))
    }
}

pub(super) fn log_path(dir: &Path, base: i64) -> PathBuf {
    dir.join(format!("{base:020}.log"))
}

pub(super) fn index_path(dir: &Path, base: i64) -> PathBuf {
    dir.join(format!("{base:020}.index"))
}

pub(super) fn aborted_path(dir: &Path, base: i64) -> PathBuf {
    dir.join(format!("{base:020}.txn"))
}
