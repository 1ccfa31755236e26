//! The queue of events and the step of a worker.

use std::{collections::BTreeMap, time::Duration};

use milena_core::{
    Effects, Now, Token, WallClock,
    group::{membership::Effect, protocol::connect::ConnectProtocol},
    herder::{
        Answer, DistributedHerder, ExactlyOnceMode, HerderEffect, HerderInput, Outcome, TopicRecord,
    },
};

use super::{
    faults::Faults,
    host::{Cluster, Host},
    oracle::Violation,
};
use crate::{
    coordinator::{Coordinator, ReplyTo},
    rng::Rng,
    trace::Trace,
};

/// Steps a worker may take at one moment before it counts as a busy loop.
const SPINS_MAX: u32 = 500;
/// 2023-11-14, in seconds: the wall clock at the beginning of every history.
const WALL_START: u64 = 1_700_000_000;
/// How long a wall clock that jumps stays where it is.
const CLOCK_HOLDS: u64 = 100_000;

/// Which history.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The seed.
    pub seed: u64,
    /// Simulated minutes with faults; the world then heals and must settle.
    pub minutes: u64,
    /// Wall clocks jump by hours, each worker's by itself. Of no other chance, so that a seed's faults stay what they are.
    pub clocks: bool,
    /// A JoinGroup whose connection breaks may come after the one that follows it. Of no other chance, either.
    pub overtaken_joins: bool,
    /// Keep the words of the trace.
    pub words: bool,
}

/// What became of it.
#[derive(Debug)]
pub struct Report {
    /// Equal for equal histories.
    pub hash: u64,
    /// Steps of workers.
    pub steps: u64,
    /// How often what happened that a run should have seen.
    pub sometimes: BTreeMap<&'static str, u64>,
    /// The broken promise, if any.
    pub violation: Option<Violation>,
    /// The last lines of the trace, if they were wanted.
    pub trace: Vec<String>,
}

/// Something that happens at its time.
pub(super) enum Event {
    Tick {
        worker: usize,
        process: u32,
    },
    Input {
        worker: usize,
        process: u32,
        input: HerderInput,
    },
    Outcome {
        worker: usize,
        process: u32,
        token: Token,
        outcome: Outcome,
    },
    /// A request reaches the coordinator.
    Arrive {
        to: ReplyTo,
        effect: Box<Effect>,
    },
    /// An answer reaches the worker, if it still waits for one.
    Reply {
        to: ReplyTo,
        input: milena_core::group::membership::Input,
    },
    Timeout {
        to: ReplyTo,
    },
    Coordinator,
    Append {
        to: ReplyTo,
        records: Vec<TopicRecord>,
        transactional: bool,
        answer: bool,
    },
    ReadToEnd {
        to: ReplyTo,
    },
    Tail {
        worker: usize,
        process: u32,
    },
    RunEnded {
        worker: usize,
        process: u32,
        run: (String, milena_core::herder::Incarnation),
        input: HerderInput,
    },
    Start {
        worker: usize,
    },
    Thaw {
        worker: usize,
        process: u32,
    },
    Mend {
        worker: usize,
    },
    Compact,
    /// What a scenario does.
    Act(fn(&mut World)),
    Fault,
    Client,
    Heal,
}

/// Who asked a worker something.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    Client,
    Peer(ReplyTo),
}

