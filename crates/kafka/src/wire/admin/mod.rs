//! The admin client: every call goes on trying, with backoff, for `default.api.timeout.ms`.
//!
//! Answers to `org.apache.kafka.clients.admin.KafkaAdminClient`. What is repeated after an unknown outcome is
//! harmless to repeat: a topic created by the first attempt answers "exists" to the second, and is then
//! reported as created.

mod configs;
mod fencing;
mod groups;
mod offsets;
mod topics;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use kafka_protocol::protocol::StrBytes;

use super::{cluster::Cluster, codes, retry::Retry};
use crate::ports::{
    Admin, ConsumerOffset, CreateOutcome, GroupInfo, Isolation, KafkaError, ListAt, NewTopic,
    TopicConfig, TopicInfo,
};

/// An admin client.
pub(crate) struct WireAdmin {
    cluster: Arc<Cluster>,
}

impl WireAdmin {
    /// An admin client of this cluster.
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster }
    }

    fn retry(&self, call: &'static str) -> Retry {
        let settings = self.cluster.settings();
        Retry::new(settings, call, settings.api_timeout)
    }

    /// How long the broker itself may work on a change.
    fn broker_timeout_millis(&self) -> i32 {
        let timeout = self.cluster.settings().request_timeout;
        i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
    }

    async fn cluster_id_once(&self) -> Result<String, KafkaError> {
        let answer = self.cluster.metadata(Some(&[])).await?;
        let id = answer.cluster_id.map(|id| id.to_string());
        id.ok_or_else(|| {
            codes::error(
                codes::UNSUPPORTED_VERSION,
                "cluster id",
                Some("the cluster has none"),
            )
        })
    }
}

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

/// Repeats an attempt until it succeeds, fails for good or runs out of time.
macro_rules! retrying {
    ($self:ident, $call:literal, $attempt:expr) => {{
        let mut retry = $self.retry($call);
        loop {
            match $attempt.await {
                Ok(done) => break Ok(done),
                Err(error) => retry.again(error).await?,
            }
        }
    }};
}

#[async_trait]
impl Admin for WireAdmin {
    async fn cluster_id(&self) -> Result<String, KafkaError> {
        retrying!(self, "describeCluster", self.cluster_id_once())
    }

    async fn create_topics(&self, topics: Vec<NewTopic>) -> Result<Vec<CreateOutcome>, KafkaError> {
        self.create_all(topics).await
    }

    async fn create_partitions(&self, topic: &str, total: i32) -> Result<(), KafkaError> {
        retrying!(
            self,
            "createPartitions",
            self.create_partitions_once(topic, total)
        )
    }

    async fn delete_topics(&self, topics: &[String]) -> Result<(), KafkaError> {
        retrying!(self, "deleteTopics", self.delete_topics_once(topics))
    }

    async fn describe_topics(&self, topics: &[String]) -> Result<Vec<TopicInfo>, KafkaError> {
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        retrying!(self, "describeTopics", self.topics_once(Some(topics)))
    }

    async fn list_topics(&self) -> Result<Vec<TopicInfo>, KafkaError> {
        retrying!(self, "listTopics", self.topics_once(None))
    }

    async fn topic_config(&self, topic: &str) -> Result<TopicConfig, KafkaError> {
        retrying!(self, "describeConfigs", self.topic_config_once(topic))
    }

    async fn alter_topic_config(
        &self,
        topic: &str,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<(), KafkaError> {
        retrying!(
            self,
            "incrementalAlterConfigs",
            self.alter_topic_config_once(topic, changes)
        )
    }

    async fn list_offsets(
        &self,
        partitions: &[(Arc<str>, i32)],
        at: ListAt,
        isolation: Isolation,
    ) -> Result<BTreeMap<(Arc<str>, i32), i64>, KafkaError> {
        retrying!(
            self,
            "listOffsets",
            self.list_offsets_once(partitions, at, isolation)
        )
    }

    async fn fence_producers(&self, ids: &[String], within: Duration) -> Result<(), KafkaError> {
        for id in ids {
            self.fence(id, within).await?;
        }
        Ok(())
    }

    async fn group_offsets(&self, group: &str) -> Result<Vec<ConsumerOffset>, KafkaError> {
        retrying!(
            self,
            "listConsumerGroupOffsets",
            self.group_offsets_once(group)
        )
    }

    async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &[ConsumerOffset],
    ) -> Result<(), KafkaError> {
        if offsets.is_empty() {
            return Ok(());
        }
        retrying!(
            self,
            "alterConsumerGroupOffsets",
            self.alter_group_offsets_once(group, offsets)
        )
    }

    async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[(String, i32)],
    ) -> Result<(), KafkaError> {
        if partitions.is_empty() {
            return Ok(());
        }
        retrying!(
            self,
            "deleteConsumerGroupOffsets",
            self.delete_group_offsets_once(group, partitions)
        )
    }

    async fn describe_group(&self, group: &str) -> Result<GroupInfo, KafkaError> {
        retrying!(self, "describeGroups", self.describe_group_once(group))
    }

    async fn delete_group(&self, group: &str) -> Result<(), KafkaError> {
        retrying!(self, "deleteGroups", self.delete_group_once(group))
    }
}
