//! A worker in its group: one [`Membership`] and what a worker makes of it.

use std::{collections::VecDeque, time::Duration};

use super::assignment::{ClusterView, LeaderState, Task, compute};
use crate::{
    assign::{IncrementalAssignor, Work},
    effect::{Effects, Token, Tokens},
    group::{
        GenerationId, MemberId,
        membership::{
            Effect, ErrorCode, Input, LossReason, MemberMetadata, Membership, OfferedProtocol,
            Settings,
        },
        protocol::connect::{
            AssignmentError, ConnectAssignment, ConnectProtocol, WorkerMetadata, read_assignment,
            write_metadata,
        },
    },
    time::{Deadline, Now},
};

/// Where the worker's own tokens begin, so that none equals one of its membership's.
const FIRST_OWN_TOKEN: u64 = 1 << 63;
/// The error of an assignment whose bytes we could not read.
const UNREADABLE: AssignmentError = AssignmentError::Other(-1);

/// How a worker takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSettings {
    /// The times.
    pub membership: Settings,
    /// `connect.protocol`.
    pub protocol: ConnectProtocol,
    /// The address other workers reach us at.
    pub url: String,
    /// `scheduled.rebalance.max.delay.ms`.
    pub scheduled_rebalance_max_delay: Duration,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerInput {
    /// Nothing but time.
    Tick,
    /// The herder wants to be in the group.
    Join,
    /// The herder went through its loop.
    Polled,
    /// The herder wants a new round.
    Rejoin {
        /// For the broker's log.
        reason: String,
    },
    /// The herder wants out.
    Leave {
        /// For the broker's log.
        reason: String,
    },
    /// What [`WorkerEvent::Revoke`] named has stopped.
    Revoked {
        /// The event's.
        token: Token,
    },
    /// Everything has stopped, as [`WorkerEvent::StopAll`] said.
    Stopped {
        /// The event's.
        token: Token,
    },
    /// The answer to a [`WorkerEvent::Network`] effect.
    Network(Input),
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerEvent {
    /// Send a request to a broker: find the coordinator, join, sync, heartbeat, leave.
    Network(Effect),
    /// Stop this, and say when it has stopped; no round goes on before. Heartbeats do.
    Revoke {
        /// For [`WorkerInput::Revoked`].
        token: Token,
        /// What.
        work: Work,
    },
    /// Stop everything now, before any other effect: it may soon run elsewhere, or already does.
    StopAll {
        /// For [`WorkerInput::Stopped`].
        token: Token,
        /// Why.
        reason: LossReason,
    },
    /// A round is over (Java: `onAssigned`). What it revoked has stopped already.
    Assigned(Box<Assigned>),
    /// We are out, as asked.
    Left,
    /// The group cannot be used.
    Failed {
        /// The broker's word.
        error: ErrorCode,
    },
}

/// The result of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// The generation.
    pub generation: GenerationId,
    /// We.
    pub member: MemberId,
    /// The protocol in force.
    pub protocol: ConnectProtocol,
    /// Whether we lead.
    pub is_leader: bool,
    /// Leader, offset, error and delay as received; `assigned` is all we hold now, `revoked` what this round took.
    pub assignment: ConnectAssignment,
}

enum AfterRevoke {
    Prepare(Token),
    Assigned(Box<Assigned>),
}

/// One worker's membership.
pub struct WorkerGroup {
    settings: WorkerSettings,
    membership: Membership,
    assignor: IncrementalAssignor,
    tokens: Tokens,
    /// The protocol of the last round; `None` before the first.
    protocol: Option<ConnectProtocol>,
    /// What we hold, as the assignment that is sent back as allocation; `None` if the group gave us nothing yet.
    held: Option<ConnectAssignment>,
    revoking: Option<(Token, AfterRevoke)>,
    /// A round that waits for the revocation to end.
    waiting: Option<Token>,
    last_completed: Option<GenerationId>,
    leader_state: LeaderState,
}

impl WorkerGroup {
    /// A worker outside of the group.
    #[must_use]
    pub fn new(settings: WorkerSettings) -> Self {
        Self {
            membership: Membership::new(settings.membership.clone()),
            assignor: IncrementalAssignor::new(settings.scheduled_rebalance_max_delay),
            settings,
            tokens: Tokens::starting_after(FIRST_OWN_TOKEN),
            protocol: None,
            held: None,
            revoking: None,
            waiting: None,
            last_completed: None,
            leader_state: LeaderState::default(),
        }
    }

