use super::*;
use crate::ConnectorName;

fn props(pairs: &[(&str, &str)]) -> RawProps {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), Some((*v).to_owned())))
        .collect()
}

fn name() -> ConnectorName {
    "c".into()
}

/// A topic in memory, with compaction.
#[derive(Default)]
struct Log(Vec<(String, Option<Vec<u8>>)>);

impl Log {
    fn put(&mut self, record: ConfigRecord) -> &mut Self {
        let KeyValue { key, value } = record.encode();
        self.0.push((key, value));
        self
    }

    fn raw(&mut self, key: &str, value: &str) -> &mut Self {
        self.0.push((key.to_owned(), Some(value.into())));
        self
    }

    fn connector(&mut self, version: &str) -> &mut Self {
        self.put(ConfigRecord::Connector {
            name: name(),
            config: Some(props(&[("v", version)])),
        })
    }

    fn delete(&mut self) -> &mut Self {
        self.put(ConfigRecord::Connector {
            name: name(),
            config: None,
        })
        .put(ConfigRecord::Target {
            name: name(),
            state: None,
        })
    }

    fn task(&mut self, task: u32, version: &str) -> &mut Self {
        self.put(ConfigRecord::Task {
            id: name().task(task),
            config: props(&[("t", version)]),
        })
    }

    fn commit(&mut self, tasks: u32) -> &mut Self {
        self.put(ConfigRecord::Commit {
            name: name(),
            tasks: Some(tasks),
        })
    }

    /// Only the last record of each key, in log order; tombstones too are taken away.
    fn compacted(&self) -> Log {
        let latest = |at: usize, key: &str| !self.0.iter().skip(at + 1).any(|(k, _)| k == key);
        Log(self
            .0
            .iter()
            .enumerate()
            .filter(|(at, (key, value))| latest(*at, key) && value.is_some())
            .map(|(_, record)| record.clone())
            .collect())
    }

    fn fold(&self) -> ClusterSnapshot {
        let mut snapshot = ClusterSnapshot::new();
        for (offset, (key, value)) in self.0.iter().enumerate() {
            let _ = snapshot.apply(offset as i64, Some(key.as_bytes()), value.as_deref());
        }
        snapshot.loaded();
        snapshot
    }
}