pub(super) struct World {
    pub(super) now: u64,
    pub(super) rng: Rng,
    pub(super) trace: Trace,
    queue: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    pub(super) hosts: Vec<Host>,
    pub(super) cluster: Cluster,
    pub(super) group: Coordinator,
    /// Until then nobody coordinates.
    pub(super) coordinator_away_until: u64,
    pub(super) config: Vec<TopicRecord>,
    /// The offset of the next record.
    pub(super) config_end: i64,
    pub(super) status: Vec<TopicRecord>,
    /// Whose transactional producer is the newest.
    pub(super) privilege: Option<(usize, u32)>,
    pub(super) origins: BTreeMap<u64, Origin>,
    pub(super) last_request: u64,
    pub(super) connectors_made: u64,
    pub(super) faults: Faults,
    pub(super) healed: bool,
    /// The seed of wall clocks that jump.
    clocks: Option<u64>,
    /// The chance of JoinGroups that are held up.
    pub(super) held_joins: Option<Rng>,
    clock_span: u64,
    /// Every plugin takes as long to stop as the shell lets it.
    pub(super) slow_stops: bool,
    pub(super) steps: u64,
    pub(super) sometimes: BTreeMap<&'static str, u64>,
    pub(super) violation: Option<Violation>,
}

/// Runs one history from beginning to end.
#[must_use]
pub fn run(options: Options) -> Report {
    World::new(options).finish(options.minutes)
}

impl World {
    /// Plays the history to its end.
    pub(super) fn finish(mut self, minutes: u64) -> Report {
        self.play(minutes);
        let mut sometimes = self.sometimes;
        sometimes.insert("rounds", self.group.rounds);
        sometimes.insert("sessions expired", self.group.expired);
        sometimes.insert("members left behind", self.group.left_behind);
        Report {
            hash: self.trace.hash(),
            steps: self.steps,
            sometimes,
            violation: self.violation,
            trace: self.trace.lines().map(str::to_owned).collect(),
        }
    }

    pub(super) fn new(options: Options) -> Self {
        let mut rng = Rng::new(options.seed);
        let workers = usize::try_from(rng.between(1, 5)).unwrap_or(3);
        let protocols = [
            ConnectProtocol::Sessioned,
            ConnectProtocol::Compatible,
            ConnectProtocol::Eager,
        ];
        let protocol = match rng.permille(700) {
            true => ConnectProtocol::Sessioned,
            false => rng
                .pick(&protocols)
                .copied()
                .unwrap_or(ConnectProtocol::Sessioned),
        };
        let delay = rng.pick(&[0, 5, 30, 60, 300]).copied().unwrap_or(30);
        let cluster = Cluster {
            protocol,
            delay_max: Duration::from_secs(delay),
            exactly_once: match rng.permille(400) {
                true => ExactlyOnceMode::Enabled,
                false => ExactlyOnceMode::Disabled,
            },
        };
        let initial = if rng.permille(500) { 3_000 } else { 0 };
        Self {
            now: 1_000,
            faults: Faults::choose(&mut rng),
            rng,
            trace: Trace::new(options.words),
            queue: BTreeMap::new(),
            sequence: 0,
            hosts: (0..workers).map(Host::new).collect(),
            cluster,
            group: Coordinator::new(initial),
            coordinator_away_until: 0,
            config: Vec::new(),
            config_end: 0,
            status: Vec::new(),
            privilege: None,
            origins: BTreeMap::new(),
            last_request: 0,
            connectors_made: 0,
            healed: false,
            clocks: options.clocks.then_some(options.seed),
            held_joins: options
                .overtaken_joins
                .then(|| Rng::new(options.seed ^ 0x6a_6f_69_6e)),
            clock_span: 0,
            slow_stops: false,
            steps: 0,
            sometimes: BTreeMap::new(),
            violation: None,
        }
    }

    fn play(&mut self, minutes: u64) {
        let what = format!(
            "{:?}, {} workers, {:?}",
            self.cluster,
            self.hosts.len(),
            self.faults
        );
        self.note("world", format_args!("{what}"));
        for worker in 0..self.hosts.len() {
            let after = self.rng.between(0, 5_000);
            self.after(after, Event::Start { worker });
        }
        self.after(3_000, Event::Client);
        self.after(15_000, Event::Fault);
        self.after(20_000, Event::Compact);
        self.after(minutes * 60_000, Event::Heal);
        let end = self.now + minutes * 60_000 + self.time_to_settle();
        while let Some(entry) = self.queue.first_entry() {
            let (at, _) = *entry.key();
            if at > end || self.violation.is_some() {
                break;
            }
            let event = entry.remove();
            self.now = at;
            self.happen(event);
        }
        self.now = end;
        if self.violation.is_none() {
            self.check_settled();
        }
    }

