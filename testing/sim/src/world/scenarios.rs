//! The named regressions of the control plane (`reliability.md` section 3): a quiet world, and one thing that goes
//! wrong in it. What must hold is what must always hold; a scenario also names what it must have seen.

use milena_core::herder::HerderInput;

use super::{
    engine::{Event, Options, Report, World},
    faults::Faults,
    host::Link,
};

/// A named regression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A worker that stood still comes back with an old assignment (KAFKA-9184, 9841).
    R4ZombieWorker,
    /// A second rebalance follows the first before its revocations are over (KAFKA-10763).
    R5RebalancesInARow,
    /// A worker cannot read the config topic to its end (KAFKA-9849).
    R6BlindWorker,
    /// Compaction puts tasks before their connector, or takes a deletion away (KAFKA-17719, 16838).
    R7Compaction,
    /// A plugin that takes all the time it may to stop (KAFKA-12726, 4306, 14311).
    R11StuckStop,
    /// The leader's transactional producer is fenced (testFencedLeaderRecovery).
    R12FencedLeader,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::R4ZombieWorker,
        Self::R5RebalancesInARow,
        Self::R6BlindWorker,
        Self::R7Compaction,
        Self::R11StuckStop,
        Self::R12FencedLeader,
    ];

    /// What must have happened, or the scenario showed nothing.
    #[must_use]
    pub const fn sees(self) -> &'static str {
        match self {
            Self::R4ZombieWorker => "sessions expired",
            Self::R5RebalancesInARow => "rounds",
            Self::R6BlindWorker => "config reads failed",
            Self::R7Compaction => "compactions",
            Self::R11StuckStop => "slow stops",
            Self::R12FencedLeader => "writers fenced",
        }
    }

    /// Plays it.
    #[must_use]
    pub fn play(self, seed: u64, words: bool) -> Report {
        let options = Options {
            seed,
            minutes: 6,
            clocks: false,
            overtaken_joins: false,
            words,
        };
        let mut world = World::new(options);
        world.faults = Faults::none();
        world.cluster.exactly_once = match self {
            Self::R12FencedLeader => milena_core::herder::ExactlyOnceMode::Enabled,
            _ => world.cluster.exactly_once,
        };
        while world.hosts.len() < 3 {
            let number = world.hosts.len();
            world.hosts.push(super::host::Host::new(number));
        }
        for round in 0..4_u64 {
            let at = 60_000 + 60_000 * round;
            match self {
                Self::R4ZombieWorker => world.after(at, Event::Act(freeze_leader)),
                Self::R5RebalancesInARow => {
                    for step in 0..6 {
                        world.after(at + 700 * step, Event::Act(bounce_somebody));
                    }
                }
                Self::R6BlindWorker => world.after(at, Event::Act(blind_somebody)),
                Self::R7Compaction => {
                    for step in 0..10 {
                        world.after(at + 5_000 * step, Event::Act(kill_and_compact));
                    }
                }
                Self::R11StuckStop => world.slow_stops = true,
                Self::R12FencedLeader => {
                    for step in 0..20 {
                        world.after(at + 2_500 * step, Event::Act(take_privilege));
                    }
                }
            }
        }
        world.finish(options.minutes)
    }
}

fn freeze_leader(world: &mut World) {
    let Some(worker) = world.leader() else { return };
    if let Some(host) = world.hosts.get_mut(worker) {
        host.frozen = true;
        let process = host.process;
        world.after(25_000, Event::Thaw { worker, process });
    }
}

fn somebody(world: &mut World) -> usize {
    let count = world.hosts.len() as u64;
    usize::try_from(world.rng.between(0, count - 1)).unwrap_or(0)
}

fn bounce_somebody(world: &mut World) {
    let worker = somebody(world);
    if let Some(process) = world.hosts.get(worker).map(|host| host.process) {
        world.input(worker, process, HerderInput::Stop);
    }
}

fn blind_somebody(world: &mut World) {
    let worker = somebody(world);
    if let Some(host) = world.hosts.get_mut(worker) {
        host.blind = true;
        world.after(40_000, Event::Mend { worker });
    }
}

fn kill_and_compact(world: &mut World) {
    world.clean(1, true);
    let worker = somebody(world);
    if let Some(host) = world.hosts.get_mut(worker) {
        host.kill();
        host.link = Link::Up;
        world.after(500, Event::Start { worker });
    }
}

fn take_privilege(world: &mut World) {
    // A forerunner of the leader whose claim was under way when it lost the group.
    world.privilege = Some((usize::MAX, 0));
}
