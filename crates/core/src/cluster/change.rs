//! What a record changed, for the herder to act on (spec `distributed.md` 2.9).

use super::{RestartRequest, TargetState};
use crate::ConnectorName;

/// A change that a record of the config topic made after loading was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterChange {
    /// A connector configuration was written.
    Connector {
        /// The connector.
        name: ConnectorName,
        /// Whether there was none before: the group must rebalance.
        is_new: bool,
    },
    /// A connector was deleted.
    Removed {
        /// The connector.
        name: ConnectorName,
        /// Whether it existed: the group must rebalance.
        was_known: bool,
    },
    /// A task set was committed, be it empty or incomplete: the group must rebalance.
    Tasks {
        /// The connector.
        name: ConnectorName,
        /// The tasks whose configurations were replaced; empty for an empty or incomplete set.
        updated: Vec<u32>,
    },
    /// A known connector has another target state.
    Target {
        /// The connector.
        name: ConnectorName,
        /// The new state.
        state: TargetState,
    },
    /// A session key was distributed.
    SessionKey,
    /// A restart was asked for.
    Restart(RestartRequest),
    /// A logger's level was set for the whole cluster.
    LoggerLevel {
        /// The logger.
        namespace: String,
        /// The level's name.
        level: String,
    },
}
