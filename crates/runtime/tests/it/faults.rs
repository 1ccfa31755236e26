//! A disk that takes nothing in standalone mode, large records and a long history of the config topic.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use bytes::Bytes;
use milena_kafka::ports::{ClientProps, OutRecord};
use milena_rest_model::HerderError;

use crate::world::{Worker, cluster, embedded, eventually, props, unique};

async fn position(worker: &Worker) -> Option<i64> {
    let offsets = worker.port.offsets("c").await.unwrap().offsets;
    offsets.first()?.offset.as_ref()?.get("position")?.as_i64()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_no_offsets_costs_no_record_and_no_offset() {
    let broker = embedded().await;
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.txt");
    std::fs::write(&input, "one\n").unwrap();
    let file = dir.path().join("connect.offsets");
    let settings = cluster(
        &broker.bootstrap,
        &[
            ("offset.storage.file.filename", file.to_str().unwrap()),
            ("offset.flush.interval.ms", "100"),
        ],
    );
    let worker = Worker::standalone(&settings).await;
    let config = props(&[
        ("connector.class", "FileStreamSource"),
        ("file", input.to_str().unwrap()),
        ("topic", &unique("t")),
    ]);
    worker.port.create("c", config.clone(), None).await.unwrap();
    let first = eventually("the first offset is on the disk", async || {
        std::fs::read(&file).ok().filter(|bytes| !bytes.is_empty())
    })
    .await;
    // From now on no new file can be written there.
    let fresh = dir.path().join("connect.offsets.new");
    std::fs::create_dir(&fresh).unwrap();
    std::fs::write(&input, "one\ntwo\n").unwrap();
    let page = || worker.port.metrics();
    let sent = |page: &str| {
        let is_total = |line: &&str| line.contains("source_record_write_total{");
        let value = page
            .lines()
            .find(is_total)
            .and_then(|line| line.split(' ').next_back());
        value.and_then(|value| value.parse::<f64>().ok()) == Some(2.0)
    };
    eventually("the second record is written all the same", async || {
        sent(&page()).then_some(())
    })
    .await;
    worker.runs("c").await;
    assert_eq!(
        std::fs::read(&file).unwrap(),
        first,
        "the old file is whole"
    );
    std::fs::remove_dir(&fresh).unwrap();
    eventually("the offset is written once the disk takes it", async || {
        (std::fs::read(&file).unwrap() != first).then_some(())
    })
    .await;
    worker.handle.stop().await;
    let worker = Worker::standalone(&settings).await;
    worker.port.create("c", config, None).await.unwrap();
    assert_eq!(position(&worker).await, Some(8));
    worker.handle.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_of_almost_a_megabyte_works_and_a_larger_one_is_refused() {
    let broker = embedded().await;
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.txt");
    std::fs::write(&input, "one\n").unwrap();
    let settings = cluster(&broker.bootstrap, &[]);
    let worker = Worker::start(&settings, "w1:8083").await;
    let config = |size: usize| {
        props(&[
            ("connector.class", "FileStreamSource"),
            ("file", input.to_str().unwrap()),
            ("topic", "t"),
            ("large", &"x".repeat(size)),
        ])
    };
    worker
        .port
        .create("c", config(900_000), None)
        .await
        .unwrap();
    worker.runs("c").await;
    let refused = worker.port.create("d", config(3_000_000), None).await;
    assert!(
        matches!(refused, Err(HerderError::Failed(_))),
        "{refused:?}"
    );
    let names = worker.port.connectors().await.unwrap();
    assert_eq!(names, ["c"], "nothing of it was done");
    worker.port.create("e", config(10), None).await.unwrap();
    worker.runs("e").await;
    worker.handle.stop().await;
    let worker = Worker::start(&settings, "w1:8083").await;
    worker.runs("c").await;
    worker.handle.stop().await;
}

/// 20,000 records here; 100,000 with `MILENA_LONG=1`.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_of_the_config_topic_is_read_at_once() {
    let broker = embedded().await;
    let settings = cluster(&broker.bootstrap, &[]);
    let worker = Worker::start(&settings, "w1:8083").await;
    worker.handle.stop().await;
    let count: usize = match std::env::var_os("MILENA_LONG") {
        Some(_) => 100_000,
        None => 20_000,
    };
    let client: ClientProps =
        BTreeMap::from([("bootstrap.servers".to_owned(), broker.bootstrap.clone())]);
    let topic: Arc<str> = settings["config.storage.topic"].as_str().into();
    let producer = milena_kafka::clients()
        .producer(&client, Arc::new(|_| {}))
        .await
        .unwrap();
    let record = |n: usize| {
        let value = format!(r#"{{"properties":{{"connector.class":"test.None","n":"{n}"}}}}"#);
        OutRecord {
            topic: Arc::clone(&topic),
            partition: Some(0),
            timestamp: None,
            key: Some(Bytes::from(format!("connector-c{}", n % 50))),
            value: Some(Bytes::from(value)),
            headers: Vec::new(),
            ticket: 0,
        }
    };
    for from in (0..count).step_by(1_000) {
        let batch = (from..from + 1_000).map(record).collect();
        producer
            .send(batch)
            .await
            .map_err(|(_, error)| error)
            .unwrap();
    }
    producer.flush().await.unwrap();
    let begun = Instant::now();
    let worker = Worker::start(&settings, "w1:8083").await;
    eprintln!(
        "{count} records of history: joined after {:?}",
        begun.elapsed()
    );
    assert_eq!(worker.port.connectors().await.unwrap().len(), 50);
    let info = worker.port.connector_info("c49").await.unwrap();
    assert_eq!(info.config["n"].as_deref(), Some(&*(count - 1).to_string()));
    worker.handle.stop().await;
}
