//! `GET /metrics`: the Java worker's metrics for Prometheus, in both families of names.

use std::time::Instant;

use crate::process::{Milena, PATIENCE, between_looks, call, get};

fn value(page: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let line = page.lines().find(|line| {
        let rest = line.strip_prefix(name).unwrap_or_default();
        (rest.starts_with('{') || rest.starts_with(' ')) && labels.iter().all(|l| line.contains(l))
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

fn until(url: &str, what: &str, holds: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, page) = get(&format!("{url}/metrics"));
        assert_eq!(status, 200);
        if holds(&page) {
            return page;
        }
        assert!(Instant::now() < deadline, "never: {what} in\n{page}");
        between_looks();
    }
}

#[test]
fn a_running_pipeline_shows_in_both_families_of_names() {
    let dir = tempfile::tempdir().unwrap();
    let mut milena = Milena::quickstart(dir.path(), &["--rate", "200"]);
    let started = milena.event("started");
    let url = started["rest"].as_str().unwrap().trim_end_matches('/');
    let sent = |page: &str| {
        let total = value(page, "kafka_connect_sink_task_sink_record_send_total", &[]);
        total.is_some_and(|total| total > 0.0)
    };
    let polled = |page: &str| {
        let name = "kafka_connect_source_task_metrics_source_record_poll_total";
        value(page, name, &[]).is_some_and(|total| total > 0.0)
    };
    // The clients of the tasks under Java's client ids, in the plain names and in Strimzi's.
    let clients = |page: &str| {
        [
            (
                "kafka_producer_topic_record_send_total",
                "clientid=\"connector-producer-",
            ),
            (
                "kafka_producer_producer_metrics_record_send_total",
                "client_id=\"connector-producer-",
            ),
            (
                "kafka_consumer_fetch_manager_records_consumed_total",
                "clientid=\"connector-consumer-",
            ),
        ]
        .iter()
        .all(|(name, label)| value(page, name, &[label]).is_some_and(|total| total > 0.0))
    };
    let all = [
        ("kafka_connect_worker_connector_count", vec![], 4.0),
        (
            "kafka_connect_connect_worker_metrics_task_count",
            vec![],
            4.0,
        ),
        (
            "kafka_connect_worker_task_startup_success_total",
            vec![],
            4.0,
        ),
        (
            "kafka_connect_worker_task_startup_failure_total",
            vec![],
            0.0,
        ),
        ("kafka_connect_worker_rebalance_rebalancing", vec![], 0.0),
        (
            "kafka_connect_connector_status",
            vec!["status=\"running\""],
            1.0,
        ),
        (
            "kafka_connect_connector_metrics_status_info",
            vec!["status=\"running\""],
            1.0,
        ),
        (
            "kafka_connect_connector_task_status",
            vec!["task=\"0\"", "status=\"running\""],
            1.0,
        ),
        (
            "kafka_connect_connector_task_metrics_pause_ratio",
            vec![],
            0.0,
        ),
        (
            "kafka_connect_task_error_total_record_failures",
            vec![],
            0.0,
        ),
        (
            "kafka_connect_sink_task_metrics_partition_count",
            vec![],
            1.0,
        ),
    ];
    let page = until(
        url,
        "both halves of both pipelines run, and records are at a sink",
        |page| {
            let shows = |(name, labels, wanted): &(&str, Vec<&str>, f64)| {
                value(page, name, labels) == Some(*wanted)
            };
            sent(page) && polled(page) && clients(page) && all.iter().all(shows)
        },
    );
    // What is known of the group: it was joined, and heartbeats go.
    for (name, least) in [
        ("kafka_connect_coordinator_join_total", 1.0),
        ("kafka_connect_coordinator_sync_total", 1.0),
        ("kafka_connect_coordinator_rebalance_total", 1.0),
        ("kafka_connect_coordinator_last_rebalance_seconds_ago", 0.0),
    ] {
        let shown = value(&page, name, &[]);
        assert!(
            shown.is_some_and(|shown| shown >= least),
            "{name} in\n{page}"
        );
    }
    // A paused connector is shown as such, and its share of paused time grows.
    let (_, names) = get(&format!("{url}/connectors"));
    let names: Vec<String> = serde_json::from_str(&names).unwrap();
    for name in &names {
        assert_eq!(
            call("PUT", &format!("{url}/connectors/{name}/pause"), "").0,
            202
        );
    }
    until(url, "paused tasks", |page| {
        names.iter().all(|name| {
            let labels = [&*format!("connector=\"{name}\""), "status=\"paused\""];
            value(page, "kafka_connect_connector_task_status", &labels) == Some(1.0)
        })
    });
    assert_eq!(milena.terminate().code(), Some(0));
}
