//! The handle of a running task, and what the task reports.

use std::time::Duration;

use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use milena_core::TaskId;

use super::TaskTarget;

/// Something a task tells its host. Order is that of happening.
#[derive(Clone, Debug)]
pub enum TaskEvent {
    /// It is started and works.
    Running,
    /// It does nothing until resumed.
    Paused,
    /// It works again after a pause.
    Resumed,
    /// It used this topic for the first time (KIP-558).
    TopicUsed(String),
    /// It is over because of a failure; the text is the trace for its status. Nothing of it runs any more.
    Failed(String),
    /// It is over because it was asked to stop.
    Stopped,
}

/// An event with the task it is of, and the incarnation that the host gave when it started it.
#[derive(Clone, Debug)]
pub struct TaskReport {
    /// The task.
    pub id: TaskId,
    /// What the host passed to `start_task`, so that a late report of an earlier run is told apart.
    pub incarnation: u64,
    /// What happened.
    pub event: TaskEvent,
}

/// Reaches a running task. Dropping it cancels the task.
pub struct TaskHandle {
    pub(super) id: TaskId,
    pub(super) target: watch::Sender<TaskTarget>,
    pub(super) stopping: CancellationToken,
    pub(super) cancelled: CancellationToken,
    pub(super) join: JoinHandle<()>,
}

impl TaskHandle {
    /// The task.
    #[must_use]
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// Pauses or resumes; returns at once.
    pub fn set_target(&self, target: TaskTarget) {
        self.target
            .send_if_modified(|now| std::mem::replace(now, target) != target);
    }

    /// Begins a clean stop; returns at once.
    pub fn begin_stop(&self) {
        self.stopping.cancel();
    }

    /// Waits until the task is over, at most until the deadline; then cancels it (offsets that are not
    /// committed by then are not committed any more). Answers whether it ended in time.
    pub async fn stopped(mut self, within: Duration) -> bool {
        self.stopping.cancel();
        if tokio::time::timeout(within, &mut self.join).await.is_ok() {
            return true;
        }
        self.cancelled.cancel();
        false
    }
}

impl Drop for TaskHandle {
    fn drop(&mut self) {
        self.stopping.cancel();
        self.cancelled.cancel();
    }
}
