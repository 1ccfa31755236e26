//! A worker's session with the group as an at-least-once task sees it: confirmed by heartbeats, over for the coordinator a
//! while after the last one that came, and over for the worker itself before that (`milena-runtime`'s lease).

use super::{Event, World};
use crate::data::Careless;

/// `session.timeout.ms`.
const SESSION: u64 = 10_000;
/// `heartbeat.interval.ms`.
const INTERVAL: u64 = 3_000;
/// How often a task looks whether it may act again.
pub(super) const LOOK: u64 = 20;

/// Between a worker and its coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It is time for a heartbeat.
    Beat,
    /// The coordinator hears one that was sent then.
    Heard { sent: u64 },
    /// The worker hears that one sent then was accepted.
    Confirmed { sent: u64 },
    /// The worker hears that it is no member any more.
    Expelled,
    /// The coordinator looks whether the session is over.
    Look,
}

/// The session from both sides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    /// For the worker: counted from when it sent what was confirmed.
    until: u64,
    /// For the coordinator: counted from when that came; `None`: it is over, others have its work.
    session: Option<u64>,
}

impl Lease {
    /// A worker that has just joined.
    pub(super) const fn new(now: u64) -> Self {
        Self {
            until: now + SESSION,
            session: Some(now + SESSION),
        }
    }

    const fn holds(&self, now: u64) -> bool {
        now < self.until
    }

    /// Whether the coordinator has given its work to others.
    pub(super) const fn is_expelled(&self) -> bool {
        self.session.is_none()
    }

    /// A heartbeat reaches the coordinator; answers whether it is accepted.
    fn heard(&mut self, now: u64) -> bool {
        if self.session.is_some() {
            self.session = Some(now + SESSION);
        }
        self.session.is_some()
    }

    /// The worker hears that one sent then was accepted.
    fn confirmed(&mut self, sent: u64) {
        self.until = self.until.max(sent + SESSION);
    }

    /// Ends the session if it is over; answers whether it ended now.
    fn ends_if_over(&mut self, now: u64) -> bool {
        let over = self.session.is_some_and(|ends| ends <= now);
        if over {
            self.session = None;
        }
        over
    }
}

impl World {
    /// The worker of an instance has joined.
    pub(super) fn joined(&mut self, of: u64) {
        // Exactly once the broker fences: the clock is of no account.
        if self.scenario.is_exactly_once() {
            return;
        }
        let said = Said::Beat;
        self.queue.after(INTERVAL, Event::Lease { of, said });
        let said = Said::Look;
        self.queue.after(SESSION, Event::Lease { of, said });
    }

    /// Whether a task may poll, send or commit; asked by the one who would.
    pub(super) fn may_act(&mut self, of: u64) -> bool {
        let now = self.queue.now;
        let held = self
            .instances
            .iter()
            .any(|i| i.name == of && i.lease.holds(now));
        if !held {
            self.report.seen("acts held back by the lease");
        }
        held || self.careless == Careless::IgnoresLease
    }

    pub(super) fn lease(&mut self, of: u64, said: Said) {
        let now = self.queue.now;
        let Some(instance) = self.instances.iter_mut().find(|i| i.name == of) else {
            return;
        };
        let workers = matches!(said, Said::Beat | Said::Confirmed { .. } | Said::Expelled);
        if workers && now < instance.frozen_until {
            let rest = instance.frozen_until - now;
            self.queue.after(rest, Event::Lease { of, said });
            return;
        }
        match said {
            Said::Beat => {
                self.queue.after(INTERVAL, Event::Lease { of, said });
                self.carry(of, Said::Heard { sent: now });
            }
            Said::Heard { sent } => {
                let said = match instance.lease.heard(now) {
                    true => Said::Confirmed { sent },
                    false => Said::Expelled,
                };
                self.carry(of, said);
            }
            Said::Confirmed { sent } => instance.lease.confirmed(sent),
            Said::Expelled => {
                self.report.seen("zombies told");
                self.dies(of);
            }
            Said::Look if instance.lease.ends_if_over(now) => {
                self.report.seen("sessions over");
                // A round of the group, and the start of the task.
                let round = self.rng.between(50, 3_000);
                self.queue.after(round, Event::Start);
            }
            Said::Look => {
                let ends = instance.lease.session.unwrap_or(now);
                let wait = ends.saturating_sub(now);
                if wait > 0 {
                    self.queue.after(wait, Event::Lease { of, said });
                }
            }
        }
    }

    fn carry(&mut self, of: u64, said: Said) {
        if self.healed || !self.rng.permille(30) {
            let delay = self.rng.between(1, 20);
            self.queue.after(delay, Event::Lease { of, said });
        }
    }
}
