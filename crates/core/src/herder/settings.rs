//! What the herder needs to know of the worker's configuration.

use std::time::Duration;

/// `exactly.once.source.support` (KIP-618).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ExactlyOnceMode {
    /// The leader writes with a plain producer.
    #[default]
    Disabled,
    /// The leader writes in transactions, so that a former leader is fenced; tasks are as before.
    Preparing,
    /// Source tasks are exactly-once and zombies are fenced.
    Enabled,
}

impl ExactlyOnceMode {
    /// Whether the leader needs the write privilege of the config topic.
    #[must_use]
    pub fn leader_writes_in_transactions(self) -> bool {
        self != Self::Disabled
    }
}

/// Settings of a worker that decide something here. Defaults are Java's.
#[derive(Clone, Debug)]
pub struct HerderSettings {
    /// Advertised `host:port`, as it stands in statuses.
    pub worker_id: String,
    /// `group.id`; part of transactional ids.
    pub group_id: String,
    /// `exactly.once.source.support`.
    pub exactly_once: ExactlyOnceMode,
    /// `inter.worker.key.ttl.ms`; zero: no rotation by time.
    pub key_ttl: Duration,
    /// `inter.worker.key.generation.algorithm`.
    pub key_algorithm: String,
    /// The size of a session key in bytes; `None`: whatever the generator gives is right.
    pub key_bytes: Option<usize>,
    /// `topic.tracking.enable`.
    pub topic_tracking: bool,
    /// `topic.tracking.allow.reset`.
    pub topic_tracking_reset: bool,
    /// `scheduled.rebalance.max.delay.ms`; the back-off after a failed read of the config topic depends on it.
    pub rebalance_delay_max: Duration,
    /// `milena.task.restart.policy`: failed tasks are started again; `None`: only when a user asks.
    pub task_restarts: Option<TaskRestarts>,
}

/// How failed tasks are started again of their own (off on the compatible surface).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskRestarts {
    /// The pause before the first restart; doubles with each failure in a row.
    pub backoff: Duration,
    /// The longest pause.
    pub backoff_max: Duration,
    /// After so many failures in a row the task stays FAILED.
    pub attempts_max: u32,
    /// A task that ran this long has recovered: the count of failures starts anew.
    pub recovered_after: Duration,
}

impl Default for TaskRestarts {
    fn default() -> Self {
        Self {
            backoff: Duration::from_secs(1),
            backoff_max: Duration::from_secs(300),
            attempts_max: 20,
            recovered_after: Duration::from_secs(120),
        }
    }
}
