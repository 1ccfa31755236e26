//! Sink tasks: read, convert, transform, put, commit what the task confirmed (spec `distributed.md` 5).

mod batch;
mod broker_assigned;
mod conversion;
mod dead_letters;
mod decode;
mod delivery;
mod engine;
mod fetch_ahead;
mod group;
mod membership;
mod reporter;

use milena_api::{ConnectError, SinkTask};

use super::{TaskTarget, start::Running};

/// Runs a sink task to its end. `Ok`: it was asked to stop.
pub(super) async fn run(mut running: Running, task: Box<dyn SinkTask>) -> Result<(), ConnectError> {
    // A task that starts paused is not even started until it is resumed.
    if *running.target.borrow() == TaskTarget::Paused && !super::source::paused(&mut running).await
    {
        return Ok(());
    }
    engine::run(running, task).await
}
