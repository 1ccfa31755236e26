//! Records of the internal topics as the Java worker 4.3.1 wrote them (the recipe is in
//! `crates/milena/tests/it/cluster/goldens.rs`), read and written again.

use std::collections::{BTreeMap, BTreeSet};

use milena_core::{
    cluster::{ClusterSnapshot, ConfigRecord, KeyValue, TargetState},
    offsets::{OffsetStore, encode_offset_key, encode_offset_value},
    status::{StatusRecord, StatusSnapshot},
};
use serde_json::Value;

const GOLDENS: &str = include_str!("../../../../testing/golden/internal-topics.tsv");

struct Golden {
    topic: &'static str,
    key: &'static str,
    value: Option<&'static str>,
}

fn goldens(topic: &str) -> Vec<Golden> {
    let all = GOLDENS.lines().map(|line| {
        let mut fields = line.splitn(3, '\t');
        let mut next = || fields.next().unwrap();
        let (topic, key, value) = (next(), next(), next());
        let value = Some(value).filter(|value| *value != "null");
        Golden { topic, key, value }
    });
    all.filter(|golden| golden.topic == topic).collect()
}

/// Java orders the properties of a configuration by hash: there any order is the same.
fn has_properties(value: &str) -> bool {
    let json: Value = serde_json::from_str(value).unwrap();
    json.get("properties").is_some()
}

fn same(golden: &Golden, written: &KeyValue) {
    assert_eq!(written.key, golden.key);
    let text = written
        .value
        .as_deref()
        .map(|v| std::str::from_utf8(v).unwrap());
    match (golden.value, text) {
        (Some(java), Some(ours)) if has_properties(java) => {
            let parsed = |text| serde_json::from_str::<Value>(text).unwrap();
            assert_eq!(parsed(ours), parsed(java), "{}", golden.key);
            assert_eq!(ours.len(), java.len(), "{}", golden.key);
        }
        (java, ours) => assert_eq!(ours, java, "{}", golden.key),
    }
}

#[test]
fn config_records_are_read_and_written_as_java_writes_them() {
    let mut kinds = BTreeSet::new();
    for golden in goldens("configs") {
        let (key, value) = (golden.key.as_bytes(), golden.value.map(str::as_bytes));
        let record = ConfigRecord::decode(Some(key), value).unwrap();
        kinds.insert(match &record {
            ConfigRecord::Connector {
                config: Some(_), ..
            } => "connector",
            ConfigRecord::Connector { config: None, .. } => "connector deleted",
            ConfigRecord::Target { state: Some(_), .. } => "target",
            ConfigRecord::Target { state: None, .. } => "target deleted",
            ConfigRecord::Task { .. } => "task",
            ConfigRecord::Commit { .. } => "commit",
            ConfigRecord::TaskCount { .. } => "task count",
            ConfigRecord::SessionKey(_) => "session key",
            ConfigRecord::Restart(_) => "restart",
            ConfigRecord::LoggerLevel { .. } => "logger",
        });
        same(&golden, &record.encode());
    }
    let all = [
        "commit",
        "connector",
        "connector deleted",
        "logger",
        "restart",
        "session key",
        "target",
        "target deleted",
        "task",
        "task count",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), all);
}

#[test]
fn the_state_at_the_end_is_javas() {
    let mut cluster = ClusterSnapshot::new();
    for (offset, golden) in (0..).zip(goldens("configs")) {
        let (key, value) = (golden.key.as_bytes(), golden.value.map(str::as_bytes));
        cluster.apply(offset, Some(key), value).unwrap();
    }
    let names: Vec<&str> = cluster.connectors().map(|name| name.as_str()).collect();
    assert_eq!(names, ["sink", "source"]);
    assert_eq!(cluster.target("sink"), TargetState::Paused);
    assert_eq!(cluster.target("source"), TargetState::Started);
    assert_eq!(cluster.task_count("sink"), 2);
    assert!(cluster.session_key().is_some());
}

#[test]
fn status_records_are_read_and_written_as_java_writes_them() {
    let mut states = BTreeSet::new();
    let mut snapshot = StatusSnapshot::new();
    for golden in goldens("status") {
        let (key, value) = (golden.key.as_bytes(), golden.value.map(str::as_bytes));
        let record = StatusRecord::decode(Some(key), value).expect(golden.key);
        if let StatusRecord::Connector {
            status: Some(status),
            ..
        }
        | StatusRecord::Task {
            status: Some(status),
            ..
        } = &record
        {
            states.insert(status.state.as_str());
        }
        same(&golden, &record.encode());
        snapshot.take_up(record);
    }
    for state in ["RUNNING", "PAUSED", "STOPPED", "FAILED", "UNASSIGNED"] {
        assert!(states.contains(state), "{state} was not recorded");
    }
    assert!(snapshot.connector("broken").is_none(), "it was deleted");
    assert_eq!(snapshot.tasks("sink").count(), 2);
}

#[test]
fn offset_records_are_read_and_written_as_java_writes_them() {
    let mut store = OffsetStore::new();
    let mut seen = BTreeMap::new();
    for golden in goldens("offsets") {
        let value = golden.value.map(str::as_bytes);
        store.apply(golden.key.as_bytes(), value).unwrap();
        for (partition, offset) in store.offsets("source") {
            let key = encode_offset_key("source", partition).unwrap();
            let key = String::from_utf8(key).unwrap();
            let value = String::from_utf8(encode_offset_value(offset).unwrap()).unwrap();
            assert_eq!(
                (key.as_str(), Some(value.as_str())),
                (golden.key, golden.value)
            );
            seen.insert(key, value);
        }
    }
    assert!(!seen.is_empty());
    // The recording ends with a reset.
    assert_eq!(store.offsets("source").count(), 0);
}
