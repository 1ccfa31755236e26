//! Apache Kafka is away when a worker starts, and later for a while: the worker waits, says so, and goes on.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use crate::cluster::world::{
    Cluster, SESSION, balanced, create, eventually, figure, long, own_kafka, rest, until,
};

/// Lines that are added twice a second while the broker is away.
const LOAD: u64 = 1_000;

#[test]
fn a_worker_waits_for_its_broker() {
    if milena_testing_kafka::oracle_is_missing("a_worker_waits_for_its_broker") {
        return;
    }
    let mut kafka = own_kafka();
    let cluster = Cluster::new(&kafka.bootstrap(), &[]);
    kafka.kill();
    let mut worker = cluster.worker("a", &[]);
    let (status, body) = eventually("an answer of /health", || {
        let (status, body) = worker.health();
        (status != 0).then_some((status, body))
    });
    assert_eq!(status, 503, "{body}");
    assert_eq!(body["status"], "starting", "{body}");
    let (status, _) = rest("GET", worker.url(), None).unwrap();
    assert_eq!(status, 200);
    until("it says what it waits for", || {
        worker.log().contains("the cluster cannot be reached yet")
    });
    kafka.restart().unwrap();
    let begun = Instant::now();
    until("it is healthy", || worker.health().0 == 200);
    figure("broker away at start: healthy after its return", begun);
    let (_, root) = rest("GET", worker.url(), None).unwrap();
    assert!(root["kafka_cluster_id"].is_string(), "{root}");

    let topic = cluster.topic("lines");
    create(worker.url(), &cluster.source("s", &topic, "before\n"));
    create(worker.url(), &cluster.sink("k", &topic, 1));
    balanced(worker.url(), &[worker.id()], 2, 2);
    let sunk = |line: &str| {
        let text = super::world::text(&cluster.at("k.out"));
        text.lines().any(|found| found == line)
    };
    until("a line goes through", || sunk("before"));

    // Away for longer than the session, so that it has to come back into the group as well, under load.
    let mut lines = 0;
    let mut load = || {
        let more: String = (lines..lines + LOAD).map(|n| format!("{n}\n")).collect();
        lines += LOAD;
        cluster.append("s", &more);
        lines
    };
    load();
    kafka.kill();
    let away = Instant::now();
    let outage = match long() {
        true => Duration::from_secs(300),
        false => SESSION + Duration::from_secs(2),
    };
    while away.elapsed() < outage {
        let (status, body) = rest(
            "GET",
            &format!("{}/connectors/s/status", worker.url()),
            None,
        )
        .unwrap();
        assert_eq!(status, 200, "{body}");
        assert_ne!(body["tasks"][0]["state"], "FAILED", "{body}");
        load();
        std::thread::park_timeout(Duration::from_millis(500));
    }
    let all = load();
    kafka.restart().unwrap();
    let begun = Instant::now();
    until("the lines of the outage go through", || {
        sunk(&(all - 1).to_string())
    });
    figure("broker back: all lines are through after", begun);
    let text = super::world::text(&cluster.at("k.out"));
    let numbers: BTreeSet<u64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    let lost: Vec<u64> = (0..all).filter(|n| !numbers.contains(n)).collect();
    assert!(lost.is_empty(), "of {all}: {lost:?}");
    balanced(worker.url(), &[worker.id()], 2, 2);
    figure("broker back: all runs after", begun);
    assert_eq!(worker.terminate().code(), Some(0));
}