    /// The membership underneath: ids, generation, coordinator, and until when the worker may act
    /// ([`Membership::fence_at`]).
    #[must_use]
    pub const fn membership(&self) -> &Membership {
        &self.membership
    }

    /// When to step next, at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        self.membership.deadline()
    }

    /// What this worker was given and has not stopped. During a revocation what is being stopped is still in it.
    #[must_use]
    pub const fn held(&self) -> Option<&ConnectAssignment> {
        self.held.as_ref()
    }

    /// The protocol of the last round.
    #[must_use]
    pub const fn protocol(&self) -> Option<ConnectProtocol> {
        self.protocol
    }

    /// Whether this worker leads; never in the middle of a round.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        let leader = self.held.as_ref().map(|held| &held.leader);
        leader.is_some() && leader == self.membership.stable_member()
    }

    /// Who runs what, as this worker decided as leader; empty otherwise.
    #[must_use]
    pub const fn leader_state(&self) -> &LeaderState {
        &self.leader_state
    }

    /// Takes one input at one moment. `now` never goes back; `view` is the config topic as read so far.
    pub fn step(
        &mut self,
        now: Now,
        input: WorkerInput,
        view: &dyn ClusterView,
        events: &mut Effects<WorkerEvent>,
    ) {
        let input = match input {
            WorkerInput::Tick => Input::Tick,
            WorkerInput::Join => Input::Join,
            WorkerInput::Polled => Input::Polled,
            WorkerInput::Rejoin { reason } => Input::Rejoin { reason },
            WorkerInput::Leave { reason } => Input::Leave { reason },
            WorkerInput::Stopped { token } => Input::Stopped { token },
            WorkerInput::Network(input) => input,
            WorkerInput::Revoked { token } => {
                // The membership looks at the clock first: an end of the session precedes everything.
                self.drive(now, Input::Tick, view, events);
                if let Some(input) = self.revoked(token, view, events) {
                    self.drive(now, input, view, events);
                }
                return;
            }
        };
        self.drive(now, input, view, events);
    }

    /// Steps the membership, answers what it asks of its owner, and so on until it asks nothing more.
    fn drive(
        &mut self,
        now: Now,
        input: Input,
        view: &dyn ClusterView,
        events: &mut Effects<WorkerEvent>,
    ) {
        let mut inputs = VecDeque::from([input]);
        let mut effects = Effects::new();
        while let Some(input) = inputs.pop_front() {
            self.membership.step(now, input, &mut effects);
            for effect in effects.drain() {
                inputs.extend(self.answer(now, effect, view, events));
            }
        }
    }

    fn answer(
        &mut self,
        now: Now,
        effect: Effect,
        view: &dyn ClusterView,
        events: &mut Effects<WorkerEvent>,
    ) -> Option<Input> {
        match effect {
            Effect::Prepare { token, .. } => return self.prepare(token, view, events),
            Effect::Assign {
                token,
                generation,
                member,
                protocol,
                members,
            } => {
                return Some(Input::Computed {
                    token,
                    assignments: self.assign(now, generation, &member, &protocol, &members, view),
                });
            }
            Effect::Assigned {
                generation,
                member,
                leader,
                protocol,
                assignment,
            } => {
                let Some(protocol) = ConnectProtocol::from_name(&protocol) else {
                    return Some(Input::Rejoin {
                        reason: "unknown protocol chosen".to_owned(),
                    });
                };
                let is_leader = leader == member;
                let round = Round {
                    generation,
                    member,
                    leader,
                    protocol,
                    is_leader,
                };
                self.assigned(round, &assignment, events);
            }
            Effect::Lost { token, reason } => {
                // RevokedBeforeStarted: what we held may be given away, so the next round must not claim it.
                self.forget();
                events.push(WorkerEvent::StopAll { token, reason });
            }
            Effect::Left => {
                self.forget();
                events.push(WorkerEvent::Left);
            }
            Effect::Failed { error } => events.push(WorkerEvent::Failed { error }),
            network => events.push(WorkerEvent::Network(network)),
        }
        None
    }

    fn forget(&mut self) {
        self.held = None;
        self.revoking = None;
        self.waiting = None;
        self.leader_state = LeaderState::default();
    }

    /// A round begins (Java: `onJoinPrepare`). Eager: everything stops first.
    fn prepare(
        &mut self,
        token: Token,
        view: &dyn ClusterView,
        events: &mut Effects<WorkerEvent>,
    ) -> Option<Input> {
        self.leader_state = LeaderState::default();
        if let Some((_, after)) = &mut self.revoking {
            // What is still stopping may not be left out of what we say we run, nor may it be claimed.
            match after {
                AfterRevoke::Prepare(waiting) => *waiting = token,
                AfterRevoke::Assigned(_) => self.waiting = Some(token),
            }
            return None;
        }
        let eager = self.protocol == Some(ConnectProtocol::Eager);
        if let Some(held) = self
            .held
            .as_ref()
            .filter(|held| eager && !held.assigned.is_empty())
        {
            let work = held.assigned.clone();
            self.revoke(work, AfterRevoke::Prepare(token), events);
            return None;
        }
        Some(self.offer(token, view))
    }

    fn offer(&self, token: Token, view: &dyn ClusterView) -> Input {
        let metadata = WorkerMetadata {
            url: self.settings.url.clone(),
            config_offset: view.config_offset(),
            allocation: self.held.clone(),
        };
        let offered = ConnectProtocol::DESCENDING
            .into_iter()
            .filter(|protocol| *protocol <= self.settings.protocol)
            .map(|protocol| OfferedProtocol {
                name: protocol.name().to_owned(),
                metadata: write_metadata(protocol, &metadata),
            })
            .collect();
        let holding = self
            .held
            .as_ref()
            .is_some_and(|held| !held.assigned.is_empty());
        Input::Prepared {
            token,
            protocols: offered,
            holding,
        }
    }

    fn assign(
        &mut self,
        now: Now,
        generation: GenerationId,
        leader: &MemberId,
        protocol: &str,
        members: &[MemberMetadata],
        view: &dyn ClusterView,
    ) -> Option<Vec<(MemberId, Vec<u8>)>> {
        let task = Task {
            now,
            protocol: ConnectProtocol::from_name(protocol)?,
            generation,
            last_completed: self.last_completed,
            leader,
            leader_url: &self.settings.url,
            members,
        };
        let computed = compute(task, view, &mut self.assignor);
        self.leader_state = computed.leader_state.unwrap_or_default();
        Some(computed.assignments)
    }

    /// A round ends (Java: `onJoinComplete`).
    fn assigned(&mut self, round: Round, bytes: &[u8], events: &mut Effects<WorkerEvent>) {
        let mut assignment = read_assignment(bytes).unwrap_or_else(|_| ConnectAssignment {
            error: UNREADABLE,
            leader: round.leader.clone(),
            leader_url: String::new(),
            config_offset: -1,
            assigned: Work::new(),
            revoked: Work::new(),
            delay: Duration::ZERO,
        });
        self.protocol = Some(round.protocol);
        self.last_completed = Some(round.generation);
        let running = self
            .held
            .as_ref()
            .map(|held| held.assigned.clone())
            .unwrap_or_default();
        let stop = if round.protocol.is_cooperative() {
            let stop = assignment.revoked.intersect(&running);
            assignment.assigned = running.minus(&stop).union(&assignment.assigned);
            stop
        } else {
            // The group fell back to eager while we held work: the leader believes that nothing runs.
            running
        };
        let done = Box::new(Assigned {
            generation: round.generation,
            member: round.member,
            protocol: round.protocol,
            is_leader: round.is_leader,
            assignment,
        });
        if stop.is_empty() {
            self.settle(done, events);
        } else {
            self.revoke(stop, AfterRevoke::Assigned(done), events);
        }
    }

    fn settle(&mut self, done: Box<Assigned>, events: &mut Effects<WorkerEvent>) {
        self.held = Some(done.assignment.clone());
        events.push(WorkerEvent::Assigned(done));
    }

    fn revoke(&mut self, work: Work, after: AfterRevoke, events: &mut Effects<WorkerEvent>) {
        let token = self.tokens.next();
        self.revoking = Some((token, after));
        events.push(WorkerEvent::Revoke { token, work });
    }

    fn revoked(
        &mut self,
        answered: Token,
        view: &dyn ClusterView,
        events: &mut Effects<WorkerEvent>,
    ) -> Option<Input> {
        let (_, after) = self.revoking.take_if(|(token, _)| *token == answered)?;
        match after {
            AfterRevoke::Prepare(token) => {
                self.held = None;
                Some(self.offer(token, view))
            }
            AfterRevoke::Assigned(done) => {
                self.settle(done, events);
                self.waiting
                    .take()
                    .and_then(|token| self.prepare(token, view, events))
            }
        }
    }
}

struct Round {
    generation: GenerationId,
    member: MemberId,
    leader: MemberId,
    protocol: ConnectProtocol,
    is_leader: bool,
}
