//! A source task in one of two modes, its producer, and the log; killed, frozen while a successor starts, its messages late.

mod lease;

use lease::Lease;
use milena_core::offsets::{OffsetLedger, PartitionIndex, Submission};

use super::{
    Careless, DataOptions, DataReport,
    queue::Queue,
    txn::{Broker, Item, Refusal},
};
use crate::rng::Rng;

/// How long a request is waited for.
const PATIENCE: u64 = 30_000;
/// Records of the source at the end.
const MORE_AT_THE_END: u64 = 20;
/// How long the world may take to come to its end once it is whole.
const SETTLES_WITHIN: u64 = 20 * 60_000;
/// The wait before a failed fencing or a failed start is tried again.
const AGAIN: u64 = 1_000;

/// The named regressions of the data plane (`reliability.md` section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Everything by chance, at least once.
    AtLeastOnce,
    /// Everything by chance, exactly once.
    ExactlyOnce,
    /// An EndTxn comes after its client gave it up (Jepsen, KIP-890).
    R9DelayedEndTxn,
    /// The request that fences zombies fails.
    R10FencingFails,
    /// The task writes to its own offsets topic.
    R13OwnOffsetsTopic,
    /// `FenceProducers` is answered with CONCURRENT_TRANSACTIONS (KAFKA-16570).
    R15ConcurrentTransactions,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::AtLeastOnce,
        Self::ExactlyOnce,
        Self::R9DelayedEndTxn,
        Self::R10FencingFails,
        Self::R13OwnOffsetsTopic,
        Self::R15ConcurrentTransactions,
    ];

    /// The scenario that a seed plays: each in its turn.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let turn = usize::try_from(seed).unwrap_or(0) % Self::ALL.len();
        Self::ALL.get(turn).copied().unwrap_or(Self::ExactlyOnce)
    }

    /// What must have happened, or the scenario showed nothing.
    #[must_use]
    pub const fn sees(self) -> &'static str {
        match self {
            Self::AtLeastOnce => "acks out of order",
            Self::ExactlyOnce => "zombies fenced",
            Self::R9DelayedEndTxn => "ends of transactions late",
            Self::R10FencingFails => "fencings failed",
            Self::R13OwnOffsetsTopic => "tasks failed for their topic",
            Self::R15ConcurrentTransactions => "concurrent transactions",
        }
    }

    const fn is_exactly_once(self) -> bool {
        !matches!(self, Self::AtLeastOnce)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Fence,
    Init,
    Read,
    /// Records from here up to there, and the offset behind them.
    Produce {
        from: u64,
        to: u64,
    },
    Commit,
    /// At least once: one record to one of three partitions.
    Send {
        number: u64,
    },
    /// At least once: the offset.
    Store {
        next: u64,
    },
}

#[derive(Clone, Copy, Debug)]
enum Said {
    Done,
    Epoch(i32),
    Position(u64),
    Refused(Refusal),
    /// The answer did not come, or the request did not arrive.
    Unknown,
}

enum Event {
    Start,
    Kill,
    Poll {
        of: u64,
    },
    Again {
        of: u64,
        ask: Ask,
    },
    Arrive {
        of: u64,
        id: u64,
        epoch: i32,
        ask: Ask,
    },
    Reply {
        of: u64,
        id: u64,
        ask: Ask,
        said: Said,
    },
    Flush {
        of: u64,
    },
    /// At least once: what the worker says to keep its session, and what it hears.
    Lease {
        of: u64,
        said: lease::Said,
    },
    Heal,
    End,
}

/// An instance of the task. Several may be there: what is frozen or cut off does not know that it has a successor.
struct Instance {
    name: u64,
    frozen_until: u64,
    epoch: i32,
    position: u64,
    /// Where the batch in hand begins.
    batch: u64,
    /// Requests whose answers are awaited.
    waiting: Vec<u64>,
    ledger: OffsetLedger<(), u64>,
    partition: PartitionIndex,
    sent: Vec<(u64, Submission)>,
    storing: bool,
    /// Committable, and its store failed.
    unstored: Option<u64>,
    lease: Lease,
}

