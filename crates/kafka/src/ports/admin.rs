//! The admin port.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::KafkaError;

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

/// Administers a cluster. Every call retries within the client's `default.api.timeout.ms`.
#[async_trait]
pub trait Admin: Send + Sync {
    /// The cluster's id.
    async fn cluster_id(&self) -> Result<String, KafkaError>;
    /// Creates topics; one outcome per topic, in order.
    async fn create_topics(&self, topics: Vec<NewTopic>) -> Result<Vec<CreateOutcome>, KafkaError>;
    /// Deletes topics that are there.
    async fn delete_topics(&self, topics: &[String]) -> Result<(), KafkaError>;
    /// The topics that exist among these; never creates one.
    async fn describe_topics(&self, topics: &[String]) -> Result<Vec<TopicInfo>, KafkaError>;
    /// All topics.
    async fn list_topics(&self) -> Result<Vec<TopicInfo>, KafkaError>;
    /// A topic's configuration; empty when it may not be read.
    async fn topic_config(&self, topic: &str) -> Result<TopicConfig, KafkaError>;
    /// Offsets of partitions.
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
    /// Deletes a group without members; a group that is not there is fine.
    async fn delete_group(&self, group: &str) -> Result<(), KafkaError>;
}
