//! The state of one member, and what each input does to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{
    super::{TaskEvent, TaskInput},
    BrokerAssignedSettings, GroupAnswer, GroupRequest, MemberInput, MemberOutput, TopicId,
    TopicPartitions,
    offsets::UnderWay,
};
use crate::{
    effect::{Effects, Token, Tokens},
    group::{
        MemberId,
        membership::{ErrorCode, Input, Node, RequestFailure, RequestId},
    },
    time::{Deadline, Now, earliest},
};

/// How often to say that we are alive until the coordinator has told us: the default of
/// `group.consumer.heartbeat.interval.ms`.
const INTERVAL: Duration = Duration::from_secs(5);
/// After this many intervals without confirmation a member stops by itself. The length of a session is not told to
/// members; by default it is nine intervals, and a third of it is left for stopping.
const FENCE_INTERVALS: u32 = 6;
/// Doubling a pause more often than this cannot lengthen it any more.
const BACKOFF_DOUBLINGS_MAX: u32 = 16;

/// Where a member is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not a member, and nobody wants it to be.
    Idle,
    /// A member, or about to become one: epoch 0.
    Member,
    /// The task closes everything.
    Stopping { token: Token, then: AfterStop },
    /// The last thing to do is the goodbye.
    Leaving,
    /// The task did not poll in time; its next poll joins again.
    Parked,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AfterStop {
    /// `goodbye`: the coordinator does not let us join anew before.
    Rejoin {
        goodbye: bool,
    },
    Leave,
    Park,
    Fail {
        error: ErrorCode,
        said: Option<String>,
    },
}

/// Telling the coordinator that we hold nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goodbye {
    /// Nothing to tell.
    None,
    /// As soon as there is a coordinator, until then.
    Due { until: Now },
    /// On its way.
    Sent { token: Token, until: Now },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Coordinator {
    Unknown { not_before: Now },
    Searching { token: Token },
    Known(Node),
}

/// A heartbeat on its way.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) token: Token,
    pub(super) at: Now,
    pub(super) topics: Option<BTreeSet<String>>,
}

/// What the coordinator wants us to hold.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) partitions: TopicPartitions,
    /// When the heartbeat was sent that brought it.
    pub(super) since: Now,
}

/// What the task gives back.
#[derive(Clone, Debug)]
pub(super) struct Revoking {
    pub(super) token: Token,
    pub(super) partitions: TopicPartitions,
    pub(super) since: Now,
}

/// One sink task in a group whose partitions the broker assigns.
#[derive(Clone, Debug)]
pub struct BrokerAssigned {
    pub(super) settings: BrokerAssignedSettings,
    pub(super) tokens: Tokens,
    pub(super) state: State,
    pub(super) goodbye: Goodbye,
    pub(super) coordinator: Coordinator,
    /// 0: not in the group.
    pub(super) epoch: i32,
    /// Whether the coordinator may know us.
    pub(super) known: bool,
    pub(super) topics: BTreeSet<String>,
    /// What the coordinator knows of them.
    pub(super) told_topics: Option<BTreeSet<String>>,
    pub(super) sent: Option<Sent>,
    pub(super) heartbeat_due: Now,
    pub(super) interval: Duration,
    /// The next heartbeat says everything: what the coordinator heard of the last one is not known.
    pub(super) full: bool,
    /// The next heartbeat says what we hold.
    pub(super) acknowledge: bool,
    /// When the last heartbeat was sent that was answered.
    pub(super) confirmed: Option<Now>,
    pub(super) target: Option<Target>,
    pub(super) names: BTreeMap<TopicId, Arc<str>>,
    pub(super) naming: Option<Token>,
    pub(super) name_not_before: Now,
    pub(super) owned: TopicPartitions,
    pub(super) revoking: Option<Revoking>,
    /// The epoch the task knows of.
    pub(super) announced: i32,
    pub(super) polled: Now,
    pub(super) failures: u32,
    pub(super) commits: BTreeMap<Token, UnderWay>,
    /// Commits that wait for the epoch we should be in.
    pub(super) stale: Vec<UnderWay>,
    pub(super) fetches: BTreeMap<Token, RequestId>,
}

