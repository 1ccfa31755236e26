//! The ports: producer, fetcher, group channel, admin, and the factory that makes them.

mod admin;
mod clients;
mod error;
mod fetcher;
mod group;
mod metrics;
mod producer;

pub use admin::{
    Admin, ConsumerOffset, CreateOutcome, GroupInfo, Isolation, ListAt, NewTopic, TopicConfig,
    TopicInfo,
};
pub use clients::{ClientProps, KafkaClients};
pub use error::{KafkaError, KafkaErrorKind};
pub use fetcher::{Fetcher, InRecord, PartitionBatch, StartAt, TimestampType};
pub use group::{
    ConsumerHeartbeat, ConsumerHeartbeatAnswer, GroupChannel, GroupCoordinator, GroupErrorCode,
    GroupMember, GroupOffset, JoinRequest, JoinResponse, SyncRequest, TopicUuid,
};
pub use metrics::{ClientMetric, ClientReading};
pub use producer::{Ack, AckSink, Acked, CommitError, Header, OutRecord, Producer};
