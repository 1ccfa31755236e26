//! The actor that owns the herder: news in, effects out. It never waits for anything but news and timers, so
//! heartbeats and requests go on whatever connectors and tasks do.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use milena_core::{
    ConnectorName, Effects, Now, TaskId, Token, WallClock,
    cluster::{KeyValue, SessionKey},
    herder::{
        Answer, DistributedHerder, HerderEffect, HerderInput, Incarnation, InstanceEffect, Outcome,
        RequestId,
    },
    status::StatusRecord,
};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info, warn};

use super::{
    connector_host::{ConnectorCommand, start_connector},
    hosts::{Ask, Hosts, News},
    task_host::{TaskCommand, TaskRun},
};

/// What a worker's surroundings do for the herder: topics and group, or memory in standalone mode.
/// Everything is begun at once and answered by news.
pub(super) trait Surroundings: Send {
    /// Carries a network request of the membership.
    fn network(&mut self, effect: milena_core::group::membership::Effect);
    /// Appends to the config topic.
    fn write_config(&mut self, token: Token, records: Vec<KeyValue>, transactional: bool);
    /// Reads the config topic to its end.
    fn read_config_to_end(&mut self, token: Token);
    /// Claims the leader's write privilege.
    fn claim(&mut self, token: Token);
    /// Writes a status soon.
    fn write_status(&mut self, record: &StatusRecord);
    /// Waits for the statuses written so far.
    fn flush_status(&mut self, token: Token);
    /// Makes a session key.
    fn session_key(&mut self, token: Token);
    /// Anything else: requests to other workers, fencing, validation.
    fn other(&mut self, effect: HerderEffect);
}

/// What others may see of the worker at any time, without asking the actor.
#[derive(Clone, Debug)]
pub(super) struct Glimpse {
    pub(super) stage: String,
    pub(super) since: SystemTime,
    pub(super) is_leader: bool,
    pub(super) ready: bool,
}

impl Default for Glimpse {
    fn default() -> Self {
        Self {
            stage: "awaiting startup".to_owned(),
            since: SystemTime::now(),
            is_leader: false,
            ready: false,
        }
    }
}

pub(super) struct Shell<S> {
    pub(super) herder: DistributedHerder,
    pub(super) hosts: Arc<Hosts>,
    /// Absent while the worker starts: until then the herder only answers what it can from what it has read.
    surroundings: Option<S>,
    origin: Instant,
    glimpse: watch::Sender<Glimpse>,
    session_key: watch::Sender<Option<SessionKey>>,
    connectors: BTreeMap<ConnectorName, (Incarnation, mpsc::Sender<ConnectorCommand>)>,
    tasks: BTreeMap<TaskId, (Incarnation, mpsc::Sender<TaskCommand>)>,
    answers: BTreeMap<RequestId, oneshot::Sender<Answer>>,
    last_request: u64,
    stopped: bool,
}

impl<S: Surroundings> Shell<S> {
    pub(super) fn new(
        herder: DistributedHerder,
        hosts: Arc<Hosts>,
        session_key: watch::Sender<Option<SessionKey>>,
    ) -> (Self, watch::Receiver<Glimpse>) {
        let (glimpse, seen) = watch::channel(Glimpse::default());
        let shell = Self {
            herder,
            surroundings: None,
            origin: hosts.world.lease.origin(),
            hosts,
            glimpse,
            session_key,
            connectors: BTreeMap::new(),
            tasks: BTreeMap::new(),
            answers: BTreeMap::new(),
            last_request: 0,
            stopped: false,
        };
        (shell, seen)
    }

