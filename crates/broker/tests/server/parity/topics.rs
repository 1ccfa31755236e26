//! Topics, their configurations, and what a broker without authoriser says of access.

use kafka_protocol::messages::{
    ApiKey, CreatePartitionsRequest, CreatePartitionsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, MetadataRequest,
    MetadataResponse, TopicName,
    create_partitions_request::CreatePartitionsTopic,
    create_topics_request::{CreatableTopic, CreatableTopicConfig},
    delete_topics_request::DeleteTopicState,
    describe_configs_request::DescribeConfigsResource,
    incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
    metadata_request::MetadataRequestTopic,
};

use super::Notes;
use crate::client::{Client, text};

/// Error, and name, value, read only, source, sensitive and type of each configuration.
type Configs = (i16, Vec<(String, Option<String>, bool, i8, bool, i8)>);

impl Client {
    pub(super) async fn delete_topic(&mut self, name: &str) -> i16 {
        let topic = DeleteTopicState::default().with_name(Some(text(name).into()));
        let request = DeleteTopicsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(10_000);
        let answer: DeleteTopicsResponse = self.call(ApiKey::DeleteTopics, 6, &request).await;
        answer.responses[0].error_code
    }

    pub(super) async fn alter(
        &mut self,
        topic: &str,
        name: &str,
        value: Option<&str>,
        operation: i8,
    ) -> i16 {
        let config = AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(operation)
            .with_value(value.map(text));
        let resource = AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(topic))
            .with_configs(vec![config]);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        let key = ApiKey::IncrementalAlterConfigs;
        let answer: IncrementalAlterConfigsResponse = self.call(key, 1, &request).await;
        answer.responses[0].error_code
    }

    pub(super) async fn create_with(&mut self, topic: &str, name: &str, value: &str) -> i16 {
        let config = CreatableTopicConfig::default()
            .with_name(text(name))
            .with_value(Some(text(value)));
        let topic = CreatableTopic::default()
            .with_name(TopicName(text(topic)))
            .with_num_partitions(1)
            .with_replication_factor(1)
            .with_configs(vec![config]);
        self.create_topic(topic).await
    }

    async fn grow(&mut self, topic: &str, count: i32, validate_only: bool) -> i16 {
        let topic = CreatePartitionsTopic::default()
            .with_name(text(topic).into())
            .with_count(count)
            .with_assignments(None);
        let request = CreatePartitionsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(10_000)
            .with_validate_only(validate_only);
        let key = ApiKey::CreatePartitions;
        let answer: CreatePartitionsResponse = self.call(key, 3, &request).await;
        answer.results[0].error_code
    }

    async fn metadata(&mut self, topic: &str) -> (i16, bool, usize) {
        let topic = MetadataRequestTopic::default().with_name(Some(text(topic).into()));
        let request = MetadataRequest::default().with_topics(Some(vec![topic]));
        let answer: MetadataResponse = self.call(ApiKey::Metadata, 12, &request).await;
        let topic = &answer.topics[0];
        (topic.error_code, topic.is_internal, topic.partitions.len())
    }

    /// Error, and name, value, read only, source, sensitive and type of each, in order of names.
    async fn configs(&mut self, kind: i8, name: &str, keys: Option<&[&str]>) -> Configs {
        let keys = keys.map(|keys| keys.iter().map(|key| text(key)).collect());
        let resource = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configuration_keys(keys);
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let answer: DescribeConfigsResponse = self.call(ApiKey::DescribeConfigs, 4, &request).await;
        let result = &answer.results[0];
        let mut rows: Vec<_> = result
            .configs
            .iter()
            .map(|config| {
                (
                    config.name.to_string(),
                    config.value.as_ref().map(ToString::to_string),
                    config.read_only,
                    config.config_source,
                    config.is_sensitive,
                    config.config_type,
                )
            })
            .collect();
        rows.sort();
        (result.error_code, rows)
    }
}

impl Client {
    /// The configurations once they differ: Apache Kafka's brokers hear of a change a moment later.
    async fn changed(&mut self, topic: &str, keys: &[&str], before: &Configs) -> Configs {
        loop {
            let now = self.configs(2, topic, Some(keys)).await;
            if now != *before {
                return now;
            }
            tokio::task::yield_now().await;
        }
    }
}

