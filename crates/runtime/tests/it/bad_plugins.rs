//! Every method of a plugin that panics, blocks its thread or never answers: the worker stays alive and truthful, and
//! others go on.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use milena_api::{
    CommittedRecord, ConnectError, Connector, ConnectorContext, ConnectorInstance, ConnectorOffset,
    ConnectorPlugin, ConverterInstance, ConverterPlugin, ConverterUse, PartitionOffsets,
    PluginInfo, RawHeader, RecordConverter, SinkConnector, SinkTask, SinkTaskContext,
    SourceConnector, SourceTask, SourceTaskContext, TaskInstance, TopicPartition,
};
use milena_config::{ConfigDef, Props};
use milena_data::{
    Record, Schema, SchemaAndValue, SinkRecord, SourceMap, SourceRecord, Text, Value,
};

use crate::{
    recording::given,
    world::{Worker, cluster, embedded, eventually, props, unique},
};

/// Where a plugin misbehaves, and how.
#[derive(Clone, Default)]
struct Trap {
    at: String,
    how: String,
}

impl Trap {
    fn of(config: &Props) -> Self {
        let text = |key: &str| config.get(key).cloned().unwrap_or_default();
        Self {
            at: text("trap.at"),
            how: text("trap.how"),
        }
    }

    async fn spring(&self, at: &str) {
        if self.at == at {
            if self.how == "hang" {
                std::future::pending::<()>().await;
            }
            self.spring_now(at);
        }
    }

    fn spring_now(&self, at: &str) {
        if self.at == at {
            match self.how.as_str() {
                "panic" => panic!("a trap at {at}"),
                _ => loop {
                    std::thread::park();
                },
            }
        }
    }
}

pub(crate) struct BadPlugin {
    pub(crate) source: bool,
}

impl PluginInfo for BadPlugin {
    fn class(&self) -> &str {
        match self.source {
            true => "test.BadSource",
            false => "test.BadSink",
        }
    }
    fn version(&self) -> &str {
        "1"
    }
}

impl ConnectorPlugin for BadPlugin {
    fn is_source(&self) -> bool {
        self.source
    }
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    fn connector(&self) -> Result<ConnectorInstance, ConnectError> {
        Ok(match self.source {
            true => ConnectorInstance::Source(Box::new(BadConnector::default())),
            false => ConnectorInstance::Sink(Box::new(BadConnector::default())),
        })
    }
    fn task(&self) -> Result<TaskInstance, ConnectError> {
        Ok(match self.source {
            true => TaskInstance::Source(Box::new(BadTask::default())),
            false => TaskInstance::Sink(Box::new(BadTask::default())),
        })
    }
}

#[derive(Default)]
struct BadConnector {
    config: Props,
    trap: Trap,
}

#[async_trait]
impl Connector for BadConnector {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    async fn start(&mut self, _: ConnectorContext, config: Props) -> Result<(), ConnectError> {
        self.trap = Trap::of(&config);
        self.config = config;
        self.trap.spring("connector.start").await;
        Ok(())
    }
    async fn task_configs(&mut self, _: usize) -> Result<Vec<Props>, ConnectError> {
        self.trap.spring("connector.task_configs").await;
        let tasks = self.config.get("tasks").and_then(|text| text.parse().ok());
        Ok(vec![self.config.clone(); tasks.unwrap_or(1)])
    }
    async fn stop(&mut self) {
        self.trap.spring("connector.stop").await;
    }
}

#[async_trait]
impl SourceConnector for BadConnector {
    async fn alter_offsets(
        &mut self,
        config: &Props,
        _: &[ConnectorOffset],
    ) -> Result<bool, ConnectError> {
        Trap::of(config).spring("connector.alter_offsets").await;
        Ok(true)
    }
}

impl SinkConnector for BadConnector {}

#[derive(Default)]
struct BadTask {
    trap: Trap,
    topic: Text,
    polls: i64,
}

