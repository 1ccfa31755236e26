//! Sources that give nothing, empty, huge and repeated batches, go back, and hold a transaction for too long.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use milena_api::{
    ConnectError, Connector, ConnectorContext, ConnectorInstance, ConnectorPlugin, PluginInfo,
    SourceConnector, SourceTask, SourceTaskContext, TaskInstance,
};
use milena_config::{ConfigDef, Props};
use milena_data::{Record, SchemaAndValue, SourceMap, SourceRecord, Text, Value};
use milena_kafka::ports::{ClientProps, StartAt};

use crate::world::{Worker, brokers, cluster, eventually, props, unique};

/// Records of the huge batch.
const HUGE: i64 = 20_000;
/// Polls of all odd tasks that gave nothing.
static NOTHING: AtomicU64 = AtomicU64::new(0);
/// Records that odd tasks got back as they had given them.
static TAKEN_BACK: AtomicU64 = AtomicU64::new(0);

/// `test.OddSource`: what it gives is in `script`, a step a poll: `null`, `empty`, `from-to`; then nothing, at once.
pub(crate) struct OddPlugin;

impl PluginInfo for OddPlugin {
    fn class(&self) -> &str {
        "test.OddSource"
    }
    fn version(&self) -> &str {
        "1"
    }
}

impl ConnectorPlugin for OddPlugin {
    fn is_source(&self) -> bool {
        true
    }
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    fn connector(&self) -> Result<ConnectorInstance, ConnectError> {
        Ok(ConnectorInstance::Source(Box::new(Odd::default())))
    }
    fn task(&self) -> Result<TaskInstance, ConnectError> {
        Ok(TaskInstance::Source(Box::new(OddTask::default())))
    }
}

#[derive(Default)]
struct Odd(Props);

#[async_trait]
impl Connector for Odd {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    async fn start(&mut self, _: ConnectorContext, config: Props) -> Result<(), ConnectError> {
        self.0 = config;
        Ok(())
    }
    async fn task_configs(&mut self, _: usize) -> Result<Vec<Props>, ConnectError> {
        Ok(vec![self.0.clone()])
    }
    async fn stop(&mut self) {}
}

impl SourceConnector for Odd {}

#[derive(Default)]
struct OddTask {
    topic: Text,
    script: Vec<String>,
    next: usize,
    first: i64,
}

fn map(key: &str, value: i64) -> Arc<SourceMap> {
    Arc::new(SourceMap::from_iter([(
        Text::from(key),
        Value::Int64(value),
    )]))
}

#[async_trait]
impl SourceTask for OddTask {
    async fn start(
        &mut self,
        context: SourceTaskContext,
        config: Props,
    ) -> Result<(), ConnectError> {
        self.topic = config["topic"].as_str().into();
        self.script = config["script"].split(',').map(str::to_owned).collect();
        let stored = context.offsets.offsets(&[(*map("p", 0)).clone()]).await?;
        self.first = match stored.into_iter().next().flatten() {
            Some(offset) => match offset.get("position") {
                Some(Value::Int64(at)) => at + 1,
                other => panic!("{other:?}"),
            },
            None => 0,
        };
        Ok(())
    }

    async fn poll(&mut self) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        let Some(step) = self.script.get(self.next) else {
            NOTHING.fetch_add(1, Ordering::Relaxed);
            return Ok(None);
        };
        self.next += 1;
        let (from, to) = match step.as_str() {
            "null" => return Ok(None),
            "empty" => return Ok(Some(Vec::new())),
            range => range.split_once('-').unwrap(),
        };
        let from = from.parse::<i64>().unwrap().max(self.first);
        let to: i64 = to.parse().unwrap();
        let partition = map("p", 0);
        let record = |n: i64| SourceRecord {
            source_partition: Some(Arc::clone(&partition)),
            source_offset: Some(map("position", n).into()),
            record: Record {
                topic: self.topic.clone(),
                value: SchemaAndValue::new(None, Value::String(n.to_string().as_str().into())),
                ..Record::default()
            },
        };
        Ok(Some((from..to).map(record).collect()))
    }

    fn take_back(&mut self, records: Vec<SourceRecord>) {
        for source in &records {
            let offset = source.source_offset.as_ref().unwrap().map();
            let position = offset.get("position").unwrap();
            assert_eq!(source.record.topic, self.topic);
            let value = Value::String(position.to_string().as_str().into());
            assert_eq!(source.record.value.value, value);
        }
        TAKEN_BACK.fetch_add(records.len() as u64, Ordering::Relaxed);
    }

    async fn stop(&mut self) {}
}

