//! Several workers in one group.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use milena_rest_model::{ConnectorStateInfo, HerderError};

use crate::world::{Net, Worker, brokers, cluster, embedded, eventually, props, unique};

/// The workers of all connectors and tasks, when all run; how many items each has.
fn spread(statuses: &BTreeMap<String, ConnectorStateInfo>) -> Option<BTreeMap<String, usize>> {
    let mut owners = BTreeMap::new();
    for status in statuses.values() {
        let tasks = status
            .tasks
            .iter()
            .map(|task| (&task.state, &task.worker_id));
        let connector = (&status.connector.state, &status.connector.worker_id);
        if status.tasks.is_empty() {
            return None;
        }
        for (state, worker) in tasks.chain([connector]) {
            if state != "RUNNING" {
                return None;
            }
            *owners.entry(worker.clone()).or_insert(0) += 1;
        }
    }
    Some(owners)
}

async fn balanced(worker: &Worker, count: usize, workers: usize) {
    eventually("everything runs, spread evenly", async || {
        let statuses = worker.port.all_statuses().await.unwrap();
        let owners = spread(&statuses)?;
        (statuses.len() == count && owners.len() == workers).then_some(())
    })
    .await;
}

async fn three_workers(bootstrap: &str, more: &[(&str, &str)]) {
    let dir = tempfile::tempdir().unwrap();
    let settings = cluster(bootstrap, more);
    let net = Arc::new(Net::default());
    let first = Worker::join(&settings, "w1:8083", &net).await;
    let topic = unique("t");
    for n in 0..6 {
        let file = dir.path().join(format!("{n}.txt"));
        std::fs::write(&file, "one\n").unwrap();
        let config = props(&[
            ("connector.class", "FileStreamSource"),
            ("file", file.to_str().unwrap()),
            ("topic", &topic),
        ]);
        first
            .port
            .create(&format!("c{n}"), config, None)
            .await
            .unwrap();
    }
    balanced(&first, 6, 1).await;
    let begun = Instant::now();
    let second = Worker::join(&settings, "w2:8083", &net).await;
    balanced(&first, 6, 2).await;
    eprintln!("a second worker has its share after {:?}", begun.elapsed());
    let third = Worker::join(&settings, "w3:8083", &net).await;
    balanced(&third, 6, 3).await;

    // A follower says who leads; a connector that a follower runs stores its tasks through the leader.
    let refused = second.port.delete("c0").await;
    let Err(HerderError::Elsewhere { url: Some(url) }) = refused else {
        panic!("{refused:?}");
    };
    net.port(&url).unwrap().delete("c0").await.unwrap();
    for n in 0..3 {
        let file = dir.path().join(format!("new{n}.txt"));
        std::fs::write(&file, "one\n").unwrap();
        let config = props(&[
            ("connector.class", "FileStreamSource"),
            ("file", file.to_str().unwrap()),
            ("topic", &topic),
        ]);
        let leader = net.port(&url).unwrap();
        leader
            .create(&format!("new{n}"), config, None)
            .await
            .unwrap();
    }
    balanced(&second, 8, 3).await;

    // The leader goes: its work is done elsewhere, nothing is lost.
    let begun = Instant::now();
    first.handle.stop().await;
    eprintln!("the leader stopped in {:?}", begun.elapsed());
    balanced(&second, 8, 2).await;
    eprintln!("its work runs elsewhere after {:?}", begun.elapsed());
    let positions = eventually("all offsets are committed", async || {
        let mut all = 0;
        for name in second.port.connectors().await.unwrap() {
            all += second.port.offsets(&name).await.unwrap().offsets.len();
        }
        (all == 8).then_some(all)
    })
    .await;
    assert_eq!(positions, 8);
    second.handle.stop().await;
    balanced(&third, 8, 1).await;
    third.handle.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_share_the_work() {
    for broker in brokers("workers_share_the_work").await {
        three_workers(&broker.bootstrap, &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_share_the_work_exactly_once() {
    for broker in brokers("workers_share_the_work_exactly_once").await {
        three_workers(
            &broker.bootstrap,
            &[("exactly.once.source.support", "enabled")],
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_share_the_work_eagerly() {
    let broker = embedded().await;
    three_workers(&broker.bootstrap, &[("connect.protocol", "eager")]).await;
}