impl BrokerAssigned {
    /// A task outside of the group.
    #[must_use]
    pub const fn new(settings: BrokerAssignedSettings) -> Self {
        Self {
            settings,
            tokens: Tokens::new(),
            state: State::Idle,
            goodbye: Goodbye::None,
            coordinator: Coordinator::Unknown {
                not_before: Now::ZERO,
            },
            epoch: 0,
            known: false,
            topics: BTreeSet::new(),
            told_topics: None,
            sent: None,
            heartbeat_due: Now::ZERO,
            interval: INTERVAL,
            full: true,
            acknowledge: false,
            confirmed: None,
            target: None,
            names: BTreeMap::new(),
            naming: None,
            name_not_before: Now::ZERO,
            owned: TopicPartitions::new(),
            revoking: None,
            announced: 0,
            polled: Now::ZERO,
            failures: 0,
            commits: BTreeMap::new(),
            stale: Vec::new(),
            fetches: BTreeMap::new(),
        }
    }

    /// Our id.
    #[must_use]
    pub const fn member(&self) -> &MemberId {
        &self.settings.member
    }

    /// The epoch we are in; 0: none.
    #[must_use]
    pub const fn epoch(&self) -> i32 {
        self.epoch
    }

    /// Whether the task may be at work for the group.
    pub(super) fn holds(&self) -> bool {
        let leaving = matches!(
            self.state,
            State::Stopping {
                then: AfterStop::Leave,
                ..
            }
        );
        leaving || !self.owned.is_empty() || self.revoking.is_some()
    }

    pub(super) fn fence_after(&self) -> Duration {
        self.interval * FENCE_INTERVALS
    }

    /// Until when the task may act on what it holds; `None` if it holds nothing. To be compared with the clock before
    /// each `put` and commit.
    #[must_use]
    pub fn fence_at(&self) -> Option<Deadline> {
        let confirmed = self.confirmed.filter(|_| self.holds())?;
        let session = confirmed + self.fence_after();
        // Who does not give back in time is put out, however many heartbeats it sends.
        let round = self
            .revoking
            .as_ref()
            .map(|revoking| revoking.since + self.settings.rebalance_timeout);
        earliest(Some(session), round)
    }

