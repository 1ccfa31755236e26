//! The connectors against the conformance suite, and what Java's give.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::sync::Arc;

use milena_api::{ConnectorInstance, ConnectorPlugin, TaskInstance};
use milena_config::Props;
use milena_data::{Record, SchemaAndValue, SinkOrigin, TimestampType, Value};
use milena_verifiable::connectors;

fn plugin(name: &str) -> Arc<dyn ConnectorPlugin> {
    let class = format!("org.apache.kafka.connect.tools.{name}Connector");
    let all = connectors();
    all.iter().find(|p| p.class() == class).unwrap().clone()
}

fn props(config: &[(&str, &str)]) -> Props {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    config.iter().map(own).collect()
}

#[test]
fn the_list_is_alphabetical() {
    let names: Vec<String> = connectors().iter().map(|p| p.class().to_owned()).collect();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(names, sorted);
}

#[tokio::test]
async fn sources_keep_their_promises() {
    let config = props(&[
        ("name", "v"),
        ("topic", "t"),
        ("throughput", "5000"),
        ("num.messages", "1000"),
        ("partition.count", "3"),
        ("multiple.schema", "true"),
        ("complete.record.data", "true"),
    ]);
    for name in ["VerifiableSource", "SchemaSource"] {
        let broken = milena_conformance::source(&*plugin(name), &config, 40).await;
        assert!(broken.is_empty(), "{name}: {broken:#?}");
    }
}

#[tokio::test]
async fn sinks_keep_their_promises() {
    let record = |offset| Record {
        topic: "t".into(),
        partition: Some(0),
        key: SchemaAndValue::new(None, Value::Int32(1)),
        value: SchemaAndValue::new(None, Value::Int64(offset)),
        origin: Some(SinkOrigin {
            topic: "t".into(),
            partition: 0,
            offset,
            timestamp_type: TimestampType::CreateTime,
        }),
        ..Record::default()
    };
    let records: Vec<Record> = (0..5).map(record).collect();
    for name in ["VerifiableSink", "MockSink"] {
        let config = props(&[("name", "v")]);
        let broken = milena_conformance::sink(&*plugin(name), &config, &records).await;
        assert!(broken.is_empty(), "{name}: {broken:#?}");
    }
}

#[tokio::test]
async fn a_mock_has_a_single_task_and_the_others_as_many_as_they_may() {
    let of = async |name: &str| match plugin(name).connector().unwrap() {
        ConnectorInstance::Source(mut one) => one.task_configs(3).await.unwrap(),
        ConnectorInstance::Sink(mut one) => one.task_configs(3).await.unwrap(),
    };
    assert_eq!(of("MockSource").await, [Props::new()]);
    assert_eq!(of("MockSink").await, [Props::new()]);
    for name in ["SchemaSource", "VerifiableSink", "VerifiableSource"] {
        let numbers: Vec<Props> = ["0", "1", "2"].map(|n| props(&[("id", n)])).into();
        assert_eq!(of(name).await, numbers, "{name}");
    }
}

#[tokio::test]
async fn a_task_without_its_keys_is_refused_in_javas_words() {
    use milena_api::{OffsetReader, SourceTaskContext};
    struct Nothing;
    #[async_trait::async_trait]
    impl OffsetReader for Nothing {
        async fn offsets(
            &self,
            partitions: &[milena_data::SourceMap],
        ) -> Result<Vec<Option<milena_data::SourceMap>>, milena_api::ConnectError> {
            Ok(vec![None; partitions.len()])
        }
    }
    for name in ["VerifiableSource", "SchemaSource"] {
        let Ok(TaskInstance::Source(mut task)) = plugin(name).task() else {
            panic!("a source");
        };
        let context = SourceTaskContext {
            connector: "v".into(),
            task: 0,
            offsets: Arc::new(Nothing),
            transactions: None,
            stopping: tokio_util::sync::CancellationToken::new(),
        };
        let error = task
            .start(context, props(&[("id", "0")]))
            .await
            .unwrap_err();
        let text = format!("Invalid {name}Task configuration");
        assert_eq!(error.message, Some(text));
        assert_eq!(
            error.cause.unwrap().class,
            "java.lang.NumberFormatException"
        );
    }
}

#[tokio::test]
async fn a_mock_fails_without_a_word_when_told_to() {
    let Ok(TaskInstance::Sink(mut task)) = plugin("MockSink").task() else {
        panic!("a sink");
    };
    let context = milena_api::SinkTaskContext {
        connector: "m".into(),
        task: 0,
        errant: None,
        stopping: tokio_util::sync::CancellationToken::new(),
        generation: Arc::default(),
        requests: Arc::new(|_| {}),
    };
    let config = props(&[("mock_mode", "task-failure"), ("delay_ms", "-1")]);
    task.start(context, config).await.unwrap();
    let error = loop {
        if let Err(error) = task.put(&[]).await {
            break error;
        }
    };
    assert_eq!(error.trace(), "java.lang.RuntimeException\n");
}
