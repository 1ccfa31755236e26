//! The small bodies (spec 2.1), fields in Java's order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ConnectorType;

/// A configuration as a client sent it or as it is stored: variables unresolved, values possibly null.
pub type RawProps = BTreeMap<String, Option<String>>;

/// `GET /`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerInfo {
    /// The Kafka version whose surface is answered.
    pub version: String,
    /// The commit of the build.
    pub commit: String,
    /// The id of the Kafka cluster; null when the broker is too old to say.
    pub kafka_cluster_id: Option<String>,
}

/// A connector: configuration and tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorInfo {
    /// The connector.
    pub name: String,
    /// Its configuration as stored.
    pub config: RawProps,
    /// Its tasks, in order.
    pub tasks: Vec<ConnectorTaskId>,
    /// Source, sink or unknown.
    #[serde(rename = "type")]
    pub kind: ConnectorType,
}

/// A task's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorTaskId {
    /// The connector.
    pub connector: String,
    /// The number, from 0.
    pub task: u32,
}

/// A task with its configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskInfo {
    /// The task.
    pub id: ConnectorTaskId,
    /// Its configuration as stored.
    pub config: RawProps,
}

/// The topics of one connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicList {
    /// Topic names.
    pub topics: Vec<String>,
}

/// `GET /connectors/{c}/topics`: the topics by connector.
pub type ActiveTopics = BTreeMap<String, TopicList>;

/// A plain message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The text.
    pub message: String,
}

/// One entry of `GET /connector-plugins`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginInfo {
    /// The full class name.
    pub class: String,
    /// The kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version; omitted when the plugin has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
}

/// The level of a logger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggerLevel {
    /// The level's name.
    pub level: String,
    /// When it was set over REST, milliseconds since the epoch.
    pub last_modified: Option<i64>,
}

/// `GET /health` (KIP-1017).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// `healthy`, `starting` or `unhealthy`.
    pub status: String,
    /// A sentence about it.
    pub message: String,
}

/// `initial_state` of a create request (KIP-980).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitialState {
    /// Started at once.
    Running,
    /// Paused, without tasks until resumed.
    Paused,
    /// Stopped.
    Stopped,
}

impl InitialState {
    /// The state of a name, in any letter case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_uppercase().as_str() {
            "RUNNING" => Some(Self::Running),
            "PAUSED" => Some(Self::Paused),
            "STOPPED" => Some(Self::Stopped),
            _ => None,
        }
    }

    /// The name as Java prints it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }
}
