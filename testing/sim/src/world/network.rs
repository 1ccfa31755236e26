//! Requests of the memberships to the coordinator: late, lost, twice, or answered to nobody.

use milena_core::group::membership::{Effect, ErrorCode, Input, Node, RequestFailure};

use super::{
    engine::{Event, World},
    host::{Kind, Link},
};
use crate::coordinator::ReplyTo;

/// `request.timeout.ms`, for all but JoinGroup.
const REQUEST_TIMEOUT: u64 = 40_000;
/// For JoinGroup: the rebalance timeout and five seconds.
const JOIN_TIMEOUT: u64 = 65_000;

impl World {
    /// How long a message of this worker takes.
    pub(super) fn delay(&mut self, worker: usize) -> u64 {
        let slow = self.hosts.get(worker).map_or(0, |host| host.slow);
        let base = if self.rng.permille(20) {
            self.rng.between(50, 400)
        } else {
            self.rng.between(1, 20)
        };
        base + if slow > 0 {
            self.rng.between(0, slow)
        } else {
            0
        }
    }

    fn carries(&mut self, worker: usize, lost: Link) -> bool {
        let Some(host) = self.hosts.get(worker) else {
            return false;
        };
        if host.link == Link::Cut || host.link == lost {
            return false;
        }
        let loss = host.loss;
        !self.rng.permille(loss)
    }

    pub(super) fn send(&mut self, worker: usize, process: u32, effect: Effect) {
        let (token, kind) = match &effect {
            Effect::FindCoordinator { token } => (*token, Kind::Find),
            Effect::Join { token, .. } => (*token, Kind::Join),
            Effect::Sync { token, .. } => (*token, Kind::Sync),
            Effect::Heartbeat { token, .. } => (*token, Kind::Heartbeat),
            Effect::Leave { token, .. } => (*token, Kind::Leave),
            _ => return,
        };
        let to = ReplyTo {
            worker,
            process,
            token,
        };
        let Some(host) = self.host(worker, process) else {
            return;
        };
        host.requests.insert(token, kind);
        let cut = host.link == Link::Cut;
        if cut && self.rng.permille(300) {
            self.seen("requests refused");
            let after = self.rng.between(1, 50);
            self.after(
                after,
                Event::Reply {
                    to,
                    input: failed(to, kind, RequestFailure::Unreachable),
                },
            );
            return;
        }
        let patience = if kind == Kind::Join {
            JOIN_TIMEOUT
        } else {
            REQUEST_TIMEOUT
        };
        self.after(patience, Event::Timeout { to });
        if !self.carries(worker, Link::RequestsLost) {
            self.seen("requests lost");
            return;
        }
        let mut delay = self.delay(worker);
        if kind == Kind::Join
            && let Some(host) = self.hosts.get_mut(worker)
        {
            host.joins_arrive = host.joins_arrive.max(self.now + delay);
            delay = host.joins_arrive - self.now;
        }
        if kind == Kind::Join && self.holds(to, delay, &effect) {
            return;
        }
        if self.faults.duplicates && self.rng.permille(20) {
            self.seen("requests twice");
            // A JoinGroup is never sent twice.
            let later = delay
                + if kind == Kind::Join {
                    0
                } else {
                    self.rng.between(0, 3_000)
                };
            self.after(
                later,
                Event::Arrive {
                    to,
                    effect: Box::new(effect.clone()),
                },
            );
        }
        self.after(
            delay,
            Event::Arrive {
                to,
                effect: Box::new(effect),
            },
        );
    }

    /// JoinGroups come in order, as the shell ends an older one, its connection with it, before it sends a newer. Only one that
    /// the broker has taken in and not yet read may be overtaken by the next, within the moment in which both are
    /// read: its sender hears that the connection broke. A whole round later it would take back what the member said since,
    /// in Java's workers as in ours: the protocol has nothing against that, and a broker no cause for it.
    fn holds(&mut self, to: ReplyTo, delay: u64, effect: &Effect) -> bool {
        let quiet = self.healed;
        let breaks = self.held_joins.as_mut().and_then(|rng| {
            let breaks = rng.between(1, 3_000);
            (!quiet && rng.permille(150)).then_some(breaks)
        });
        let (Some(breaks), Some(host)) = (breaks, self.hosts.get_mut(to.worker)) else {
            return false;
        };
        host.held_join = Some((to, Box::new(effect.clone())));
        let input = failed(to, Kind::Join, RequestFailure::Unknown);
        self.after(delay + breaks, Event::Reply { to, input });
        true
    }

    /// What a JoinGroup has overtaken comes behind it.
    fn overtakes(&mut self, by: ReplyTo) {
        let held = self.hosts.get_mut(by.worker);
        let Some((to, effect)) = held.and_then(|host| host.held_join.take()) else {
            return;
        };
        if to.process == by.process && to.token != by.token {
            let behind = self.held_joins.as_mut().map_or(1, |rng| rng.between(1, 5));
            self.seen("joins overtaken");
            self.after(behind, Event::Arrive { to, effect });
        }
    }

