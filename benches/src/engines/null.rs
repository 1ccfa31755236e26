//! Our engine with a client that does nothing: what reading, records, conversion, chain, ledger and book cost.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use bytes::Bytes;
use milena_api::ConnectError;
use milena_config::Props;
use milena_core::ConnectorName;
use milena_data::SourceMap;
use milena_kafka::ports::{
    Ack, AckSink, Acked, Admin, ClientProps, CommitError, ConsumerHeartbeat,
    ConsumerHeartbeatAnswer, ConsumerOffset, CreateOutcome, Fetcher, GroupChannel,
    GroupCoordinator, GroupErrorCode, GroupMember, GroupOffset, InRecord, Isolation, JoinRequest,
    JoinResponse, KafkaClients, KafkaError, KafkaErrorKind, ListAt, NewTopic, OutRecord,
    PartitionBatch, Producer, StartAt, SyncRequest, TimestampType, TopicConfig, TopicInfo,
    TopicUuid,
};
use milena_registry::Registry;
use milena_runtime::{
    lease::Lease,
    task::{
        ExactlyOnce, OffsetWrite, SourceOffsets, TaskMetricsBook, TaskSpec, TaskTarget, TaskWorld,
        start_task,
    },
};
use milena_telemetry::metrics::Windows;
use tokio::sync::mpsc;

use crate::{
    Figure,
    input::{self, Content},
    worker::cpu,
};

const TOPIC: &str = "t";
/// Records of a fetch, as a tuned consumer gets them.
const BATCH: u64 = 5_000;
/// How long a run may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Counts what is sent, gives what is read.
struct Null {
    sent: Arc<AtomicU64>,
    /// What its fetcher gives, from the last to the first.
    to_read: Mutex<Vec<PartitionBatch>>,
}

struct NullProducer {
    acks: AckSink,
    sent: Arc<AtomicU64>,
}

#[async_trait]
impl Producer for NullProducer {
    async fn send(&self, batch: Vec<OutRecord>) -> Result<(), (usize, KafkaError)> {
        let first = self.sent.fetch_add(batch.len() as u64, Ordering::Relaxed);
        if let Some(record) = batch.first() {
            let at = Acked {
                partition: 0,
                offset: first.cast_signed(),
            };
            (self.acks)(vec![Ack {
                ticket: record.ticket,
                count: batch.len() as u64,
                outcome: Ok(at),
            }]);
        }
        Ok(())
    }
    fn stop_at_failure(&self) {}
    async fn flush(&self) -> Result<(), KafkaError> {
        Ok(())
    }
    async fn init_transactions(&self) -> Result<(), KafkaError> {
        Ok(())
    }
    async fn begin(&self) -> Result<(), KafkaError> {
        Ok(())
    }
    async fn commit(&self) -> Result<(), CommitError> {
        Ok(())
    }
    async fn abort(&self) -> Result<(), KafkaError> {
        Ok(())
    }
    async fn close(&self, _: Duration) {}
}

struct NullFetcher {
    next: i64,
    to_read: Vec<PartitionBatch>,
}

/// What the fetcher gives, from the last to the first. It is made before the clock begins: to read records is the client's
/// work, and measured with it. The values of a batch lie in one buffer, as those that were fetched, and there are a few such
/// buffers, so that they are in the caches as what was just received is.
fn batches(records: u64) -> Vec<PartitionBatch> {
    let block = |first: u64| {
        let mut text = Vec::new();
        for n in first..first + BATCH {
            text.extend_from_slice(&input::record(Content::Line, n));
        }
        Bytes::from(text)
    };
    let blocks: Vec<Bytes> = (0..4).map(|n| block(n * BATCH)).collect();
    let batch = |first: u64| {
        let end = (first + BATCH).min(records);
        let block = blocks.get((first / BATCH) as usize % blocks.len());
        let block = block.cloned().unwrap_or_default();
        let size = block.len() / BATCH as usize;
        let records = (first..end)
            .zip(0..)
            .map(|(offset, place): (u64, usize)| InRecord {
                offset: offset.cast_signed(),
                timestamp: 1_700_000_000_000,
                timestamp_type: TimestampType::CreateTime,
                key: None,
                value: Some(block.slice(place * size..(place + 1) * size)),
                headers: Vec::new(),
            });
        PartitionBatch {
            topic: TOPIC.into(),
            partition: 0,
            records: records.collect(),
            next_offset: end.cast_signed(),
        }
    };
    let count = records.div_ceil(BATCH);
    (0..count).rev().map(|n| batch(n * BATCH)).collect()
}

