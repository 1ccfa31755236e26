//! A partition that is assigned: where it is read from, what is buffered of it, what is wrong with it.
//!
//! Answers to Java's `SubscriptionState.TopicPartitionState`.

use std::collections::VecDeque;

use tokio::time::Instant;
use uuid::Uuid;

use super::{errors::Failure, settings::ResetTo};
use crate::{backoff::Backoff, ports::StartAt, records::completed::Completed};

/// Who leads a partition, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leader {
    /// The broker.
    pub(super) broker: i32,
    /// Its epoch; -1 when the broker that was asked tells none.
    pub(super) epoch: i32,
}

/// A partition.
#[derive(Debug, Default)]
pub(super) struct Partition {
    /// Changes with every seek: answers to what was asked before are ignored.
    pub(super) generation: u64,
    /// Delivers nothing, and is not asked for.
    pub(super) paused: bool,
    /// Tells a topic from one of the same name that took its place.
    pub(super) topic_id: Uuid,
    /// Who leads it.
    pub(super) leader: Option<Leader>,
    /// Who leads it must be asked anew.
    pub(super) stale: bool,
    /// A follower that is nearer, until then (KIP-392).
    pub(super) replica: Option<(i32, Instant)>,
    /// The position is not known: it is there.
    pub(super) reset: Option<ResetTo>,
    /// It is being looked up.
    pub(super) looking: bool,
    /// The next offset to deliver, unless it must be looked up.
    pub(super) position: i64,
    /// The leader epoch of what was delivered last, for finding a log that was cut (KIP-320).
    pub(super) position_epoch: Option<i32>,
    /// The position was checked against this leader epoch.
    pub(super) validated: i32,
    /// It is being checked.
    pub(super) validating: bool,
    /// The next offset to ask for.
    pub(super) fetch_at: i64,
    /// Answers that are not delivered yet.
    pub(super) completed: VecDeque<Completed>,
    /// Their bytes.
    pub(super) buffered: usize,
    /// It is in the list of those that have something to deliver.
    pub(super) queued: bool,
    /// Nothing is asked beyond what is buffered: it may not be there any more.
    pub(super) cautious: bool,
    /// What a poll is to be told.
    pub(super) failure: Option<Failure>,
    /// No request before.
    pub(super) not_before: Option<Instant>,
    /// Failures in a row.
    pub(super) failures: u32,
    /// When it was answered last, in a count of answers: the next request names it after those that wait longer.
    pub(super) served: u64,
    /// As the leader told last; -1 when it did not yet.
    pub(super) high_watermark: i64,
    /// The end for readers of what is committed.
    pub(super) last_stable: i64,
    /// The oldest offset.
    pub(super) log_start: i64,
}

impl Partition {
    /// One of which nothing is known yet.
    pub(super) fn begun() -> Self {
        Self {
            high_watermark: -1,
            last_stable: -1,
            log_start: -1,
            validated: -1,
            ..Self::default()
        }
    }

    /// The broker to ask.
    pub(super) fn source(&self, now: Instant) -> Option<i32> {
        match self.replica {
            Some((replica, until)) if now < until => Some(replica),
            _ => self.leader.map(|leader| leader.broker),
        }
    }

    /// The leader epoch to name, as Java does; -1 for none.
    pub(super) fn leader_epoch(&self) -> i32 {
        self.leader.map_or(-1, |leader| leader.epoch)
    }

    /// Goes on from an offset.
    pub(super) fn go_to(&mut self, offset: i64, generation: u64) {
        self.forget(generation);
        self.reset = None;
        self.position = offset;
        self.fetch_at = offset;
    }

    /// Goes on from a place that is to be looked up.
    pub(super) fn go_to_place(&mut self, place: ResetTo, generation: u64) {
        self.forget(generation);
        self.reset = Some(place);
    }

    pub(super) fn begin(&mut self, start: StartAt, generation: u64) {
        match start {
            StartAt::Offset(offset) => self.go_to(offset, generation),
            StartAt::Earliest => self.go_to_place(ResetTo::Earliest, generation),
            StartAt::Latest => self.go_to_place(ResetTo::Latest, generation),
        }
    }

    fn forget(&mut self, generation: u64) {
        self.generation = generation;
        self.looking = false;
        self.validating = false;
        self.position_epoch = None;
        self.completed.clear();
        self.buffered = 0;
        self.cautious = false;
        self.failure = None;
        self.not_before = None;
        self.failures = 0;
    }

    /// Whether the position must be checked against the leader's log before more is asked for (KIP-320).
    pub(super) fn needs_validation(&self) -> bool {
        self.position_epoch.is_some_and(|epoch| epoch >= 0)
            && self
                .leader
                .is_some_and(|leader| leader.epoch >= 0 && leader.epoch != self.validated)
            && self.reset.is_none()
    }

    /// Waits before the next request, longer with each failure.
    pub(super) fn wait(&mut self, backoff: &Backoff) {
        self.not_before = Some(Instant::now() + backoff.after(self.failures));
        self.failures = self.failures.saturating_add(1);
    }

    /// Whether it waits.
    pub(super) fn waits(&self, now: Instant) -> Option<Instant> {
        self.not_before.filter(|until| now < *until)
    }
}
