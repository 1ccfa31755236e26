//! Topic configurations: read, and change key by key (KIP-339).

use std::collections::BTreeMap;

use kafka_protocol::{
    messages::{
        DescribeConfigsRequest, IncrementalAlterConfigsRequest,
        describe_configs_request::DescribeConfigsResource,
        incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
    },
    protocol::StrBytes,
};

use super::{super::codes, WireAdmin, text};
use crate::ports::{KafkaError, TopicConfig};

/// The resource type of a topic.
const TOPIC: i8 = 2;
const SET: i8 = 0;
const DELETE: i8 = 1;

impl WireAdmin {
    pub(super) async fn topic_config_once(&self, topic: &str) -> Result<TopicConfig, KafkaError> {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text(topic))
            .with_configuration_keys(None);
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let answer = match self.cluster.call_any(|_| request).await {
            Err(error) if error.class.ends_with("UnsupportedVersionException") => {
                return Ok(TopicConfig::new());
            }
            other => other?,
        };
        let Some(result) = answer.results.first() else {
            return Ok(TopicConfig::new());
        };
        if matches!(
            result.error_code,
            codes::TOPIC_AUTHORIZATION_FAILED | codes::CLUSTER_AUTHORIZATION_FAILED
        ) {
            return Ok(TopicConfig::new());
        }
        let said = result.error_message.as_ref().map(StrBytes::as_str);
        codes::check(result.error_code, &format!("topic {topic}"), said)?;
        let entry = |config: &kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult| {
            let value = config.value.as_ref().map(|value| value.to_string());
            (config.name.to_string(), value)
        };
        Ok(result.configs.iter().map(entry).collect())
    }

    pub(super) async fn alter_topic_config_once(
        &self,
        topic: &str,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<(), KafkaError> {
        let configs = changes.iter().map(|(name, value)| {
            AlterableConfig::default()
                .with_name(text(name))
                .with_config_operation(if value.is_some() { SET } else { DELETE })
                .with_value(value.as_deref().map(text))
        });
        let resource = AlterConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text(topic))
            .with_configs(configs.collect());
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        let answer = self.cluster.call_any(|_| request).await?;
        for result in &answer.responses {
            let said = result.error_message.as_ref().map(StrBytes::as_str);
            codes::check(result.error_code, &format!("topic {topic}"), said)?;
        }
        Ok(())
    }
}
