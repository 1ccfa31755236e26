//! The state machine of one member.

use std::collections::BTreeMap;

use super::{
    CommitFailure, Effect, ErrorCode, FetchFailure, Input, JoinAnswer, JoinRequest, LossReason,
    Node, OfferedProtocol, RequestFailure, RequestId, Settings,
};
use crate::{
    effect::{Effects, Token, Tokens},
    group::{GenerationId, MemberId},
    time::{Deadline, Now, earliest},
};

/// Doubling a pause more often than this cannot lengthen it any more.
const BACKOFF_DOUBLINGS_MAX: u32 = 16;
/// Where a member is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not a member, and nobody wants it to be.
    Idle,
    /// The owner gets ready to join.
    Preparing { token: Token },
    /// A round failed; the next begins then.
    Waiting { until: Now },
    /// Ready to join as soon as there is a coordinator.
    Ready { protocols: Vec<OfferedProtocol> },
    /// JoinGroup is on its way.
    Joining { token: Token, again_at: Now },
    /// We lead, and the owner assigns.
    Assigning {
        token: Token,
        protocol: String,
        leader: MemberId,
    },
    /// SyncGroup is on its way.
    Syncing {
        token: Token,
        sent: Now,
        protocol: String,
        leader: MemberId,
    },
    /// A member with an assignment.
    Stable,
    /// The owner stops everything.
    Stopping { token: Token, then: AfterStop },
    /// LeaveGroup waits for a coordinator or is on its way.
    Leaving {
        token: Option<Token>,
        reason: String,
        until: Now,
    },
    /// The owner did not poll in time; its next poll joins again.
    Parked,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AfterStop {
    Rejoin,
    Leave { reason: String },
    Park,
    Fail(ErrorCode),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Coordinator {
    Unknown { not_before: Now },
    Searching { token: Token },
    Known(Node),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct HeartbeatSent {
    pub(super) token: Token,
    pub(super) at: Now,
    pub(super) generation: GenerationId,
}

/// One member of one group.
#[derive(Clone, Debug)]
pub struct Membership {
    pub(super) settings: Settings,
    pub(super) tokens: Tokens,
    pub(super) state: State,
    pub(super) coordinator: Coordinator,
    pub(super) member: Option<MemberId>,
    /// The generation we are in; `None` once we have lost it.
    pub(super) generation: Option<GenerationId>,
    /// When the last request was sent that the coordinator confirmed our session by.
    pub(super) confirmed: Option<Now>,
    /// When the last request was sent that the coordinator answered while no round was under way.
    pub(super) settled: Option<Now>,
    /// The last generation we have our assignment of.
    pub(super) synced: Option<GenerationId>,
    /// Whether the owner may be running something of the group.
    pub(super) holding: bool,
    pub(super) heartbeat: Option<HeartbeatSent>,
    pub(super) heartbeat_due: Now,
    /// Heartbeats since the last round.
    pub(super) beats: u32,
    pub(super) stale_heartbeats: u32,
    pub(super) polled: Now,
    pub(super) rejoin: Option<String>,
    pub(super) failures: u32,
    pub(super) commits: BTreeMap<Token, RequestId>,
    pub(super) fetches: BTreeMap<Token, RequestId>,
}

impl Membership {
    /// Not a member yet.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            tokens: Tokens::new(),
            state: State::Idle,
            coordinator: Coordinator::Unknown {
                not_before: Now::ZERO,
            },
            member: None,
            generation: None,
            confirmed: None,
            settled: None,
            synced: None,
            holding: false,
            heartbeat: None,
            heartbeat_due: Now::ZERO,
            beats: 0,
            stale_heartbeats: 0,
            polled: Now::ZERO,
            rejoin: None,
            failures: 0,
            commits: BTreeMap::new(),
            fetches: BTreeMap::new(),
        }
    }

    /// Our id, once the coordinator gave one.
    #[must_use]
    pub const fn member(&self) -> Option<&MemberId> {
        self.member.as_ref()
    }

    /// Our id while the group is settled, else `None`: a worker in the middle of a round never takes itself for the
    /// leader.
    #[must_use]
    pub fn stable_member(&self) -> Option<&MemberId> {
        self.member.as_ref().filter(|_| self.state == State::Stable)
    }

    /// The generation we are in.
    #[must_use]
    pub const fn generation(&self) -> Option<GenerationId> {
        self.generation
    }

    /// The coordinator, if known.
    #[must_use]
    pub const fn coordinator(&self) -> Option<&Node> {
        match &self.coordinator {
            Coordinator::Known(node) => Some(node),
            _ => None,
        }
    }

    /// Until when the owner may act on its assignment; `None` if it holds nothing. Whoever acts outside of the
    /// membership's own steps (a task before `put`, `poll` or a commit) compares this with the clock first: after
    /// a pause of the whole process nobody else would stop it.
    #[must_use]
    pub fn fence_at(&self) -> Option<Deadline> {
        let confirmed = self.confirmed.filter(|_| self.holding)?;
        let session = confirmed + self.settings.fence_after();
        // Heartbeats do not protect a member whose JoinGroup or SyncGroup got lost: once a round has lasted the
        // rebalance timeout, the coordinator goes on without whoever is not in it.
        let round = self.settled.unwrap_or(confirmed) + self.settings.round_fence_after();
        Some(session.min(round))
    }

    /// When to step next, at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        let mut at = self.fence_at();
        if self.counts_polls() {
            at = earliest(at, Some(self.polled + self.settings.rebalance_timeout));
        }
        if let Coordinator::Unknown { not_before } = self.coordinator
            && self.wants_coordinator()
        {
            at = earliest(at, Some(not_before));
        }
        if self.heartbeat_identity().is_some() {
            at = earliest(at, Some(self.heartbeat_due));
        }
        match &self.state {
            State::Waiting { until }
            | State::Joining {
                again_at: until, ..
            }
            | State::Leaving { until, .. } => earliest(at, Some(*until)),
            _ => at,
        }
    }

    /// Takes one input at one moment. `now` never goes back.
    pub fn step(&mut self, now: Now, input: Input, effects: &mut Effects<Effect>) {
        // AtMostOneRunning: before anything else, even before we look at what arrived. After a pause of the
        // process the answer that is waiting says that we were alive when it was sent, not that we are.
        if self.fence_at().is_some_and(|at| now >= at) {
            self.lapse(effects);
        }
        self.take(now, input, effects);
        self.advance(now, effects);
    }

    fn take(&mut self, now: Now, input: Input, effects: &mut Effects<Effect>) {
        match input {
            Input::Tick => {}
            Input::Join => {
                self.polled = now;
                if self.state == State::Idle {
                    self.prepare(effects);
                }
            }
            Input::Polled => {
                self.polled = now;
                if self.state == State::Parked {
                    self.prepare(effects);
                }
            }
            Input::Rejoin { reason } => self.rejoin = Some(reason),
            Input::Leave { reason } => self.leave(now, reason, effects),
            Input::Prepared {
                token,
                protocols,
                holding,
            } => {
                if self.state == (State::Preparing { token }) {
                    self.holding = holding;
                    self.state = State::Ready { protocols };
                }
            }
            Input::Computed { token, assignments } => {
                self.computed(now, token, assignments, effects)
            }
            Input::Stopped { token } => self.stopped(now, token, effects),
            Input::CoordinatorFound { token, result } => self.found(now, token, result, effects),
            Input::Joined { token, result } => self.joined(now, token, result, effects),
            Input::Synced { token, result } => self.synced(now, token, result, effects),
            Input::HeartbeatAnswered { token, result } => {
                self.heartbeat_answered(now, token, result, effects);
            }
            Input::LeaveAnswered { token, .. } => {
                // Whatever the answer: without heartbeats the coordinator drops us in time.
                if matches!(&self.state, State::Leaving { token: Some(t), .. } if *t == token) {
                    self.out(effects);
                }
            }
            Input::Commit { request, offsets } => {
                match (self.heartbeat_identity(), self.is_lawful()) {
                    (Some((to, member, generation)), true) => {
                        let token = self.tokens.next();
                        self.commits.insert(token, request);
                        effects.push(Effect::Commit {
                            token,
                            to,
                            generation,
                            member,
                            offsets,
                        });
                    }
                    (None, true) => {
                        let result = Err(CommitFailure::Retriable(RequestFailure::Unreachable));
                        effects.push(Effect::CommitDone { request, result });
                    }
                    (_, false) => {
                        effects.push(Effect::CommitDone {
                            request,
                            result: Err(CommitFailure::Rejoin),
                        });
                    }
                }
            }
            Input::CommitAnswered { token, result } => {
                if let Some(request) = self.commits.remove(&token) {
                    let result = self.commit_result(now, result);
                    effects.push(Effect::CommitDone { request, result });
                }
            }
            Input::Fetch {
                request,
                partitions,
            } => match self.coordinator().cloned() {
                Some(to) => {
                    let token = self.tokens.next();
                    self.fetches.insert(token, request);
                    effects.push(Effect::Fetch {
                        token,
                        to,
                        partitions,
                    });
                }
                None => {
                    let result = Err(FetchFailure::Retriable(RequestFailure::Unreachable));
                    effects.push(Effect::FetchDone { request, result });
                }
            },
            Input::FetchAnswered { token, result } => {
                if let Some(request) = self.fetches.remove(&token) {
                    let result = self.fetch_result(now, result);
                    effects.push(Effect::FetchDone { request, result });
                }
            }
        }
    }

    /// What time and state ask for, after the input was taken.
    fn advance(&mut self, now: Now, effects: &mut Effects<Effect>) {
        if self.counts_polls() && now >= self.polled + self.settings.rebalance_timeout {
            self.generation = None;
            self.stop_then(AfterStop::Park, LossReason::PollTimeout, effects);
        }
        if self.state == State::Stable && self.rejoin.is_some() {
            self.prepare(effects);
        }
        if let State::Waiting { until } = self.state
            && now >= until
        {
            self.prepare(effects);
        }
        if let State::Joining { again_at, .. } = self.state
            && now >= again_at
        {
            self.again(now);
        }
        if let State::Leaving { until, .. } = &self.state
            && now >= *until
        {
            self.out(effects);
        }
        if let Coordinator::Unknown { not_before } = self.coordinator
            && now >= not_before
            && self.wants_coordinator()
        {
            let token = self.tokens.next();
            self.coordinator = Coordinator::Searching { token };
            effects.push(Effect::FindCoordinator { token });
        }
        self.send_join(now, effects);
        self.send_leave(effects);
        self.send_heartbeat(now, effects);
    }

    // --- joining -----------------------------------------------------------------------------------------------

    pub(super) fn prepare(&mut self, effects: &mut Effects<Effect>) {
        let token = self.tokens.next();
        self.state = State::Preparing { token };
        self.stale_heartbeats = 0;
        effects.push(Effect::Prepare {
            token,
            generation: self.generation,
            member: self.member.clone(),
        });
    }

    fn send_join(&mut self, now: Now, effects: &mut Effects<Effect>) {
        let Some(to) = self.coordinator().cloned() else {
            return;
        };
        let State::Ready { protocols } = &mut self.state else {
            return;
        };
        let protocols = std::mem::take(protocols);
        let token = self.tokens.next();
        // Half of the time the coordinator waits: then there is time for a second one.
        let again_at = now + self.settings.rebalance_timeout / 2;
        self.state = State::Joining { token, again_at };
        let reason = self.rejoin.take().unwrap_or_default();
        effects.push(Effect::Join {
            token,
            to,
            request: JoinRequest {
                member: self.member.clone(),
                protocol_type: self.settings.protocol_type,
                session_timeout: self.settings.session_timeout,
                rebalance_timeout: self.settings.rebalance_timeout,
                protocols,
                reason,
            },
        });
    }

    fn joined(
        &mut self,
        now: Now,
        token: Token,
        result: Result<JoinAnswer, RequestFailure>,
        effects: &mut Effects<Effect>,
    ) {
        if !matches!(self.state, State::Joining { token: t, .. } if t == token) {
            return;
        }
        match result {
            Ok(JoinAnswer::MemberIdRequired(member)) => {
                self.member = Some(member);
                self.prepare(effects);
            }
            Ok(JoinAnswer::Joined {
                generation,
                protocol,
                leader,
                member,
                members,
            }) => {
                self.generation = Some(generation);
                self.stale_heartbeats = 0;
                // A heartbeat of the old generation says nothing about this one.
                self.heartbeat = None;
                self.heartbeat_due = now;
                self.beats = 0;
                self.member = Some(member.clone());
                let token = self.tokens.next();
                if leader == member {
                    self.state = State::Assigning {
                        token,
                        protocol: protocol.clone(),
                        leader,
                    };
                    effects.push(Effect::Assign {
                        token,
                        generation,
                        member,
                        protocol,
                        members,
                    });
                } else {
                    self.sync(now, protocol, leader, Vec::new(), effects);
                }
            }
            Err(failure) => self.round_failed(now, failure, effects),
        }
    }

    fn computed(
        &mut self,
        now: Now,
        answered: Token,
        assignments: Option<Vec<(MemberId, Vec<u8>)>>,
        effects: &mut Effects<Effect>,
    ) {
        let State::Assigning {
            token,
            protocol,
            leader,
        } = &self.state
        else {
            return;
        };
        if *token != answered {
            return;
        }
        let (protocol, leader) = (protocol.clone(), leader.clone());
        match assignments {
            Some(assignments) => self.sync(now, protocol, leader, assignments, effects),
            None => self.again(now),
        }
    }

    fn sync(
        &mut self,
        now: Now,
        protocol: String,
        leader: MemberId,
        assignments: Vec<(MemberId, Vec<u8>)>,
        effects: &mut Effects<Effect>,
    ) {
        // The coordinator may have become unknown since the join; then this generation is over for us.
        let Some((to, member, generation)) = self.heartbeat_identity() else {
            self.again(now);
            return;
        };
        let token = self.tokens.next();
        self.state = State::Syncing {
            token,
            sent: now,
            protocol: protocol.clone(),
            leader,
        };
        effects.push(Effect::Sync {
            token,
            to,
            generation,
            member,
            protocol,
            assignments,
        });
    }

    fn synced(
        &mut self,
        now: Now,
        answered: Token,
        result: Result<Vec<u8>, RequestFailure>,
        effects: &mut Effects<Effect>,
    ) {
        let State::Syncing {
            token,
            sent,
            protocol,
            leader,
        } = &self.state
        else {
            return;
        };
        if *token != answered {
            return;
        }
        let assignment = match result {
            Ok(assignment) => assignment,
            Err(failure) => return self.round_failed(now, failure, effects),
        };
        let (protocol, leader) = (protocol.clone(), leader.clone());
        self.confirmed = self.confirmed.max(Some(*sent));
        self.settled = self.settled.max(Some(*sent));
        let lapsed = self
            .confirmed
            .is_none_or(|sent| now >= sent + self.settings.fence_after());
        let (Some(generation), Some(member), false) =
            (self.generation, self.member.clone(), lapsed)
        else {
            // The answer slept on its way: by now the group may have gone on without us.
            self.again(now);
            return;
        };
        self.state = State::Stable;
        self.synced = Some(generation);
        self.holding = true;
        self.failures = 0;
        effects.push(Effect::Assigned {
            generation,
            member,
            leader,
            protocol,
            assignment,
        });
    }

    /// JoinGroup or SyncGroup failed.
    fn round_failed(&mut self, now: Now, failure: RequestFailure, effects: &mut Effects<Effect>) {
        match failure {
            RequestFailure::Unreachable | RequestFailure::Unknown => {
                self.lose_coordinator(now);
                self.again(now);
            }
            RequestFailure::Code(code) if code.is_fatal_for_member() => {
                self.generation = None;
                self.stop_then(AfterStop::Fail(code), LossReason::Fatal(code), effects);
            }
            RequestFailure::Code(ErrorCode::UNKNOWN_MEMBER_ID) => self.dropped(now, effects),
            RequestFailure::Code(code) => {
                if code == ErrorCode::ILLEGAL_GENERATION {
                    self.generation = None;
                }
                if code.means_other_coordinator() {
                    self.lose_coordinator(now);
                }
                self.again(now);
            }
        }
    }

    pub(super) fn again(&mut self, now: Now) {
        self.state = State::Waiting {
            until: now + self.pause(),
        };
        self.failures = self.failures.saturating_add(1);
    }

    fn pause(&self) -> std::time::Duration {
        let doublings = self.failures.min(BACKOFF_DOUBLINGS_MAX);
        self.settings
            .retry_backoff
            .saturating_mul(1 << doublings)
            .min(self.settings.retry_backoff_max)
    }

    // --- the coordinator ---------------------------------------------------------------------------------------

    pub(super) fn wants_coordinator(&self) -> bool {
        match &self.state {
            State::Idle | State::Parked => false,
            State::Stopping { then, .. } => matches!(then, AfterStop::Leave { .. }),
            _ => true,
        }
    }

    fn found(
        &mut self,
        now: Now,
        answered: Token,
        result: Result<Node, RequestFailure>,
        effects: &mut Effects<Effect>,
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
                if let RequestFailure::Code(code) = failure
                    && code.is_fatal_for_member()
                {
                    self.generation = None;
                    self.stop_then(AfterStop::Fail(code), LossReason::Fatal(code), effects);
                }
            }
        }
    }

    pub(super) fn lose_coordinator(&mut self, now: Now) {
        if matches!(self.coordinator, Coordinator::Known(_)) {
            self.coordinator = Coordinator::Unknown { not_before: now };
            self.heartbeat = None;
        }
    }
}
