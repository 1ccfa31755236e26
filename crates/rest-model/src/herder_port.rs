//! How the REST layer reaches the herder: one method per request. Implemented by the runtime (distributed and
//! standalone) and by fakes in tests.
//!
//! The port never waits by itself: the REST layer puts a limit on every call (90 s, spec 4.3) and drops the
//! future when it is over; a request that has begun goes on all the same. Configurations given to
//! [`HerderPort::create`], [`HerderPort::put_config`] and [`HerderPort::patch_config`] are validated by the
//! implementation, in Java's order: create and put validate before the leader is asked for, patch after
//! (spec 4.2 item 7, 5.8).

use std::{collections::BTreeMap, time::SystemTime};

use async_trait::async_trait;

use crate::{
    ConnectorHealth, ConnectorInfo, ConnectorOffsets, ConnectorStateInfo, HerderError,
    InitialState, Message, RawProps, ServerInfo, TaskInfo, TaskState,
};

/// What the herder is doing, or did last (spec annex B).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The text that stands in timeout and health messages.
    pub description: String,
    /// When it began.
    pub began: SystemTime,
    /// When it was over; `None`: it goes on.
    pub completed: Option<SystemTime>,
}

/// What became of a put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutOutcome {
    /// Whether the connector did not exist before.
    pub created: bool,
    /// The connector.
    pub info: ConnectorInfo,
}

/// What a restart takes in (KIP-745); not both false, which is [`HerderPort::restart_connector`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartPlan {
    /// The tasks too.
    pub include_tasks: bool,
    /// Only what has failed.
    pub only_failed: bool,
}

/// What signatures of internal requests are checked with (spec 6.2).
#[derive(Clone, Debug)]
pub enum SignatureCheck {
    /// The group does not run the sessioned protocol: nothing is checked.
    NotNeeded,
    /// No key has been read yet.
    NoKey,
    /// The bytes of the current session key.
    Key(milena_config::Secret<Vec<u8>>),
}

/// The requests of the REST surface to a herder. Names arrive as in the URL, decoded.
#[async_trait]
pub trait HerderPort: Send + Sync {
    /// `GET /`. Known from the start; never waits.
    fn server_info(&self) -> ServerInfo;

    /// The page of `GET /metrics`, in the text format of Prometheus. Never waits.
    fn metrics(&self) -> String;

    /// Answers as soon as the herder does anything at all, once the worker is ready (`GET /health`).
    async fn ping(&self) -> Result<(), HerderError>;

    /// Whether the start-up was completed once.
    fn startup_complete(&self) -> bool;

    /// What the herder is doing or did last.
    fn stage(&self) -> Option<Stage>;

    /// The names of all connectors; from the local snapshot, without waiting.
    async fn connectors(&self) -> Result<Vec<String>, HerderError>;

    /// Configuration and tasks of a connector.
    async fn connector_info(&self, name: &str) -> Result<ConnectorInfo, HerderError>;

    /// Creates a connector. The name is trimmed and equals `config.name`; both may be empty, which the
    /// validation refuses.
    async fn create(
        &self,
        name: &str,
        config: RawProps,
        initial_state: Option<InitialState>,
    ) -> Result<ConnectorInfo, HerderError>;

    /// Creates a connector or replaces its configuration; the target state is kept.
    async fn put_config(&self, name: &str, config: RawProps) -> Result<PutOutcome, HerderError>;

    /// Merges into a configuration (KIP-477): null removes a key.
    async fn patch_config(&self, name: &str, patch: RawProps)
    -> Result<ConnectorInfo, HerderError>;

    /// Deletes a connector. Its offsets stay.
    async fn delete(&self, name: &str) -> Result<(), HerderError>;

    /// The status of a connector and its tasks, from the local copy of the status topic.
    async fn connector_status(&self, name: &str) -> Result<ConnectorStateInfo, HerderError>;

    /// The status of a connector with what this worker knows of the failures of its tasks
    /// (`GET /milena/v1/connectors/{c}`).
    async fn connector_health(&self, name: &str) -> Result<ConnectorHealth, HerderError>;

    /// The status of a task.
    async fn task_status(&self, name: &str, task: i32) -> Result<TaskState, HerderError>;

    /// The tasks with their configurations as stored.
    async fn tasks(&self, name: &str) -> Result<Vec<TaskInfo>, HerderError>;

    /// Restarts the connector instance and waits for it.
    async fn restart_connector(&self, name: &str) -> Result<(), HerderError>;

    /// Restarts a connector and its tasks as planned; answers what will be restarted.
    async fn restart_with_plan(
        &self,
        name: &str,
        plan: RestartPlan,
    ) -> Result<ConnectorStateInfo, HerderError>;

    /// Restarts a task. The number may be negative, which no task has.
    async fn restart_task(&self, name: &str, task: i32) -> Result<(), HerderError>;

    /// Pauses a connector.
    async fn pause(&self, name: &str) -> Result<(), HerderError>;

    /// Resumes a connector, also from STOPPED.
    async fn resume(&self, name: &str) -> Result<(), HerderError>;

    /// Stops a connector: its tasks go away (KIP-875).
    async fn stop(&self, name: &str) -> Result<(), HerderError>;

    /// The topics that a connector uses (KIP-558); 403 texts of spec 5.18 when tracking is off.
    async fn topics(&self, name: &str) -> Result<Vec<String>, HerderError>;

    /// Forgets the topics that a connector uses.
    async fn reset_topics(&self, name: &str) -> Result<(), HerderError>;

    /// The offsets of a connector.
    async fn offsets(&self, name: &str) -> Result<ConnectorOffsets, HerderError>;

    /// Alters offsets of a stopped connector; there is at least one entry.
    async fn alter_offsets(
        &self,
        name: &str,
        offsets: ConnectorOffsets,
    ) -> Result<Message, HerderError>;

    /// Resets all offsets of a stopped connector.
    async fn reset_offsets(&self, name: &str) -> Result<Message, HerderError>;

    /// Another worker generated these task configurations (internal; the signature has been checked).
    async fn put_task_configs(&self, name: &str, configs: Vec<RawProps>)
    -> Result<(), HerderError>;

    /// Another worker is about to start an exactly-once source task (internal; the signature has been
    /// checked).
    async fn fence_zombies(&self, name: &str) -> Result<(), HerderError>;

    /// What signatures of internal requests are checked with now.
    async fn signature_check(&self) -> Result<SignatureCheck, HerderError>;

    /// Sets a logger's level on every worker (KIP-976); the level has been checked, in upper case.
    async fn set_cluster_logger(&self, logger: &str, level: &str) -> Result<(), HerderError>;

    /// The overall view that a page or a command line shows at once; the default asks one by one.
    async fn all_statuses(&self) -> Result<BTreeMap<String, ConnectorStateInfo>, HerderError> {
        let mut all = BTreeMap::new();
        for name in self.connectors().await? {
            // A connector without a status yet is left out, as in `?expand=status`.
            if let Ok(status) = self.connector_status(&name).await {
                all.insert(name, status);
            }
        }
        Ok(all)
    }
}
