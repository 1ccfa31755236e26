//! What a task is started with.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use milena_api::ConnectError;
use milena_config::Props;
use milena_core::TaskId;
use milena_kafka::ports::KafkaClients;
use milena_registry::Registry;

use super::{SourceOffsets, metrics::TaskMetricsBook};
use crate::lease::Lease;

/// What a task should do. A stopped connector has no tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskTarget {
    /// Poll or put.
    Started,
    /// Keep what it holds and do nothing.
    Paused,
}

/// `exactly.once.source.support` as far as a task is concerned (KIP-618).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExactlyOnce {
    /// `disabled` or `preparing`.
    Off,
    /// `enabled`: source tasks produce data and offsets in transactions.
    On,
}

/// What all tasks of a worker share.
pub struct TaskWorld {
    /// Makes Kafka clients.
    pub clients: Arc<dyn KafkaClients>,
    /// The plugins.
    pub registry: Arc<Registry>,
    /// The worker's configuration as given: `producer.`, `consumer.`, `admin.` keys and the plain
    /// client keys (`bootstrap.servers`, security) are taken from here.
    pub worker_props: Props,
    /// `group.id`; `None` in standalone mode.
    pub group_id: Option<String>,
    /// `offset.flush.interval.ms`.
    pub offset_flush_interval: Duration,
    /// `offset.flush.timeout.ms`.
    pub offset_flush_timeout: Duration,
    /// `milena.task.call.timeout.ms`; `None`: a plugin may take as long as it likes.
    pub call_limit: Option<Duration>,
    /// `topic.creation.enable`.
    pub topic_creation: bool,
    /// Whether source tasks are exactly-once.
    pub exactly_once: ExactlyOnce,
    /// Until when tasks may act.
    pub lease: Arc<Lease>,
    /// Where tasks count what they do.
    pub metrics: Arc<TaskMetricsBook>,
}

/// What the worker checks around the start of an exactly-once source task (spec `distributed.md` 3.4).
#[async_trait]
pub trait StartGate: Send + Sync {
    /// Zombies of earlier generations are fenced when this answers.
    async fn before_producer(&self) -> Result<(), ConnectError>;
    /// The task is still ours and its configuration still the newest, now that older instances are
    /// fenced.
    async fn after_producer(&self) -> Result<(), ConnectError>;
}

/// One task to start. Both configurations are resolved (`${provider:…}` expanded) and live only here.
pub struct TaskSpec {
    /// Which task.
    pub id: TaskId,
    /// The connector's configuration: converters, transforms, error handling, client overrides.
    pub connector_config: Props,
    /// The task's own configuration, as `task_configs` gave it (with `task.class`, `topics`).
    pub task_config: Props,
    /// What to do first.
    pub target: TaskTarget,
    /// What the worker checks around the start, when the task is exactly-once.
    pub gate: Option<Arc<dyn StartGate>>,
    /// The committed offsets of its connector, when it is a source.
    pub offsets: Arc<dyn SourceOffsets>,
    /// What tasks share.
    pub world: Arc<TaskWorld>,
}
