//! Committing and fetching a consumer group's offsets: what each error means for the owner
//! (Java: `ConsumerCoordinator.OffsetCommitResponseHandler`, `OffsetFetchResponseHandler`).
//!
//! Nothing is retried here: a sink task knows best whether an older commit still matters.

use thiserror::Error;

use super::{ErrorCode, Membership, RequestFailure, machine::State};
use crate::{group::consumer::TopicPartition, time::Now};

/// An offset to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetToCommit {
    /// The partition.
    pub partition: TopicPartition,
    /// The next record to read.
    pub offset: i64,
    /// The epoch of the partition's leader when the last record was read, if known.
    pub leader_epoch: Option<i32>,
    /// The task's own words.
    pub metadata: String,
}

/// A committed offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchedOffset {
    /// The next record to read; `None` if nothing was committed.
    pub offset: Option<i64>,
    /// The epoch of the partition's leader, if known.
    pub leader_epoch: Option<i32>,
    /// The task's own words.
    pub metadata: String,
}

/// What the broker says about one partition's committed offset.
pub type FetchAnswer = (TopicPartition, Result<FetchedOffset, ErrorCode>);

/// What a failed commit means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CommitFailure {
    /// It may be tried again as it is.
    #[error("the offsets were not committed: {0}; trying again can help")]
    Retriable(RequestFailure),
    /// We do not own these partitions any more, or a round is under way: commit what is still ours after it.
    #[error("the offsets were not committed: the group is rebalancing or has dropped this member")]
    Rejoin,
    /// Trying again cannot help.
    #[error("the offsets were not committed: {0}")]
    Fatal(ErrorCode),
}

/// What a failed fetch means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FetchFailure {
    /// It may be tried again as it is.
    #[error("the committed offsets are not known: {0}; trying again can help")]
    Retriable(RequestFailure),
    /// Trying again cannot help.
    #[error("the committed offsets are not known: {0}")]
    Fatal(ErrorCode),
}

/// What a partition's code in an OffsetCommit answer means.
///
/// # Errors
/// Everything but NONE.
pub const fn classify_commit(code: ErrorCode) -> Result<(), CommitFailure> {
    match code {
        ErrorCode::NONE => Ok(()),
        ErrorCode::UNKNOWN_MEMBER_ID
        | ErrorCode::ILLEGAL_GENERATION
        | ErrorCode::STALE_MEMBER_EPOCH
        | ErrorCode::REBALANCE_IN_PROGRESS => Err(CommitFailure::Rejoin),
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
        | ErrorCode::COORDINATOR_NOT_AVAILABLE
        | ErrorCode::NOT_COORDINATOR
        | ErrorCode::REQUEST_TIMED_OUT
        | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
            Err(CommitFailure::Retriable(RequestFailure::Code(code)))
        }
        other => Err(CommitFailure::Fatal(other)),
    }
}

/// What a code in an OffsetFetch answer means.
///
/// # Errors
/// Everything but NONE.
pub const fn classify_fetch(code: ErrorCode) -> Result<(), FetchFailure> {
    match code {
        ErrorCode::NONE => Ok(()),
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
        | ErrorCode::COORDINATOR_NOT_AVAILABLE
        | ErrorCode::NOT_COORDINATOR
        | ErrorCode::REQUEST_TIMED_OUT
        | ErrorCode::UNSTABLE_OFFSET_COMMIT => {
            Err(FetchFailure::Retriable(RequestFailure::Code(code)))
        }
        other => Err(FetchFailure::Fatal(other)),
    }
}

impl Membership {
    pub(super) fn commit_result(
        &mut self,
        now: Now,
        result: Result<Vec<(TopicPartition, ErrorCode)>, RequestFailure>,
    ) -> Result<(), CommitFailure> {
        let codes = match result {
            Ok(codes) => codes,
            Err(RequestFailure::Code(code)) => vec![(TopicPartition::new("", -1), code)],
            Err(failure) => {
                self.lose_coordinator(now);
                return Err(CommitFailure::Retriable(failure));
            }
        };
        for (_, code) in codes {
            if code.means_other_coordinator() {
                self.lose_coordinator(now);
            }
            let result = classify_commit(code);
            if result == Err(CommitFailure::Rejoin) && self.state == State::Stable {
                self.rejoin
                    .get_or_insert_with(|| "offset commit failed".to_owned());
            }
            result?;
        }
        Ok(())
    }

    pub(super) fn fetch_result(
        &mut self,
        now: Now,
        result: Result<Vec<FetchAnswer>, RequestFailure>,
    ) -> Result<Vec<(TopicPartition, FetchedOffset)>, FetchFailure> {
        let answers = match result {
            Ok(answers) => answers,
            Err(RequestFailure::Code(code)) => {
                if code.means_other_coordinator() {
                    self.lose_coordinator(now);
                }
                classify_fetch(code)?;
                Vec::new()
            }
            Err(failure) => {
                self.lose_coordinator(now);
                return Err(FetchFailure::Retriable(failure));
            }
        };
        let mut offsets = Vec::with_capacity(answers.len());
        for (partition, answer) in answers {
            match answer {
                Ok(offset) => offsets.push((partition, offset)),
                Err(code) => classify_fetch(code)?,
            }
        }
        Ok(offsets)
    }
}
