//! Our own part alone: the connectors and the JSON converter in this process, with the database and without Kafka. What
//! a change to them saves shows here, whatever else a worker is busy with.

use std::{
    sync::{Arc, atomic::AtomicI32},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use bytes::Bytes;
use milena_api::{
    ConnectError, ConnectorContext, ConnectorInstance, ConnectorPlugin, OffsetReader,
    PartitionOffsets, SinkTaskContext, SourceTaskContext, TaskInstance, TopicPartition,
};
use milena_config::Props;
use milena_converters::{JsonConfig, JsonConverter};
use milena_data::{Record, SinkOrigin, SourceMap, Text, TimestampType};
use milena_jdbc::{JdbcSinkPlugin, JdbcSourcePlugin, Vendor};
use tokio_util::sync::CancellationToken;

use crate::{Bench, RUNS, TEN, cpu::Cpu, median};

const TOPIC: &str = "rows";

/// No offset is stored anywhere.
struct NoOffsets;

#[async_trait]
impl OffsetReader for NoOffsets {
    async fn offsets(
        &self,
        partitions: &[SourceMap],
    ) -> Result<Vec<Option<SourceMap>>, ConnectError> {
        Ok(vec![None; partitions.len()])
    }
}

/// Reads the table as the source does and writes JSON of it; then rows of JSON into tables, as the sink does.
pub(crate) fn measure(bench: &Bench) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let mut rows = Vec::new();
    for schemas in ["false", "true"] {
        let what = format!("source to JSON (schemas: {schemas})");
        repeat(bench, &what, |_| {
            rows = runtime.block_on(source(bench, schemas))?;
            Ok(())
        })?;
    }
    let key = ", primary key(id)";
    for (mode, key, pk) in [("insert", "", "none"), ("upsert", key, "record_value")] {
        repeat(bench, &format!("JSON to {mode}"), |run| {
            let table = format!("stage_{mode}{run}");
            let columns = TEN.strip_suffix(')').unwrap_or(TEN);
            bench.sql(&format!("create table {table}{columns}{key})"))?;
            let config = [
                ("connection.url", &*bench.url()),
                ("topics", TOPIC),
                ("table.name.format", &*table),
                ("batch.size", &bench.batch),
                ("insert.mode", mode),
                ("pk.mode", pk),
                ("pk.fields", if key.is_empty() { "" } else { "id" }),
            ];
            runtime.block_on(sink(&config, &rows, bench.poll.parse()?))?;
            let count = bench.watch.count(&table)?;
            if count != bench.rows {
                bail!("{count} rows of {} are in {table}", bench.rows);
            }
            bench.sql(&format!("drop table {table}"))?;
            Ok(())
        })?;
    }
    Ok(())
}

fn repeat(bench: &Bench, what: &str, mut work: impl FnMut(usize) -> Result<()>) -> Result<()> {
    let own = std::process::id();
    let (mut used, mut rates) = (Cpu::default(), Vec::new());
    for run in 0..=RUNS {
        let (before, begun) = (bench.cpu(own)?, Instant::now());
        work(run)?;
        if run > 0 {
            rates.push(bench.rows as f64 / begun.elapsed().as_secs_f64());
            used = used + (bench.cpu(own)? - before);
        }
    }
    println!(
        "stages: {what}: {:.0} rows/s; {}",
        median(rates),
        used.shown((bench.rows * RUNS as u64) as f64)
    );
    Ok(())
}

fn props(pairs: &[(&str, &str)]) -> Props {
    let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

async fn task_of(plugin: &dyn ConnectorPlugin, config: Props) -> Result<(TaskInstance, Props)> {
    let context = ConnectorContext::new(|_| {});
    let configs = match plugin.connector()? {
        ConnectorInstance::Source(mut connector) => {
            connector.start(context, config).await?;
            let configs = connector.task_configs(1).await?;
            connector.stop().await;
            configs
        }
        ConnectorInstance::Sink(mut connector) => {
            connector.start(context, config).await?;
            let configs = connector.task_configs(1).await?;
            connector.stop().await;
            configs
        }
    };
    let config = configs.into_iter().next().context("no task")?;
    Ok((plugin.task()?, config))
}

/// The records as they are sent.
async fn source(bench: &Bench, schemas: &str) -> Result<Vec<Bytes>> {
    let config = props(&[
        ("connection.url", &*bench.url()),
        ("mode", "bulk"),
        ("table.whitelist", "source"),
        ("topic.prefix", "stage-"),
        ("poll.interval.ms", "3600000"),
        ("batch.max.rows", "2000"),
    ]);
    let (task, config) = task_of(&JdbcSourcePlugin(Vendor::Confluent), config).await?;
    let TaskInstance::Source(mut task) = task else {
        bail!("no source");
    };
    let stopping = CancellationToken::new();
    let context = SourceTaskContext {
        connector: "stages".into(),
        task: 0,
        offsets: Arc::new(NoOffsets),
        transactions: None,
        stopping,
    };
    task.start(context, config).await?;
    let mut converter = converter(schemas)?;
    let wanted = usize::try_from(bench.rows)?;
    let mut rows = Vec::with_capacity(wanted);
    while rows.len() < wanted {
        for record in task.poll().await?.unwrap_or_default() {
            let value = &record.record.value;
            rows.extend(converter.encode(value.schema.as_ref(), &value.value)?);
        }
    }
    task.stop().await;
    Ok(rows)
}

/// Gives the rows to the sink, so many with each `put`, as a poll of the consumer does.
async fn sink(config: &[(&str, &str)], rows: &[Bytes], batch: usize) -> Result<()> {
    let plugin = JdbcSinkPlugin(Vendor::Confluent);
    let (task, config) = task_of(&plugin, props(config)).await?;
    let TaskInstance::Sink(mut task) = task else {
        bail!("no sink");
    };
    let context = SinkTaskContext {
        connector: "stages".into(),
        task: 0,
        errant: None,
        stopping: CancellationToken::new(),
        generation: Arc::new(AtomicI32::new(1)),
        requests: Arc::new(|_| {}),
    };
    let partition = TopicPartition {
        topic: TOPIC.into(),
        partition: 0,
    };
    task.start(context, config).await?;
    task.open(std::slice::from_ref(&partition)).await?;
    let mut converter = converter("true")?;
    let topic = Text::from(TOPIC);
    let mut offset = 0_i64;
    for part in rows.chunks(batch) {
        let mut records = Vec::with_capacity(part.len());
        for bytes in part {
            records.push(Record {
                topic: topic.clone(),
                partition: Some(0),
                value: converter.decode(bytes)?,
                timestamp: Some(0),
                origin: Some(SinkOrigin {
                    topic: topic.clone(),
                    partition: 0,
                    offset,
                    timestamp_type: TimestampType::CreateTime,
                }),
                ..Record::default()
            });
            offset += 1;
        }
        task.put(&records).await?;
    }
    task.pre_commit(PartitionOffsets::from([(partition.clone(), offset)]))
        .await?;
    task.close(&[partition]).await?;
    task.stop().await;
    Ok(())
}

fn converter(schemas: &str) -> Result<JsonConverter> {
    let config = props(&[("schemas.enable", schemas), ("converter.type", "value")]);
    Ok(JsonConverter::new(JsonConfig::parse(&config)?)?)
}