#[async_trait]
impl Fetcher for NullFetcher {
    async fn assign(&mut self, _: Vec<(Arc<str>, i32, Option<StartAt>)>) -> Result<(), KafkaError> {
        Ok(())
    }
    async fn seek(&mut self, _: &str, _: i32, _: i64) -> Result<(), KafkaError> {
        Ok(())
    }
    async fn pause(&mut self, _: &[(Arc<str>, i32)]) -> Result<(), KafkaError> {
        Ok(())
    }
    async fn resume(&mut self, _: &[(Arc<str>, i32)]) -> Result<(), KafkaError> {
        Ok(())
    }
    async fn position(&mut self, _: &str, _: i32) -> Result<i64, KafkaError> {
        Ok(self.next)
    }
    async fn poll(&mut self, max_wait: Duration) -> Result<Vec<PartitionBatch>, KafkaError> {
        let Some(batch) = self.to_read.pop() else {
            tokio::time::sleep(max_wait).await;
            return Ok(Vec::new());
        };
        self.next = batch.next_offset;
        Ok(vec![batch])
    }
    async fn end_offsets(
        &mut self,
        _: &[(Arc<str>, i32)],
    ) -> Result<BTreeMap<(Arc<str>, i32), i64>, KafkaError> {
        Ok(BTreeMap::new())
    }
    async fn close(&mut self) {}
}

/// A group of one.
struct NullGroup;

#[async_trait]
impl GroupChannel for NullGroup {
    async fn find_coordinator(&self) -> Result<GroupCoordinator, KafkaError> {
        Ok(GroupCoordinator {
            id: 0,
            host: "nowhere".to_owned(),
            port: 1,
        })
    }
    async fn join(&self, request: JoinRequest) -> Result<JoinResponse, KafkaError> {
        let (protocol, metadata) = request.protocols.into_iter().next().unwrap_or_default();
        Ok(JoinResponse {
            error: 0,
            generation: 1,
            protocol,
            leader: "me".to_owned(),
            member_id: "me".to_owned(),
            skip_assignment: false,
            members: vec![GroupMember {
                id: "me".to_owned(),
                instance_id: None,
                metadata,
            }],
        })
    }
    async fn sync(&self, request: SyncRequest) -> Result<(GroupErrorCode, Bytes), KafkaError> {
        let own = request.assignments.into_iter().next();
        Ok((0, own.map(|(_, assignment)| assignment).unwrap_or_default()))
    }
    async fn heartbeat(
        &self,
        _: i32,
        _: &str,
        _: Option<&str>,
    ) -> Result<GroupErrorCode, KafkaError> {
        Ok(0)
    }
    async fn leave(&self, _: &str, _: &str) -> Result<GroupErrorCode, KafkaError> {
        Ok(0)
    }
    async fn commit_offsets(
        &self,
        _: i32,
        _: &str,
        _: Option<&str>,
        offsets: Vec<GroupOffset>,
    ) -> Result<Vec<GroupOffset>, KafkaError> {
        Ok(offsets)
    }
    async fn fetch_offsets(
        &self,
        partitions: Vec<(String, i32)>,
        _: bool,
        _: Option<(&str, i32)>,
    ) -> Result<Vec<GroupOffset>, KafkaError> {
        let none = |(topic, partition)| GroupOffset {
            topic,
            partition,
            offset: -1,
            metadata: None,
            error: 0,
        };
        Ok(partitions.into_iter().map(none).collect())
    }
    async fn consumer_heartbeat(
        &self,
        _: ConsumerHeartbeat,
    ) -> Result<ConsumerHeartbeatAnswer, KafkaError> {
        Err(KafkaError::new(KafkaErrorKind::Fatal, "a classic group"))
    }
    async fn topic_ids(&self, _: Vec<String>) -> Result<Vec<(String, TopicUuid)>, KafkaError> {
        Ok(Vec::new())
    }
}

/// One topic of one partition, that is all.
struct NullAdmin;

#[async_trait]
impl Admin for NullAdmin {
    async fn cluster_id(&self) -> Result<String, KafkaError> {
        Ok("null".to_owned())
    }
    async fn create_topics(&self, topics: Vec<NewTopic>) -> Result<Vec<CreateOutcome>, KafkaError> {
        Ok(vec![CreateOutcome::Exists; topics.len()])
    }
    async fn delete_topics(&self, _: &[String]) -> Result<(), KafkaError> {
        Ok(())
    }
    async fn describe_topics(&self, topics: &[String]) -> Result<Vec<TopicInfo>, KafkaError> {
        let one = |name: &String| TopicInfo {
            name: name.clone(),
            partitions: vec![0],
        };
        Ok(topics.iter().map(one).collect())
    }
    async fn list_topics(&self) -> Result<Vec<TopicInfo>, KafkaError> {
        self.describe_topics(&[TOPIC.to_owned()]).await
    }
    async fn topic_config(&self, _: &str) -> Result<TopicConfig, KafkaError> {
        Ok(TopicConfig::new())
    }
    async fn list_offsets(
        &self,
        partitions: &[(Arc<str>, i32)],
        _: ListAt,
        _: Isolation,
    ) -> Result<BTreeMap<(Arc<str>, i32), i64>, KafkaError> {
        Ok(partitions.iter().map(|at| (at.clone(), 0)).collect())
    }
    async fn fence_producers(&self, _: &[String], _: Duration) -> Result<(), KafkaError> {
        Ok(())
    }
    async fn group_offsets(&self, _: &str) -> Result<Vec<ConsumerOffset>, KafkaError> {
        Ok(Vec::new())
    }
    async fn alter_group_offsets(&self, _: &str, _: &[ConsumerOffset]) -> Result<(), KafkaError> {
        Ok(())
    }
    async fn delete_group_offsets(&self, _: &str, _: &[(String, i32)]) -> Result<(), KafkaError> {
        Ok(())
    }
    async fn delete_group(&self, _: &str) -> Result<(), KafkaError> {
        Ok(())
    }
}

