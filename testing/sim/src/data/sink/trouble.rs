//! One long trouble in an otherwise quiet history: a target that refuses for an hour, a broker that is away for minutes.

use super::{Event, World};
use crate::{
    data::{Careless, DataReport},
    rng::Rng,
};

/// What goes wrong, and for how many minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkTrouble {
    /// `put` fails with a retriable error.
    PutRefused(u64),
    /// Nothing reaches the broker.
    BrokerAway(u64),
}

/// The trouble of a history.
pub(super) struct Under {
    trouble: SinkTrouble,
    lasts: bool,
    /// Rounds, sessions that expired, and losses, when it began.
    before: [u64; 4],
}

const TASKS: usize = 3;
/// When the group has long settled.
const BEGINS: u64 = 2 * 60_000;
/// What a task may hold of each partition: one batch that is given again.
const HELD_MAX: i64 = 7;

/// Runs one history: all is quiet, then this lasts, then all must be committed.
#[must_use]
pub fn run_sink_through(trouble: SinkTrouble, seed: u64) -> DataReport {
    let mut world = World::new(Rng::new(seed), TASKS, Careless::No);
    world.under = Some(Under {
        trouble,
        lasts: false,
        before: [0; 4],
    });
    let (SinkTrouble::PutRefused(minutes) | SinkTrouble::BrokerAway(minutes)) = trouble;
    world.queue.after(BEGINS, Event::Trouble { begins: true });
    let over = BEGINS + minutes * 60_000;
    world.queue.after(over, Event::Trouble { begins: false });
    world.run(over + 60_000)
}

impl World {
    fn now_is(&self, trouble: impl Fn(SinkTrouble) -> bool) -> bool {
        let lasts = |under: &&Under| under.lasts && trouble(under.trouble);
        self.under.as_ref().filter(lasts).is_some()
    }

    /// Whether `put` fails now.
    pub(super) fn refuses(&self) -> bool {
        self.now_is(|trouble| matches!(trouble, SinkTrouble::PutRefused(_)))
    }

    /// Whether a message gets lost.
    pub(super) fn loses(&mut self, permille: u64) -> bool {
        match self.under {
            Some(_) => self.now_is(|trouble| matches!(trouble, SinkTrouble::BrokerAway(_))),
            None => !self.healed && self.rng.permille(permille),
        }
    }

    fn counted(&self) -> [u64; 4] {
        let seen = |what| self.report.sometimes.get(what).copied().unwrap_or(0);
        [
            self.coordinator.rounds,
            self.coordinator.expired,
            seen("sink partitions lost"),
            seen("sink partitions revoked"),
        ]
    }

    pub(super) fn trouble(&mut self, begins: bool) {
        let (now, counted) = (self.queue.now, self.counted());
        let Some(under) = &mut self.under else {
            return;
        };
        under.lasts = begins;
        if begins {
            under.before = counted;
            return;
        }
        let mut held = self.tasks.iter().flat_map(|task| {
            let ahead = task.refused.iter();
            ahead.map(|(of, next)| next - task.book.current().get(of).copied().unwrap_or(0))
        });
        match under.trouble {
            SinkTrouble::PutRefused(_) => {
                let before = under.before;
                if counted != before {
                    let text =
                        format!("rounds, expired, lost, revoked: {before:?}, now {counted:?}");
                    self.report.broken("MembershipLives", now, text);
                } else if held.any(|records| records > HELD_MAX) {
                    let text = "more than the batch that is given again is held".to_owned();
                    self.report.broken("MemoryFlat", now, text);
                }
            }
            SinkTrouble::BrokerAway(_) => {
                // Nobody acts on what may be somebody else's by now, and nobody gave up.
                let acting = self
                    .tasks
                    .iter()
                    .filter(|task| task.book.assigned().next().is_some());
                let acting = acting.count();
                if acting > 0 {
                    let text = format!("{acting} tasks hold partitions without a session");
                    self.report.broken("AtMostOneRunning", now, text);
                }
            }
        }
    }
}