    /// When to step next, at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        let mut at = self.fence_at();
        if self.state == State::Member {
            at = earliest(at, Some(self.polled + self.settings.rebalance_timeout));
        }
        if let Coordinator::Unknown { not_before } = self.coordinator
            && self.wants_coordinator()
        {
            at = earliest(at, Some(not_before));
        }
        if self.beats() && matches!(self.coordinator, Coordinator::Known(_)) {
            at = earliest(at, Some(self.heartbeat_due));
        }
        if self.naming.is_none() && self.nameless() {
            at = earliest(at, Some(self.name_not_before));
        }
        match self.goodbye {
            Goodbye::None => at,
            Goodbye::Due { until } | Goodbye::Sent { until, .. } => earliest(at, Some(until)),
        }
    }

    /// Takes one input at one moment. `now` never goes back.
    pub fn step(&mut self, now: Now, input: MemberInput, out: &mut Effects<MemberOutput>) {
        // As of the classic membership: an end of the session precedes everything that waits to be looked at.
        if self.fence_at().is_some_and(|at| now >= at) {
            self.lapse(out);
        }
        match input {
            MemberInput::Task(input) => self.told(now, input, out),
            MemberInput::Answer(answer) => self.answered(now, answer, out),
        }
        self.advance(now, out);
    }

    fn told(&mut self, now: Now, input: TaskInput, out: &mut Effects<MemberOutput>) {
        match input {
            TaskInput::Subscribe { topics } => {
                if topics != self.topics {
                    self.heartbeat_due = now;
                }
                self.topics = topics;
                if self.state == State::Idle {
                    self.polled = now;
                    self.join(now);
                }
            }
            TaskInput::Polled => {
                self.polled = now;
                if self.state == State::Parked {
                    self.join(now);
                }
            }
            TaskInput::Leave { .. } => self.leave(now, out),
            TaskInput::Revoked { token } => self.revoked(now, token),
            TaskInput::Stopped { token } => self.stopped(now, token, out),
            TaskInput::Membership(Input::Commit { request, offsets }) => {
                self.commit(request, offsets, out);
            }
            TaskInput::Membership(Input::Fetch {
                request,
                partitions,
            }) => self.fetch(request, partitions, out),
            // Rounds are the coordinator's affair, and so is what the topics look like.
            TaskInput::Tick
            | TaskInput::Rejoin { .. }
            | TaskInput::Counted { .. }
            | TaskInput::Metadata { .. }
            | TaskInput::Membership(_) => {}
        }
    }

    fn answered(&mut self, now: Now, answer: GroupAnswer, out: &mut Effects<MemberOutput>) {
        match answer {
            GroupAnswer::Coordinator { token, result } => self.found(now, token, result, out),
            GroupAnswer::Heartbeat { token, result } => {
                self.heartbeat_answered(now, token, result, out);
            }
            GroupAnswer::Topics { token, names } => self.named(now, token, names),
            GroupAnswer::Committed { token, result } => self.committed(now, token, result, out),
            GroupAnswer::Fetched { token, result } => self.fetched(now, token, result, out),
        }
    }

    /// What time and state ask for, after the input was taken.
    fn advance(&mut self, now: Now, out: &mut Effects<MemberOutput>) {
        if self.state == State::Member && now >= self.polled + self.settings.rebalance_timeout {
            self.park(out);
        }
        if let Goodbye::Due { until } | Goodbye::Sent { until, .. } = self.goodbye
            && now >= until
        {
            // Without heartbeats the coordinator drops us in time.
            self.said_goodbye(now, out);
        }
        self.reconcile(now, out);
        self.ask_names(now, out);
        if let Coordinator::Unknown { not_before } = self.coordinator
            && now >= not_before
            && self.wants_coordinator()
        {
            let token = self.tokens.next();
            self.coordinator = Coordinator::Searching { token };
            out.push(MemberOutput::Request(GroupRequest::FindCoordinator {
                token,
            }));
        }
        self.send_goodbye(out);
        self.send_heartbeat(now, out);
    }

    // --- the coordinator ---------------------------------------------------------------------------------------

    fn wants_coordinator(&self) -> bool {
        self.beats() || self.goodbye != Goodbye::None
    }

    fn found(
        &mut self,
        now: Now,
        answered: Token,
        result: Result<Node, RequestFailure>,
        out: &mut Effects<MemberOutput>,
    ) {
        if self.coordinator != (Coordinator::Searching { token: answered }) {
            return;
        }
        match result {
            Ok(node) => {
                self.coordinator = Coordinator::Known(node);
                self.heartbeat_due = self.heartbeat_due.min(now);
            }
            Err(failure) => {
                self.coordinator = Coordinator::Unknown {
                    not_before: now + self.settings.retry_backoff,
                };
                if let RequestFailure::Code(error) = failure
                    && error.is_fatal_for_member()
                {
                    self.fail(error, None, out);
                }
            }
        }
    }

    pub(super) fn lose_coordinator(&mut self, now: Now) {
        if matches!(self.coordinator, Coordinator::Known(_)) {
            self.coordinator = Coordinator::Unknown { not_before: now };
        }
    }

    pub(super) fn has_coordinator(&self) -> bool {
        matches!(self.coordinator, Coordinator::Known(_))
    }

    /// The pause before the next attempt; each is twice the one before.
    pub(super) fn pause(&mut self) -> Duration {
        let doublings = self.failures.min(BACKOFF_DOUBLINGS_MAX);
        self.failures = self.failures.saturating_add(1);
        self.settings
            .retry_backoff
            .saturating_mul(1 << doublings)
            .min(self.settings.retry_backoff_max)
    }
}

pub(super) fn task(out: &mut Effects<MemberOutput>, event: TaskEvent) {
    out.push(MemberOutput::Task(event));
}
