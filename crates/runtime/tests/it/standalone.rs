//! A standalone worker, as a user of REST sees it.

use std::time::Instant;

use milena_rest_model::HerderError;

use crate::world::{Worker, brokers, cluster, eventually, props, unique};

#[tokio::test(flavor = "multi_thread")]
async fn a_standalone_worker_answers_when_a_change_is_done() {
    for broker in brokers("a_standalone_worker_answers_when_a_change_is_done").await {
        answers_when_done(&broker.bootstrap).await;
    }
}

async fn answers_when_done(bootstrap: &str) {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.txt");
    std::fs::write(&input, "one\ntwo\n").unwrap();
    let file = dir.path().join("connect.offsets");
    let settings = cluster(
        bootstrap,
        &[("offset.storage.file.filename", file.to_str().unwrap())],
    );
    let worker = Worker::standalone(&settings).await;
    let config = props(&[
        ("connector.class", "FileStreamSource"),
        ("file", input.to_str().unwrap()),
        ("topic", &unique("t")),
    ]);
    let created = worker.port.create("c", config.clone(), None).await.unwrap();
    assert_eq!(created.tasks.len(), 1, "the answer waits for the tasks");
    worker.runs("c").await;
    let position = async |worker: &Worker| {
        let offsets = worker.port.offsets("c").await.unwrap().offsets;
        offsets.first()?.offset.as_ref()?.get("position")?.as_i64()
    };
    eventually("the offset of both lines", async || {
        (position(&worker).await == Some(8)).then_some(())
    })
    .await;
    worker.port.delete("c").await.unwrap();
    assert!(matches!(
        worker.port.connector_status("c").await,
        Err(HerderError::NotFound(_))
    ));
    // Configurations are forgotten by a restart, offsets are not.
    let begun = Instant::now();
    worker.handle.stop().await;
    assert!(begun.elapsed().as_secs() < 5);
    let worker = Worker::standalone(&settings).await;
    assert!(worker.port.connectors().await.unwrap().is_empty());
    worker.port.create("c", config, None).await.unwrap();
    assert_eq!(position(&worker).await, Some(8));
    worker.handle.stop().await;
}