pub(super) async fn topics(c: &mut Client, notes: &mut Notes) {
    notes.note("create", c.create("t", 1, 1).await);
    notes.note("create again", c.create("t", 1, 1).await);
    notes.note("create without a name", c.create("", 1, 1).await);
    notes.note("create a bad name", c.create("a b", 1, 1).await);
    notes.note("create a dot", c.create(".", 1, 1).await);
    notes.note("create a long name", c.create(&"a".repeat(250), 1, 1).await);
    notes.note("create with 0 partitions", c.create("n", 0, 1).await);
    notes.note("create with 3 replicas", c.create("n", 1, 3).await);
    notes.note("create with 0 replicas", c.create("n", 1, 0).await);
    notes.note("create with defaults", c.create("defaults", -1, -1).await);
    notes.note("create a.b", c.create("a.b", 1, 1).await);
    notes.note("create a_b, which collides", c.create("a_b", 1, 1).await);
    for (what, name, value) in [
        ("an unknown config", "no.such.config", "1"),
        ("a bad value", "retention.ms", "abc"),
        ("a negative size", "segment.bytes", "-1"),
        ("a bad policy", "cleanup.policy", "burn"),
        ("both policies", "cleanup.policy", "compact,delete"),
        ("a codec", "compression.type", "zstd"),
        ("a bad codec", "compression.type", "rar"),
    ] {
        let name_of = format!("with.{}", what.replace(' ', "."));
        notes.note(
            &format!("create with {what}"),
            c.create_with(&name_of, name, value).await,
        );
    }
    notes.note("metadata", c.metadata("t").await);
    notes.note("metadata of no topic", c.metadata("nope").await);
    notes.note("metadata of a bad name", c.metadata("a b").await);
    notes.note("delete no topic", c.delete_topic("nope").await);
    notes.note("delete", c.delete_topic("defaults").await);
    notes.note("delete again", c.delete_topic("defaults").await);
}

pub(super) async fn configs(c: &mut Client, notes: &mut Notes) {
    c.made("configured").await;
    let t = "configured";
    let all = ["retention.ms"];
    let before = c.configs(2, t, Some(&all)).await;
    notes.note("set", c.alter(t, "retention.ms", Some("1000"), 0).await);
    notes.note("what was set", c.changed(t, &all, &before).await);
    notes.note("unset", c.alter(t, "retention.ms", None, 1).await);
    notes.note(
        "set a bad value",
        c.alter(t, "retention.ms", Some("x"), 0).await,
    );
    notes.note("set nothing", c.alter(t, "retention.ms", None, 0).await);
    notes.note(
        "set an unknown one",
        c.alter(t, "no.such", Some("x"), 0).await,
    );
    notes.note("unset an unknown one", c.alter(t, "no.such", None, 1).await);
    notes.note(
        "append to a number",
        c.alter(t, "retention.ms", Some("1"), 2).await,
    );
    notes.note(
        "an unknown operation",
        c.alter(t, "retention.ms", Some("1"), 9).await,
    );
    c.made("listed").await;
    let list = ["cleanup.policy"];
    let before = c.configs(2, "listed", Some(&list)).await;
    let appended = c.alter("listed", "cleanup.policy", Some("compact"), 2);
    notes.note("append to a list", appended.await);
    let longer = c.changed("listed", &list, &before).await;
    let taken = c.alter("listed", "cleanup.policy", Some("delete"), 3);
    notes.note("take from a list", taken.await);
    notes.note("the list after", c.changed("listed", &list, &longer).await);
    notes.note("the list before", longer);
    notes.note(
        "configure no topic",
        c.alter("nope", "retention.ms", Some("1"), 0).await,
    );
    notes.note("configs of no topic", c.configs(2, "nope", None).await);
    notes.note("configs of no broker", c.configs(4, "77", None).await);
    notes.note("configs of no kind", c.configs(99, "x", None).await.0);
    notes.note("unknown keys", c.configs(2, t, Some(&["no.such"])).await);
    let (code, rows) = c.configs(2, t, None).await;
    notes.note("all configs", (code, rows.len()));
    for row in rows {
        notes.note(&format!("config {}", row.0), &row);
    }
}

pub(super) async fn partitions(c: &mut Client, notes: &mut Notes) {
    c.create("grown", 1, 1).await;
    notes.note("only asked", c.grow("grown", 3, true).await);
    notes.note("after asking", c.metadata("grown").await);
    notes.note("grow", c.grow("grown", 3, false).await);
    notes.note("the same number", c.grow("grown", 3, false).await);
    notes.note("fewer", c.grow("grown", 2, false).await);
    notes.note("none", c.grow("grown", 0, false).await);
    notes.note("no topic", c.grow("nope", 2, false).await);
}