struct World {
    queue: Queue<Event>,
    rng: Rng,
    scenario: Scenario,
    careless: Careless,
    report: DataReport,
    broker: Broker,
    /// At least once: how often each record is in the log, and the stored offset.
    log: Vec<u32>,
    stored: u64,
    /// What the source has given up, because it was told that it is committed.
    pruned: u64,
    available: u64,
    instances: Vec<Instance>,
    names: u64,
    asked: u64,
    healed: bool,
    ended: bool,
    /// It is FAILED, and nobody starts it again.
    given_up: bool,
}

/// Runs one history.
#[must_use]
pub fn run_source(scenario: Scenario, options: DataOptions) -> DataReport {
    let mut world = World {
        queue: Queue::new(),
        rng: Rng::new(options.seed ^ 0x50_75_72_63),
        scenario,
        careless: options.careless,
        report: DataReport::default(),
        broker: Broker::default(),
        log: Vec::new(),
        stored: 0,
        pruned: 0,
        available: 10,
        instances: Vec::new(),
        names: 0,
        asked: 0,
        healed: false,
        ended: false,
        given_up: false,
    };
    world.queue.after(0, Event::Start);
    let first = world.rng.between(5_000, 120_000);
    world.queue.after(first, Event::Kill);
    let end = options.minutes * 60_000;
    world.queue.after(end, Event::Heal);
    world.queue.after(end + SETTLES_WITHIN, Event::End);
    while !world.ended && world.report.violation.is_none() {
        let Some(event) = world.queue.pop() else {
            break;
        };
        world.report.steps += 1;
        world.happens(event);
    }
    world.report.mix(world.queue.now);
    world.report
}

impl World {
    fn happens(&mut self, event: Event) {
        match event {
            Event::Start => self.start(),
            Event::Kill => self.kill(),
            Event::Poll { of } => self.poll(of),
            Event::Again { of, ask } => self.ask(of, ask),
            Event::Arrive { of, id, epoch, ask } => self.arrive(of, id, epoch, ask),
            Event::Reply { of, id, ask, said } => self.reply(of, id, ask, said),
            Event::Flush { of } => self.flush(of),
            Event::Lease { of, said } => self.lease(of, said),
            Event::Heal => {
                self.healed = true;
                self.available = self.progress() + MORE_AT_THE_END;
                let now = self.queue.now;
                self.instances
                    .retain(|instance| instance.frozen_until <= now);
                if self.instances.is_empty() {
                    self.start();
                }
            }
            Event::End => self.end(),
        }
        if self.healed && self.progress() >= self.available {
            self.end();
        }
    }

    fn progress(&self) -> u64 {
        match self.scenario.is_exactly_once() {
            true => self.broker.offset,
            false => self.stored,
        }
    }

    fn end(&mut self) {
        self.ended = true;
        let now = self.queue.now;
        let fails_by_itself = self.scenario == Scenario::R13OwnOffsetsTopic;
        if self.progress() < self.available && !fails_by_itself {
            let text = format!("{} of {} records", self.progress(), self.available);
            self.report.broken("Progresses", now, text);
        }
        let lost = self
            .log
            .iter()
            .take(usize::try_from(self.stored).unwrap_or(0));
        if let Some(lost) = lost.into_iter().position(|times| *times == 0) {
            self.report.broken("NoLoss", now, format!("record {lost}"));
        }
    }

    fn start(&mut self) {
        // Without fencing, a leader starts no second one while the session of the first lasts.
        let held = |instance: &Instance| !instance.lease.is_expelled();
        if !self.scenario.is_exactly_once() && self.instances.iter().any(held) {
            self.report.seen("starts refused");
            return;
        }
        if self.given_up {
            return;
        }
        self.names += 1;
        let mut ledger = OffsetLedger::default();
        let partition = ledger.partition(());
        self.instances.push(Instance {
            name: self.names,
            frozen_until: 0,
            epoch: 0,
            position: 0,
            batch: 0,
            waiting: Vec::new(),
            ledger,
            partition,
            sent: Vec::new(),
            storing: false,
            unstored: None,
            lease: Lease::new(self.queue.now),
        });
        self.joined(self.names);
        let first = if self.scenario.is_exactly_once() {
            Ask::Fence
        } else {
            Ask::Read
        };
        self.ask(self.names, first);
    }

