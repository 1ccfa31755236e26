//! Removing old segments: by age, by size, and below the log start offset.
//!
//! Never removes the active segment while it holds records that are to stay. Answers to Java's
//! `UnifiedLog.deleteOldSegments`, `DeleteRecords` (KIP-107).

use std::io;
use std::sync::Arc;

use super::config::LogConfig;
use super::files::FilePool;
use super::partition::DeleteRecordsError;
use super::segment::Segment;
use super::state::{LogState, before, remove_segments};

impl LogState {
    /// Removes what age, size and log start offset let go; answers bytes removed.
    pub(super) fn enforce_retention(
        &mut self,
        config: &LogConfig,
        now_ms: i64,
        pool: &Arc<FilePool>,
    ) -> io::Result<u64> {
        let mut count = self.below_log_start();
        if config.cleanup_policy.delete {
            if let Some(age) = config.retention_ms {
                let limit = before(now_ms, age);
                if is_older(&self.active, limit) && self.active.info.size > 0 {
                    self.roll_if_all_old(limit, config, now_ms, pool)?;
                }
                let old = self
                    .sealed
                    .iter()
                    .take_while(|segment| is_older(segment, limit));
                count = count.max(old.count());
            }
            if let Some(max) = config.retention_bytes {
                count = count.max(self.over_size(max));
            }
        }
        self.drop_first(count)
    }

    /// The active segment goes too when everything before it does: it is sealed first.
    fn roll_if_all_old(
        &mut self,
        limit: i64,
        config: &LogConfig,
        now_ms: i64,
        pool: &Arc<FilePool>,
    ) -> io::Result<()> {
        if self.sealed.iter().all(|segment| is_older(segment, limit)) {
            self.roll(config, now_ms, pool)?;
        }
        Ok(())
    }

    fn below_log_start(&self) -> usize {
        self.sealed
            .iter()
            .take_while(|segment| segment.info.next_offset <= self.log_start_offset)
            .count()
    }

    fn over_size(&self, max: u64) -> usize {
        let mut excess = self.size_bytes().saturating_sub(max);
        self.sealed
            .iter()
            .take_while(|segment| {
                let goes = excess >= segment.info.size && segment.info.size > 0;
                if goes {
                    excess -= segment.info.size;
                }
                goes
            })
            .count()
    }

    /// Removes the first `count` sealed segments.
    fn drop_first(&mut self, count: usize) -> io::Result<u64> {
        if count == 0 {
            return Ok(0);
        }
        let removed: Vec<Segment> = self.sealed.drain(..count.min(self.sealed.len())).collect();
        self.segments_changed();
        let first = self
            .segments()
            .next()
            .map_or(0, |segment| segment.info.base);
        self.log_start_offset = self.log_start_offset.max(first);
        self.cleaned_to = self.cleaned_to.max(first);
        // The log start offset is on record before the data is gone.
        self.checkpoint_or_warn();
        remove_segments(&removed, &self.dir)?;
        Ok(removed.iter().map(|segment| segment.info.size).sum())
    }

    /// Moves the log start offset up.
    pub(super) fn delete_records(
        &mut self,
        up_to: i64,
        config: &LogConfig,
    ) -> Result<i64, DeleteRecordsError> {
        if !config.cleanup_policy.delete {
            return Err(DeleteRecordsError::PolicyViolation);
        }
        let high_watermark = self.next_offset();
        let target = if up_to == -1 { high_watermark } else { up_to };
        if target < 0 || target > high_watermark {
            return Err(DeleteRecordsError::OffsetOutOfRange {
                offset: up_to,
                high_watermark,
            });
        }
        if target > self.log_start_offset {
            let previous = self.log_start_offset;
            self.log_start_offset = target;
            if let Err(error) = self.checkpoint(false) {
                self.log_start_offset = previous;
                return Err(error.into());
            }
        }
        Ok(self.log_start_offset)
    }
}

/// Whether every record of a segment is older than `limit` (records without timestamp: its creation).
fn is_older(segment: &Segment, limit: i64) -> bool {
    let newest = if segment.info.max_timestamp >= 0 {
        segment.info.max_timestamp
    } else {
        segment.info.created_ms
    };
    newest < limit
}
