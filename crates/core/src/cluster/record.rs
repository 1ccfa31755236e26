//! The kinds of config topic records as values.

use std::{collections::BTreeMap, fmt};

use crate::{ConnectorName, TaskId};

/// A configuration as stored: variables unresolved, values possibly null. Ordered, so that every walk over it
/// is deterministic.
pub type RawProps = BTreeMap<String, Option<String>>;

/// What the user wants a connector to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TargetState {
    /// It runs.
    #[default]
    Started,
    /// Its tasks keep what they hold and do nothing.
    Paused,
    /// It has no tasks (KIP-875).
    Stopped,
}

impl TargetState {
    /// The name as it stands in the topic.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }

    /// The state of a name; exact, as Java's `valueOf`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "STARTED" => Some(Self::Started),
            "PAUSED" => Some(Self::Paused),
            "STOPPED" => Some(Self::Stopped),
            _ => None,
        }
    }
}

/// The key with which workers sign internal requests (KIP-507).
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey {
    /// Standard Base64 of the key bytes.
    pub base64: String,
    /// The algorithm it was generated for.
    pub algorithm: String,
    /// Wall clock of its creation, milliseconds since the epoch.
    pub created_ms: i64,
}

impl SessionKey {
    /// The number of key bytes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        let padding = self.base64.bytes().rev().take_while(|b| *b == b'=').count();
        (self.base64.len() / 4 * 3).saturating_sub(padding)
    }
}

// NoSecretLeaves: a session key is never printed.
impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKey")
            .field("base64", &"[hidden]")
            .field("algorithm", &self.algorithm)
            .field("created_ms", &self.created_ms)
            .finish()
    }
}

/// A restart of a connector and its tasks (KIP-745).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartRequest {
    /// The connector.
    pub connector: ConnectorName,
    /// Whether tasks are restarted too.
    pub include_tasks: bool,
    /// Whether only what is FAILED is restarted.
    pub only_failed: bool,
}

impl RestartRequest {
    /// How much it restarts: of two requests for one connector the higher is kept (spec 6.1).
    #[must_use]
    pub fn impact(&self) -> u8 {
        match (self.only_failed, self.include_tasks) {
            (true, false) => 0,
            (true, true) => 1,
            (false, false) => 2,
            (false, true) => 3,
        }
    }
}

/// One record of the config topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigRecord {
    /// `connector-<name>`; no configuration: deleted.
    Connector {
        /// The connector.
        name: ConnectorName,
        /// Its configuration.
        config: Option<RawProps>,
    },
    /// `target-state-<name>`; no state: removed.
    Target {
        /// The connector.
        name: ConnectorName,
        /// What it should do.
        state: Option<TargetState>,
    },
    /// `task-<name>-<n>`; takes effect with the next commit.
    Task {
        /// The task.
        id: TaskId,
        /// Its configuration.
        config: RawProps,
    },
    /// `commit-<name>`: the task records before it form a set of this size.
    Commit {
        /// The connector.
        name: ConnectorName,
        /// The number of tasks; `None` when the value holds none that can be read.
        tasks: Option<u32>,
    },
    /// `tasks-fencing-<name>`: so many tasks may run from now on (KIP-618).
    TaskCount {
        /// The connector.
        name: ConnectorName,
        /// The number of tasks.
        tasks: u32,
    },
    /// `session-key`.
    SessionKey(SessionKey),
    /// `restart-connector-<name>`.
    Restart(RestartRequest),
    /// `logger-cluster-<namespace>` (KIP-976).
    LoggerLevel {
        /// The logger.
        namespace: String,
        /// The level's name.
        level: String,
    },
}