    /// Runs until the worker has stopped. The surroundings come when the internal topics have been read.
    pub(super) async fn run(
        mut self,
        mut news: mpsc::Receiver<News>,
        mut looks: mpsc::Receiver<Ask>,
        mut surroundings: oneshot::Receiver<S>,
    ) {
        while !self.stopped {
            let now = self.now();
            let input = match self.herder.deadline(now) {
                Some(at) if at <= now => Some(HerderInput::Tick),
                deadline => {
                    let wait = deadline.map_or(Duration::from_secs(60), |at| at.since(now));
                    tokio::select! {
                        biased;
                        item = news.recv() => match item {
                            Some(item) => Some(self.input(item)),
                            None => return,
                        },
                        Some(ask) = looks.recv() => Some(self.asked(ask)),
                        Ok(ready) = &mut surroundings, if self.surroundings.is_none() => {
                            self.surroundings = Some(ready);
                            Some(HerderInput::Loaded)
                        }
                        () = tokio::time::sleep(wait) => Some(HerderInput::Tick),
                    }
                }
            };
            if let Some(input) = input {
                self.step(input);
            }
            // News that are there go before the next look at the clock. When thousands of tasks move they are many: who
            // only looks does not wait for all of them, nor do they wait for all who look.
            loop {
                for _ in 0..looks.len() {
                    if let Ok(ask) = looks.try_recv() {
                        let input = self.asked(ask);
                        self.step(input);
                    }
                }
                let Ok(item) = news.try_recv() else { break };
                let input = self.input(item);
                self.step(input);
            }
            self.show();
        }
    }

    fn now(&self) -> Now {
        Now::since_start(self.origin.elapsed())
    }

    fn input(&mut self, news: News) -> HerderInput {
        match news {
            News::ConfigRecords(records) => HerderInput::ConfigRecords(records),
            News::StatusRecords(records) => HerderInput::StatusRecords(records),
            News::Network(input) => HerderInput::Network(input),
            News::Connector {
                name,
                incarnation,
                event,
            } => {
                self.hosts.metrics.connector(&name, incarnation, &event);
                HerderInput::Connector {
                    name,
                    incarnation,
                    event,
                }
            }
            News::Task {
                id,
                incarnation,
                event,
            } => {
                self.hosts.metrics.task(incarnation, &event);
                HerderInput::Task {
                    id,
                    incarnation,
                    event,
                }
            }
            News::Outcome { token, outcome } => HerderInput::Outcome { token, outcome },
            News::Ask(ask) => self.asked(ask),
            News::Stop => HerderInput::Stop,
        }
    }

    fn asked(&mut self, ask: Ask) -> HerderInput {
        self.last_request += 1;
        let id = RequestId(self.last_request);
        self.answers.insert(id, ask.reply);
        HerderInput::Request {
            id,
            request: ask.request,
        }
    }

    fn step(&mut self, input: HerderInput) {
        let since_epoch = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let mut effects = Effects::new();
        let now = self.now();
        self.herder.step(
            now,
            WallClock::since_epoch(since_epoch),
            input,
            &mut effects,
        );
        let until = self.herder.fence_at().map(|at| at.elapsed());
        self.hosts.world.lease.set(until);
        for effect in effects {
            self.execute(effect);
        }
    }

    fn execute(&mut self, effect: HerderEffect) {
        match effect {
            HerderEffect::Instance(act) => self.instance(act),
            HerderEffect::GenerateTaskConfigs {
                token,
                name,
                incarnation,
            } => self.generate(token, &name, incarnation),
            HerderEffect::Answer { id, answer } => {
                if let Some(reply) = self.answers.remove(&id) {
                    // Whoever asked may have given up.
                    let _ = reply.send(answer);
                }
            }
            HerderEffect::Warn(text) => warn!("{text}"),
            HerderEffect::Note(text) => info!("{text}"),
            HerderEffect::GroupFailed { error } => {
                error!(
                    error,
                    "the group cannot be used; the worker does nothing until it can"
                );
            }
            HerderEffect::Stopped => self.stopped = true,
            outward => match &mut self.surroundings {
                Some(surroundings) => surround(surroundings, outward),
                None => warn!(?outward, "an act before the worker has its surroundings"),
            },
        }
    }

    fn generate(&mut self, token: Token, name: &ConnectorName, incarnation: Incarnation) {
        let host = self
            .connectors
            .get(name)
            .filter(|(of, _)| *of == incarnation);
        let sent = host.map(|(_, host)| host.try_send(ConnectorCommand::Generate(token)));
        if !matches!(sent, Some(Ok(()))) {
            let outcome = Outcome::Failed("the connector does not take commands".to_owned());
            self.soon(News::Outcome { token, outcome });
        }
    }

