//! Failed tasks of a cluster that heals: any worker tells of all of them, and they run once what was missing is there.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cluster::world::{Cluster, create, eventually, rest, shared_kafka};

const SINKS: usize = 4;

#[test]
fn any_worker_tells_of_failed_tasks_and_they_heal() {
    if milena_testing_kafka::oracle_is_missing("any_worker_tells_of_failed_tasks_and_they_heal") {
        return;
    }
    let kafka = shared_kafka();
    let policy = [
        ("milena.task.restart.policy", "backoff"),
        ("milena.task.restart.backoff.ms", "100"),
        ("milena.task.restart.backoff.max.ms", "500"),
        ("milena.task.restart.attempts.max", "1000"),
    ];
    let cluster = Cluster::new(&kafka.bootstrap(), &policy);
    let workers = [cluster.joined("a"), cluster.joined("b")];
    let folder = cluster.at("missing");
    let topic = cluster.topic("lines");
    for n in 0..SINKS {
        let mut sink = cluster.sink(&format!("k{n}"), &topic, 1);
        let file = folder.join(format!("{n}.out"));
        sink["config"]["file"] = Value::from(file.to_str().unwrap());
        create(workers[0].url(), &sink);
    }
    let mut owners = BTreeSet::new();
    let mut awaited = |what: &str, holds: fn(&Value) -> bool| {
        for worker in &workers {
            for n in 0..SINKS {
                let url = format!("{}/milena/v1/connectors/k{n}", worker.url());
                let health = eventually(&format!("k{n} {what}"), || {
                    let (status, health) = rest("GET", &url, None)?;
                    (status == 200 && holds(&health["tasks"][0])).then_some(health)
                });
                assert_eq!(health["restart"]["policy"], "backoff");
                owners.insert(health["tasks"][0]["worker_id"].to_string());
            }
        }
    };
    awaited("fails again and again", |task| {
        let healing = &task["healing"];
        healing["restarts"].as_u64() >= Some(2)
            && healing["failed_at_ms"].is_i64()
            && healing["last_error"]
                .as_str()
                .is_some_and(|e| e.contains("ConnectException"))
    });
    std::fs::create_dir(&folder).unwrap();
    awaited("runs", |task| {
        task["state"] == "RUNNING" && task["healing"]["next_restart_at_ms"].is_null()
    });
    assert_eq!(owners.len(), 2, "each worker runs some: {owners:?}");
    let missing = format!("{}/milena/v1/connectors/nobody", workers[0].url());
    assert_eq!(rest("GET", &missing, None).unwrap().0, 404);
}
