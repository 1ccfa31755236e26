//! Runs one task for the herder: resolves its configuration, starts it, stops it within the grace period.

use std::sync::Arc;

use async_trait::async_trait;
use milena_api::ConnectError;
use milena_core::{
    TaskId,
    cluster::{RawProps, TargetState},
    herder::{Incarnation, Request, RequestError, TaskEvent},
};
use tokio::sync::mpsc;
use tracing::{Instrument as _, info, warn};

use super::{hosts::Hosts, tasks_max::check_tasks_max};
use crate::task::{
    self, ExactlyOnce, StartGate, TaskHandle, TaskReport, TaskSpec, TaskTarget, start_task,
};

/// Commands that may wait; more than the herder ever sends to one run.
const COMMANDS: usize = 64;
/// Reports that may wait.
const REPORTS: usize = 16;

/// What the herder asks of a running task.
#[derive(Debug)]
pub(super) enum TaskCommand {
    Target(TargetState),
    Stop,
}

/// What a task's run needs.
pub(super) struct TaskRun {
    pub(super) hosts: Arc<Hosts>,
    pub(super) id: TaskId,
    pub(super) incarnation: Incarnation,
    pub(super) connector_config: Arc<RawProps>,
    pub(super) task_config: Arc<RawProps>,
    pub(super) generation: Option<u32>,
    pub(super) target: TargetState,
    /// How many tasks the connector has.
    pub(super) tasks: usize,
}

impl TaskRun {
    /// Begins the run.
    pub(super) fn start(self) -> mpsc::Sender<TaskCommand> {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let span = milena_telemetry::task_span(self.id.connector.as_str(), self.id.task);
        let (hosts, id, incarnation) = (Arc::clone(&self.hosts), self.id.clone(), self.incarnation);
        let run = tokio::spawn(self.run(receiver).instrument(span));
        // A host that dies takes its task along; the herder must hear of it, or the status would lie for ever.
        tokio::spawn(async move {
            if let Err(died) = run.await {
                let error = ConnectError::connect(format!("the host of task {id} died: {died}"));
                let (trace, version) = (error.trace(), None);
                let failed = TaskEvent::Failed { trace, version };
                hosts.task(id, incarnation, failed).await;
            }
        });
        commands
    }