    /// Kills the newest instance, or freezes it for a while; a successor starts.
    fn kill(&mut self) {
        if self.healed {
            return;
        }
        let pause = self.rng.between(5_000, 120_000);
        self.queue.after(pause, Event::Kill);
        let freezes = self.rng.permille(400);
        let until = self.queue.now + self.rng.between(1_000, 90_000);
        match self.instances.last_mut() {
            Some(newest) if freezes => {
                newest.frozen_until = until;
                self.report.seen("instances frozen");
                if !self.scenario.is_exactly_once() {
                    // Nobody fences it: its successor starts when its session is over.
                    return;
                }
            }
            Some(_) => {
                self.instances.pop();
                self.report.seen("instances killed");
            }
            None => {}
        }
        let pause = self.rng.between(10, 3_000);
        self.queue.after(pause, Event::Start);
    }

    fn dies(&mut self, of: u64) {
        self.instances.retain(|instance| instance.name != of);
        if self.instances.iter().all(|left| left.lease.is_expelled()) {
            self.queue.after(AGAIN, Event::Start);
        }
    }

    fn ask(&mut self, of: u64, ask: Ask) {
        let healed = self.healed;
        let Some(instance) = self.instances.iter_mut().find(|i| i.name == of) else {
            return;
        };
        self.asked += 1;
        let (id, epoch) = (self.asked, instance.epoch);
        instance.waiting.push(id);
        let late_ends = matches!(self.scenario, Scenario::R9DelayedEndTxn) && ask == Ask::Commit;
        // At least once the one connection keeps the order: what is given up comes before what follows, or never.
        let late = !healed
            && self.scenario.is_exactly_once()
            && self.rng.permille(if late_ends { 300 } else { 20 });
        let delay = match late {
            true => self.rng.between(PATIENCE / 2, PATIENCE * 2),
            false => self.rng.between(1, 20),
        };
        if late && ask == Ask::Commit {
            self.report.seen("ends of transactions late");
        }
        let lost = !healed && self.rng.permille(10);
        if !lost {
            self.queue
                .after(delay, Event::Arrive { of, id, epoch, ask });
        }
        self.queue.after(
            PATIENCE,
            Event::Reply {
                of,
                id,
                ask,
                said: Said::Unknown,
            },
        );
    }

    /// A request reaches the broker, whatever became of who sent it.
    fn arrive(&mut self, of: u64, id: u64, epoch: i32, ask: Ask) {
        let now = self.queue.now;
        let dead = self.instances.iter().all(|instance| instance.name != of);
        if dead && !self.scenario.is_exactly_once() {
            return;
        }
        if !self.scenario.is_exactly_once()
            && matches!(ask, Ask::Send { .. } | Ask::Store { .. })
            && of < self.names
        {
            let text = format!("instance {of} writes, {} has taken over", self.names);
            self.report.broken("AtMostOneRunning", now, text);
        }
        let settle = match self.scenario {
            Scenario::R15ConcurrentTransactions => self.rng.between(50, 5_000),
            _ => self.rng.between(0, 30),
        };
        let told = |result: Result<Said, Refusal>| result.unwrap_or_else(Said::Refused);
        let said = match ask {
            Ask::Fence if self.fencing_fails() => {
                self.report.seen("fencings failed");
                Said::Unknown
            }
            Ask::Fence => told(self.broker.init(now, settle).map(|_| Said::Done)),
            Ask::Init => told(self.broker.init(now, settle).map(Said::Epoch)),
            Ask::Read if !self.scenario.is_exactly_once() => Said::Position(self.stored),
            // The end of the last transaction is waited for.
            Ask::Read if self.broker.is_open(now) => Said::Unknown,
            Ask::Read => Said::Position(self.broker.offset),
            Ask::Produce { from, to } => {
                let mut items: Vec<Item> = (from..to).map(Item::Data).collect();
                items.push(Item::Offset(to));
                told(self.broker.produce(now, epoch, &items).map(|()| Said::Done))
            }
            Ask::Commit => match self.broker.commit(now, epoch, settle) {
                Ok(None) => Said::Done,
                Ok(Some(broken)) => {
                    self.report.broken("ExactlyOnce", now, broken);
                    Said::Done
                }
                Err(refusal) => Said::Refused(refusal),
            },
            Ask::Send { number } => {
                let at = usize::try_from(number).unwrap_or(usize::MAX);
                if self.log.len() <= at {
                    self.log.resize(at + 1, 0);
                }
                if let Some(times) = self.log.get_mut(at) {
                    *times += 1;
                }
                Said::Done
            }
            Ask::Store { next } => {
                let missing = (0..next).find(|n| {
                    let at = usize::try_from(*n).unwrap_or(usize::MAX);
                    self.log.get(at).copied().unwrap_or(0) == 0
                });
                if let Some(missing) = missing {
                    let text = format!("offset {next} is stored, record {missing} is not there");
                    self.report.broken("OffsetNeverAhead", now, text);
                }
                self.stored = next;
                Said::Done
            }
        };
        if matches!(said, Said::Refused(Refusal::Concurrent)) {
            self.report.seen("concurrent transactions");
        }
        if !self.healed && self.rng.permille(15) {
            self.report.seen("answers lost");
            return;
        }
        let delay = self.rng.between(1, 20);
        self.queue.after(delay, Event::Reply { of, id, ask, said });
    }