/// The values that a reader of committed records finds.
async fn read(bootstrap: &str, topic: &str) -> Vec<i64> {
    let pairs = [
        ("bootstrap.servers", bootstrap),
        ("isolation.level", "read_committed"),
    ];
    let client: ClientProps = pairs
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into_iter()
        .collect();
    let mut fetcher = milena_kafka::clients().fetcher(&client).await.unwrap();
    let start = vec![(topic.into(), 0, Some(StartAt::Earliest))];
    fetcher.assign(start).await.unwrap();
    let ends = fetcher.end_offsets(&[(topic.into(), 0)]).await.unwrap();
    let end = ends.into_values().next().unwrap();
    let mut values = Vec::new();
    while fetcher.position(topic, 0).await.unwrap() < end {
        for batch in fetcher.poll(Duration::from_secs(1)).await.unwrap() {
            let value = |bytes: bytes::Bytes| -> i64 {
                std::str::from_utf8(&bytes).unwrap().parse().unwrap()
            };
            values.extend(batch.records.into_iter().map(|r| value(r.value.unwrap())));
        }
    }
    fetcher.close().await;
    values
}

async fn position(worker: &Worker, name: &str) -> Option<i64> {
    let offsets = worker.port.offsets(name).await.ok()?.offsets;
    offsets.first()?.offset.as_ref()?.get("position")?.as_i64()
}

#[tokio::test(flavor = "multi_thread")]
async fn null_empty_huge_and_repeated_batches_are_taken_as_they_are() {
    let test = "null_empty_huge_and_repeated_batches_are_taken_as_they_are";
    for broker in brokers(test).await {
        let more = [("offset.flush.interval.ms", "100")];
        let worker = Worker::start(&cluster(&broker.bootstrap, &more), "w1:8083").await;
        let (name, topic) = (unique("odd"), unique("t"));
        let taken_back = TAKEN_BACK.load(Ordering::Relaxed);
        // Repeated, gone back, and on from there.
        let script = format!(
            "null,empty,0-{HUGE},empty,null,10-20,10-20,5-7,{HUGE}-{}",
            HUGE + 3
        );
        let config = [
            ("connector.class", "test.OddSource"),
            ("topic", &topic),
            ("script", &script),
        ];
        worker
            .port
            .create(&name, props(&config), None)
            .await
            .unwrap();
        worker.runs(&name).await;
        eventually("the last offset is committed", async || {
            (position(&worker, &name).await == Some(HUGE + 2)).then_some(())
        })
        .await;
        let wanted: Vec<i64> = (0..HUGE)
            .chain(10..20)
            .chain(10..20)
            .chain(5..7)
            .chain(HUGE..HUGE + 3)
            .collect();
        assert_eq!(read(&broker.bootstrap, &topic).await, wanted);
        let taken_back = TAKEN_BACK.load(Ordering::Relaxed) - taken_back;
        let taken_back = i64::try_from(taken_back).unwrap();
        assert!(taken_back >= HUGE, "{taken_back} records were given back");
        // It answers at once that there is nothing, for ever: that is not worth a processor.
        let before = NOTHING.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let polls = NOTHING.load(Ordering::Relaxed) - before;
        assert!((1..1000).contains(&polls), "{polls} polls in a second");
        worker.handle.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_times_out_fails_the_task_and_nothing_is_repeated() {
    let test = "a_transaction_that_times_out_fails_the_task_and_nothing_is_repeated";
    if milena_testing_kafka::oracle_is_missing(test) {
        return;
    }
    // How often a broker looks for transactions that are over: ten seconds otherwise.
    let look = "transaction.abort.timed.out.transaction.cleanup.interval.ms";
    let kafka = tokio::task::spawn_blocking(move || {
        let mut options = milena_testing_kafka::BrokerOptions::default();
        for (key, value) in [(look, "200"), ("auto.create.topics.enable", "true")] {
            options.properties.insert(key.to_owned(), value.to_owned());
        }
        milena_testing_kafka::KafkaBroker::start_with(&options)
    });
    let kafka = kafka.await.unwrap().unwrap();
    let settings = cluster(
        &kafka.bootstrap(),
        &[("exactly.once.source.support", "enabled")],
    );
    let worker = Worker::start(&settings, "w1:8083").await;
    let (name, topic) = (unique("late"), unique("t"));
    let mut config = props(&[
        ("connector.class", "test.OddSource"),
        ("topic", &topic),
        ("script", "0-10,10-20"),
        ("transaction.boundary", "interval"),
        ("transaction.boundary.interval.ms", "3000"),
        ("producer.override.transaction.timeout.ms", "1000"),
    ]);
    worker
        .port
        .create(&name, config.clone(), None)
        .await
        .unwrap();
    let failed = worker
        .status(&name, "fails", |status| {
            status.tasks.first().is_some_and(|t| t.state == "FAILED")
        })
        .await;
    let trace = failed.tasks[0].trace.clone().unwrap_or_default();
    assert!(trace.contains("transaction.timeout.ms"), "{trace}");
    assert_eq!(position(&worker, &name).await, None, "nothing is committed");
    let interval = "transaction.boundary.interval.ms".to_owned();
    config.insert(interval, Some("100".to_owned()));
    worker.port.put_config(&name, config).await.unwrap();
    eventually("all is committed", async || {
        (position(&worker, &name).await == Some(19)).then_some(())
    })
    .await;
    let all: Vec<i64> = (0..20).collect();
    assert_eq!(read(&kafka.bootstrap(), &topic).await, all);
    worker.handle.stop().await;
}
