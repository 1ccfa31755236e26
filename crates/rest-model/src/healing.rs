//! `GET /milena/v1/connectors/{c}`: the status of a connector with what became of its failed tasks. Milena's own.

use serde::{Deserialize, Serialize};

use crate::{ConnectorState, ConnectorType};

/// How the worker that answers treats failed tasks (`milena.task.restart.*`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "policy", rename_all = "lowercase")]
pub enum RestartPolicy {
    /// They stay FAILED until somebody restarts them, as in Java.
    Off,
    /// They are started again.
    Backoff {
        /// The pause before the first restart; doubles with each failure in a row.
        backoff_ms: u64,
        /// The longest pause.
        backoff_max_ms: u64,
        /// After so many restarts in a row a task stays FAILED.
        attempts_max: u32,
        /// A task that worked this long has recovered: its failures are counted anew.
        recovered_after_ms: u64,
    },
}

/// The failures of a task since it came to the worker that runs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskHealing {
    /// How often it was started again of its own.
    pub restarts: u32,
    /// Failures since it last recovered, or was restarted by a user.
    pub failures_in_a_row: u32,
    /// The trace of the last failure; null: there was none.
    pub last_error: Option<String>,
    /// When that was, in milliseconds since 1970.
    pub failed_at_ms: Option<i64>,
    /// When it will be started again; null: not of its own, or it was already.
    pub next_restart_at_ms: Option<i64>,
    /// It failed too often in a row: only a user starts it again.
    pub given_up: bool,
}

/// A task with its failures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskHealth {
    /// The number, from 0.
    pub id: u32,
    /// UNASSIGNED, RUNNING, PAUSED, FAILED or RESTARTING.
    pub state: String,
    /// Advertised `host:port` of the worker that reported it.
    pub worker_id: String,
    /// Null: the worker that runs it did not say (it is away, or one of Java's).
    pub healing: Option<TaskHealing>,
}

/// The status of a connector with the failures of its tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorHealth {
    /// The connector.
    pub name: String,
    /// Source, sink or unknown.
    #[serde(rename = "type")]
    pub kind: ConnectorType,
    /// The state of the connector itself.
    pub connector: ConnectorState,
    /// How failed tasks are treated.
    pub restart: RestartPolicy,
    /// Its tasks, by number.
    pub tasks: Vec<TaskHealth>,
}