    fn fencing_fails(&mut self) -> bool {
        let often = self.scenario == Scenario::R10FencingFails;
        !self.healed && self.rng.permille(if often { 600 } else { 50 })
    }

    fn reply(&mut self, of: u64, id: u64, ask: Ask, said: Said) {
        let now = self.queue.now;
        let Some(instance) = self.instances.iter_mut().find(|i| i.name == of) else {
            return;
        };
        if now < instance.frozen_until {
            let rest = instance.frozen_until - now;
            self.queue.after(rest, Event::Reply { of, id, ask, said });
            return;
        }
        let before = instance.waiting.len();
        instance.waiting.retain(|waited| *waited != id);
        if instance.waiting.len() == before {
            return;
        }
        self.report.mix(now ^ (id << 20));
        if self.scenario.is_exactly_once() {
            self.exactly_once(of, ask, said);
        } else {
            self.at_least_once(of, ask, said);
        }
    }

    fn exactly_once(&mut self, of: u64, ask: Ask, said: Said) {
        let careless = self.careless;
        let Some(instance) = self.instances.iter_mut().find(|i| i.name == of) else {
            return;
        };
        match (ask, said) {
            (Ask::Fence, Said::Done) => self.ask(of, Ask::Init),
            (Ask::Fence, _) if careless == Careless::FencesOnce => {
                self.given_up = true;
                self.instances.clear();
            }
            // R10, R15: again, whatever the reason.
            (Ask::Fence | Ask::Read, Said::Unknown | Said::Refused(_))
            | (Ask::Init, Said::Unknown | Said::Refused(Refusal::Concurrent)) => {
                self.queue.after(AGAIN, Event::Again { of, ask });
            }
            (Ask::Init, Said::Epoch(epoch)) => {
                instance.epoch = epoch;
                self.ask(of, Ask::Read);
            }
            (Ask::Read, Said::Position(at)) => self.positioned(of, at),
            (Ask::Produce { .. }, Said::Done) => self.ask(of, Ask::Commit),
            (Ask::Produce { .. }, Said::Refused(Refusal::Concurrent)) => {
                self.queue.after(20, Event::Again { of, ask });
            }
            (Ask::Commit, Said::Done) => {
                let position = instance.position;
                self.tell_source(position);
                self.queue.after(20, Event::Poll { of });
            }
            (Ask::Commit | Ask::Produce { .. }, Said::Unknown) => {
                self.report.seen("outcomes unknown");
                if careless == Careless::ReusesEpoch {
                    // It holds the commit for failed. The end may still come: it ends what is open then.
                    instance.position = instance.batch;
                    self.queue.after(20, Event::Poll { of });
                } else {
                    instance.epoch = 0;
                    self.ask(of, Ask::Init);
                }
            }
            (_, Said::Refused(Refusal::Fenced)) => {
                self.report.seen("zombies fenced");
                self.dies(of);
            }
            _ => self.dies(of),
        }
    }

    fn positioned(&mut self, of: u64, at: u64) {
        // A zombie that heard of an old position can write nothing: its epoch is old, or its lease is over.
        let epoch = self.broker.epoch();
        let own = self.instances.iter().find(|i| i.name == of);
        let newest = match self.scenario.is_exactly_once() {
            true => own.is_some_and(|i| i.epoch == epoch),
            false => of == self.names,
        };
        if at < self.pruned && newest {
            let text = format!(
                "the task goes on at {at}, the source has only what follows {}",
                self.pruned
            );
            self.report.broken("NoLoss", self.queue.now, text);
        }
        if let Some(instance) = self.instances.iter_mut().find(|i| i.name == of) {
            instance.position = at;
        }
        self.queue.after(1, Event::Poll { of });
        if !self.scenario.is_exactly_once() {
            self.queue.after(500, Event::Flush { of });
        }
    }

