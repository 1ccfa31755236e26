//! Finding the valid batches of a segment: a pure function over bytes.
//!
//! Reads from the start of a batch to the first one that fails its length, checksum or order, and
//! tells each valid one to a visitor. Memory is one fixed window whatever the lengths state. Must
//! never panic on any input (it is a fuzz target). Answers to Java's `LogSegment.recover`.

use std::io::{self, Read};

use super::batch::{BatchError, BatchHeader, CRC_START, HEADER_LEN};
use super::build::MarkerKind;
use super::records;

/// Bytes held at a time.
const WINDOW: usize = 256 << 10;
/// A control batch larger than this is not one of ours or Kafka's; its marker is not read.
const CONTROL_BATCH_LEN_MAX: usize = 1024;

/// A transaction marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// Commit or abort.
    pub kind: MarkerKind,
    /// Epoch of the coordinator that wrote it.
    pub coordinator_epoch: i32,
}

/// One valid batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScannedBatch {
    /// Its header.
    pub header: BatchHeader,
    /// Its position in the file.
    pub position: u64,
    /// What it says, if it is a transaction marker.
    pub marker: Option<Marker>,
}

/// Where a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanEnd {
    /// Position after the last valid batch.
    pub valid_len: u64,
    /// Offset after the last valid batch (or the least offset given, if there is none).
    pub next_offset: i64,
    /// Why the scan ended before the end of the bytes.
    pub fault: Option<BatchError>,
}

/// Scans `source`, whose first byte is at `position` and whose first batch must not start below
/// `next_offset`.
///
/// # Errors
/// Only those of `source`.
pub fn scan(
    source: impl Read,
    position: u64,
    next_offset: i64,
    mut visit: impl FnMut(&ScannedBatch),
) -> io::Result<ScanEnd> {
    let mut window = Window {
        source,
        buffer: vec![0; WINDOW],
        start: 0,
        end: 0,
    };
    let mut end = ScanEnd {
        valid_len: position,
        next_offset,
        fault: None,
    };
    loop {
        let head = window.fill(HEADER_LEN)?;
        if head.is_empty() {
            return Ok(end);
        }
        match window.batch(end.next_offset)? {
            Ok((header, marker)) => {
                visit(&ScannedBatch {
                    header,
                    position: end.valid_len,
                    marker,
                });
                end.valid_len += header.size() as u64;
                end.next_offset = header.next_offset();
            }
            Err(fault) => {
                end.fault = Some(fault);
                return Ok(end);
            }
        }
    }
}

struct Window<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl<R: Read> Window<R> {
    fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// At least `want` unread bytes, or all there are.
    fn fill(&mut self, want: usize) -> io::Result<&[u8]> {
        if self.start + want > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < want {
            let Some(room) = self.buffer.get_mut(self.end..) else {
                break;
            };
            match self.source.read(room) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.unread())
    }

    /// Consumes the batch at the start of the window.
    fn batch(
        &mut self,
        least_offset: i64,
    ) -> io::Result<Result<(BatchHeader, Option<Marker>), BatchError>> {
        let header = match BatchHeader::parse(self.unread()) {
            Ok(header) => header,
            Err(fault) => return Ok(Err(fault)),
        };
        if header.base_offset < least_offset {
            return Ok(Err(BatchError::Counts("offset goes back")));
        }
        let size = header.size();
        let mut marker = None;
        if header.is_control() && size <= CONTROL_BATCH_LEN_MAX {
            let batch = self.fill(size)?;
            marker = batch.get(HEADER_LEN..size).and_then(records::marker);
        }
        let mut left = size;
        let mut skip = CRC_START;
        let mut computed = 0;
        while left > 0 {
            let chunk = self.fill(left.min(WINDOW))?;
            let take = chunk.len().min(left);
            if take == 0 {
                return Ok(Err(BatchError::Truncated {
                    have: size - left,
                    need: size,
                }));
            }
            let covered = chunk.get(skip..take).unwrap_or_default();
            computed = crc32c::crc32c_append(computed, covered);
            skip = 0;
            left -= take;
            self.start += take;
        }
        if computed != header.crc {
            return Ok(Err(BatchError::Checksum {
                stated: header.crc,
                computed,
            }));
        }
        Ok(Ok((header, marker)))
    }
}