#[async_trait]
impl SourceTask for BadTask {
    async fn start(&mut self, _: SourceTaskContext, config: Props) -> Result<(), ConnectError> {
        self.trap = Trap::of(&config);
        self.topic = config["topic"].as_str().into();
        self.trap.spring("source.start").await;
        Ok(())
    }
    async fn poll(&mut self) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        self.trap.spring("source.poll").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.polls += 1;
        let map = |key: &str, value: i64| {
            Arc::new(SourceMap::from_iter([(
                Text::from(key),
                Value::Int64(value),
            )]))
        };
        Ok(Some(vec![SourceRecord {
            source_partition: Some(map("p", 0)),
            source_offset: Some(map("n", self.polls).into()),
            record: Record {
                topic: self.topic.clone(),
                value: SchemaAndValue {
                    value: Value::String("x".into()),
                    ..SchemaAndValue::default()
                },
                ..Record::default()
            },
        }]))
    }
    fn wants_committed_records(&self) -> bool {
        true
    }
    async fn commit_records(&mut self, _: Vec<CommittedRecord>) -> Result<(), ConnectError> {
        self.trap.spring("source.commit_records").await;
        Ok(())
    }
    async fn commit(&mut self) -> Result<(), ConnectError> {
        self.trap.spring("source.commit").await;
        Ok(())
    }
    async fn stop(&mut self) {
        self.trap.spring("source.stop").await;
    }
}

#[async_trait]
impl SinkTask for BadTask {
    async fn start(&mut self, _: SinkTaskContext, config: Props) -> Result<(), ConnectError> {
        self.trap = Trap::of(&config);
        self.trap.spring("sink.start").await;
        Ok(())
    }
    async fn open(&mut self, _: &[TopicPartition]) -> Result<(), ConnectError> {
        self.trap.spring("sink.open").await;
        Ok(())
    }
    async fn put(&mut self, _: &[SinkRecord]) -> Result<(), ConnectError> {
        self.trap.spring("sink.put").await;
        Ok(())
    }
    async fn pre_commit(
        &mut self,
        offsets: PartitionOffsets,
    ) -> Result<PartitionOffsets, ConnectError> {
        self.trap.spring("sink.pre_commit").await;
        Ok(offsets)
    }
    async fn close(&mut self, _: &[TopicPartition]) -> Result<(), ConnectError> {
        self.trap.spring("sink.close").await;
        Ok(())
    }
    async fn stop(&mut self) {
        self.trap.spring("sink.stop").await;
    }
}

pub(crate) struct BadConverter;

impl PluginInfo for BadConverter {
    fn class(&self) -> &str {
        "test.BadConverter"
    }
    fn version(&self) -> &str {
        "1"
    }
}

impl ConverterPlugin for BadConverter {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    fn converter(
        &self,
        config: &Props,
        _: ConverterUse,
    ) -> Result<ConverterInstance, ConnectError> {
        let trap = Trap::of(config);
        trap.spring_now("converter.new");
        Ok(ConverterInstance::PerRecord(Box::new(Springs(trap))))
    }
}

struct Springs(Trap);

impl RecordConverter for Springs {
    fn to_connect(
        &mut self,
        _: &str,
        _: &[RawHeader],
        _: Option<&Bytes>,
    ) -> Result<SchemaAndValue, ConnectError> {
        self.0.spring_now("converter.to_connect");
        Ok(SchemaAndValue::default())
    }
    fn from_connect(
        &mut self,
        _: &str,
        _: &mut Vec<RawHeader>,
        _: Option<&Schema>,
        _: &Value,
    ) -> Result<Option<Bytes>, ConnectError> {
        self.0.spring_now("converter.from_connect");
        Ok(None)
    }
}

