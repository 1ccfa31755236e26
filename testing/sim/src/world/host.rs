//! A machine with a worker process on it, and its connection to everything else.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use milena_core::{
    Token,
    group::{
        connect::WorkerSettings,
        membership::{Effect, Settings},
        protocol::connect::ConnectProtocol,
    },
    herder::{DistributedHerder, ExactlyOnceMode, HerderInput, HerderSettings, Incarnation},
};

use crate::coordinator::ReplyTo;

/// What the network between a worker and the brokers does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// It carries.
    Up,
    /// Nothing passes either way.
    Cut,
    /// Requests vanish.
    RequestsLost,
    /// Answers vanish: what was asked has happened.
    AnswersLost,
}

/// A request of the membership that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Find,
    Join,
    Sync,
    Heartbeat,
    Leave,
}

/// A run of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Which set of task configurations a task was started with.
    pub(super) set: u64,
    /// Told to end.
    pub(super) stopping: bool,
}

/// One worker.
pub(super) struct Host {
    pub(super) name: String,
    pub(super) url: String,
    /// Tells the processes that ran on this machine apart: what is under way for an old one is lost.
    pub(super) process: u32,
    pub(super) herder: Option<DistributedHerder>,
    /// SIGSTOP: what arrives waits.
    pub(super) frozen: bool,
    pub(super) backlog: Vec<HerderInput>,
    pub(super) link: Link,
    /// Added to each delay.
    pub(super) slow: u64,
    /// Messages lost, of a thousand.
    pub(super) loss: u64,
    /// The config topic cannot be read from here.
    pub(super) blind: bool,
    /// By name of the connector or task and run.
    pub(super) runs: BTreeMap<(String, Incarnation), Run>,
    pub(super) requests: BTreeMap<Token, Kind>,
    pub(super) outcomes: BTreeSet<Token>,
    pub(super) config_read: i64,
    /// Statuses that wait for the link: the producer tries again.
    pub(super) outbox: Vec<milena_core::cluster::KeyValue>,
    pub(super) status_read: usize,
    pub(super) tick_at: Option<u64>,
    /// When the last JoinGroup arrives: the next one is behind it, as the shell promises.
    pub(super) joins_arrive: u64,
    /// A JoinGroup that the broker has not read, and whose connection is gone.
    pub(super) held_join: Option<(ReplyTo, Box<Effect>)>,
    /// When the last report of a plugin arrives: they come in order.
    pub(super) reports_arrive: u64,
    /// Ticks in a row without time passing between them.
    pub(super) spins: u32,
}

/// How the cluster of a history is configured.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) protocol: ConnectProtocol,
    pub(super) delay_max: Duration,
    pub(super) exactly_once: ExactlyOnceMode,
}

impl Host {
    pub(super) fn new(number: usize) -> Self {
        Self {
            name: format!("worker-{number}"),
            url: format!("http://worker-{number}:8083/"),
            process: 0,
            herder: None,
            frozen: false,
            backlog: Vec::new(),
            link: Link::Up,
            slow: 0,
            loss: 0,
            blind: false,
            runs: BTreeMap::new(),
            requests: BTreeMap::new(),
            outcomes: BTreeSet::new(),
            config_read: 0,
            outbox: Vec::new(),
            status_read: 0,
            tick_at: None,
            joins_arrive: 0,
            held_join: None,
            reports_arrive: 0,
            spins: 0,
        }
    }

    /// A new process; nothing of the old one is left.
    pub(super) fn start(&mut self, cluster: &Cluster) {
        self.kill();
        let settings = HerderSettings {
            worker_id: format!("{}:8083", self.name),
            group_id: "cluster".to_owned(),
            exactly_once: cluster.exactly_once,
            key_ttl: Duration::from_secs(3600),
            key_algorithm: "HmacSHA256".to_owned(),
            key_bytes: None,
            topic_tracking: true,
            topic_tracking_reset: true,
            rebalance_delay_max: cluster.delay_max,
            task_restarts: None,
        };
        let group = WorkerSettings {
            membership: Settings::connect(),
            protocol: cluster.protocol,
            url: self.url.clone(),
            scheduled_rebalance_max_delay: cluster.delay_max,
        };
        self.herder = Some(DistributedHerder::new(settings, group));
    }

    /// kill -9.
    pub(super) fn kill(&mut self) {
        self.process += 1;
        self.herder = None;
        self.frozen = false;
        self.backlog.clear();
        self.runs.clear();
        self.requests.clear();
        self.outcomes.clear();
        self.config_read = 0;
        self.outbox.clear();
        self.status_read = 0;
        self.tick_at = None;
        self.spins = 0;
    }

    pub(super) const fn is_running(&self) -> bool {
        self.herder.is_some()
    }
}
