//! Transaction boundaries of an exactly-once source task (KIP-618; spec `distributed.md` 3.7).

use std::time::Duration;

/// `transaction.boundary`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionBoundary {
    /// A transaction per batch that `poll` returns.
    Poll,
    /// A transaction per interval.
    Interval(Duration),
    /// The connector says.
    Connector,
}

/// What a connector asked for through its transaction context, for a batch or at a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundaryRequest {
    /// Commit.
    Commit,
    /// Abort.
    Abort,
}

impl TransactionBoundary {
    /// Whether to commit after a poll whose records were all sent (also after an empty one), `since` the
    /// last commit. The connector's own requests are the caller's to look at.
    #[must_use]
    pub fn commit_after_batch(self, since: Duration) -> bool {
        match self {
            Self::Poll => true,
            Self::Interval(interval) => since >= interval,
            Self::Connector => false,
        }
    }

    /// Whether to commit when the task pauses or stops cleanly.
    #[must_use]
    pub fn commit_at_end(self) -> bool {
        !matches!(self, Self::Connector)
    }
}

/// Parses `transaction.boundary` (any letter case; absent: poll) and its interval.
#[must_use]
pub fn parse_boundary(
    boundary: Option<&str>,
    interval: Option<Duration>,
    flush_interval: Duration,
) -> Option<TransactionBoundary> {
    match boundary.map(str::to_ascii_lowercase).as_deref() {
        None | Some("poll") => Some(TransactionBoundary::Poll),
        Some("interval") => Some(TransactionBoundary::Interval(
            interval.unwrap_or(flush_interval),
        )),
        Some("connector") => Some(TransactionBoundary::Connector),
        Some(_) => None,
    }
}