/// Every method, the kind of connector, and what fails when it panics.
const METHODS: [(&str, &str, Fails); 19] = [
    ("connector.start", "test.BadSource", Fails::Connector),
    ("connector.task_configs", "test.BadSource", Fails::Nothing),
    ("connector.stop", "test.BadSource", Fails::Nothing),
    ("source.start", "test.BadSource", Fails::Task),
    ("source.poll", "test.BadSource", Fails::Task),
    ("source.commit_records", "test.BadSource", Fails::Task),
    ("source.commit", "test.BadSource", Fails::Task),
    ("source.stop", "test.BadSource", Fails::Nothing),
    ("converter.new", "test.BadSource", Fails::Task),
    ("converter.from_connect", "test.BadSource", Fails::Task),
    ("sink.start", "test.BadSink", Fails::Task),
    ("sink.open", "test.BadSink", Fails::Task),
    ("sink.put", "test.BadSink", Fails::Task),
    ("sink.pre_commit", "test.BadSink", Fails::Task),
    ("sink.close", "test.BadSink", Fails::Nothing),
    ("sink.stop", "test.BadSink", Fails::Nothing),
    ("converter.new", "test.BadSink", Fails::Task),
    ("converter.to_connect", "test.BadSink", Fails::Task),
    ("connector.alter_offsets", "test.BadSource", Fails::Nothing),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fails {
    Connector,
    Task,
    Nothing,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_plugin_harms_only_itself() {
    // What is looked at is the worker, whatever the broker.
    let broker = embedded().await;
    let bootstrap = &broker.bootstrap;
    let dir = tempfile::tempdir().unwrap();
    let settings = cluster(
        bootstrap,
        &[
            ("task.shutdown.graceful.timeout.ms", "300"),
            ("offset.flush.interval.ms", "100"),
        ],
    );
    let worker = Worker::start(&settings, "w1:8083").await;
    let (topic, sink) = (unique("t"), unique("good"));
    let input = dir.path().join("good.txt");
    std::fs::write(&input, "one\n").unwrap();
    let good = props(&[
        ("connector.class", "FileStreamSource"),
        ("file", input.to_str().unwrap()),
        ("topic", &topic),
    ]);
    worker.port.create("good", good, None).await.unwrap();
    let good = props(&[
        ("connector.class", "test.RecordingSink"),
        ("topics", &topic),
    ]);
    worker.port.create(&sink, good, None).await.unwrap();
    eventually("the good ones work", async || {
        (given(&sink).len() == 1).then_some(())
    })
    .await;

    let mut traps = BTreeMap::new();
    for (at, class, fails) in METHODS {
        for how in ["panic", "block", "hang"] {
            // A connector that does not return holds its stop for 5 s, whether it blocks or waits.
            if how == "hang" && at.starts_with("connector.") {
                continue;
            }
            let name = format!("{}-{at}-{how}", class.to_lowercase());
            let config = props(&[
                ("connector.class", class),
                ("trap.at", at),
                ("trap.how", how),
                ("topic", "bad"),
                ("topics", if class == "test.BadSink" { &topic } else { "" }),
                ("value.converter", "test.BadConverter"),
                ("value.converter.trap.at", at),
                ("value.converter.trap.how", how),
            ]);
            worker.port.create(&name, config, None).await.unwrap();
            traps.insert(name, (how, fails));
        }
    }
    // The state is the truth.
    for (name, (how, fails)) in &traps {
        if *how != "panic" {
            continue;
        }
        match fails {
            Fails::Connector => {
                let status = worker
                    .status(name, name, |s| s.connector.state == "FAILED")
                    .await;
                assert!(
                    status
                        .connector
                        .trace
                        .unwrap()
                        .contains("panicked: a trap at")
                );
            }
            Fails::Task => {
                let failed = |s: &milena_rest_model::ConnectorStateInfo| {
                    s.tasks.iter().any(|task| task.state == "FAILED")
                };
                let status = worker.status(name, name, failed).await;
                let trace = status.tasks[0].trace.clone().unwrap();
                assert!(trace.contains("panicked: a trap at"), "{trace}");
            }
            Fails::Nothing => {}
        }
    }
    // Others go on.
    std::fs::write(&input, "one\ntwo\n").unwrap();
    eventually("others go on", async || {
        (given(&sink).len() == 2).then_some(())
    })
    .await;
    let altered = worker
        .port
        .stop("test.badsource-connector.alter_offsets-panic")
        .await;
    altered.unwrap();
    // What hangs can be taken away.
    let begun = std::time::Instant::now();
    let deletions = traps.keys().map(|name| worker.port.delete(name));
    for deleted in futures_util::future::join_all(deletions).await {
        deleted.unwrap();
    }
    eprintln!(
        "{} bad connectors were deleted in {:?}",
        traps.len(),
        begun.elapsed()
    );
    std::fs::write(&input, "one\ntwo\nthree\n").unwrap();
    eventually("others still go on", async || {
        (given(&sink).len() == 3).then_some(())
    })
    .await;
    let left = worker.port.connectors().await.unwrap();
    assert_eq!(
        left,
        BTreeMap::from([("good", ()), (&sink[..], ())])
            .into_keys()
            .collect::<Vec<_>>()
    );
    let begun = std::time::Instant::now();
    worker.handle.stop().await;
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
}
