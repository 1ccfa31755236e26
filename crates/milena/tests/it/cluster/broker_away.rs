//! Apache Kafka is away when a worker starts, and later for a while: the worker waits, says so, and goes on.

use std::time::{Duration, Instant};

use crate::cluster::world::{
    Cluster, SESSION, balanced, create, eventually, figure, long, own_kafka, rest, until,
};

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

    // Away for longer than the session, so that it has to come back into the group as well.
    kafka.kill();
    let away = Instant::now();
    cluster.append("s", "meanwhile\n");
    let outage = match long() {
        true => Duration::from_secs(180),
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
        std::thread::park_timeout(Duration::from_millis(500));
    }
    kafka.restart().unwrap();
    let begun = Instant::now();
    until("the line of the outage goes through", || sunk("meanwhile"));
    figure("broker back: the next line is through after", begun);
    balanced(worker.url(), &[worker.id()], 2, 2);
    figure("broker back: all runs after", begun);
    assert_eq!(worker.terminate().code(), Some(0));
}
