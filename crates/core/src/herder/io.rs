//! What goes into a herder and what comes out of it.

use std::sync::Arc;

use super::{Answer, Incarnation, InstanceEffect, Request, RequestError, RequestId};
use crate::{
    ConnectorName, TaskId, Token,
    cluster::{KeyValue, RawProps},
    status::StatusRecord,
};

/// A record as it was read from the config or status topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRecord {
    /// Its offset.
    pub offset: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; none: a tombstone.
    pub value: Option<Vec<u8>>,
}

/// What became of an effect that carried a token.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was not done, for this reason.
    Failed(String),
    /// The time ran out: it may or may not have been done.
    Unknown,
    /// Another worker holds the write privilege; nothing was written.
    Fenced,
    /// The configurations of a connector's tasks, complete as they are to be stored.
    TaskConfigs(Vec<RawProps>),
    /// More tasks than `tasks.max` allows; the text is the trace of the failure.
    TooManyTasks(String),
    /// A new session key, as Base64.
    SessionKey(String),
    /// The answer of another worker, or of a validation.
    Refused(RequestError),
}

/// What a connector instance reports. Versions are those of its plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectorEvent {
    /// It reached the target it was last given.
    Reached {
        /// The target.
        target: crate::cluster::TargetState,
        /// The plugin's version.
        version: Option<String>,
    },
    /// It failed; the instance, if it was made at all, stays until it is stopped.
    Failed {
        /// The trace for its status.
        trace: String,
        /// The plugin's version; none when no instance could be made.
        version: Option<String>,
    },
    /// It asks for its task configurations to be generated again.
    Reconfigure,
    /// It is over.
    Ended {
        /// The trace of a failure while stopping.
        failure: Option<String>,
        /// The plugin's version.
        version: Option<String>,
    },
}

/// What a task reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEvent {
    /// It runs, for the first time or again.
    Running {
        /// The plugin's version.
        version: Option<String>,
    },
    /// It is paused.
    Paused {
        /// The plugin's version.
        version: Option<String>,
    },
    /// It failed; nothing of it runs any more.
    Failed {
        /// The trace for its status.
        trace: String,
        /// The plugin's version; none when the task could not be made.
        version: Option<String>,
    },
    /// It used a topic for the first time.
    TopicUsed(String),
    /// It is over, as it was asked to.
    Ended {
        /// The plugin's version.
        version: Option<String>,
    },
}

/// An input of the distributed herder.
#[derive(Debug)]
pub enum HerderInput {
    /// Time has passed; the deadline is reached.
    Tick,
    /// Records of the config topic, in order.
    ConfigRecords(Vec<TopicRecord>),
    /// Records of the status topic, in order per partition.
    StatusRecords(Vec<TopicRecord>),
    /// The internal topics have been read to their ends: work can begin.
    Loaded,
    /// The answer to a network request of the membership.
    Network(crate::group::membership::Input),
    /// A request.
    Request {
        /// Its id.
        id: RequestId,
        /// What is asked.
        request: Request,
    },
    /// What became of an effect.
    Outcome {
        /// The effect's token.
        token: Token,
        /// What became of it.
        outcome: Outcome,
    },
    /// News of a connector instance.
    Connector {
        /// The connector.
        name: ConnectorName,
        /// The run.
        incarnation: Incarnation,
        /// What happened.
        event: ConnectorEvent,
    },
    /// News of a task.
    Task {
        /// The task.
        id: TaskId,
        /// The run.
        incarnation: Incarnation,
        /// What happened.
        event: TaskEvent,
    },
    /// End all work, leave the group, stop.
    Stop,
}

/// An act that a herder asks for. Those with a token are answered exactly once.
#[derive(Clone, Debug, PartialEq)]
pub enum HerderEffect {
    /// A network request of the membership in the group.
    Network(crate::group::membership::Effect),
    /// The group cannot be used at all; the worker says so and tries again when told to.
    GroupFailed {
        /// The broker's word.
        error: String,
    },
    /// Something odd that an operator should see.
    Warn(String),
    /// Something that an operator wants to follow.
    Note(String),
    /// An act on a plugin instance.
    Instance(InstanceEffect),
    /// Append records to the config topic in this order, all or, as far as possible, none. Bounded at 30 s.
    WriteConfig {
        /// Answered with `Done`, `Failed`, `Unknown` or `Fenced`.
        token: Token,
        /// The records.
        records: Vec<KeyValue>,
        /// In a transaction of the leader's producer; `false`: with the ordinary producer.
        transactional: bool,
    },
    /// Read the config topic to its present end; all records up to it come before the answer.
    ReadConfigToEnd {
        /// Answered with `Done`, `Failed` or `Unknown`.
        token: Token,
    },
    /// Take the write privilege of the config topic from whoever has it (spec 1.5).
    ClaimPrivilege {
        /// Answered with `Done`, `Failed` or `Unknown`.
        token: Token,
    },
    /// Write to the status topic, in order per key; nobody waits for it.
    WriteStatus(StatusRecord),
    /// Wait until all statuses written so far are durable, or give up after a while.
    FlushStatus {
        /// Answered with any outcome.
        token: Token,
    },
    /// Ask a running connector for its task configurations.
    GenerateTaskConfigs {
        /// Answered with `TaskConfigs`, `TooManyTasks` or `Failed`.
        token: Token,
        /// The connector.
        name: ConnectorName,
        /// The run.
        incarnation: Incarnation,
    },
    /// Hand task configurations to the leader, signed.
    SendTaskConfigs {
        /// Answered with `Done`, `Failed`, `Refused` or `Unknown`.
        token: Token,
        /// The leader's advertised URL.
        leader_url: String,
        /// The connector.
        name: ConnectorName,
        /// The configurations.
        configs: Vec<RawProps>,
    },
    /// Ask the leader for a round of zombie fencing, signed.
    AskForFencing {
        /// Answered with `Done`, `Failed`, `Refused` or `Unknown`.
        token: Token,
        /// The leader's advertised URL.
        leader_url: String,
        /// The connector.
        name: ConnectorName,
    },
    /// Fence these transactional ids with an admin client of the connector's configuration.
    FenceProducers {
        /// Answered with `Done`, `Failed` or `Unknown`.
        token: Token,
        /// The connector.
        name: ConnectorName,
        /// Its configuration as stored.
        config: Arc<RawProps>,
        /// The transactional ids.
        transactional_ids: Vec<String>,
    },
    /// Make a session key from randomness.
    GenerateSessionKey {
        /// Answered with `SessionKey` or `Failed`.
        token: Token,
    },
    /// Validate a merged configuration with the connector's plugin.
    Validate {
        /// Answered with `Done`, `Refused` or `Failed`.
        token: Token,
        /// The connector.
        name: ConnectorName,
        /// The configuration.
        config: RawProps,
    },
    /// Set the level of a logger on this worker.
    SetLoggerLevel {
        /// The logger.
        namespace: String,
        /// The level's name.
        level: String,
    },
    /// The answer to a request.
    Answer {
        /// The request.
        id: RequestId,
        /// What became of it.
        answer: Answer,
    },
    /// All work is over and the group is left.
    Stopped,
}
