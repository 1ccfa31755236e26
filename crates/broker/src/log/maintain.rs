//! Background work over all partitions of a store.
//!
//! Partitions in use get everything; closed ones are opened a few at a time for retention and closed
//! again, so that a store of many thousands neither opens all of them nor forgets any. A failure in
//! one partition is logged and harms no other. Answers to Java's `LogManager.cleanupLogs`,
//! `flushDirtyLogs`, `LogCleaner`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::PartitionLog;
use super::state::elapsed;
use super::store::{LogStore, StoreOptions};

/// Closed partitions opened for retention in one round.
const CLOSED_CHECKED_MAX: usize = 200;
/// Time without appends after which unsynced data is synced although no setting asks for it: the
/// stop that follows is then quick, and nobody is writing who could wait for it.
const QUIET: Duration = Duration::from_secs(10);

/// What a round of maintenance did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MaintenanceReport {
    /// Bytes removed by retention.
    pub bytes_removed: u64,
    /// Bytes freed by compaction.
    pub bytes_compacted: u64,
    /// Partitions flushed.
    pub flushed: usize,
    /// Partitions whose files were closed for being idle.
    pub closed: usize,
    /// Partitions where something failed (logged).
    pub failed: usize,
}

impl LogStore {
    /// One round of background work: retention, compaction that is due, flush that is due, closing
    /// of idle partitions. Blocking; call it every few seconds from a blocking thread.
    pub fn maintain(&self, now_ms: i64) -> MaintenanceReport {
        let mut round = Round {
            options: &self.options,
            now_ms,
            report: MaintenanceReport::default(),
            closed_left: CLOSED_CHECKED_MAX,
        };
        for topic in self.topics() {
            for (index, partition) in topic.partitions().iter().enumerate() {
                if let Err(error) = round.visit(partition) {
                    // A topic deleted meanwhile is nothing to report.
                    if error.kind() != io::ErrorKind::NotFound {
                        round.report.failed += 1;
                        warn!(topic = topic.name(), partition = index, %error, "maintenance failed");
                    }
                }
            }
        }
        round.report
    }
}

struct Round<'a> {
    options: &'a StoreOptions,
    now_ms: i64,
    report: MaintenanceReport,
    closed_left: usize,
}

impl Round<'_> {
    fn visit(&mut self, log: &Arc<PartitionLog>) -> io::Result<()> {
        let checked = elapsed(log.upkeep_marks().checked_ms(), self.now_ms);
        let check_due = checked >= self.options.retention_check_interval;
        if !log.is_open() {
            if check_due && self.closed_left > 0 {
                log.upkeep_marks().set_checked(self.now_ms);
                if log.exists() {
                    self.closed_left -= 1;
                    self.clean(log)?;
                    log.close_if_unused()?;
                }
            }
            return Ok(());
        }
        let idle = log.upkeep_marks().idle(self.now_ms);
        if check_due {
            log.upkeep_marks().set_checked(self.now_ms);
            self.clean(log)?;
        } else if log.config().cleanup_policy.compact {
            self.report.bytes_compacted += log.compact(self.now_ms)?;
        }
        self.flush(log)?;
        if idle >= self.options.partition_idle && log.close_if_unused()? {
            self.report.closed += 1;
        }
        Ok(())
    }

    fn clean(&mut self, log: &PartitionLog) -> io::Result<()> {
        self.report.bytes_removed += log.enforce_retention(self.now_ms)?;
        self.report.bytes_compacted += log.compact(self.now_ms)?;
        Ok(())
    }

    fn flush(&mut self, log: &PartitionLog) -> io::Result<()> {
        let Some((since_ms, last_append_ms)) = log.unsynced_since() else {
            return Ok(());
        };
        let config = log.config();
        if elapsed(since_ms, self.now_ms) >= config.flush_ms
            || elapsed(last_append_ms, self.now_ms) >= QUIET
        {
            log.flush()?;
            self.report.flushed += 1;
        }
        Ok(())
    }
}