#[test]
fn records_are_written_as_java_writes_them() {
    let table: Vec<(ConfigRecord, &str, Option<&str>)> = vec![
        (
            ConfigRecord::Connector {
                name: name(),
                config: Some(RawProps::from([
                    ("a/b".to_owned(), Some("ü\"".to_owned())),
                    ("n".to_owned(), None),
                ])),
            },
            "connector-c",
            Some(r#"{"properties":{"a/b":"ü\"","n":null}}"#),
        ),
        (
            ConfigRecord::Connector {
                name: name(),
                config: None,
            },
            "connector-c",
            None,
        ),
        (
            ConfigRecord::Target {
                name: name(),
                state: Some(TargetState::Started),
            },
            "target-state-c",
            Some(r#"{"state":"STARTED","state.v2":"STARTED"}"#),
        ),
        (
            ConfigRecord::Target {
                name: name(),
                state: Some(TargetState::Stopped),
            },
            "target-state-c",
            Some(r#"{"state":"PAUSED","state.v2":"STOPPED"}"#),
        ),
        (
            ConfigRecord::Task {
                id: ConnectorName::from("a-b").task(3),
                config: props(&[("k", "v")]),
            },
            "task-a-b-3",
            Some(r#"{"properties":{"k":"v"}}"#),
        ),
        (
            ConfigRecord::Commit {
                name: name(),
                tasks: Some(2),
            },
            "commit-c",
            Some(r#"{"tasks":2}"#),
        ),
        (
            ConfigRecord::TaskCount {
                name: name(),
                tasks: 4,
            },
            "tasks-fencing-c",
            Some(r#"{"task-count":4}"#),
        ),
        (
            ConfigRecord::SessionKey(SessionKey {
                base64: "AAAA".to_owned(),
                algorithm: "HmacSHA256".to_owned(),
                created_ms: 1_700_000_000_000,
            }),
            "session-key",
            Some(r#"{"key":"AAAA","algorithm":"HmacSHA256","creation-timestamp":1700000000000}"#),
        ),
        (
            ConfigRecord::Restart(RestartRequest {
                connector: name(),
                include_tasks: true,
                only_failed: false,
            }),
            "restart-connector-c",
            Some(r#"{"include-tasks":true,"only-failed":false}"#),
        ),
        (
            ConfigRecord::LoggerLevel {
                namespace: "org.x".to_owned(),
                level: "DEBUG".to_owned(),
            },
            "logger-cluster-org.x",
            Some(r#"{"level":"DEBUG"}"#),
        ),
    ];
    for (record, key, value) in table {
        let encoded = record.encode();
        assert_eq!(encoded.key, key);
        assert_eq!(
            encoded.value.as_deref(),
            value.map(str::as_bytes),
            "value of {key}"
        );
        let decoded = ConfigRecord::decode(Some(key.as_bytes()), encoded.value.as_deref());
        assert_eq!(decoded, Ok(record), "round trip of {key}");
    }
}

#[test]
fn odd_records_of_other_writers_are_read_or_passed_over() {
    let decode =
        |key: &str, value: &str| ConfigRecord::decode(Some(key.as_bytes()), Some(value.as_bytes()));
    // Before 3.5 there was only `state`.
    assert_eq!(
        decode("target-state-c", r#"{"state":"PAUSED"}"#),
        Ok(ConfigRecord::Target {
            name: name(),
            state: Some(TargetState::Paused)
        })
    );
    assert_eq!(
        decode("target-state-c", r#"{"state":"PAUSED","state.v2":7}"#),
        Ok(ConfigRecord::Target {
            name: name(),
            state: Some(TargetState::Paused)
        })
    );
    for (key, value) in [
        ("target-state-c", r#"{"state":"DANCING"}"#),
        ("task-c", r#"{"properties":{}}"#),
        ("task-c-x", r#"{"properties":{}}"#),
        ("connector-c", "[]"),
        ("connector-c", r#"{"props":{}}"#),
        ("session-key", r#"{"key":"AAAA","algorithm":"x"}"#),
        (
            "session-key",
            r#"{"key":"A A","algorithm":"x","creation-timestamp":1}"#,
        ),
        ("logger-cluster-x", "{}"),
        ("who-knows", "{}"),
        ("commit-c", "not json"),
    ] {
        assert!(decode(key, value).is_err(), "{key} {value}");
    }
    assert_eq!(
        ConfigRecord::decode(None, None),
        Err(ConfigDecodeError::NoKey)
    );
}

#[test]
fn the_offset_advances_with_all_records_but_those_that_are_no_json() {
    let mut snapshot = ClusterSnapshot::new();
    assert_eq!(snapshot.offset(), -1);
    let _ = snapshot.apply(4, Some(b"what"), Some(b"{}"));
    assert_eq!(snapshot.offset(), 5);
    let _ = snapshot.apply(5, Some(b"connector-c"), Some(b"{\"prop"));
    assert_eq!(snapshot.offset(), 5);
    let _ = snapshot.apply(6, None, None);
    assert_eq!(snapshot.offset(), 7);
}

#[test]
fn task_records_take_effect_with_a_complete_commit_only() {
    let mut log = Log::default();
    log.connector("1").task(0, "1").task(1, "1");
    assert_eq!(log.fold().tasks("c").count(), 0);
    log.commit(2);
    assert_eq!(log.fold().task_configs("c").len(), 2);
    assert_eq!(log.fold().generation("c"), Some(0));

    // A set with a hole: the connector has tasks in name, none may run.
    log.task(0, "2").commit(2);
    let snapshot = log.fold();
    assert!(snapshot.is_inconsistent("c"));
    assert_eq!(snapshot.task_count("c"), 2);
    assert_eq!(snapshot.tasks("c").count(), 0);
    assert_eq!(snapshot.task_config(&name().task(1)), None);

    // A full set heals it.
    log.task(0, "3").task(1, "3").commit(2);
    let snapshot = log.fold();
    assert!(!snapshot.is_inconsistent("c"));
    assert_eq!(snapshot.task_configs("c").len(), 2);
    assert_eq!(snapshot.generation("c"), Some(1));
}

#[test]
fn tasks_beyond_the_count_are_never_listed() {
    let mut log = Log::default();
    log.connector("1").task(0, "1").task(1, "1").commit(2);
    log.task(0, "2").commit(1);
    for snapshot in [log.fold(), log.compacted().fold()] {
        assert_eq!(snapshot.tasks("c").count(), 1);
        assert_eq!(snapshot.task_config(&name().task(1)), None);
    }
}

#[test]
fn compaction_never_revives_a_deleted_connector() {
    let mut log = Log::default();
    log.connector("1").task(0, "1").commit(1).delete();
    for snapshot in [log.fold(), log.compacted().fold()] {
        assert!(!snapshot.contains("c"));
        assert_eq!(snapshot.tasks("c").count(), 0);
    }
    // KAFKA-16838: recreated after the tombstone was compacted away, the old tasks stay dead.
    log.connector("2");
    for snapshot in [log.fold(), log.compacted().fold()] {
        assert!(snapshot.contains("c"));
        assert_eq!(snapshot.tasks("c").count(), 0);
        assert_eq!(snapshot.task_count("c"), 0);
    }
}

#[test]
fn compaction_that_puts_tasks_before_their_connector_runs_nothing_half() {
    // KAFKA-17719: the connector was updated after its tasks were committed, then the topic was compacted.
    let mut log = Log::default();
    log.connector("1").task(0, "1").task(1, "1").commit(2);
    log.connector("2");
    assert_eq!(log.fold().tasks("c").count(), 2);
    let snapshot = log.compacted().fold();
    assert!(snapshot.contains("c"));
    assert_eq!(snapshot.tasks("c").count(), 0);
    // The applied configuration is unknown, so the connector's next start writes the set again.
    assert_eq!(snapshot.applied_config("c"), None);
}

#[test]
fn fencing_is_needed_between_a_commit_and_its_task_count() {
    let mut log = Log::default();
    log.connector("1");
    assert_eq!(log.fold().fencing_need("c"), FencingNeed::None);
    log.task(0, "1").commit(1);
    assert_eq!(log.fold().fencing_need("c"), FencingNeed::RecordOnly);
    log.put(ConfigRecord::TaskCount {
        name: name(),
        tasks: 1,
    });
    assert_eq!(log.fold().fencing_need("c"), FencingNeed::None);
    log.task(0, "2").commit(1);
    assert_eq!(log.fold().fencing_need("c"), FencingNeed::RecordOnly);
    log.task(0, "3").task(1, "3").commit(2);
    assert_eq!(log.fold().fencing_need("c"), FencingNeed::Fence(1));
    // The count outlives the connector: its tasks may still be zombies when the name is used again.
    log.delete().connector("4").task(0, "4").commit(1);
    log.put(ConfigRecord::TaskCount {
        name: name(),
        tasks: 2,
    });
    log.task(0, "5").commit(1);
    assert_eq!(log.fold().fencing_need("c"), FencingNeed::Fence(2));
}

#[test]
fn changes_are_told_after_loading_only() {
    let mut log = Log::default();
    log.connector("1").raw(
        "restart-connector-c",
        r#"{"include-tasks":true,"only-failed":"yes"}"#,
    );
    let mut snapshot = log.fold();
    let mut apply = |record: ConfigRecord| {
        let KeyValue { key, value } = record.encode();
        snapshot
            .apply(9, Some(key.as_bytes()), value.as_deref())
            .expect("readable")
    };
    let connector = |config| ConfigRecord::Connector {
        name: name(),
        config,
    };
    let target = |state| ConfigRecord::Target {
        name: name(),
        state,
    };
    assert_eq!(
        apply(connector(Some(RawProps::new()))),
        Some(ClusterChange::Connector {
            name: name(),
            is_new: false
        })
    );
    assert_eq!(apply(target(Some(TargetState::Started))), None);
    assert_eq!(
        apply(target(Some(TargetState::Paused))),
        Some(ClusterChange::Target {
            name: name(),
            state: TargetState::Paused
        })
    );
    assert_eq!(
        apply(connector(None)),
        Some(ClusterChange::Removed {
            name: name(),
            was_known: true
        })
    );
    // The connector is gone: nobody has to be told.
    assert_eq!(apply(target(Some(TargetState::Stopped))), None);
    assert_eq!(apply(target(None)), None);
}

#[test]
fn a_session_key_is_never_printed() {
    let key = SessionKey {
        base64: "c2VjcmV0".to_owned(),
        algorithm: "HmacSHA256".to_owned(),
        created_ms: 1,
    };
    assert_eq!(key.byte_len(), 6);
    assert!(!format!("{key:?}").contains("c2VjcmV0"));
}