    /// `CallbackAfterDurable`: the source deletes what it hears to be committed.
    fn tell_source(&mut self, position: u64) {
        self.pruned = self.pruned.max(position);
        if self.progress() < position {
            let text = format!("told {position}, durable is {}", self.progress());
            self.report
                .broken("CallbackAfterDurable", self.queue.now, text);
        }
    }

    fn poll(&mut self, of: u64) {
        let now = self.queue.now;
        if !self.healed {
            self.available += self.rng.between(0, 3);
        }
        let (size, available) = (self.rng.between(0, 5), self.available);
        let Some(instance) = self.instances.iter_mut().find(|i| i.name == of) else {
            return;
        };
        if now < instance.frozen_until {
            let rest = instance.frozen_until - now;
            self.queue.after(rest, Event::Poll { of });
            return;
        }
        let from = instance.position;
        let to = (from + size).min(available);
        if to == from {
            self.queue.after(200, Event::Poll { of });
            return;
        }
        if !self.scenario.is_exactly_once() {
            if !self.may_act(of) {
                self.queue.after(lease::LOOK, Event::Poll { of });
                return;
            }
            let Some(instance) = self.instances.iter_mut().find(|i| i.name == of) else {
                return;
            };
            for number in from..to {
                let submission = instance.ledger.submit(instance.partition, number + 1);
                instance.sent.push((number, submission));
            }
            instance.position = to;
            for number in from..to {
                self.ask(of, Ask::Send { number });
            }
            self.queue.after(50, Event::Poll { of });
            return;
        }
        if self.scenario == Scenario::R13OwnOffsetsTopic {
            // The runtime refuses before anything is sent: a reader of that topic would wait for this very transaction.
            self.report.seen("tasks failed for their topic");
            if self.careless == Careless::WritesToOwnOffsets {
                self.ask(of, Ask::Produce { from, to });
                self.report.broken(
                    "Progresses",
                    now,
                    "the task waits for its own transaction".to_owned(),
                );
            }
            self.dies(of);
            return;
        }
        (instance.batch, instance.position) = (from, to);
        self.ask(of, Ask::Produce { from, to });
    }

    fn at_least_once(&mut self, of: u64, ask: Ask, said: Said) {
        let Some(instance) = self.instances.iter_mut().find(|i| i.name == of) else {
            return;
        };
        match (ask, said) {
            (Ask::Read, Said::Position(at)) => self.positioned(of, at),
            (Ask::Read, _) => self.queue.after(AGAIN, Event::Again { of, ask }),
            (Ask::Send { number }, Said::Done) => {
                let at = instance.sent.iter().position(|(sent, _)| *sent == number);
                if at.is_some_and(|at| at > 0) {
                    self.report.seen("acks out of order");
                }
                if let Some(at) = at {
                    let (_, submission) = instance.sent.remove(at);
                    instance.ledger.acknowledge(submission);
                }
            }
            // Nobody knows: the task fails and begins again from what is stored.
            (Ask::Send { .. }, _) => {
                self.report.seen("sends given up");
                self.dies(of);
            }
            (Ask::Store { next }, Said::Done) => {
                instance.storing = false;
                self.report.seen("callbacks");
                self.tell_source(next);
            }
            (Ask::Store { next }, _) => {
                instance.storing = false;
                instance.unstored = Some(next);
            }
            _ => {}
        }
    }

    fn flush(&mut self, of: u64) {
        let now = self.queue.now;
        let careless = self.careless;
        let Some(instance) = self.instances.iter_mut().find(|i| i.name == of) else {
            return;
        };
        self.queue.after(500, Event::Flush { of });
        if now < instance.frozen_until || instance.storing {
            return;
        }
        if !self.may_act(of) {
            return;
        }
        let Some(instance) = self.instances.iter_mut().find(|i| i.name == of) else {
            return;
        };
        let next = match careless {
            Careless::CommitsPolled => Some(instance.position),
            _ => {
                let newer = instance
                    .ledger
                    .take_committable()
                    .pop()
                    .map(|(_, next)| next);
                newer.or(instance.unstored.take())
            }
        };
        if let Some(next) = next {
            instance.storing = true;
            self.ask(of, Ask::Store { next });
        }
    }
}