    pub(super) fn arrive(&mut self, to: ReplyTo, effect: Effect) {
        let now = self.now;
        let mut replies = Vec::new();
        let token = to.token;
        if now < self.coordinator_away_until {
            let code = match effect {
                Effect::FindCoordinator { .. } => ErrorCode::COORDINATOR_NOT_AVAILABLE,
                _ if self.rng.permille(500) => ErrorCode::NOT_COORDINATOR,
                _ => ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            };
            self.seen("coordinator away");
            if let Some(kind) = kind_of(&effect) {
                replies.push((to, failed(to, kind, RequestFailure::Code(code))));
            }
            self.answer_all(replies);
            return;
        }
        self.group.tick(now, &mut replies);
        match effect {
            Effect::FindCoordinator { .. } => {
                let node = Node {
                    id: 1,
                    host: "broker".to_owned(),
                    port: 9092,
                };
                replies.push((
                    to,
                    Input::CoordinatorFound {
                        token,
                        result: Ok(node),
                    },
                ));
            }
            Effect::Join { request, .. } => {
                self.group.join(now, request, to, &mut replies);
                self.overtakes(to);
            }
            Effect::Sync {
                generation,
                member,
                assignments,
                ..
            } => {
                if self.group.awaits_plan(&member, generation) {
                    self.check_plan(&assignments);
                }
                self.group
                    .sync(now, &member, generation, assignments, to, &mut replies);
            }
            Effect::Heartbeat {
                generation, member, ..
            } => {
                let result = self.group.heartbeat(now, &member, generation);
                replies.push((to, Input::HeartbeatAnswered { token, result }));
            }
            Effect::Leave { member, .. } => {
                let result = self.group.leave(now, &member, &mut replies);
                replies.push((to, Input::LeaveAnswered { token, result }));
            }
            _ => {}
        }
        self.answer_all(replies);
        self.wake_coordinator();
    }

    /// Whatever the coordinator does by itself.
    pub(super) fn coordinate(&mut self) {
        let now = self.now;
        if now < self.coordinator_away_until {
            let rest = self.coordinator_away_until - now;
            self.after(rest, Event::Coordinator);
            return;
        }
        let mut replies = Vec::new();
        self.group.tick(now, &mut replies);
        self.answer_all(replies);
        self.wake_coordinator();
    }

    fn wake_coordinator(&mut self) {
        if let Some(at) = self.group.deadline() {
            self.after(at.saturating_sub(self.now).max(1), Event::Coordinator);
        }
    }

    fn answer_all(&mut self, replies: Vec<(ReplyTo, Input)>) {
        for (to, input) in replies {
            if self.carries(to.worker, Link::AnswersLost) {
                let delay = self.delay(to.worker);
                self.after(delay, Event::Reply { to, input });
            } else {
                self.seen("answers lost");
            }
        }
    }

    pub(super) fn reply(&mut self, to: ReplyTo, input: Input) {
        let Some(host) = self.host(to.worker, to.process) else {
            return;
        };
        if host.requests.remove(&to.token).is_some() {
            self.input(
                to.worker,
                to.process,
                milena_core::herder::HerderInput::Network(input),
            );
        }
    }

    pub(super) fn time_out(&mut self, to: ReplyTo) {
        let Some(host) = self.host(to.worker, to.process) else {
            return;
        };
        if let Some(kind) = host.requests.remove(&to.token) {
            self.seen("outcomes unknown");
            let input = failed(to, kind, RequestFailure::Unknown);
            self.input(
                to.worker,
                to.process,
                milena_core::herder::HerderInput::Network(input),
            );
        }
    }
}

const fn kind_of(effect: &Effect) -> Option<Kind> {
    Some(match effect {
        Effect::FindCoordinator { .. } => Kind::Find,
        Effect::Join { .. } => Kind::Join,
        Effect::Sync { .. } => Kind::Sync,
        Effect::Heartbeat { .. } => Kind::Heartbeat,
        Effect::Leave { .. } => Kind::Leave,
        _ => return None,
    })
}

const fn failed(to: ReplyTo, kind: Kind, failure: RequestFailure) -> Input {
    let token = to.token;
    match kind {
        Kind::Find => Input::CoordinatorFound {
            token,
            result: Err(failure),
        },
        Kind::Join => Input::Joined {
            token,
            result: Err(failure),
        },
        Kind::Sync => Input::Synced {
            token,
            result: Err(failure),
        },
        Kind::Heartbeat => Input::HeartbeatAnswered {
            token,
            result: Err(failure),
        },
        Kind::Leave => Input::LeaveAnswered {
            token,
            result: Err(failure),
        },
    }
}