#[async_trait]
impl KafkaClients for Null {
    async fn producer(
        &self,
        _: &ClientProps,
        acks: AckSink,
    ) -> Result<Box<dyn Producer>, KafkaError> {
        let sent = Arc::clone(&self.sent);
        Ok(Box::new(NullProducer { acks, sent }))
    }
    async fn fetcher(&self, _: &ClientProps) -> Result<Box<dyn Fetcher>, KafkaError> {
        let mut to_read = self.to_read.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Box::new(NullFetcher {
            next: 0,
            to_read: std::mem::take(&mut *to_read),
        }))
    }
    async fn group(&self, _: &ClientProps, _: &str) -> Result<Arc<dyn GroupChannel>, KafkaError> {
        Ok(Arc::new(NullGroup))
    }
    async fn admin(&self, _: &ClientProps) -> Result<Arc<dyn Admin>, KafkaError> {
        Ok(Arc::new(NullAdmin))
    }
}

struct NullOffsets;

#[async_trait]
impl SourceOffsets for NullOffsets {
    async fn read(
        &self,
        _: &str,
        partitions: &[SourceMap],
    ) -> Result<Vec<Option<SourceMap>>, ConnectError> {
        Ok(vec![None; partitions.len()])
    }
    async fn write(&self, _: Vec<OffsetWrite>) -> Result<(), ConnectError> {
        Ok(())
    }
    fn topic(&self) -> Option<&str> {
        None
    }
}

/// Source and sink.
pub(crate) async fn run(records: u64, runs: usize) -> Result<(Vec<Figure>, Vec<Figure>)> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("input.txt");
    input::file(&file, records)?;
    let (mut source, mut sink) = (Vec::new(), Vec::new());
    for run in 0..=runs {
        let read = measure("FileStreamSource", &file, records).await?;
        let output = dir.path().join(format!("{run}.out"));
        let wrote = measure("FileStreamSink", &output, records).await?;
        fs::remove_file(&output)?;
        if run > 0 {
            source.push(read);
            sink.push(wrote);
        }
    }
    Ok((source, sink))
}

async fn measure(class: &str, file: &Path, records: u64) -> Result<Figure> {
    let string = "org.apache.kafka.connect.storage.StringConverter";
    let pairs = [
        ("connector.class", class),
        (
            "file",
            file.to_str().context("a file name that is no text")?,
        ),
        ("topic", TOPIC),
        ("topics", TOPIC),
        ("batch.size", "5000"),
        ("key.converter", string),
        ("value.converter", string),
        ("header.converter", string),
    ];
    let config: Props = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let is_source = class == "FileStreamSource";
    let to_read = match is_source {
        true => Vec::new(),
        false => batches(records),
    };
    let sent = Arc::new(AtomicU64::new(0));
    let registry = Registry::builder()
        .connector(Arc::new(milena_file::FileStreamSourcePlugin))
        .connector(Arc::new(milena_file::FileStreamSinkPlugin))
        .converters(milena_converters::converters())
        .header_converters(milena_converters::header_converters())
        .build();
    let world = Arc::new(TaskWorld {
        clients: Arc::new(Null {
            sent: Arc::clone(&sent),
            to_read: Mutex::new(to_read),
        }),
        registry: Arc::new(registry),
        worker_props: Props::new(),
        group_id: None,
        offset_flush_interval: Duration::from_secs(5),
        offset_flush_timeout: Duration::from_secs(5),
        topic_creation: true,
        call_limit: None,
        exactly_once: ExactlyOnce::Off,
        lease: Arc::new(Lease::endless()),
        metrics: Arc::new(TaskMetricsBook::new(Windows::default())),
    });
    let spec = TaskSpec {
        id: ConnectorName::from("bench").task(0),
        connector_config: config.clone(),
        task_config: config,
        target: TaskTarget::Started,
        gate: None,
        offsets: Arc::new(NullOffsets),
        world,
    };
    let size = records * (input::record(Content::Line, 0).len() as u64 + 1);
    let pid = std::process::id();
    let (reports, mut reported) = mpsc::channel(64);
    let (begun, before) = (Instant::now(), cpu(pid)?);
    let handle = start_task(spec, 1, reports);
    loop {
        let done = match is_source {
            true => sent.load(Ordering::Relaxed) == records,
            false => fs::metadata(file).is_ok_and(|meta| meta.len() >= size),
        };
        if done {
            break;
        }
        if begun.elapsed() > PATIENCE {
            let mut said = Vec::new();
            while let Ok(report) = reported.try_recv() {
                said.push(report.event);
            }
            bail!("{class} did not finish: {said:?}");
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (took, used) = (begun.elapsed(), cpu(pid)?);
    handle.stopped(Duration::from_secs(10)).await;
    Ok(Figure {
        records,
        timed: records,
        took,
        cpu: used.saturating_sub(before),
    })
}
