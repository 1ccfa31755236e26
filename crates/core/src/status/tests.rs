use super::*;
use crate::ConnectorName;

fn status(state: StatusState, worker: &str, generation: i32) -> StatusValue {
    StatusValue {
        state,
        trace: None,
        worker_id: worker.to_owned(),
        generation,
        version: None,
    }
}

fn name(name: &str) -> ConnectorName {
    name.into()
}

#[test]
fn records_are_written_as_java_writes_them() {
    let running = StatusValue {
        version: Some("4.3.1".to_owned()),
        ..status(StatusState::Running, "10.0.0.1:8083", 7)
    };
    let failed = StatusValue {
        trace: Some("x.Y: z\n\tat a\n".to_owned()),
        ..status(StatusState::Failed, "h:1", 0)
    };
    let table = [
        (
            StatusRecord::Connector {
                name: name("c"),
                status: Some(running),
            },
            "status-connector-c",
            Some(
                r#"{"state":"RUNNING","trace":null,"worker_id":"10.0.0.1:8083","generation":7,"version":"4.3.1"}"#,
            ),
        ),
        (
            StatusRecord::Task {
                id: name("a-b").task(12),
                status: Some(failed),
            },
            "status-task-a-b-12",
            Some(
                r#"{"state":"FAILED","trace":"x.Y: z\n\tat a\n","worker_id":"h:1","generation":0,"version":null}"#,
            ),
        ),
        (
            StatusRecord::Task {
                id: name("c").task(0),
                status: None,
            },
            "status-task-c-0",
            None,
        ),
        (
            StatusRecord::Topic(TopicUse {
                topic: "t".to_owned(),
                connector: name("a:connector-b"),
                task: 0,
                discovered_ms: 1_700_000_000_000,
            }),
            "status-topic-t:connector-a:connector-b",
            Some(
                r#"{"topic":{"name":"t","connector":"a:connector-b","task":0,"discoverTimestamp":1700000000000}}"#,
            ),
        ),
        (
            StatusRecord::TopicReset {
                topic: "t".to_owned(),
                connector: name("c"),
            },
            "status-topic-t:connector-c",
            None,
        ),
    ];
    for (record, key, value) in table {
        let encoded = record.encode();
        assert_eq!(encoded.key, key);
        assert_eq!(encoded.value.as_deref(), value.map(str::as_bytes));
        let decoded = StatusRecord::decode(Some(key.as_bytes()), encoded.value.as_deref());
        assert_eq!(decoded, Some(record));
    }
}

#[test]
fn records_from_before_versions_are_read_and_garbage_is_passed_over() {
    let mut store = StatusSnapshot::new();
    let old = br#"{"state":"PAUSED","trace":null,"worker_id":"w","generation":3}"#;
    assert_eq!(
        store.apply(Some(b"status-connector-c"), Some(old)),
        Some(name("c"))
    );
    assert_eq!(
        store.connector("c"),
        Some(&status(StatusState::Paused, "w", 3))
    );
    for (key, value) in [
        ("status-connector-c", "nonsense"),
        (
            "status-connector-c",
            r#"{"state":"DESTROYED","worker_id":"w","generation":1}"#,
        ),
        (
            "status-connector-c",
            r#"{"state":"RUNNING","worker_id":"w","generation":1.5}"#,
        ),
        ("status-task-c", "{}"),
        ("status-topic-nocolon", "{}"),
        ("status-topic-t:short", "{}"),
        ("other", "{}"),
    ] {
        assert!(
            store
                .apply(Some(key.as_bytes()), Some(value.as_bytes()))
                .is_none(),
            "{key}"
        );
    }
    assert_eq!(store.apply(None, None), None);
    assert_eq!(
        store.connector("c"),
        Some(&status(StatusState::Paused, "w", 3))
    );
}

#[test]
fn a_deleted_connector_takes_its_tasks_along_but_not_its_topics() {
    let mut store = StatusSnapshot::new();
    let c = name("c");
    store.take_up(StatusRecord::Connector {
        name: c.clone(),
        status: Some(status(StatusState::Running, "w", 1)),
    });
    store.take_up(StatusRecord::Task {
        id: c.task(0),
        status: Some(status(StatusState::Running, "w", 1)),
    });
    store.take_up(StatusRecord::Topic(TopicUse {
        topic: "t".to_owned(),
        connector: c.clone(),
        task: 0,
        discovered_ms: 0,
    }));
    store.take_up(StatusRecord::Connector {
        name: c.clone(),
        status: None,
    });
    assert_eq!(store.connector("c"), None);
    assert_eq!(store.tasks("c").count(), 0);
    assert_eq!(store.topics("c").count(), 1);
    store.take_up(StatusRecord::TopicReset {
        topic: "t".to_owned(),
        connector: c,
    });
    assert_eq!(store.topics("c").count(), 0);
    assert_eq!(store.connectors().count(), 0);
}

#[test]
fn a_former_owners_late_unassigned_does_not_hide_the_new_owner() {
    let id = name("c").task(0);
    let table = [
        // known state, its worker and generation; incoming worker and generation; is it taken up
        (StatusState::Running, "b", 6, "a", 5, false),
        (StatusState::Running, "b", 5, "a", 5, false),
        (StatusState::Running, "a", 5, "a", 5, true),
        (StatusState::Running, "a", 6, "a", 5, false),
        (StatusState::Running, "b", 4, "a", 5, true),
        (StatusState::Failed, "b", 6, "a", 5, true),
    ];
    for (state, worker, generation, new_worker, new_generation, taken) in table {
        let mut store = StatusSnapshot::new();
        let mut put = |status| {
            store.take_up(StatusRecord::Task {
                id: id.clone(),
                status: Some(status),
            });
        };
        put(status(state, worker, generation));
        put(status(StatusState::Unassigned, new_worker, new_generation));
        let now = store.task(&id).map(|status| status.state);
        let wanted = if taken {
            StatusState::Unassigned
        } else {
            state
        };
        assert_eq!(now, Some(wanted), "{state:?} of {worker} in {generation}");
    }
}

#[test]
fn safe_writes_never_go_over_a_newer_generation_of_another_worker() {
    let mut store = StatusSnapshot::new();
    assert!(store.is_safe_for_connector("c", "a", 0));
    store.take_up(StatusRecord::Connector {
        name: name("c"),
        status: Some(status(StatusState::Running, "b", 5)),
    });
    assert!(!store.is_safe_for_connector("c", "a", 4));
    assert!(store.is_safe_for_connector("c", "a", 5));
    assert!(store.is_safe_for_connector("c", "b", 4));
}
