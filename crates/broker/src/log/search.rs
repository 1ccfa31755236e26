//! Finding records by timestamp.
//!
//! The sparse index leads to a batch, the batch's header says whether it can hold the record, and
//! only that batch is decoded. Answers to Java's `UnifiedLog.fetchOffsetByTimestamp`, KIP-79,
//! KIP-734.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::batch::{BatchHeader, HEADER_LEN};
use super::read::TimestampedOffset;
use super::records;
use super::segment::{HeaderWalk, Segment};
use super::state::LogState;

/// A search decided on under the lock.
pub(super) struct TimeSearch {
    segments: Vec<(Segment, Arc<File>)>,
    /// Position in the active segment from its index.
    active_from: u64,
    active_base: i64,
    least: i64,
    pub(super) generation: u64,
    dir: Arc<Path>,
}

impl LogState {
    /// Plans the search for the first record of at least `timestamp`, at or above an offset.
    pub(super) fn plan_search(&self, timestamp: i64, least: i64) -> io::Result<TimeSearch> {
        let mut segments = Vec::new();
        for segment in self.segments() {
            if segment.info.size > 0
                && segment.info.max_timestamp >= timestamp
                && segment.info.next_offset > least
            {
                segments.push((segment.clone(), segment.file.get()?));
                // One is enough unless the record lies below the least offset.
                if segment.info.base >= least {
                    break;
                }
            }
        }
        Ok(TimeSearch {
            segments,
            active_from: u64::from(self.index.position_of_time(timestamp)),
            active_base: self.active.info.base,
            least,
            generation: self.generation,
            dir: Arc::clone(&self.dir),
        })
    }

    /// Largest timestamp of all records in the files, -1 if there is none.
    pub(super) fn max_timestamp(&self) -> i64 {
        self.segments()
            .map(|segment| segment.info.max_timestamp)
            .max()
            .unwrap_or(-1)
    }
}

impl TimeSearch {
    /// The first record at or above the least offset with at least `timestamp`.
    pub(super) fn run(
        &self,
        timestamp: i64,
        interval: u32,
    ) -> io::Result<Option<TimestampedOffset>> {
        for (segment, file) in &self.segments {
            let from = if segment.info.base == self.active_base {
                self.active_from
            } else {
                let index = segment.load_index(&self.dir, interval)?;
                u64::from(index.position_of_time(timestamp))
            };
            let mut walk = HeaderWalk::new(file, from, segment.info.size);
            while let Some((position, header)) = walk.next()? {
                if header.max_timestamp < timestamp
                    || header.last_offset() < self.least
                    || header.records_count == 0
                {
                    continue;
                }
                if let Some(found) = self.search_batch(file, position, &header, timestamp)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    fn search_batch(
        &self,
        file: &File,
        position: u64,
        header: &BatchHeader,
        timestamp: i64,
    ) -> io::Result<Option<TimestampedOffset>> {
        let mut bytes = vec![0; header.size() - HEADER_LEN];
        file.read_exact_at(&mut bytes, position + HEADER_LEN as u64)?;
        let limit = records::DECOMPRESSED_LEN_MAX;
        let Ok(plain) = records::decompress(header.compression(), &bytes, limit) else {
            // Not decodable here: its first record is the closest that can be named.
            return Ok(Some(TimestampedOffset {
                timestamp: header.max_timestamp,
                offset: header.base_offset.max(self.least),
            }));
        };
        for record in records::raw_records(&plain).map_while(Result::ok) {
            let offset = header.base_offset + i64::from(record.offset_delta);
            let record_timestamp = if header.is_log_append_time() {
                header.max_timestamp
            } else {
                header.base_timestamp.wrapping_add(record.timestamp_delta)
            };
            if record_timestamp >= timestamp && offset >= self.least {
                return Ok(Some(TimestampedOffset {
                    timestamp: record_timestamp,
                    offset,
                }));
            }
        }
        Ok(None)
    }
}
