//! The log cleaner.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use milena_core::herder::TopicRecord;
use milena_kafka::ports::{Isolation, ListAt, OutRecord, Producer, StartAt};
use milena_testing_kafka::{KafkaBroker, oracle_is_missing};

use super::{PATIENCE, create, kafka, props};

const TOPIC: &str = "parity-compaction";
const FORGETFUL: &str = "parity-tombstones";
/// A record that is this much younger than the first of a segment begins a new one.
const SEGMENT_MS: i64 = 100_000;

/// Segment by segment: keys, and values or tombstones.
const SEGMENTS: [&[(&str, Option<&str>)]; 5] = [
    &[
        ("a", Some("1")),
        ("b", Some("1")),
        ("a", Some("2")),
        ("c", Some("1")),
    ],
    &[
        ("d", Some("1")),
        ("b", None),
        ("a", Some("3")),
        ("e", Some("1")),
        ("d", Some("2")),
    ],
    // Active in the first look: neither cleaned, nor does it make anything before it old.
    &[("c", Some("2")), ("e", None), ("c", Some("3"))],
    &[("f", Some("1")), ("g", None), ("f", Some("2"))],
    &[("g", Some("1"))],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compaction_keeps_what_kafka_keeps() {
    if oracle_is_missing("compaction_keeps_what_kafka_keeps") {
        return;
    }
    let kafka = kafka();
    compacted(&kafka, TOPIC, &[]).await;
    let producer = producer(&kafka).await;
    let mut log: Vec<TopicRecord> = Vec::new();
    let mut active = 0;
    for (number, records) in SEGMENTS.iter().enumerate() {
        active = i64::try_from(log.len()).unwrap();
        write(TOPIC, &*producer, &mut log, number, records).await;
        if number == 2 {
            same(&kafka, TOPIC, &log, active, 0).await;
        }
    }
    same(&kafka, TOPIC, &log, active, 0).await;
    producer.close(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tombstones_go_when_they_go_in_kafka() {
    if oracle_is_missing("tombstones_go_when_they_go_in_kafka") {
        return;
    }
    let kafka = kafka();
    compacted(&kafka, FORGETFUL, &[("delete.retention.ms", "0")]).await;
    let producer = producer(&kafka).await;
    let mut log: Vec<TopicRecord> = Vec::new();
    let mut cleaned = 0;
    for (number, records) in SEGMENTS.iter().enumerate() {
        let active = i64::try_from(log.len()).unwrap();
        write(FORGETFUL, &*producer, &mut log, number, records).await;
        if number > 0 {
            // A tombstone is marked by the round that finds it, and gone with the next.
            same(&kafka, FORGETFUL, &log, active, cleaned).await;
            cleaned = active;
        }
    }
    producer.close(Duration::from_secs(1)).await;
}

async fn compacted(kafka: &KafkaBroker, topic: &str, more: &[(&str, &str)]) {
    let segment = SEGMENT_MS.to_string();
    let configs = [
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0.001"),
        ("segment.ms", &segment),
    ];
    create(kafka, topic, &[&configs, more].concat()).await;
}

async fn producer(kafka: &KafkaBroker) -> Box<dyn Producer> {
    let plain = [("enable.idempotence", "false"), ("linger.ms", "0")];
    let clients = milena_kafka::clients();
    let plain = props(kafka, &plain);
    clients.producer(&plain, Arc::new(|_| {})).await.unwrap()
}

async fn write(
    topic: &'static str,
    producer: &dyn Producer,
    log: &mut Vec<TopicRecord>,
    segment: usize,
    records: &[(&str, Option<&str>)],
) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap().as_millis()).unwrap();
    let segments_ago = i64::try_from(SEGMENTS.len() - segment).unwrap();
    let timestamp = now - segments_ago * 2 * SEGMENT_MS;
    for (key, value) in records {
        let record = OutRecord {
            topic: topic.into(),
            partition: Some(0),
            timestamp: Some(timestamp),
            key: Some(key.as_bytes().to_vec().into()),
            value: value.map(|value| value.as_bytes().to_vec().into()),
            ..OutRecord::default()
        };
        producer.send(vec![record]).await.unwrap();
        // A batch of its own.
        producer.flush().await.unwrap();
        log.push(TopicRecord {
            offset: i64::try_from(log.len()).unwrap(),
            key: Some(key.as_bytes().to_vec()),
            value: value.map(|value| value.as_bytes().to_vec()),
        });
    }
}

/// Kafka comes to what the model says of this log, whose active segment begins there.
async fn same(
    kafka: &KafkaBroker,
    topic: &'static str,
    log: &[TopicRecord],
    active: i64,
    tombstones_to: i64,
) {
    let mut expected = log.to_vec();
    milena_sim::cleaner::clean(&mut expected, active, tombstones_to);
    assert!(expected.len() < log.len(), "there is something to clean");
    let told = |record: &TopicRecord| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        (record.offset, key.map(text), value.map(text))
    };
    let expected: Vec<_> = expected.iter().map(told).collect();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found: Vec<_> = read(kafka, topic).await.iter().map(told).collect();
        if found == expected {
            return;
        }
        // It may not have cleaned yet; what it must not do is drop more than the model.
        let gone = expected.iter().find(|record| !found.contains(record));
        assert_eq!(gone, None, "Kafka has not kept it");
        assert!(
            Instant::now() < deadline,
            "the model keeps {expected:?}, Kafka {found:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn read(kafka: &KafkaBroker, topic: &'static str) -> Vec<TopicRecord> {
    let topic: Arc<str> = topic.into();
    let clients = milena_kafka::clients();
    let admin = clients.admin(&props(kafka, &[])).await.unwrap();
    let of = [(Arc::clone(&topic), 0)];
    let ends = admin.list_offsets(&of, ListAt::Latest, Isolation::ReadUncommitted);
    let end = ends.await.unwrap().into_values().next().unwrap();
    let mut fetcher = clients.fetcher(&props(kafka, &[])).await.unwrap();
    let start = (Arc::clone(&topic), 0, Some(StartAt::Earliest));
    fetcher.assign(vec![start]).await.unwrap();
    let mut all = Vec::new();
    while fetcher.position(&topic, 0).await.unwrap() < end {
        for batch in fetcher.poll(Duration::from_secs(1)).await.unwrap() {
            all.extend(batch.records.into_iter().map(|record| TopicRecord {
                offset: record.offset,
                key: record.key.map(|bytes| bytes.to_vec()),
                value: record.value.map(|bytes| bytes.to_vec()),
            }));
        }
    }
    fetcher.close().await;
    all
}
