//! What goes wrong, and how it heals. Each history has its own selection, so that rare pairs meet often.

use milena_core::herder::HerderInput;

use super::{
    engine::{Event, World},
    host::Link,
};
use crate::rng::Rng;

/// The faults of one history.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent switch of a history"
)]
pub(super) struct Faults {
    pub(super) kills: bool,
    pub(super) stops: bool,
    pub(super) freezes: bool,
    pub(super) cuts: bool,
    pub(super) halves: bool,
    pub(super) slow: bool,
    pub(super) loss: bool,
    pub(super) duplicates: bool,
    pub(super) coordinator: bool,
    pub(super) blind: bool,
    pub(super) plugins: bool,
    /// The mean time between two, in milliseconds.
    pub(super) pause: u64,
}

impl Faults {
    /// Nothing goes wrong by itself.
    pub(super) fn none() -> Self {
        Self {
            kills: false,
            stops: false,
            freezes: false,
            cuts: false,
            halves: false,
            slow: false,
            loss: false,
            duplicates: false,
            coordinator: false,
            blind: false,
            plugins: false,
            pause: 60_000,
        }
    }

    pub(super) fn choose(rng: &mut Rng) -> Self {
        let mut coin = || rng.permille(500);
        Self {
            kills: coin(),
            stops: coin(),
            freezes: coin(),
            cuts: coin(),
            halves: coin(),
            slow: coin(),
            loss: coin(),
            duplicates: coin(),
            coordinator: coin(),
            blind: coin(),
            plugins: coin(),
            pause: rng
                .pick(&[3_000, 15_000, 60_000])
                .copied()
                .unwrap_or(15_000),
        }
    }
}

impl World {
    pub(super) fn fault(&mut self) {
        if self.healed {
            return;
        }
        let pause = self.rng.between(100, 2 * self.faults.pause);
        self.after(pause, Event::Fault);
        let running: Vec<usize> = (0..self.hosts.len())
            .filter(|w| self.hosts.get(*w).is_some_and(|h| h.is_running()))
            .collect();
        let Some(worker) = self.rng.pick(&running).copied() else {
            return;
        };
        let long = self.rng.permille(200);
        let lasts = self.rng.between(200, if long { 90_000 } else { 15_000 });
        let faults = self.faults.clone();
        let choice = self.rng.between(0, 8);
        let Some(host) = self.hosts.get_mut(worker) else {
            return;
        };
        let process = host.process;
        let what = match choice {
            0 if faults.kills => {
                host.kill();
                self.after(lasts, Event::Start { worker });
                "kills"
            }
            1 if faults.stops => {
                self.input(worker, process, HerderInput::Stop);
                "stops asked for"
            }
            2 if faults.freezes && !host.frozen => {
                host.frozen = true;
                self.after(lasts, Event::Thaw { worker, process });
                "freezes"
            }
            3 if faults.cuts => {
                host.link = Link::Cut;
                self.after(lasts, Event::Mend { worker });
                "cuts"
            }
            4 if faults.halves => {
                host.link = if lasts.is_multiple_of(2) {
                    Link::RequestsLost
                } else {
                    Link::AnswersLost
                };
                self.after(lasts, Event::Mend { worker });
                "half cuts"
            }
            5 if faults.slow => {
                host.slow = 4_000;
                self.after(lasts, Event::Mend { worker });
                "slow links"
            }
            6 if faults.loss => {
                host.loss = 100;
                self.after(lasts, Event::Mend { worker });
                "lossy links"
            }
            7 if faults.coordinator => {
                self.coordinator_away_until = self.now + lasts.min(20_000);
                "coordinator outages"
            }
            8 if faults.blind => {
                host.blind = true;
                self.after(lasts, Event::Mend { worker });
                "blind workers"
            }
            _ => return,
        };
        self.seen(what);
        let name = format!("worker-{worker}");
        self.note("fault", format_args!("{what}: {name} for {lasts} ms"));
    }

    pub(super) fn mend(&mut self, worker: usize) {
        let Some(host) = self.hosts.get_mut(worker) else {
            return;
        };
        host.link = Link::Up;
        host.slow = 0;
        host.loss = 0;
        host.blind = false;
        self.note("mend", format_args!("worker-{worker}"));
        self.flush_statuses(worker);
        self.tail_soon(worker);
    }

    /// SIGCONT: what waited arrives, all at once and late.
    pub(super) fn thaw(&mut self, worker: usize, process: u32) {
        let Some(host) = self.host(worker, process) else {
            return;
        };
        if !host.frozen {
            return;
        }
        host.frozen = false;
        let mut backlog = std::mem::take(&mut host.backlog);
        self.note("thaw", format_args!("worker-{worker}"));
        // A timer of the process may fire before it looks at its sockets, or after.
        if backlog.is_empty() || self.rng.permille(500) {
            backlog.insert(0, HerderInput::Tick);
        }
        for input in backlog {
            self.input(worker, process, input);
        }
        self.tail_soon(worker);
    }

    pub(super) fn heal(&mut self) {
        self.healed = true;
        self.faults.duplicates = false;
        self.faults.plugins = false;
        self.coordinator_away_until = 0;
        self.note("heal", format_args!("everything"));
        for worker in 0..self.hosts.len() {
            self.mend(worker);
            if let Some(process) = self.hosts.get(worker).map(|host| host.process) {
                self.thaw(worker, process);
            }
            self.after(1, Event::Start { worker });
        }
        self.after(1, Event::Coordinator);
    }
}
