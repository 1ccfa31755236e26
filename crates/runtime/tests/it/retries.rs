//! A retriable failure in the chain: only the stage that failed runs again, on the source's side and on the sink's, as
//! Java's `RetryWithToleranceOperator` does with each stage by itself.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use milena_api::{
    BatchTransform, ConnectError, ConverterInstance, ConverterPlugin, ConverterUse, PluginInfo,
    RawHeader, RecordConverter, RecordTransform, TransformInstance, TransformPlugin,
};
use milena_config::{ConfigDef, Props};
use milena_data::{Record, Schema, SchemaAndValue, Value};

use crate::world::{Worker, brokers, cluster, eventually, props, unique};

/// `test.Tally`: a stage that writes behind every value how often it was called since the value before, as
/// `<text>|<name><calls>`, and answers the first `failures` calls of each value with a retriable error.
/// A transform, record by record or (`batch`) by batches, and a converter.
pub(crate) struct Tally;

impl PluginInfo for Tally {
    fn class(&self) -> &str {
        "test.Tally"
    }
    fn version(&self) -> &str {
        "1"
    }
}

#[derive(Default)]
struct Stage {
    name: String,
    failures: u64,
    calls: AtomicU64,
}

impl Stage {
    fn of(config: &Props) -> Self {
        Self {
            name: config.get("name").cloned().unwrap_or_default(),
            failures: config.get("failures").map_or(0, |n| n.parse().unwrap()),
            calls: AtomicU64::new(0),
        }
    }

    fn call(&self, text: &str) -> Result<String, ConnectError> {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if calls <= self.failures {
            return Err(ConnectError::retriable("not yet"));
        }
        self.calls.store(0, Ordering::Relaxed);
        Ok(format!("{text}|{}{calls}", self.name))
    }
}

impl TransformPlugin for Tally {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    fn transform(&self, config: &Props) -> Result<TransformInstance, ConnectError> {
        let stage = Stage::of(config);
        Ok(match config.contains_key("batch") {
            true => TransformInstance::Batch(Box::new(stage)),
            false => TransformInstance::PerRecord(Box::new(stage)),
        })
    }
}

impl RecordTransform for Stage {
    fn change(&mut self, record: &mut Record) -> Result<bool, ConnectError> {
        // What a failed attempt leaves behind must not be seen by the next.
        let text = std::mem::take(&mut record.value.value).to_string();
        record.value.value = Value::from(self.call(&text)?);
        Ok(true)
    }
}

#[async_trait]
impl BatchTransform for Stage {
    async fn apply(&mut self, records: Vec<Record>) -> Vec<Result<Option<Record>, ConnectError>> {
        let one = |record| RecordTransform::apply(self, record);
        records.into_iter().map(one).collect()
    }
}

impl ConverterPlugin for Tally {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    fn converter(
        &self,
        config: &Props,
        _: ConverterUse,
    ) -> Result<ConverterInstance, ConnectError> {
        Ok(ConverterInstance::PerRecord(Box::new(Stage::of(config))))
    }
}

impl RecordConverter for Stage {
    fn to_connect(
        &mut self,
        _: &str,
        _: &[RawHeader],
        bytes: Option<&Bytes>,
    ) -> Result<SchemaAndValue, ConnectError> {
        let text = String::from_utf8_lossy(bytes.map_or(b"", |bytes| bytes)).into_owned();
        Ok(SchemaAndValue::new(None, Value::from(self.call(&text)?)))
    }
    fn from_connect(
        &mut self,
        _: &str,
        _: &mut Vec<RawHeader>,
        _: Option<&Schema>,
        value: &Value,
    ) -> Result<Option<Bytes>, ConnectError> {
        Ok(Some(Bytes::from(self.call(&value.to_string())?)))
    }
}

/// The registry's plugins of this file.
pub(crate) fn transforms() -> Vec<Arc<dyn TransformPlugin>> {
    vec![Arc::new(Tally)]
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_stage_that_failed_runs_again() {
    for broker in brokers("only_the_stage_that_failed_runs_again").await {
        runs_again(&broker.bootstrap).await;
    }
}

async fn runs_again(bootstrap: &str) {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("in.txt"), "x\ny\n").unwrap();
    let worker = Worker::start(&cluster(bootstrap, &[]), "w1:8083").await;
    let topic = unique("t");
    let both = [
        ("tasks.max", "1"),
        ("errors.retry.timeout", "60000"),
        ("errors.retry.delay.max.ms", "10"),
        ("transforms", "a,b,c"),
        ("transforms.a.type", "test.Tally"),
        ("transforms.a.name", "a"),
        ("transforms.a.failures", "1"),
        ("transforms.b.type", "test.Tally"),
        ("transforms.b.name", "b"),
        ("transforms.b.failures", "3"),
        ("transforms.c.type", "test.Tally"),
        ("transforms.c.name", "c"),
        ("value.converter", "test.Tally"),
        ("value.converter.name", "v"),
        ("value.converter.failures", "2"),
    ];
    let config = |own: &[(&str, &str)]| {
        let mut config = props(&both);
        config.extend(props(own));
        config
    };
    let source = config(&[
        ("connector.class", "FileStreamSource"),
        ("file", &at("in.txt")),
        ("topic", &topic),
        // A chain with a transform that works by batches goes another way.
        ("transforms.b.batch", "true"),
    ]);
    worker
        .port
        .create(&unique("c"), source, None)
        .await
        .unwrap();
    let sink = config(&[
        ("connector.class", "FileStreamSink"),
        ("file", &at("out.txt")),
        ("topics", &topic),
    ]);
    worker.port.create(&unique("c"), sink, None).await.unwrap();
    let lines = eventually("both lines have come", async || {
        let text = std::fs::read_to_string(at("out.txt")).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        (lines.len() == 2).then_some(lines)
    })
    .await;
    // Each stage ran as often as it failed and once more, whatever failed behind it.
    let behind = "|a2|b4|c1|v3|v3|a2|b4|c1";
    assert_eq!(lines, [format!("x{behind}"), format!("y{behind}")]);
    worker.handle.stop().await;
}
