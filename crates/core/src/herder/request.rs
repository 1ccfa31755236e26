//! What clients and other workers ask of a herder, and what it answers.

use std::sync::Arc;

use super::{RequestError, TaskHealing, TaskRestarts};
use crate::{
    ConnectorName, TaskId,
    cluster::{RawProps, SessionKey, TargetState},
    status::StatusValue,
};

/// Names a request for the answer to refer to; chosen by the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A request. Configurations in it have been validated by the worker that received it.
#[derive(Clone, Debug)]
pub enum Request {
    /// The names of all connectors.
    ListConnectors,
    /// Configuration and tasks of a connector.
    ConnectorInfo(ConnectorName),
    /// The task configurations of a connector, as stored.
    TaskConfigs(ConnectorName),
    /// The status of a connector and its tasks.
    ConnectorStatus(ConnectorName),
    /// The status of a connector with what this worker knows of the failures of its tasks.
    ConnectorHealing(ConnectorName),
    /// The status of a task.
    TaskStatus(TaskId),
    /// Create, or create or replace, a connector.
    PutConnector {
        /// The connector.
        name: ConnectorName,
        /// Its new configuration, whole.
        config: RawProps,
        /// What to do first; `None` keeps what is, or starts.
        target: Option<TargetState>,
        /// Whether an existing connector is replaced rather than refused.
        replace: bool,
    },
    /// Merge into a connector's configuration (KIP-477): null removes a key.
    PatchConnector {
        /// The connector.
        name: ConnectorName,
        /// The changes.
        patch: RawProps,
    },
    /// Delete a connector. Its offsets stay.
    DeleteConnector(ConnectorName),
    /// Pause or resume a connector.
    SetTarget {
        /// The connector.
        name: ConnectorName,
        /// [`TargetState::Started`] or [`TargetState::Paused`].
        target: TargetState,
    },
    /// Stop a connector: its tasks go away (KIP-875).
    StopConnector(ConnectorName),
    /// Restart the connector instance and wait for it.
    RestartConnector(ConnectorName),
    /// Restart a connector and its tasks as selected (KIP-745).
    RestartAll(crate::cluster::RestartRequest),
    /// Restart a task.
    RestartTask(TaskId),
    /// The topics that a connector uses (KIP-558).
    Topics(ConnectorName),
    /// Forget the topics that a connector uses.
    ResetTopics(ConnectorName),
    /// Another worker generated these task configurations (internal).
    PutTaskConfigs {
        /// The connector.
        name: ConnectorName,
        /// The configurations, whole set.
        configs: Vec<RawProps>,
    },
    /// Another worker is about to start exactly-once source tasks (internal, KIP-618).
    FenceZombies(ConnectorName),
    /// Source tasks of this worker are about to start under exactly-once: have zombies fenced.
    FenceBeforeStart(ConnectorName),
    /// The last question of an exactly-once source task before it polls: is this still its task set and its
    /// worker? Asked after the config topic was read to its end (spec `distributed.md` 3.4).
    ConfirmTask {
        /// The task.
        id: TaskId,
        /// The generation of the task set it was started with.
        generation: Option<u32>,
    },
    /// May the offsets of this connector be modified now? Answered when it is stopped, has no tasks and, under
    /// exactly-once, its zombies are fenced.
    PrepareOffsetChange {
        /// The connector.
        name: ConnectorName,
        /// Only sources have zombies to fence.
        is_source: bool,
    },
    /// Answered when this worker, which runs everything itself, has done what follows from a change of the connector:
    /// it is up with its task configurations stored, or failed, or gone (standalone mode).
    AwaitSettled(ConnectorName),
    /// A logger's level for the whole cluster (KIP-976).
    ClusterLoggerLevel {
        /// The logger.
        namespace: String,
        /// The level's name.
        level: String,
    },
    /// What signatures of internal requests are checked with.
    SignatureCheck,
    /// Does the herder answer at all? Answered once the worker is ready.
    Health,
}

impl Request {
    /// Whether it only looks at what is known, so that it may be answered before news that came earlier.
    #[must_use]
    pub fn is_look(&self) -> bool {
        matches!(
            self,
            Self::ListConnectors
                | Self::ConnectorInfo(_)
                | Self::TaskConfigs(_)
                | Self::ConnectorStatus(_)
                | Self::ConnectorHealing(_)
                | Self::TaskStatus(_)
                | Self::Topics(_)
                | Self::SignatureCheck
                | Self::Health
        )
    }
}

/// Configuration and tasks of a connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectorDescription {
    /// The connector.
    pub name: ConnectorName,
    /// Its configuration as stored.
    pub config: Arc<RawProps>,
    /// Its tasks, in order.
    pub tasks: Vec<TaskId>,
}

/// The status of a connector and its tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectorStatus {
    /// The connector.
    pub name: ConnectorName,
    /// The status of the connector itself.
    pub connector: StatusValue,
    /// The statuses of its tasks, by number.
    pub tasks: Vec<(u32, StatusValue)>,
    /// Its configuration, from which REST reads the type; none when it was deleted meanwhile.
    pub config: Option<Arc<RawProps>>,
}

/// The status of a connector, how failed tasks are treated here, and what this worker knows of the failures of tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectorHealing {
    /// The status.
    pub status: ConnectorStatus,
    /// `milena.task.restart.policy` of this worker.
    pub policy: Option<TaskRestarts>,
    /// The tasks that this worker runs, by number; `None`: it did not fail here.
    pub tasks: Vec<(u32, Option<TaskHealing>)>,
}

/// What signatures of internal requests are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureCheck {
    /// The group does not run the sessioned protocol: nothing is checked.
    NotNeeded,
    /// No key has been read yet.
    NoKey,
    /// The current key.
    Key(SessionKey),
}

/// The answer to a request that was carried out.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// It was done; there is nothing to say.
    Done,
    /// Names of connectors, in order.
    Connectors(Vec<ConnectorName>),
    /// A connector; `created` when it did not exist before the request.
    Connector {
        /// Whether it did not exist before.
        created: bool,
        /// The connector.
        info: ConnectorDescription,
    },
    /// Task configurations, in order.
    Tasks(Vec<(TaskId, Arc<RawProps>)>),
    /// The status of a connector, or what it will be when a restart has begun.
    Status(ConnectorStatus),
    /// The status of a connector with the failures of its tasks.
    Healing(Box<ConnectorHealing>),
    /// The status of a task.
    Task(StatusValue),
    /// Topics, in order.
    Topics(Vec<String>),
    /// What to check signatures with.
    Signatures(SignatureCheck),
    /// The connector's configuration: its offsets may be modified now.
    OffsetsFree(Arc<RawProps>),
}

/// What became of a request.
pub type Answer = Result<Reply, RequestError>;