    /// After the last fault: sessions end, a round ends, the delay runs out, and a second one may follow.
    fn time_to_settle(&self) -> u64 {
        let delay = u64::try_from(self.cluster.delay_max.as_millis()).unwrap_or(0);
        240_000 + 2 * delay
    }

    pub(super) fn after(&mut self, delay: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now + delay, self.sequence), event);
    }

    pub(super) fn note(&mut self, who: &str, what: std::fmt::Arguments<'_>) {
        self.trace.note(self.now, who, what);
    }

    pub(super) fn seen(&mut self, what: &'static str) {
        *self.sometimes.entry(what).or_default() += 1;
    }

    /// The process of a worker, unless another has taken its place.
    pub(super) fn host(&mut self, worker: usize, process: u32) -> Option<&mut Host> {
        let host = self.hosts.get_mut(worker)?;
        (host.process == process && host.is_running()).then_some(host)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Tick { worker, process } => {
                let Some(host) = self.host(worker, process) else {
                    return;
                };
                host.tick_at = None;
                if !host.frozen {
                    self.input(worker, process, HerderInput::Tick);
                }
            }
            Event::Input {
                worker,
                process,
                input,
            } => self.input(worker, process, input),
            Event::Outcome {
                worker,
                process,
                token,
                outcome,
            } => {
                let Some(host) = self.host(worker, process) else {
                    return;
                };
                if host.outcomes.remove(&token) {
                    self.input(worker, process, HerderInput::Outcome { token, outcome });
                }
            }
            Event::Arrive { to, effect } => self.arrive(to, *effect),
            Event::Reply { to, input } => self.reply(to, input),
            Event::Timeout { to } => self.time_out(to),
            Event::Coordinator => self.coordinate(),
            Event::Append {
                to,
                records,
                transactional,
                answer,
            } => {
                self.append(to, records, transactional, answer);
            }
            Event::ReadToEnd { to } => self.read_to_end(to),
            Event::Tail { worker, process } => self.tail(worker, process),
            Event::RunEnded {
                worker,
                process,
                run,
                input,
            } => {
                let Some(host) = self.host(worker, process) else {
                    return;
                };
                host.runs.remove(&run);
                self.input(worker, process, input);
            }
            Event::Start { worker } => self.start(worker),
            Event::Thaw { worker, process } => self.thaw(worker, process),
            Event::Mend { worker } => self.mend(worker),
            Event::Compact => self.compact(),
            Event::Act(act) => act(self),
            Event::Fault => self.fault(),
            Event::Client => self.client(),
            Event::Heal => self.heal(),
        }
    }

    /// How far a worker's wall clock is off now: up to four hours, something else every hundred seconds.
    fn skew(&mut self, worker: usize) -> Duration {
        let Some(seed) = self.clocks.filter(|_| !self.healed) else {
            return Duration::ZERO;
        };
        let span = self.now / CLOCK_HOLDS;
        let mut rng = Rng::new(seed ^ span << 8 ^ worker as u64);
        let skew = rng.between(0, 4 * 3_600);
        if span > 0 && self.clock_span != span {
            self.clock_span = span;
            self.seen("clocks jumped");
        }
        Duration::from_secs(skew)
    }

    /// One input of one worker, and everything it asks for.
    pub(super) fn input(&mut self, worker: usize, process: u32, input: HerderInput) {
        let now = self.now;
        let Some(host) = self.host(worker, process) else {
            return;
        };
        if host.frozen {
            host.backlog.push(input);
            return;
        }
        let Some(mut herder) = host.herder.take() else {
            return;
        };
        let name = std::mem::take(&mut host.name);
        self.note_input(&name, &input);
        let wall = Duration::from_secs(WALL_START) + Duration::from_millis(now) + self.skew(worker);
        let wall = WallClock::since_epoch(wall);
        let mut effects = Effects::new();
        herder.step(Now::from_millis(now), wall, input, &mut effects);
        self.steps += 1;
        if let Some(host) = self.hosts.get_mut(worker) {
            host.name = name;
            host.herder = Some(herder);
        }
        for effect in effects {
            self.act(worker, process, effect);
        }
        self.check_fence(worker);
        self.schedule(worker, process);
    }

    /// Records are told by their keys: their bytes would drown the rest.
    fn note_input(&mut self, name: &str, input: &HerderInput) {
        let keys = |records: &[TopicRecord]| -> Vec<String> {
            let key = |r: &TopicRecord| {
                String::from_utf8_lossy(r.key.as_deref().unwrap_or_default()).into_owned()
            };
            records.iter().map(key).collect()
        };
        match input {
            HerderInput::ConfigRecords(records) => {
                self.note(name, format_args!("<- config {:?}", keys(records)));
            }
            HerderInput::StatusRecords(records) => {
                self.note(name, format_args!("<- {} statuses", records.len()));
            }
            other => self.note(name, format_args!("<- {other:?}")),
        }
    }

    fn schedule(&mut self, worker: usize, process: u32) {
        let now = self.now;
        let Some(host) = self.host(worker, process) else {
            return;
        };
        let deadline = host
            .herder
            .as_ref()
            .and_then(|herder| herder.deadline(Now::from_millis(now)));
        let Some(deadline) = deadline else { return };
        let at =
            u64::try_from(deadline.elapsed().as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        // A deadline of now is honest once or twice; for ever it is a busy loop.
        host.spins = if at <= now { host.spins + 1 } else { 0 };
        let spins = host.spins;
        let at = at.max(now + u64::from(spins > 0));
        if host.tick_at.is_none_or(|tick| at < tick) {
            host.tick_at = Some(at);
            self.after(at - now, Event::Tick { worker, process });
        }
        if spins > SPINS_MAX {
            self.broken(
                "Progresses",
                format!("worker-{worker} is due again and again and does nothing"),
            );
        }
    }

    fn act(&mut self, worker: usize, process: u32, effect: HerderEffect) {
        let name = self
            .hosts
            .get(worker)
            .map(|host| host.name.clone())
            .unwrap_or_default();
        self.note(&name, format_args!("-> {effect:?}"));
        let to = |token| ReplyTo {
            worker,
            process,
            token,
        };
        match effect {
            HerderEffect::Network(effect) => self.send(worker, process, effect),
            HerderEffect::Instance(act) => self.instance(worker, process, act),
            HerderEffect::WriteConfig {
                token,
                records,
                transactional,
            } => {
                self.write_config(to(token), records, transactional);
            }
            HerderEffect::ReadConfigToEnd { token } => {
                self.expect(worker, token);
                let delay = self.delay(worker);
                self.after(delay, Event::ReadToEnd { to: to(token) });
            }
            HerderEffect::ClaimPrivilege { token } => self.claim(to(token)),
            HerderEffect::WriteStatus(record) => self.write_status(worker, record),
            HerderEffect::FlushStatus { token } => {
                self.expect(worker, token);
                let cut = self
                    .hosts
                    .get(worker)
                    .is_some_and(|host| !host.outbox.is_empty());
                let (delay, outcome) = match cut {
                    true => (5_000, Outcome::Unknown),
                    false => (self.delay(worker), Outcome::Done),
                };
                self.outcome(to(token), delay, outcome);
            }
            HerderEffect::GenerateTaskConfigs { token, name, .. } => {
                self.expect(worker, token);
                let outcome = self.generate(worker, &name);
                let delay = self.rng.between(1, 100);
                self.outcome(to(token), delay, outcome);
            }
            HerderEffect::SendTaskConfigs {
                token,
                leader_url,
                name,
                configs,
            } => {
                self.ask_peer(
                    to(token),
                    &leader_url,
                    milena_core::herder::Request::PutTaskConfigs { name, configs },
                );
            }
            HerderEffect::AskForFencing {
                token,
                leader_url,
                name,
            } => {
                self.ask_peer(
                    to(token),
                    &leader_url,
                    milena_core::herder::Request::FenceZombies(name),
                );
            }
            HerderEffect::FenceProducers { token, .. } | HerderEffect::Validate { token, .. } => {
                self.expect(worker, token);
                let delay = self.delay(worker);
                self.outcome(to(token), delay, Outcome::Done);
            }
            HerderEffect::GenerateSessionKey { token } => {
                self.expect(worker, token);
                let key = format!("{:011x}A", self.rng.number() >> 20);
                self.outcome(to(token), 1, Outcome::SessionKey(key));
            }
            HerderEffect::Answer { id, answer } => self.answered(id.0, answer),
            HerderEffect::Stopped => {
                self.seen("clean stops");
                if let Some(host) = self.hosts.get_mut(worker) {
                    host.kill();
                }
                if !self.healed {
                    let away = self.rng.between(0, 30_000);
                    self.after(away, Event::Start { worker });
                } else {
                    self.after(0, Event::Start { worker });
                }
            }
            HerderEffect::GroupFailed { error } => {
                self.broken("Progresses", format!("the group failed: {error}"))
            }
            HerderEffect::Warn(_) | HerderEffect::SetLoggerLevel { .. } => {}
            #[allow(
                unreachable_patterns,
                clippy::allow_attributes,
                reason = "effects may be added"
            )]
            _ => {}
        }
    }

    pub(super) fn expect(&mut self, worker: usize, token: Token) {
        if let Some(host) = self.hosts.get_mut(worker) {
            host.outcomes.insert(token);
        }
    }

    pub(super) fn outcome(&mut self, to: ReplyTo, delay: u64, outcome: Outcome) {
        let ReplyTo {
            worker,
            process,
            token,
        } = to;
        self.after(
            delay,
            Event::Outcome {
                worker,
                process,
                token,
                outcome,
            },
        );
    }

    fn answered(&mut self, id: u64, answer: Answer) {
        let Some(origin) = self.origins.remove(&id) else {
            return;
        };
        match origin {
            Origin::Client => {}
            Origin::Peer(to) => {
                let outcome = match answer {
                    Ok(_) => Outcome::Done,
                    Err(error) => Outcome::Refused(error),
                };
                let delay = self.rng.between(1, 20);
                self.outcome(to, delay, outcome);
            }
        }
    }

    /// The worker's process begins; what it knows it reads from the topics.
    fn start(&mut self, worker: usize) {
        let cluster = self.cluster.clone();
        let Some(host) = self.hosts.get_mut(worker) else {
            return;
        };
        if host.is_running() {
            return;
        }
        host.start(&cluster);
        let process = host.process;
        let name = host.name.clone();
        self.note(&name, format_args!("starts as process {process}"));
        let config_end = self.config_end;
        let (config, status) = (self.config.clone(), self.status.clone());
        if let Some(host) = self.hosts.get_mut(worker) {
            host.config_read = config_end;
            host.status_read = status.len();
        }
        for input in [
            HerderInput::ConfigRecords(config),
            HerderInput::StatusRecords(status),
            HerderInput::Loaded,
        ] {
            self.input(worker, process, input);
        }
    }

    pub(super) fn leader(&self) -> Option<usize> {
        let leads = |host: &Host| {
            host.herder
                .as_ref()
                .is_some_and(DistributedHerder::is_leader)
        };
        self.hosts
            .iter()
            .position(|host| leads(host) && !host.frozen)
    }
}
