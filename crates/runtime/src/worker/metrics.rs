//! What a worker measures of itself: its connectors, starts, rounds of the group (`Worker.WorkerMetricsGroup`,
//! `ConnectorMetricsGroup`, `DistributedHerder.HerderMetrics`; spec `data.md` 6.2). The shell tells it; whoever asks
//! gets a page.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use milena_core::{
    ConnectorName, TaskId,
    cluster::TargetState,
    herder::{ConnectorEvent, GroupView, Incarnation, InstanceEffect, TaskEvent},
};
use milena_kafka::ports::{ClientMetric, ClientReading, KafkaClients};
use milena_registry::Registry;
use milena_telemetry::metrics::{
    Average, Bean, ClientAttribute, Maximum, Reading, Shares, Windows, render,
};

use super::coordinator_metrics::CoordinatorMetrics;
use crate::task::{TaskMetricsBook, TaskState};

/// One per worker.
pub(super) struct WorkerMetrics {
    /// The host and port that name this worker.
    id: String,
    version: &'static str,
    started: SystemTime,
    registry: Arc<Registry>,
    clients: Arc<dyn KafkaClients>,
    tasks: Arc<TaskMetricsBook>,
    /// Of the group, in a distributed worker.
    pub(super) coordinator: Arc<CoordinatorMetrics>,
    state: Mutex<State>,
}

struct State {
    connectors: BTreeMap<ConnectorName, Connector>,
    /// Runs of which nothing was heard yet.
    starting: BTreeSet<Incarnation>,
    connector_starts: Starts,
    task_starts: Starts,
    group: Option<GroupView>,
    completed: u64,
    begun: Option<Instant>,
    ended: Option<Instant>,
    round_max: Maximum,
    round_avg: Average,
}

struct Connector {
    incarnation: Incarnation,
    class: String,
    kind: &'static str,
    version: String,
    status: &'static str,
}

struct Starts {
    good: u64,
    bad: u64,
    shares: Shares,
}

impl Starts {
    fn new(windows: Windows) -> Self {
        Self {
            good: 0,
            bad: 0,
            shares: Shares::new(windows),
        }
    }

    fn note(&mut self, good: bool) {
        *(if good { &mut self.good } else { &mut self.bad }) += 1;
        self.shares.record(Instant::now(), good);
    }

