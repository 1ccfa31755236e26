//! The admin port.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{KafkaError, KafkaErrorKind};

/// A topic to create.
#[derive(Clone, Debug)]
pub struct NewTopic {
    /// The name.
    pub name: String,
    /// The partitions; -1: the broker's default.
    pub partitions: i32,
    /// The replication factor; -1: the broker's default.
    pub replication_factor: i16,
    /// Topic configurations.
    pub configs: BTreeMap<String, String>,
}

/// What came of a creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// It was created now.
    Created,
    /// It was there already.
    Exists,
    /// We may not create it, or the broker cannot: it may exist or be created by itself.
    Unauthorized(String),
    /// Too few brokers for the replication factor, now.
    InvalidReplicationFactor(String),
    /// The broker did not finish in time.
    TimedOut(String),
    /// The configuration is refused.
    InvalidConfig(String),
    /// Anything else.
    Failed(String),
}

/// A topic's partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// The name.
    pub name: String,
    /// The partition numbers.
    pub partitions: Vec<i32>,
}

/// A topic's configuration: name to value.
pub type TopicConfig = BTreeMap<String, Option<String>>;

/// Which offset to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListAt {
    /// The oldest.
    Earliest,
    /// The end.
    Latest,
    /// The first at or after this timestamp (ms).
    Timestamp(i64),
}

/// Which end is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// The end of the log.
    ReadUncommitted,
    /// The last stable offset.
    ReadCommitted,
}

/// An offset of a consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// A group as its coordinator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupInfo {
    /// The state, in Kafka's words; `Dead` for a group that is not there.
    pub state: String,
    /// `consumer`, `connect`, or "" for a group without members.
    pub protocol_type: String,
    /// The member ids.
    pub members: Vec<String>,
}

/// Administers a cluster. Every call retries within the client's `default.api.timeout.ms`.
#[async_trait]
pub trait Admin: Send + Sync {
    /// The cluster's id.
    async fn cluster_id(&self) -> Result<String, KafkaError>;
    /// Creates topics; one outcome per topic, in order.
    async fn create_topics(&self, topics: Vec<NewTopic>) -> Result<Vec<CreateOutcome>, KafkaError>;
    /// Extends a topic to this total number of partitions.
    async fn create_partitions(&self, topic: &str, total: i32) -> Result<(), KafkaError> {
        let _ = total;
        Err(unsupported(&format!("creating partitions of {topic}")))
    }
    /// Deletes topics that are there.
    async fn delete_topics(&self, topics: &[String]) -> Result<(), KafkaError>;
    /// The topics that exist among these; never creates one.
    async fn describe_topics(&self, topics: &[String]) -> Result<Vec<TopicInfo>, KafkaError>;
    /// All topics.
    async fn list_topics(&self) -> Result<Vec<TopicInfo>, KafkaError>;
    /// A topic's configuration; empty when it may not be read.
    async fn topic_config(&self, topic: &str) -> Result<TopicConfig, KafkaError>;
    /// Changes a topic's configuration key by key; `None` goes back to the default.
    async fn alter_topic_config(
        &self,
        topic: &str,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<(), KafkaError> {
        let _ = changes;
        Err(unsupported(&format!(
            "changing the configuration of {topic}"
        )))
    }
    /// Offsets of partitions; -1 where no record is at or after the timestamp.
    async fn list_offsets(
        &self,
        partitions: &[(Arc<str>, i32)],
        at: ListAt,
        isolation: Isolation,
    ) -> Result<BTreeMap<(Arc<str>, i32), i64>, KafkaError>;
    /// Fences the producers of these transactional ids: bumps their epochs, aborts open transactions.
    async fn fence_producers(&self, ids: &[String], within: Duration) -> Result<(), KafkaError>;
    /// The offsets of a consumer group.
    async fn group_offsets(&self, group: &str) -> Result<Vec<ConsumerOffset>, KafkaError>;
    /// Sets offsets of a group without members.
    async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &[ConsumerOffset],
    ) -> Result<(), KafkaError>;
    /// Removes offsets of a group.
    async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[(String, i32)],
    ) -> Result<(), KafkaError>;
    /// Describes a group.
    async fn describe_group(&self, group: &str) -> Result<GroupInfo, KafkaError> {
        Err(unsupported(&format!("describing group {group}")))
    }
    /// Deletes a group without members; a group that is not there is fine.
    async fn delete_group(&self, group: &str) -> Result<(), KafkaError>;
}

/// What an adapter without the call answers.
fn unsupported(what: &str) -> KafkaError {
    KafkaError::new(
        KafkaErrorKind::Fatal,
        format!("{what} is not available through this client"),
    )
    .class("org.apache.kafka.common.errors.UnsupportedVersionException")
}
