//! A sink task in its group: one [`Membership`] and what a consumer makes of it (Java: `ConsumerCoordinator`
//! without auto-commit).

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use super::{Assignor, GroupMember, Members, RebalanceProtocol, TopicPartition, Topics};
use crate::{
    effect::{Effects, Token, Tokens},
    group::{
        GenerationId, MemberId,
        membership::{
            CommitFailure, Effect, ErrorCode, FetchFailure, FetchedOffset, Input, LossReason,
            MemberMetadata, Membership, OfferedProtocol, RequestId, Settings,
        },
        protocol::consumer::{
            ConsumerAssignment, Subscription, read_assignment, read_subscription, write_assignment,
            write_subscription,
        },
    },
    time::{Deadline, Now},
};

/// Where the task's own tokens begin, so that none equals one of its membership's.
const FIRST_OWN_TOKEN: u64 = 1 << 63;

/// How a sink task takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskGroupSettings {
    /// The times.
    pub membership: Settings,
    /// `partition.assignment.strategy`, in order of preference; not empty.
    pub assignors: Vec<Assignor>,
    /// `client.rack`.
    pub rack: Option<String>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskInput {
    /// Nothing but time.
    Tick,
    /// The task wants to be in the group and to read these topics. Also while it is a member: if the topics are
    /// others than before (a pattern matches more or fewer), the group rebalances.
    Subscribe {
        /// The topics.
        topics: BTreeSet<String>,
    },
    /// The task went through its loop.
    Polled,
    /// The task wants a new round.
    Rejoin {
        /// For the broker's log.
        reason: String,
    },
    /// The task wants out.
    Leave {
        /// For the broker's log.
        reason: String,
    },
    /// The task has done what [`TaskEvent::Revoked`] asked.
    Revoked {
        /// The event's.
        token: Token,
    },
    /// The task has done what [`TaskEvent::Lost`] asked.
    Stopped {
        /// The event's.
        token: Token,
    },
    /// The answer to [`TaskEvent::CountPartitions`]; `None` if it cannot be had: the round begins anew.
    Counted {
        /// The event's.
        token: Token,
        /// The partitions of each topic asked for, as far as it exists.
        topics: Option<Topics>,
    },
    /// How many partitions the topics of the group have now. If they are not what the leader assigned by, the group
    /// rebalances.
    Metadata {
        /// The partitions of each topic, as far as it exists.
        topics: Topics,
    },
    /// The answer to a [`TaskEvent::Network`] effect, or a commit or fetch of offsets.
    Membership(Input),
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEvent {
    /// Send a request to a broker.
    Network(Effect),
    /// As leader: how many partitions do these topics have?
    CountPartitions {
        /// For [`TaskInput::Counted`].
        token: Token,
        /// The topics any member wants.
        topics: BTreeSet<String>,
    },
    /// Flush, commit and close these partitions, and say so. The round goes on after that; heartbeats do meanwhile.
    Revoked {
        /// For [`TaskInput::Revoked`], or, when leaving, [`TaskInput::Stopped`].
        token: Token,
        /// The partitions.
        partitions: BTreeSet<TopicPartition>,
        /// Whether the answer is [`TaskInput::Stopped`], because this is the last thing before we leave.
        leaving: bool,
    },
    /// Close these partitions without commit: they may be somebody else's already. Say [`TaskInput::Stopped`]
    /// with the token, if there is one.
    Lost {
        /// For [`TaskInput::Stopped`]; `None`: no answer is awaited.
        token: Option<Token>,
        /// Why; `None`: we were not in time for a generation.
        reason: Option<LossReason>,
        /// The partitions.
        partitions: BTreeSet<TopicPartition>,
    },
    /// A round is over. What it revoked has been closed already.
    Assigned {
        /// The generation.
        generation: GenerationId,
        /// New partitions; may be empty.
        added: BTreeSet<TopicPartition>,
        /// Everything the task holds now.
        all: BTreeSet<TopicPartition>,
    },
    /// A commit is done.
    CommitDone {
        /// The task's.
        request: RequestId,
        /// What became of it.
        result: Result<(), CommitFailure>,
    },
    /// Committed offsets were fetched.
    FetchDone {
        /// The task's.
        request: RequestId,
        /// The offsets.
        result: Result<Vec<(TopicPartition, FetchedOffset)>, FetchFailure>,
    },
    /// We are out, as asked.
    Left,
    /// The group cannot be used.
    Failed {
        /// The broker's word.
        error: ErrorCode,
        /// And its sentence, if it wrote one.
        said: Option<String>,
    },
}

impl TaskEvent {
    /// All partitions go, for this reason: given up by a member that leaves, else lost.
    pub(super) fn stopping(
        token: Token,
        reason: LossReason,
        partitions: BTreeSet<TopicPartition>,
    ) -> Self {
        match reason {
            LossReason::Leaving => Self::Revoked {
                token,
                partitions,
                leaving: true,
            },
            _ => Self::Lost {
                token: Some(token),
                reason: Some(reason),
                partitions,
            },
        }
    }
}

enum AfterRevoke {
    Prepare {
        token: Token,
        generation: Option<GenerationId>,
    },
    Assigned {
        generation: GenerationId,
        assigned: BTreeSet<TopicPartition>,
    },
}

struct Leading {
    /// Of the membership's effect.
    token: Token,
    /// Of our question.
    question: Token,
    assignor: Assignor,
    members: Members,
}

/// One sink task's membership.
pub struct TaskGroup {
    settings: TaskGroupSettings,
    protocol: RebalanceProtocol,
    membership: Membership,
    tokens: Tokens,
    topics: BTreeSet<String>,
    /// What the last join said.
    joined_topics: BTreeSet<String>,
    owned: BTreeSet<TopicPartition>,
    /// The last assignment heard of, for the sticky assignors.
    last: Option<(Vec<TopicPartition>, GenerationId)>,
    revoking: Option<(Token, AfterRevoke)>,
    /// A round that waits for the revocation to end.
    waiting: Option<(Token, Option<GenerationId>)>,
    leading: Option<Leading>,
    /// By which counts we, as leader, assigned.
    counts: Option<Topics>,
}

impl TaskGroup {
    /// A task outside of the group.
    #[must_use]
    pub fn new(settings: TaskGroupSettings) -> Self {
        Self {
            protocol: Assignor::common_protocol(&settings.assignors),
            membership: Membership::new(settings.membership.clone()),
            settings,
            tokens: Tokens::starting_after(FIRST_OWN_TOKEN),
            topics: BTreeSet::new(),
            joined_topics: BTreeSet::new(),
            owned: BTreeSet::new(),
            last: None,
            revoking: None,
            waiting: None,
            leading: None,
            counts: None,
        }
    }

    /// The membership underneath: ids, generation, coordinator, and until when the task may act
    /// ([`Membership::fence_at`]).
    #[must_use]
    pub const fn membership(&self) -> &Membership {
        &self.membership
    }

    /// How this member moves partitions.
    #[must_use]
    pub const fn protocol(&self) -> RebalanceProtocol {
        self.protocol
    }

    /// What the task holds; what is being revoked is still in it.
    #[must_use]
    pub const fn owned(&self) -> &BTreeSet<TopicPartition> {
        &self.owned
    }

    /// When to step next, at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        self.membership.deadline()
    }

    /// Takes one input at one moment. `now` never goes back.
    pub fn step(&mut self, now: Now, input: TaskInput, events: &mut Effects<TaskEvent>) {
        let input = match input {
            TaskInput::Tick => Input::Tick,
            TaskInput::Polled => Input::Polled,
            TaskInput::Rejoin { reason } => Input::Rejoin { reason },
            TaskInput::Leave { reason } => Input::Leave { reason },
            TaskInput::Stopped { token } => Input::Stopped { token },
            TaskInput::Membership(input) => input,
            TaskInput::Subscribe { topics } => {
                let changed = topics != self.topics;
                self.topics = topics;
                self.drive(now, Input::Join, events);
                match changed && self.topics != self.joined_topics {
                    true => Input::Rejoin {
                        reason: "the subscription changed".to_owned(),
                    },
                    false => return,
                }
            }
            TaskInput::Metadata { topics } => match &self.counts {
                Some(counts) if *counts != topics => Input::Rejoin {
                    reason: "the partitions of the topics changed".to_owned(),
                },
                _ => Input::Tick,
            },
            TaskInput::Revoked { token } => {
                // The membership looks at the clock first: an end of the session precedes everything.
                self.drive(now, Input::Tick, events);
                self.revoked(now, token, events);
                return;
            }
            TaskInput::Counted { token, topics } => match self.counted(token, topics) {
                Some(input) => input,
                None => Input::Tick,
            },
        };
        self.drive(now, input, events);
    }

    fn drive(&mut self, now: Now, input: Input, events: &mut Effects<TaskEvent>) {
        let mut inputs = VecDeque::from([input]);
        let mut effects = Effects::new();
        while let Some(input) = inputs.pop_front() {
            self.membership.step(now, input, &mut effects);
            for effect in effects.drain() {
                inputs.extend(self.answer(effect, events));
            }
        }
    }

    fn answer(&mut self, effect: Effect, events: &mut Effects<TaskEvent>) -> Option<Input> {
        match effect {
            Effect::Prepare {
                token, generation, ..
            } => {
                return self.prepare(token, generation, events);
            }
            Effect::Assign {
                token,
                protocol,
                members,
                ..
            } => {
                let Some(assignor) = Assignor::from_name(&protocol) else {
                    return Some(Input::Computed {
                        token,
                        assignments: None,
                    });
                };
                self.lead(token, assignor, members, events);
            }
            Effect::Assigned {
                generation,
                assignment,
                ..
            } => {
                return self.assigned(generation, &assignment, events);
            }
            Effect::Lost { token, reason } => self.lost(token, reason, events),
            Effect::Left => events.push(TaskEvent::Left),
            Effect::Failed { error } => events.push(TaskEvent::Failed { error, said: None }),
            Effect::CommitDone { request, result } => {
                events.push(TaskEvent::CommitDone { request, result });
            }
            Effect::FetchDone { request, result } => {
                events.push(TaskEvent::FetchDone { request, result });
            }
            network => events.push(TaskEvent::Network(network)),
        }
        None
    }

    /// A round begins (Java: `onJoinPrepare`).
    fn prepare(
        &mut self,
        token: Token,
        generation: Option<GenerationId>,
        events: &mut Effects<TaskEvent>,
    ) -> Option<Input> {
        self.leading = None;
        self.counts = None;
        if generation.is_none() {
            // Our generation went on without us: what we hold may be somebody else's.
            self.revoking = None;
            self.waiting = None;
            let partitions = std::mem::take(&mut self.owned);
            if !partitions.is_empty() {
                events.push(TaskEvent::Lost {
                    token: None,
                    reason: None,
                    partitions,
                });
            }
            return Some(self.offer(token, generation));
        }
        if let Some((_, after)) = &mut self.revoking {
            match after {
                AfterRevoke::Prepare {
                    token: waiting,
                    generation: of,
                } => {
                    *waiting = token;
                    *of = generation;
                }
                AfterRevoke::Assigned { .. } => self.waiting = Some((token, generation)),
            }
            return None;
        }
        let partitions: BTreeSet<TopicPartition> = match self.protocol {
            RebalanceProtocol::Eager => self.owned.clone(),
            RebalanceProtocol::Cooperative => self
                .owned
                .iter()
                .filter(|p| !self.topics.contains(&*p.topic))
                .cloned()
                .collect(),
        };
        if partitions.is_empty() {
            return Some(self.offer(token, generation));
        }
        self.revoke(
            partitions,
            AfterRevoke::Prepare { token, generation },
            events,
        );
        None
    }

    fn offer(&mut self, token: Token, generation: Option<GenerationId>) -> Input {
        self.joined_topics = self.topics.clone();
        let last = self
            .last
            .as_ref()
            .map(|(partitions, of)| (partitions.as_slice(), *of));
        let protocols = self
            .settings
            .assignors
            .iter()
            .map(|assignor| OfferedProtocol {
                name: assignor.name().to_owned(),
                metadata: write_subscription(&Subscription {
                    topics: self.topics.iter().cloned().collect(),
                    user_data: assignor.user_data(last),
                    owned: self.owned.iter().cloned().collect(),
                    generation,
                    rack: self.settings.rack.clone(),
                }),
            })
            .collect();
        Input::Prepared {
            token,
            protocols,
            holding: !self.owned.is_empty(),
        }
    }

    fn lead(
        &mut self,
        token: Token,
        assignor: Assignor,
        members: Vec<MemberMetadata>,
        events: &mut Effects<TaskEvent>,
    ) {
        // A member whose words cannot be read wants nothing; Java's leader fails on it, and the next one too.
        let members: Members = members
            .into_iter()
            .map(
                |MemberMetadata {
                     member,
                     instance,
                     metadata,
                 }| {
                    let subscription = read_subscription(&metadata).unwrap_or_default();
                    (
                        member,
                        GroupMember {
                            subscription,
                            instance,
                        },
                    )
                },
            )
            .collect();
        let topics = members
            .values()
            .flat_map(|member| member.subscription.topics.iter().cloned())
            .collect();
        let question = self.tokens.next();
        self.leading = Some(Leading {
            token,
            question,
            assignor,
            members,
        });
        events.push(TaskEvent::CountPartitions {
            token: question,
            topics,
        });
    }

    fn counted(&mut self, question: Token, topics: Option<Topics>) -> Option<Input> {
        let leading = self
            .leading
            .take_if(|leading| leading.question == question)?;
        let Some(topics) = topics else {
            return Some(Input::Computed {
                token: leading.token,
                assignments: None,
            });
        };
        let shares = leading.assignor.assign(&topics, &leading.members);
        self.counts = Some(topics);
        let assignments: Vec<(MemberId, Vec<u8>)> = shares
            .into_iter()
            .map(|(member, partitions)| {
                (
                    member,
                    write_assignment(&ConsumerAssignment {
                        partitions,
                        user_data: None,
                    }),
                )
            })
            .collect();
        Some(Input::Computed {
            token: leading.token,
            assignments: Some(assignments),
        })
    }

    /// A round ends (Java: `onJoinComplete`).
    fn assigned(
        &mut self,
        generation: GenerationId,
        bytes: &[u8],
        events: &mut Effects<TaskEvent>,
    ) -> Option<Input> {
        let Ok(assignment) = read_assignment(bytes) else {
            return Some(Input::Rejoin {
                reason: "the assignment cannot be read".to_owned(),
            });
        };
        self.last = Some((assignment.partitions.clone(), generation));
        let assigned: BTreeSet<TopicPartition> = assignment.partitions.into_iter().collect();
        let revoked: BTreeSet<TopicPartition> = self.owned.difference(&assigned).cloned().collect();
        if revoked.is_empty() {
            return self.settle(generation, assigned, events);
        }
        self.revoke(
            revoked,
            AfterRevoke::Assigned {
                generation,
                assigned,
            },
            events,
        );
        None
    }

    fn settle(
        &mut self,
        generation: GenerationId,
        assigned: BTreeSet<TopicPartition>,
        events: &mut Effects<TaskEvent>,
    ) -> Option<Input> {
        let added = assigned.difference(&self.owned).cloned().collect();
        self.owned = assigned;
        events.push(TaskEvent::Assigned {
            generation,
            added,
            all: self.owned.clone(),
        });
        let foreign: Option<Arc<str>> = self
            .owned
            .iter()
            .map(|partition| partition.topic.clone())
            .find(|topic| !self.topics.contains(&**topic));
        foreign.map(|topic| Input::Rejoin {
            reason: format!("\"{topic}\" is not subscribed"),
        })
    }

    fn revoke(
        &mut self,
        partitions: BTreeSet<TopicPartition>,
        after: AfterRevoke,
        events: &mut Effects<TaskEvent>,
    ) {
        let token = self.tokens.next();
        self.revoking = Some((token, after));
        events.push(TaskEvent::Revoked {
            token,
            partitions,
            leaving: false,
        });
    }

    fn revoked(&mut self, now: Now, answered: Token, events: &mut Effects<TaskEvent>) {
        let Some((_, after)) = self.revoking.take_if(|(token, _)| *token == answered) else {
            return;
        };
        match after {
            AfterRevoke::Prepare { token, generation } => {
                match self.protocol {
                    RebalanceProtocol::Eager => self.owned.clear(),
                    RebalanceProtocol::Cooperative => {
                        self.owned.retain(|p| self.topics.contains(&*p.topic));
                    }
                }
                let input = self.offer(token, generation);
                self.drive(now, input, events);
            }
            AfterRevoke::Assigned {
                generation,
                assigned,
            } => {
                self.owned.retain(|partition| assigned.contains(partition));
                let more = self.settle(generation, assigned, events);
                // What we gave back is given out by the next round.
                let reason = "revoked partitions can be given out".to_owned();
                self.drive(now, more.unwrap_or(Input::Rejoin { reason }), events);
                if let Some((token, generation)) = self.waiting.take()
                    && let Some(input) = self.prepare(token, generation, events)
                {
                    self.drive(now, input, events);
                }
            }
        }
    }

    fn lost(&mut self, token: Token, reason: LossReason, events: &mut Effects<TaskEvent>) {
        self.revoking = None;
        self.waiting = None;
        self.leading = None;
        let partitions = std::mem::take(&mut self.owned);
        events.push(TaskEvent::stopping(token, reason, partitions));
    }
}
