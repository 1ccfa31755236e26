//! Status records as values.

use crate::{ConnectorName, TaskId};

/// What a connector or task is doing (`AbstractStatus.State`). A closed set: clients match on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusState {
    /// Its worker let go of it.
    Unassigned,
    /// It runs.
    Running,
    /// It is paused.
    Paused,
    /// It is stopped; connectors only.
    Stopped,
    /// It failed.
    Failed,
    /// It was stopped by a restart request and is about to start.
    Restarting,
}

impl StatusState {
    /// The name as it stands in the topic and in REST.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unassigned => "UNASSIGNED",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
            Self::Failed => "FAILED",
            Self::Restarting => "RESTARTING",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "UNASSIGNED" => Self::Unassigned,
            "RUNNING" => Self::Running,
            "PAUSED" => Self::Paused,
            "STOPPED" => Self::Stopped,
            "FAILED" => Self::Failed,
            "RESTARTING" => Self::Restarting,
            _ => return None,
        })
    }
}

/// The status of a connector or task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusValue {
    /// What it is doing.
    pub state: StatusState,
    /// The stack trace of a failure.
    pub trace: Option<String>,
    /// Advertised `host:port` of the worker that wrote it.
    pub worker_id: String,
    /// The group generation of that worker when it wrote it; 0 in standalone mode.
    pub generation: i32,
    /// The plugin's version (KIP-891); unknown when the instance could not be made.
    pub version: Option<String>,
}

/// A topic that a connector uses (KIP-558).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicUse {
    /// The topic.
    pub topic: String,
    /// The connector.
    pub connector: ConnectorName,
    /// The task that used it first.
    pub task: u32,
    /// Wall clock of the discovery, milliseconds since the epoch.
    pub discovered_ms: i64,
}

/// One record of the status topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusRecord {
    /// `status-connector-<name>`; no value: the connector and all its tasks are gone.
    Connector {
        /// The connector.
        name: ConnectorName,
        /// Its status.
        status: Option<StatusValue>,
    },
    /// `status-task-<name>-<n>`; no value: the task is gone.
    Task {
        /// The task.
        id: TaskId,
        /// Its status.
        status: Option<StatusValue>,
    },
    /// `status-topic-<topic>:connector-<name>`.
    Topic(TopicUse),
    /// The same key without a value: the use is forgotten.
    TopicReset {
        /// The topic.
        topic: String,
        /// The connector.
        connector: ConnectorName,
    },
}
