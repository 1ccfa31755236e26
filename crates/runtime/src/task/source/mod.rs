//! Source tasks: poll, transform, convert, produce, commit (spec `distributed.md` 3, 4).

mod ahead;
mod at_least_once;
mod batch;
mod exactly_once;
mod handing_over;
mod idle;
mod in_flight;
mod marks;

use std::{sync::Arc, time::Duration};

use milena_api::{ConnectError, SourceTask, SourceTaskContext, TaskInstance, TransactionContext};
use milena_data::SourceRecord;
use tokio::time::Instant;
use tracing::warn;

use super::{
    ExactlyOnce, TaskEvent, TaskTarget, failing::ErrorPolicy, offset_reader::ConnectorOffsetReader,
    start::Running,
};

/// How a source task came to its end without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was asked to stop.
    Stopped,
    /// Nobody knows whether its last transaction was committed: a new instance with a new producer epoch must read what
    /// was (R9).
    OutcomeUnknown,
}

/// The wait before a task begins anew after a transaction whose outcome is unknown.
const ANEW: Duration = Duration::from_secs(1);

/// Runs a source task to its end. `Ok`: it was asked to stop.
pub(super) async fn run(
    mut running: Running,
    mut task: Box<dyn SourceTask>,
    anew: impl Fn() -> Result<TaskInstance, ConnectError>,
) -> Result<(), ConnectError> {
    // A task that starts paused is not even started until it is resumed.
    if *running.target.borrow() == TaskTarget::Paused && !paused(&mut running).await {
        return Ok(());
    }
    if running.spec.world.exactly_once == ExactlyOnce::Off {
        return at_least_once::run(&mut running, &mut *task).await;
    }
    loop {
        match exactly_once::run(&mut running, &mut *task).await? {
            Ended::Stopped => return Ok(()),
            Ended::OutcomeUnknown => {
                warn!(task = %running.spec.id, "the outcome of a transaction is unknown; going on from what was committed, with a new epoch");
                tokio::select! {
                    () = running.stopping.cancelled() => return Ok(()),
                    () = tokio::time::sleep(ANEW) => {}
                }
                let TaskInstance::Source(next) = anew()? else {
                    return Err(ConnectError::connect(
                        "the plugin gave a sink task for a source",
                    ));
                };
                task = next;
            }
        }
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
async fn start(
    running: &Running,
    task: &mut dyn SourceTask,
    transactions: Option<Arc<dyn TransactionContext>>,
) -> Result<(), ConnectError> {
    let spec = &running.spec;
    let connector = spec.id.connector.shared();
    let context = SourceTaskContext {
        connector: Arc::clone(&connector),
        task: spec.id.task,
        offsets: Arc::new(ConnectorOffsetReader {
            connector,
            offsets: Arc::clone(&spec.offsets),
        }),
        transactions,
        stopping: running.stopping.clone(),
    };
    let starting = task.start(context, spec.task_config.clone());
    tokio::select! {
        started = starting => started,
        () = running.cancelled.cancelled() => Err(ConnectError::connect("the task did not start in time")),
    }
}

/// What a poll gave; a retriable error counts as nothing.
fn given(
    running: &Running,
    polled: Result<Option<Vec<SourceRecord>>, ConnectError>,
    begun: Instant,
) -> Result<Vec<SourceRecord>, ConnectError> {
    match polled {
        Ok(batch) => {
            if let Some(batch) = &batch {
                running.metrics.polled(batch.len(), begun.elapsed());
            }
            Ok(batch.unwrap_or_default())
        }
        Err(error) if error.is_retriable() => {
            warn!(task = %running.spec.id, %error, "poll failed and will be tried again");
            Ok(Vec::new())
        }
        Err(error) => Err(error),
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