    async fn run(self, mut commands: mpsc::Receiver<TaskCommand>) {
        let (reports, mut reported) = mpsc::channel(REPORTS);
        let mut target = self.target;
        let begun = {
            let mut begin = std::pin::pin!(self.begin(reports));
            loop {
                tokio::select! {
                    biased;
                    command = commands.recv() => match command {
                        Some(TaskCommand::Target(newer)) => target = newer,
                        Some(TaskCommand::Stop) | None => break None,
                    },
                    begun = &mut begin => break Some(begun),
                }
            }
        };
        let (handle, version) = match begun {
            Some(Ok(begun)) => begun,
            Some(Err(error)) => {
                let (trace, version) = (error.trace(), None);
                self.tell(TaskEvent::Failed { trace, version }).await;
                return;
            }
            None => {
                self.tell(TaskEvent::Ended { version: None }).await;
                return;
            }
        };
        handle.set_target(task_target(target));
        loop {
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(TaskCommand::Target(target)) => handle.set_target(task_target(target)),
                    Some(TaskCommand::Stop) | None => break,
                },
                report = reported.recv() => match report {
                    Some(report) => if self.report(report, &version).await { return },
                    None => break,
                },
            }
        }
        self.stop(handle, reported, version).await;
    }

    async fn begin(
        &self,
        reports: mpsc::Sender<TaskReport>,
    ) -> Result<(TaskHandle, Option<String>), ConnectError> {
        let resolver = &self.hosts.resolver;
        let connector_config = resolver.resolve(&self.connector_config).await?;
        let task_config = resolver.resolve(&self.task_config).await?;
        check_tasks_max(&self.id.connector, self.tasks, &connector_config)?;
        let class = connector_config
            .get("connector.class")
            .map_or("", String::as_str);
        let plugin = self.hosts.registry.connector(class).map_err(|_| {
            // Java's words for a task whose connector's class is not there.
            ConnectError::connect(format!(
                "Failed to start task {} since it is not a recognizable type (source or sink)",
                self.id
            ))
        })?;
        let world = Arc::clone(&self.hosts.world);
        let gated = plugin.is_source() && world.exactly_once == ExactlyOnce::On;
        let gate = gated.then(|| {
            let gate: Arc<dyn StartGate> = Arc::new(Gate {
                hosts: Arc::clone(&self.hosts),
                id: self.id.clone(),
                generation: self.generation,
            });
            gate
        });
        let stores = &self.hosts.stores;
        let offsets = match plugin.is_source() {
            true => {
                let name = self.id.connector.as_str();
                stores.of(name, &connector_config).await?
            }
            false => stores.worker(),
        };
        let spec = TaskSpec {
            id: self.id.clone(),
            connector_config,
            task_config,
            target: task_target(self.target),
            gate,
            offsets,
            world,
        };
        let version = Some(plugin.version().to_owned());
        Ok((start_task(spec, self.incarnation.0, reports), version))
    }

    /// Passes a report on; answers whether the task is over.
    async fn report(&self, report: TaskReport, version: &Option<String>) -> bool {
        let version = version.clone();
        let (event, over) = match report.event {
            task::TaskEvent::Running | task::TaskEvent::Resumed => {
                (TaskEvent::Running { version }, false)
            }
            task::TaskEvent::Paused => (TaskEvent::Paused { version }, false),
            task::TaskEvent::TopicUsed(topic) => (TaskEvent::TopicUsed(topic), false),
            task::TaskEvent::Failed(trace) => {
                let first = trace.lines().next().unwrap_or_default();
                warn!(task = %self.id, error = first, "the task failed");
                (TaskEvent::Failed { trace, version }, true)
            }
            task::TaskEvent::Stopped => (TaskEvent::Ended { version }, true),
        };
        self.tell(event).await;
        over
    }

    async fn stop(
        self,
        handle: TaskHandle,
        mut reported: mpsc::Receiver<TaskReport>,
        version: Option<String>,
    ) {
        handle.begin_stop();
        // Reports must be taken while it stops, or a full channel would hold it.
        let drain = async {
            while let Some(report) = reported.recv().await {
                if self.report(report, &version).await {
                    return true;
                }
            }
            false
        };
        let within = self.hosts.graceful_stop;
        let ended = match tokio::time::timeout(within, drain).await {
            Ok(told) => told,
            Err(_) => {
                info!(task = %self.id, "the task did not stop within its grace period and is cancelled");
                false
            }
        };
        handle.stopped(std::time::Duration::ZERO).await;
        if !ended {
            self.tell(TaskEvent::Ended { version }).await;
        }
    }

    async fn tell(&self, event: TaskEvent) {
        self.hosts
            .task(self.id.clone(), self.incarnation, event)
            .await;
    }
}

fn task_target(target: TargetState) -> TaskTarget {
    match target {
        TargetState::Started => TaskTarget::Started,
        TargetState::Paused | TargetState::Stopped => TaskTarget::Paused,
    }
}

/// The worker's checks around the start of an exactly-once source task.
struct Gate {
    hosts: Arc<Hosts>,
    id: TaskId,
    generation: Option<u32>,
}

#[async_trait]
impl StartGate for Gate {
    async fn before_producer(&self) -> Result<(), ConnectError> {
        let request = Request::FenceBeforeStart(self.id.connector.clone());
        self.hosts.ask(request).await.map_err(refused)?;
        Ok(())
    }

    async fn after_producer(&self) -> Result<(), ConnectError> {
        self.hosts.read_config_to_end().await?;
        let request = Request::ConfirmTask {
            id: self.id.clone(),
            generation: self.generation,
        };
        self.hosts.ask(request).await.map_err(refused)?;
        Ok(())
    }
}

fn refused(error: RequestError) -> ConnectError {
    ConnectError::connect(error.to_string())
}
