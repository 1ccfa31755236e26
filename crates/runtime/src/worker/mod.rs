//! The worker: the shell around `milena-core`'s herder. It opens the internal topics and the group, executes
//! the herder's effects, hosts connectors and tasks, and answers requests.
//!
//! Answers to `Worker`, `ConnectDistributed`, `ConnectStandalone`, `KafkaBasedLog` and the doing parts of the backing stores
//! (spec `distributed.md` 1, 2). It decides nothing.

mod appender;
mod client_props;
mod config_writer;
mod connector_host;
mod connector_offsets;
mod coordinator_metrics;
mod distributed;
mod file_offsets;
mod handle;
mod health;
mod hosts;
mod internal_topics;
mod java_map;
mod kafka_offsets;
mod kafka_surroundings;
mod memory_surroundings;
mod metrics;
mod offset_changes;
mod port;
mod resolve;
mod settings;
mod shell;
mod standalone;
mod status_writer;
mod task_host;
mod tasks_max;
mod topic_log;

pub use distributed::{DistributedWorker, WorkerDeps};
pub use handle::{HerderClient, StartError, WorkerHandle};
pub use internal_topics::InternalTopicError;
pub use kafka_surroundings::LoggerLevels;
pub use port::WorkerPort;
pub use resolve::Resolver;
pub use settings::{CommonSettings, DistributedSettings, InternalTopic, SettingsError};
pub use standalone::StandaloneWorker;