    fn show(&self, bean: &mut Bean, now: Instant, names: [&'static str; 5]) {
        let [attempts, good, bad, good_share, bad_share] = names;
        let (success, failure) = self.shares.value(now);
        bean.count(attempts, self.good + self.bad);
        bean.count(good, self.good);
        bean.count(bad, self.bad);
        bean.number(good_share, success);
        bean.number(bad_share, failure);
    }
}

const CONNECTOR_STARTS: [&str; 5] = [
    "connector-startup-attempts-total",
    "connector-startup-success-total",
    "connector-startup-failure-total",
    "connector-startup-success-percentage",
    "connector-startup-failure-percentage",
];
const TASK_STARTS: [&str; 5] = [
    "task-startup-attempts-total",
    "task-startup-success-total",
    "task-startup-failure-total",
    "task-startup-success-percentage",
    "task-startup-failure-percentage",
];

impl WorkerMetrics {
    pub(super) fn new(
        id: String,
        version: &'static str,
        registry: Arc<Registry>,
        clients: Arc<dyn KafkaClients>,
        tasks: Arc<TaskMetricsBook>,
    ) -> Self {
        let windows = tasks.windows();
        Self {
            id,
            version,
            started: SystemTime::now(),
            registry,
            clients,
            tasks,
            coordinator: Arc::new(CoordinatorMetrics::new(windows)),
            state: Mutex::new(State {
                connectors: BTreeMap::new(),
                starting: BTreeSet::new(),
                connector_starts: Starts::new(windows),
                task_starts: Starts::new(windows),
                group: None,
                completed: 0,
                begun: None,
                ended: None,
                round_max: Maximum::new(windows),
                round_avg: Average::new(windows),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The herder asks for this.
    pub(super) fn act(&self, act: &InstanceEffect) {
        let mut state = self.state();
        match act {
            InstanceEffect::StartConnector {
                name,
                incarnation,
                config,
                ..
            } => {
                let class = config.get("connector.class").cloned().flatten();
                let class = class.unwrap_or_default();
                let plugin = self.registry.connector(&class).ok();
                let kind = match &plugin {
                    Some(plugin) if plugin.is_source() => "source",
                    Some(_) => "sink",
                    None => "unknown",
                };
                let connector = Connector {
                    incarnation: *incarnation,
                    kind,
                    version: plugin.map_or("unknown", |p| p.version()).to_owned(),
                    class: plugin.map_or(class, |p| p.class().to_owned()),
                    status: "unassigned",
                };
                state.starting.insert(*incarnation);
                state.connectors.insert(name.clone(), connector);
            }
            InstanceEffect::StopConnector { name, incarnation } => {
                state.starting.remove(incarnation);
                state.connectors.remove(name);
            }
            InstanceEffect::StartTask { incarnation, .. } => {
                state.starting.insert(*incarnation);
            }
            InstanceEffect::StopTask { incarnation, .. } => {
                state.starting.remove(incarnation);
            }
            InstanceEffect::TargetConnector { .. } | InstanceEffect::TargetTask { .. } => {}
        }
    }

    /// A connector reports this.
    pub(super) fn connector(
        &self,
        name: &ConnectorName,
        incarnation: Incarnation,
        event: &ConnectorEvent,
    ) {
        let (good, status) = match event {
            ConnectorEvent::Reached { target, .. } => (true, word(*target)),
            ConnectorEvent::Failed { .. } => (false, "failed"),
            ConnectorEvent::Reconfigure | ConnectorEvent::Ended { .. } => return,
        };
        let mut state = self.state();
        if state.starting.remove(&incarnation) {
            state.connector_starts.note(good);
        }
        if let Some(connector) = state.connectors.get_mut(name)
            && connector.incarnation == incarnation
        {
            connector.status = status;
        }
    }

    /// A task reports this.
    pub(super) fn task(&self, incarnation: Incarnation, event: &TaskEvent) {
        let good = match event {
            TaskEvent::Running { .. } | TaskEvent::Paused { .. } => true,
            TaskEvent::Failed { .. } => false,
            TaskEvent::TopicUsed(_) | TaskEvent::Ended { .. } => return,
        };
        let mut state = self.state();
        if state.starting.remove(&incarnation) {
            state.task_starts.note(good);
        }
    }

    /// The group as it is now, told after every step; `ours`: whether a task is still this worker's.
    pub(super) fn group(&self, view: GroupView, ours: impl Fn(&TaskId) -> bool) {
        let mut state = self.state();
        let now = Instant::now();
        match (view.is_stable, state.begun) {
            (false, None) => state.begun = Some(now),
            (true, Some(begun)) => {
                let took = now.saturating_duration_since(begun).as_secs_f64() * 1000.0;
                state.round_max.record(now, took);
                state.round_avg.record(now, took);
                state.completed += 1;
                state.begun = None;
                state.ended = Some(now);
                self.tasks.keep_failed(ours);
            }
            _ => {}
        }
        if state.group.as_ref() != Some(&view) {
            state.group = Some(view);
        }
    }

    /// The page of `GET /metrics`.
    pub(super) fn page(&self) -> String {
        let mut beans = self.beans();
        beans.extend(self.tasks.beans());
        render(&beans, &self.clients())
    }

    /// What the producers and consumers of the tasks and of the internal topics measure.
    fn clients(&self) -> Vec<ClientAttribute> {
        let metrics = self.clients.metrics().into_iter();
        let one = |metric: ClientMetric| ClientAttribute {
            domain: metric.domain,
            group: metric.group,
            tags: metric.tags,
            name: metric.name,
            reading: match metric.reading {
                ClientReading::Number(value) => Reading::Number(value),
                ClientReading::Text(text) => Reading::Text(text),
            },
        };
        metrics.map(one).collect()
    }

    fn beans(&self) -> Vec<Bean> {
        let tasks = self.tasks.states();
        let state = self.state();
        let now = Instant::now();
        let mut beans = vec![self.app_info()];
        let mut worker = Bean::new("connect-worker-metrics", Vec::new());
        worker.count("connector-count", state.connectors.len() as u64);
        worker.count("task-count", tasks.len() as u64);
        state
            .connector_starts
            .show(&mut worker, now, CONNECTOR_STARTS);
        state.task_starts.show(&mut worker, now, TASK_STARTS);
        beans.push(worker);
        beans.extend(task_counts(&tasks));
        for (name, connector) in &state.connectors {
            let tags = vec![("connector", name.as_str().to_owned())];
            let mut bean = Bean::new("connector-metrics", tags);
            bean.text("connector-class", connector.class.clone());
            bean.text("connector-type", connector.kind);
            bean.text("connector-version", connector.version.clone());
            bean.text("status", connector.status);
            beans.push(bean);
        }
        if let Some(group) = &state.group {
            beans.push(state.rebalances(group, now));
            let tags = vec![("client-id", self.id.clone())];
            let mut bean = Bean::new("connect-coordinator-metrics", tags);
            bean.count("assigned-connectors", state.connectors.len() as u64);
            bean.count("assigned-tasks", tasks.len() as u64);
            self.coordinator.show(&mut bean, now);
            beans.push(bean);
        }
        beans
    }

    fn app_info(&self) -> Bean {
        let mut bean = Bean::new("app-info", vec![("client-id", self.id.clone())]);
        let since = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        bean.text("version", self.version);
        bean.number("start-time-ms", (since.as_secs_f64() * 1000.0).floor());
        bean
    }
}

impl State {
    fn rebalances(&self, group: &GroupView, now: Instant) -> Bean {
        let mut bean = Bean::new("connect-worker-rebalance-metrics", Vec::new());
        if let Some(protocol) = group.protocol {
            bean.text("connect-protocol", protocol.name().to_uppercase());
        }
        if let Some(leader) = &group.leader_url {
            bean.text("leader-name", leader.clone());
        }
        let since = |at: Instant| now.saturating_duration_since(at);
        let last = self.ended.map_or(f64::INFINITY, |at| millis(since(at)));
        bean.number("epoch", f64::from(group.generation));
        bean.count("completed-rebalances-total", self.completed);
        bean.number("rebalancing", if self.begun.is_some() { 1.0 } else { 0.0 });
        bean.number("rebalance-max-time-ms", self.round_max.value(now));
        bean.number("rebalance-avg-time-ms", self.round_avg.value(now));
        bean.number("time-since-last-rebalance-ms", last);
        bean
    }
}

/// The tasks of this worker by connector and state.
fn task_counts(tasks: &[(TaskId, TaskState)]) -> Vec<Bean> {
    let mut connectors: BTreeMap<&ConnectorName, Vec<TaskState>> = BTreeMap::new();
    for (id, state) in tasks {
        connectors.entry(&id.connector).or_default().push(*state);
    }
    let counted = connectors.into_iter().map(|(name, states)| {
        let of = |wanted| states.iter().filter(|state| **state == wanted).count() as u64;
        let tags = vec![("connector", name.as_str().to_owned())];
        let mut bean = Bean::new("connect-worker-metrics", tags);
        bean.count("connector-total-task-count", states.len() as u64);
        bean.count("connector-running-task-count", of(TaskState::Running));
        bean.count("connector-paused-task-count", of(TaskState::Paused));
        bean.count("connector-failed-task-count", of(TaskState::Failed));
        bean.count("connector-unassigned-task-count", of(TaskState::Unassigned));
        bean.count("connector-destroyed-task-count", 0);
        bean.count("connector-restarting-task-count", 0);
        bean
    });
    counted.collect()
}

fn word(target: TargetState) -> &'static str {
    match target {
        TargetState::Started => "running",
        TargetState::Paused => "paused",
        TargetState::Stopped => "stopped",
    }
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).floor()
}
