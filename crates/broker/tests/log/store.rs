//! The data directory: topics, lock, format.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use milena_broker::log::{LogStore, OpenError, StoreError, StoreOptions};

use crate::support::*;

fn store(dir: &std::path::Path) -> LogStore {
    LogStore::open(dir, StoreOptions::default(), NOW).unwrap()
}

fn overrides(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn topics_survive_a_kill() {
    let dir = quick_dir();
    let opened = store(dir.path());
    let odd = "a=b%0a\nc";
    let made = opened
        .create_topic(
            "orders",
            3,
            overrides(&[("retention.ms", "5000"), ("some.name", odd)]),
        )
        .unwrap();
    append(&made.partitions()[2], batch(&[("k", Some("v"))]));
    opened.create_topic("gone", 1, BTreeMap::new()).unwrap();
    opened.add_partitions("orders", 5).unwrap();
    opened.delete_topic("gone").unwrap();
    drop(opened);
    let opened = store(dir.path());
    assert_eq!(opened.topics().len(), 1);
    let topic = opened.topic("orders").unwrap();
    assert_eq!(topic.id(), made.id());
    assert_eq!(opened.topic_by_id(made.id()).unwrap().name(), "orders");
    assert_eq!(topic.partitions().len(), 5);
    assert_eq!(topic.overrides()["some.name"], odd);
    let log = opened.partition("orders", 2).unwrap();
    assert_eq!(log.config().retention_ms.unwrap().as_secs(), 5);
    assert_eq!(read_all(&log).len(), 1);
    assert!(opened.partition("orders", 5).is_none());
    assert!(opened.partition("orders", -1).is_none());
}

#[test]
fn changed_settings_reach_open_partitions_and_the_disk() {
    let dir = quick_dir();
    let opened = store(dir.path());
    opened.create_topic("t", 1, BTreeMap::new()).unwrap();
    let log = opened.partition("t", 0).unwrap();
    append(&log, batch(&[("k", Some("v"))]));
    opened
        .set_overrides("t", overrides(&[("max.message.bytes", "10")]))
        .unwrap();
    assert!(try_append(&log, batch(&[("k", Some("v"))])).is_err());
    let error = opened
        .set_overrides("t", overrides(&[("max.message.bytes", "many")]))
        .unwrap_err();
    assert!(matches!(error, StoreError::Config(_)), "{error}");
    drop((log, opened));
    let opened = store(dir.path());
    assert_eq!(
        opened.partition("t", 0).unwrap().config().max_message_bytes,
        10
    );
    let mut defaults = milena_broker::log::LogConfig::default();
    defaults.set("segment.bytes", "12345").unwrap();
    opened.set_defaults(defaults).unwrap();
    let config = opened.partition("t", 0).unwrap().config();
    assert_eq!(
        (config.segment_bytes, config.max_message_bytes),
        (12345, 10)
    );
}

#[test]
fn a_deleted_topic_can_be_made_again_and_is_empty() {
    let dir = quick_dir();
    let opened = store(dir.path());
    let first = opened.create_topic("t", 1, BTreeMap::new()).unwrap();
    let old = opened.partition("t", 0).unwrap();
    append(&old, batch(&[("k", Some("v"))]));
    opened.delete_topic("t").unwrap();
    assert!(try_append(&old, batch(&[("k", Some("v"))])).is_err());
    let second = opened.create_topic("t", 1, BTreeMap::new()).unwrap();
    assert_ne!(first.id(), second.id());
    assert!(opened.topic_by_id(first.id()).is_none());
    assert_eq!(
        opened.partition("t", 0).unwrap().high_watermark().unwrap(),
        0
    );
    assert!(try_append(&old, batch(&[("k", Some("v"))])).is_err());
}

#[test]
fn wrong_requests_change_nothing() {
    let dir = quick_dir();
    let opened = store(dir.path());
    for name in ["", ".", "..", "a/b", "ü", &"x".repeat(250)] {
        let error = opened.create_topic(name, 1, BTreeMap::new()).unwrap_err();
        assert!(matches!(error, StoreError::InvalidName(_)), "{name}");
    }
    opened.create_topic("t", 2, BTreeMap::new()).unwrap();
    let exists = opened.create_topic("t", 1, BTreeMap::new()).unwrap_err();
    assert!(matches!(exists, StoreError::TopicExists(_)));
    let fewer = opened.add_partitions("t", 2).unwrap_err();
    assert!(matches!(
        fewer,
        StoreError::InvalidPartitions { current: 2, .. }
    ));
    assert!(matches!(
        opened.delete_topic("u").unwrap_err(),
        StoreError::UnknownTopic(_)
    ));
    let bad = overrides(&[("retention.ms", "x")]);
    assert!(matches!(
        opened.create_topic("u", 1, bad).unwrap_err(),
        StoreError::Config(_)
    ));
    assert!(opened.topic("u").is_none());
    assert!(!dir.path().join("topics/u").exists());
}

#[test]
fn one_process_at_a_time_and_no_foreign_or_newer_directory() {
    let dir = quick_dir();
    let opened = store(dir.path());
    let second = LogStore::open(dir.path(), StoreOptions::default(), NOW).unwrap_err();
    assert!(matches!(second, OpenError::Locked { .. }), "{second}");
    drop(opened);
    fs::write(dir.path().join("format"), "milena-broker-log 99\n").unwrap();
    let newer = LogStore::open(dir.path(), StoreOptions::default(), NOW).unwrap_err();
    assert!(
        matches!(newer, OpenError::NewerFormat { found: 99, .. }),
        "{newer}"
    );
    assert!(newer.to_string().contains("newer program"));
    let foreign = quick_dir();
    fs::write(foreign.path().join("meta.properties"), "x").unwrap();
    let error = LogStore::open(foreign.path(), StoreOptions::default(), NOW).unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    let file = foreign.path().join("meta.properties");
    let error = LogStore::open(&file, StoreOptions::default(), NOW).unwrap_err();
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
}

#[test]
fn maintenance_cleans_open_and_closed_partitions_and_closes_idle_ones() {
    let dir = quick_dir();
    let settings = overrides(&[("segment.bytes", "200"), ("retention.ms", "60000")]);
    let opened = store(dir.path());
    opened.create_topic("t", 2, settings).unwrap();
    for index in 0..2 {
        let log = opened.partition("t", index).unwrap();
        for _ in 0..10 {
            append(&log, batch(&[("k", Some(&"v".repeat(50)))]));
        }
    }
    opened.partition("t", 1).unwrap().close().unwrap();
    let report = opened.maintain(NOW + 10 * 60_000);
    assert!(report.bytes_removed > 2000, "{report:?}");
    assert_eq!((report.failed, report.closed), (0, 0));
    let report = opened.maintain(NOW + 21 * 60_000);
    assert_eq!((report.failed, report.closed), (0, 1), "{report:?}");
    for index in 0..2 {
        let log = opened.partition("t", index).unwrap();
        assert_eq!(log.bounds().unwrap().log_start_offset, 10);
    }
}

#[test]
fn quiet_data_is_synced() {
    let dir = quick_dir();
    let opened = store(dir.path());
    opened.create_topic("t", 1, BTreeMap::new()).unwrap();
    append(
        &opened.partition("t", 0).unwrap(),
        batch(&[("k", Some("v"))]),
    );
    assert_eq!(opened.maintain(NOW + 1_000).flushed, 0);
    assert_eq!(opened.maintain(NOW + 11_000).flushed, 1);
    assert_eq!(opened.maintain(NOW + 30_000).flushed, 0);
    opened.close().unwrap();
}

#[test]
fn ten_thousand_partitions_start_at_once_and_few_files_stay_open() {
    let dir = quick_dir();
    let opened = store(dir.path());
    for topic in 0..10 {
        opened
            .create_topic(&format!("t{topic}"), 1_000, BTreeMap::new())
            .unwrap();
    }
    for topic in opened.topics() {
        for log in topic.partitions() {
            append(log, batch(&[("k", Some("v"))]));
        }
    }
    let descriptors = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    assert!(descriptors < 1_000, "{descriptors} descriptors");
    drop(opened);
    let begin = Instant::now();
    let opened = store(dir.path());
    let start = begin.elapsed();
    let mut records = 0;
    for topic in opened.topics() {
        for log in topic.partitions() {
            records += log.high_watermark().unwrap();
        }
    }
    println!(
        "10,000 partitions after a kill: start {start:?}, all opened {:?}",
        begin.elapsed()
    );
    assert_eq!(records, 10_000);
}
