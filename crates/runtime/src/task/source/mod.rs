//! Source tasks: poll, transform, convert, produce, commit (spec `distributed.md` 3, 4).

mod at_least_once;
mod batch;
mod exactly_once;

use std::sync::Arc;

use milena_api::{ConnectError, SourceTask, SourceTaskContext};
use tokio::time::Instant;

use super::{
    ExactlyOnce, TaskEvent, TaskTarget, failing::ErrorPolicy, offset_reader::ConnectorOffsetReader,
    start::Running,
};

/// Runs a source task to its end. `Ok`: it was asked to stop.
pub(super) async fn run(
    mut running: Running,
    mut task: Box<dyn SourceTask>,
) -> Result<(), ConnectError> {
    // A task that starts paused is not even started until it is resumed.
    if *running.target.borrow() == TaskTarget::Paused && !paused(&mut running).await {
        return Ok(());
    }
    match running.spec.world.exactly_once {
        ExactlyOnce::Off => at_least_once::run(&mut running, &mut *task).await,
        ExactlyOnce::On => exactly_once::run(&mut running, &mut *task).await,
    }
}

/// Reports the pause and waits for its end; `false`: the task is to stop.
pub(super) async fn paused(running: &mut Running) -> bool {
    running.reports.send(TaskEvent::Paused).await;
    loop {
        tokio::select! {
            biased;
            () = running.stopping.cancelled() => return false,
            changed = running.target.changed() => {
                if changed.is_err() {
                    return false;
                }
                if *running.target.borrow() == TaskTarget::Started {
                    return true;
                }
            }
        }
    }
}

/// Waits until the worker's session is certain; `false`: the task is to stop.
pub(super) async fn may_act(running: &Running) -> bool {
    let lease = &running.spec.world.lease;
    lease.holds()
        || tokio::select! {
            () = lease.held() => true,
            () = running.stopping.cancelled() => false,
        }
}

/// Starts the task with its context.
async fn start(running: &Running, task: &mut dyn SourceTask) -> Result<(), ConnectError> {
    let spec = &running.spec;
    let connector = spec.id.connector.shared();
    let context = SourceTaskContext {
        connector: Arc::clone(&connector),
        task: spec.id.task,
        offsets: Arc::new(ConnectorOffsetReader {
            connector,
            offsets: Arc::clone(&spec.world.offsets),
        }),
        transactions: None,
        stopping: running.stopping.clone(),
    };
    let starting = task.start(context, spec.task_config.clone());
    tokio::select! {
        started = starting => started,
        () = running.cancelled.cancelled() => Err(ConnectError::connect("the task did not start in time")),
    }
}

fn policy(running: &Running) -> ErrorPolicy {
    ErrorPolicy::new(
        &running.spec.connector_config,
        running.spec.id.clone(),
        Arc::clone(&running.metrics),
        running.stopping.clone(),
    )
}

/// Sleeps until then, or for ever.
pub(super) async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
