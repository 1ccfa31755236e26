//! Runs connectors and tasks as a worker would, without a worker.

use std::{
    sync::{Arc, Mutex, atomic::AtomicI32},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use milena_api::{
    ConnectError, ConnectorContext, ConnectorInstance, ConnectorPlugin, ErrantRecordReporter,
    OffsetReader, ReportTicket, SinkTask, SinkTaskContext, SinkTaskRequest, SourceTask,
    SourceTaskContext, TaskInstance, TopicPartition,
};
use milena_config::Props;
use milena_data::{
    Record, Schema, SchemaAndValue, SinkOrigin, SinkRecord, SourceMap, SourceRecord, Struct,
    TimestampType, Value,
};
use milena_jdbc::{JdbcSinkPlugin, JdbcSourcePlugin, Vendor};
use tokio_util::sync::CancellationToken;

pub(crate) fn props(pairs: &[(&str, &str)]) -> Props {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

/// Offsets as a worker stores them: the last of each partition.
#[derive(Clone, Default)]
pub(crate) struct Offsets(Arc<Mutex<Vec<(SourceMap, SourceMap)>>>);

impl Offsets {
    pub(crate) fn store(&self, record: &SourceRecord) {
        if let (Some(partition), Some(offset)) = (&record.source_partition, &record.source_offset) {
            self.put((**partition).clone(), offset.map().into_owned());
        }
    }

    pub(crate) fn put(&self, partition: SourceMap, offset: SourceMap) {
        let mut all = self.0.lock().unwrap();
        all.retain(|(known, _)| *known != partition);
        all.push((partition, offset));
    }

    pub(crate) fn text(&self) -> String {
        let all = self.0.lock().unwrap();
        let shown = |map: &SourceMap| {
            map.iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        all.iter()
            .map(|(p, o)| format!("{} -> {}", shown(p), shown(o)))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

#[async_trait]
impl OffsetReader for Offsets {
    async fn offsets(
        &self,
        partitions: &[SourceMap],
    ) -> Result<Vec<Option<SourceMap>>, ConnectError> {
        let all = self.0.lock().unwrap();
        Ok(partitions
            .iter()
            .map(|wanted| {
                all.iter()
                    .find(|(known, _)| known == wanted)
                    .map(|(_, offset)| offset.clone())
            })
            .collect())
    }
}

/// The configurations of the tasks that a source makes.
pub(crate) async fn task_configs(
    vendor: Vendor,
    config: &Props,
    max: usize,
) -> Result<Vec<Props>, ConnectError> {
    let ConnectorInstance::Source(mut connector) = JdbcSourcePlugin(vendor).connector()? else {
        panic!("no source")
    };
    connector
        .start(ConnectorContext::new(|_| {}), config.clone())
        .await?;
    let configs = connector.task_configs(max).await;
    connector.stop().await;
    configs
}

/// A started source task with all tables.
pub(crate) async fn source(
    vendor: Vendor,
    config: &Props,
    offsets: &Offsets,
) -> Result<Box<dyn SourceTask>, ConnectError> {
    let configs = task_configs(vendor, config, 1).await?;
    let TaskInstance::Source(mut task) = JdbcSourcePlugin(vendor).task()? else {
        panic!("no source")
    };
    let context = SourceTaskContext {
        connector: "jdbc".into(),
        task: 0,
        offsets: Arc::new(offsets.clone()),
        transactions: None,
        stopping: CancellationToken::new(),
    };
    task.start(context, configs[0].clone()).await?;
    Ok(task)
}

/// Polls until there are `count` records (all of a poll are taken).
pub(crate) async fn take(task: &mut dyn SourceTask, count: usize) -> Vec<SourceRecord> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut all = Vec::new();
    while all.len() < count {
        assert!(
            Instant::now() < deadline,
            "{} of {count} records",
            all.len()
        );
        all.extend(task.poll().await.unwrap().unwrap_or_default());
    }
    all
}

pub(crate) fn field(record: &SourceRecord, name: &str) -> Value {
    record
        .record
        .value
        .value
        .as_struct()
        .unwrap()
        .get(name)
        .unwrap()
        .clone()
}

/// What a sink task asked for and reported.
#[derive(Clone, Default)]
pub(crate) struct Heard {
    pub(crate) requests: Arc<Mutex<Vec<SinkTaskRequest>>>,
    pub(crate) reports: Arc<Mutex<Vec<(i64, String)>>>,
    /// The generation of the task's group.
    pub(crate) generation: Arc<AtomicI32>,
}

impl Heard {
    /// Of a task in this generation.
    pub(crate) fn in_generation(generation: i32) -> Self {
        Self {
            generation: Arc::new(AtomicI32::new(generation)),
            ..Self::default()
        }
    }

    /// The position in partition 0 that the task asked for last.
    pub(crate) fn rewound(&self, topic: &str) -> Option<i64> {
        let mut requests = self.requests.lock().unwrap();
        let mut asked = requests.drain(..).filter_map(|request| match request {
            SinkTaskRequest::Rewind(offsets) => offsets.get(&partition(topic)).copied(),
            _ => None,
        });
        asked.next_back()
    }
}

struct Ticket;

#[async_trait]
impl ReportTicket for Ticket {
    async fn done(self: Box<Self>) -> Result<(), ConnectError> {
        Ok(())
    }
}

#[async_trait]
impl ErrantRecordReporter for Heard {
    async fn report(
        &self,
        record: SinkRecord,
        error: ConnectError,
    ) -> Result<Box<dyn ReportTicket>, ConnectError> {
        let offset = record.origin.map_or(-1, |origin| origin.offset);
        self.reports
            .lock()
            .unwrap()
            .push((offset, error.to_string()));
        Ok(Box::new(Ticket))
    }
}

/// A started sink task.
pub(crate) async fn sink(
    vendor: Vendor,
    config: &Props,
    heard: &Heard,
    tolerant: bool,
) -> Result<Box<dyn SinkTask>, ConnectError> {
    let ConnectorInstance::Sink(mut connector) = JdbcSinkPlugin(vendor).connector()? else {
        panic!("no sink")
    };
    connector
        .start(ConnectorContext::new(|_| {}), config.clone())
        .await?;
    let configs = connector.task_configs(1).await?;
    let TaskInstance::Sink(mut task) = JdbcSinkPlugin(vendor).task()? else {
        panic!("no sink")
    };
    let requests = Arc::clone(&heard.requests);
    let context = SinkTaskContext {
        connector: "jdbc".into(),
        task: 0,
        errant: tolerant.then(|| Arc::new(heard.clone()) as Arc<dyn ErrantRecordReporter>),
        stopping: CancellationToken::new(),
        generation: Arc::clone(&heard.generation),
        requests: Arc::new(move |request| requests.lock().unwrap().push(request)),
    };
    task.start(context, configs[0].clone()).await?;
    Ok(task)
}

pub(crate) fn partition(topic: &str) -> TopicPartition {
    TopicPartition {
        topic: topic.into(),
        partition: 0,
    }
}

/// A record of a topic's partition 0.
pub(crate) fn record(
    topic: &str,
    offset: i64,
    key: SchemaAndValue,
    value: SchemaAndValue,
) -> SinkRecord {
    Record {
        topic: topic.into(),
        partition: Some(0),
        key,
        value,
        timestamp: Some(0),
        origin: Some(SinkOrigin {
            topic: topic.into(),
            partition: 0,
            offset,
            timestamp_type: TimestampType::CreateTime,
        }),
        ..Record::default()
    }
}

/// A struct of a schema from its values in order.
pub(crate) fn row(schema: &Schema, values: Vec<Value>) -> SchemaAndValue {
    let value = Struct::from_slots(schema.clone(), values);
    SchemaAndValue::new(Some(schema.clone()), value.into())
}

/// The first column of each row of a query on a SQLite file, columns joined by `|`.
pub(crate) fn query(path: &std::path::Path, sql: &str) -> Vec<String> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let count = statement.column_count();
    let rows = statement
        .query_map([], |row| {
            let cells = (0..count).map(|index| {
                Ok(match row.get::<_, rusqlite::types::Value>(index)? {
                    rusqlite::types::Value::Null => "null".to_owned(),
                    rusqlite::types::Value::Integer(n) => n.to_string(),
                    rusqlite::types::Value::Real(x) => x.to_string(),
                    rusqlite::types::Value::Text(text) => text,
                    rusqlite::types::Value::Blob(bytes) => format!("{bytes:?}"),
                })
            });
            Ok(cells
                .collect::<Result<Vec<_>, rusqlite::Error>>()?
                .join("|"))
        })
        .unwrap();
    rows.map(Result::unwrap).collect()
}

pub(crate) fn execute(path: &std::path::Path, sql: &str) {
    rusqlite::Connection::open(path)
        .unwrap()
        .execute_batch(sql)
        .unwrap();
}