    fn instance(&mut self, act: InstanceEffect) {
        self.hosts.metrics.act(&act);
        match act {
            InstanceEffect::StartConnector {
                name,
                incarnation,
                config,
                target,
            } => {
                let hosts = Arc::clone(&self.hosts);
                let host = start_connector(hosts, name.clone(), incarnation, config, target);
                self.connectors.insert(name, (incarnation, host));
            }
            InstanceEffect::TargetConnector { name, target, .. } => {
                let command = ConnectorCommand::Target(target);
                self.command_connector(&name, command);
            }
            InstanceEffect::StopConnector { name, .. } => {
                self.command_connector(&name, ConnectorCommand::Stop);
                self.connectors.remove(&name);
            }
            InstanceEffect::StartTask {
                id,
                incarnation,
                connector_config,
                task_config,
                generation,
                target,
            } => {
                let tasks = self.herder.cluster().task_count(id.connector.as_str());
                let tasks = usize::try_from(tasks).unwrap_or(usize::MAX);
                let run = TaskRun {
                    hosts: Arc::clone(&self.hosts),
                    id: id.clone(),
                    incarnation,
                    connector_config,
                    task_config,
                    generation,
                    target,
                    tasks,
                };
                self.tasks.insert(id, (incarnation, run.start()));
            }
            InstanceEffect::TargetTask { id, target, .. } => {
                if let Some((_, host)) = self.tasks.get(&id) {
                    command_task(host, TaskCommand::Target(target));
                }
            }
            InstanceEffect::StopTask { id, .. } => {
                if let Some((_, host)) = self.tasks.remove(&id) {
                    command_task(&host, TaskCommand::Stop);
                }
            }
        }
    }

    fn command_connector(&self, name: &ConnectorName, command: ConnectorCommand) {
        if let Some((_, host)) = self.connectors.get(name)
            && let Err(mpsc::error::TrySendError::Full(command)) = host.try_send(command)
        {
            // A connector that hangs in a call and is told more than it ever should be.
            warn!(connector = %name, ?command, "the connector does not take commands");
        }
    }

    fn soon(&self, news: News) {
        let hosts = Arc::clone(&self.hosts);
        tokio::spawn(async move { hosts.send(news).await });
    }

    fn show(&self) {
        let ours = |id: &TaskId| self.herder.owns_task(id);
        self.hosts.metrics.group(self.herder.group_view(), ours);
        let stage = self.herder.stage();
        let is_leader = self.herder.is_leader();
        let ready = self.herder.has_joined();
        self.glimpse.send_if_modified(|seen| {
            let changed =
                seen.stage != stage || seen.is_leader != is_leader || (ready && !seen.ready);
            if changed {
                if seen.stage != stage {
                    seen.since = SystemTime::now();
                }
                seen.stage = stage;
                seen.is_leader = is_leader;
                seen.ready |= ready;
            }
            changed
        });
        let key = self.herder.cluster().session_key();
        self.session_key.send_if_modified(|seen| {
            let changed = seen.as_ref() != key;
            if changed {
                *seen = key.cloned();
            }
            changed
        });
    }
}

fn command_task(host: &mpsc::Sender<TaskCommand>, command: TaskCommand) {
    // A full channel cannot be: a task's host always takes commands. A closed one: the task is over already.
    if let Err(mpsc::error::TrySendError::Full(command)) = host.try_send(command) {
        warn!(?command, "a task does not take commands");
    }
}

fn surround(surroundings: &mut impl Surroundings, effect: HerderEffect) {
    match effect {
        HerderEffect::Network(effect) => surroundings.network(effect),
        HerderEffect::WriteConfig {
            token,
            records,
            transactional,
        } => surroundings.write_config(token, records, transactional),
        HerderEffect::ReadConfigToEnd { token } => surroundings.read_config_to_end(token),
        HerderEffect::ClaimPrivilege { token } => surroundings.claim(token),
        HerderEffect::WriteStatus(record) => surroundings.write_status(&record),
        HerderEffect::FlushStatus { token } => surroundings.flush_status(token),
        HerderEffect::GenerateSessionKey { token } => surroundings.session_key(token),
        other => surroundings.other(other),
    }
}
