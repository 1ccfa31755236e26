//! What the REST surface says and hears: request and response bodies with the field order of Java 4.3, and the
//! ports through which the HTTP layer reaches the worker.
//!
//! Nothing here knows HTTP, the runtime or a Kafka client (spec `rest-and-config.md` 2, 3, 5).

mod bodies;
mod config_infos;
mod error;
mod healing;
mod herder_port;
mod leader_port;
mod logger_port;
mod offsets;
mod plugin_port;
mod status;

pub use bodies::{
    ActiveTopics, ConnectorInfo, ConnectorTaskId, InitialState, LoggerLevel, Message, PluginInfo,
    RawProps, ServerInfo, TaskInfo, TopicList, WorkerStatus,
};
pub use config_infos::{ConfigInfo, ConfigInfos, ConfigKeyInfo, ConfigValueInfo};
pub use error::{ErrorBody, HerderError};
pub use healing::{ConnectorHealth, RestartPolicy, TaskHealing, TaskHealth};
pub use herder_port::{HerderPort, PutOutcome, RestartPlan, SignatureCheck, Stage};
pub use leader_port::LeaderPort;
pub use logger_port::{LoggerError, LoggerPort};
pub use offsets::{ConnectorOffset, ConnectorOffsets, OffsetMap};
pub use plugin_port::PluginPort;
pub use status::{ConnectorState, ConnectorStateInfo, ConnectorType, TaskState};

/// The version of Apache Kafka whose surface is answered; what `GET /` shows (clients gate features on it).
pub const KAFKA_VERSION: &str = "4.3.1";
