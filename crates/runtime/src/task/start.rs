//! Starts tasks, each on a thread of its own, and contains their failures: an error, a panic or a call that never
//! returns ends the task alone.

use std::sync::Arc;

use milena_api::{ConnectError, TaskInstance};
use milena_core::TaskId;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    ExactlyOnce, TaskEvent, TaskHandle, TaskReport, TaskSpec, TaskTarget,
    metrics::{TaskMetrics, TaskState},
    sink, source,
    watch::CallWatch,
};
use crate::apart::apart;

/// What a running task has beside its specification.
pub(super) struct Running {
    pub(super) spec: TaskSpec,
    pub(super) target: watch::Receiver<TaskTarget>,
    pub(super) stopping: CancellationToken,
    /// The grace period is over: no commit and no report may follow.
    pub(super) cancelled: CancellationToken,
    pub(super) metrics: Arc<TaskMetrics>,
    pub(super) reports: Reports,
    pub(super) watch: CallWatch,
}

/// Tells the host what happens to the task.
#[derive(Clone)]
pub(super) struct Reports {
    id: TaskId,
    incarnation: u64,
    cancelled: CancellationToken,
    host: mpsc::Sender<TaskReport>,
    metrics: Arc<TaskMetrics>,
}

impl Reports {
    /// The last report of a task that does not come back from a call.
    async fn overdue(&self, error: ConnectError) {
        self.send(TaskEvent::Failed(error.trace())).await;
    }

    pub(super) async fn send(&self, event: TaskEvent) {
        if self.cancelled.is_cancelled() {
            return;
        }
        match &event {
            TaskEvent::Running | TaskEvent::Resumed => self.metrics.state(TaskState::Running),
            TaskEvent::Paused => self.metrics.state(TaskState::Paused),
            TaskEvent::Failed(_) => self.metrics.state(TaskState::Failed),
            TaskEvent::Stopped | TaskEvent::TopicUsed(_) => {}
        }
        let report = TaskReport {
            id: self.id.clone(),
            incarnation: self.incarnation,
            event,
        };
        // A host that is gone has no status to keep.
        let _ = self.host.send(report).await;
    }
}

/// Starts a task; what happens to it comes through `reports`, each with the given incarnation. Must be
/// called within a runtime.
#[must_use]
pub fn start_task(
    spec: TaskSpec,
    incarnation: u64,
    reports: mpsc::Sender<TaskReport>,
) -> TaskHandle {
    let id = spec.id.clone();
    let (target, receiver) = watch::channel(spec.target);
    let (stopping, cancelled) = (CancellationToken::new(), CancellationToken::new());
    let metrics = spec.world.metrics.open(&id);
    let reports = Reports {
        id: id.clone(),
        incarnation,
        cancelled: cancelled.clone(),
        host: reports,
        metrics: Arc::clone(&metrics),
    };
    let book = Arc::clone(&spec.world.metrics);
    let watch = CallWatch::new(spec.world.call_limit);
    let running = Running {
        watch: watch.clone(),
        spec,
        target: receiver,
        stopping: stopping.clone(),
        cancelled: cancelled.clone(),
        metrics: Arc::clone(&metrics),
        reports: reports.clone(),
    };
    let (over, name) = (reports, id.clone());
    let span = milena_telemetry::task_span(id.connector.as_str(), id.task);
    let work = apart(&format!("task-{id}"), run(running).instrument(span));
    let (killed, stop) = (cancelled.clone(), stopping.clone());
    let join = tokio::spawn(async move {
        let outcome = tokio::select! {
            outcome = work => outcome,
            error = watch.overdue() => {
                // It is over for everybody but its thread: no commit and no report of it may follow.
                stopping.cancel();
                over.overdue(error).await;
                killed.cancel();
                return;
            }
            // Its thread drops it, as soon as the plugin gives the thread back.
            () = killed.cancelled() => {
                book.close(&name, &metrics);
                return;
            }
        };
        // What failed is shown as failed until it is restarted or taken away.
        if matches!(outcome, Ok(Ok(()))) || over.cancelled.is_cancelled() {
            book.close(&name, &metrics);
        }
        over.send(match outcome {
            Ok(Ok(())) => TaskEvent::Stopped,
            Ok(Err(error)) => TaskEvent::Failed(error.trace()),
            Err(lost) => {
                TaskEvent::Failed(ConnectError::connect(format!("the task {lost}")).trace())
            }
        })
        .await;
    });
    TaskHandle {
        id,
        target,
        stopping: stop,
        cancelled,
        join,
    }
}

async fn run(running: Running) -> Result<(), ConnectError> {
    let class = running
        .spec
        .connector_config
        .get("connector.class")
        .cloned()
        .unwrap_or_default();
    let spec = &running.spec;
    super::clients::check(&spec.world, &spec.id, &spec.connector_config)?;
    let plugin = running.spec.world.registry.connector(&class);
    let plugin = Arc::clone(plugin.map_err(|error| ConnectError::connect(error.to_string()))?);
    let watch = running.watch.clone();
    match watch.over(plugin.task()?) {
        TaskInstance::Source(task) => {
            let exactly_once = running.spec.world.exactly_once == ExactlyOnce::On;
            running.metrics.is_source(exactly_once);
            source::run(running, task, || Ok(watch.over(plugin.task()?))).await
        }
        TaskInstance::Sink(task) => {
            running.metrics.is_sink();
            sink::run(running, task).await
        }
    }
}
