//! What the herder knows of failed tasks, in the words of `GET /milena/v1/connectors/{c}`.

use std::{collections::BTreeMap, time::Duration};

use milena_core::herder::{self, ConnectorHealing, ConnectorStatus, TaskRestarts};
use milena_rest_model::{
    ConnectorHealth, ConnectorStateInfo, RestartPolicy, TaskHealing, TaskHealth,
};

/// The answer; `status` words a status as `GET /connectors/{c}/status` does.
pub(super) fn health(
    healing: &ConnectorHealing,
    status: impl FnOnce(&ConnectorStatus) -> ConnectorStateInfo,
) -> ConnectorHealth {
    let status = status(&healing.status);
    let mut known: BTreeMap<u32, TaskHealing> = BTreeMap::new();
    for (task, seen) in &healing.tasks {
        known.insert(*task, seen.as_ref().map(said).unwrap_or_default());
    }
    let tasks = status.tasks.into_iter().map(|task| TaskHealth {
        healing: known.remove(&task.id),
        id: task.id,
        state: task.state,
        worker_id: task.worker_id,
    });
    ConnectorHealth {
        tasks: tasks.collect(),
        name: status.name,
        kind: status.kind,
        connector: status.connector,
        restart: healing.policy.as_ref().map_or(RestartPolicy::Off, policy),
    }
}

fn said(seen: &herder::TaskHealing) -> TaskHealing {
    TaskHealing {
        restarts: seen.restarts,
        failures_in_a_row: seen.failures_in_a_row,
        last_error: Some(seen.last_error.clone()),
        failed_at_ms: Some(seen.failed_at.as_millis()),
        next_restart_at_ms: seen.next_restart_at.map(|at| at.as_millis()),
        given_up: seen.given_up,
    }
}

fn policy(policy: &TaskRestarts) -> RestartPolicy {
    RestartPolicy::Backoff {
        backoff_ms: millis(policy.backoff),
        backoff_max_ms: millis(policy.backoff_max),
        attempts_max: policy.attempts_max,
        recovered_after_ms: millis(policy.recovered_after),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
