//! A distributed worker, as a user of REST sees it.

use std::{io::Write, time::Instant};

use milena_rest_model::HerderError;

use crate::world::{Worker, brokers, cluster, eventually, props, unique};

fn source(file: &str, topic: &str) -> milena_rest_model::RawProps {
    props(&[
        ("connector.class", "FileStreamSource"),
        ("tasks.max", "1"),
        ("file", file),
        ("topic", topic),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn one_worker_runs_a_connector_through_its_life() {
    for broker in brokers("one_worker_runs_a_connector_through_its_life").await {
        whole_life(&broker.bootstrap).await;
    }
}

async fn whole_life(bootstrap: &str) {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.txt");
    std::fs::write(&input, "one\ntwo\n").unwrap();
    let settings = cluster(bootstrap, &[]);
    let worker = Worker::start(&settings, "w1:8083").await;

    let begun = Instant::now();
    let config = source(input.to_str().unwrap(), &unique("t"));
    let created = worker.port.create("c", config.clone(), None).await.unwrap();
    eprintln!("created in {:?}", begun.elapsed());
    assert_eq!(created.config, config);
    let status = worker.runs("c").await;
    eprintln!("runs after {:?}", begun.elapsed());
    assert_eq!(status.connector.worker_id, "w1:8083");
    assert_eq!(status.connector.version.as_deref(), Some("4.3.1"));
    assert!(matches!(
        worker.port.create("c", config.clone(), None).await,
        Err(HerderError::Conflict(_))
    ));
    let tasks = worker.port.tasks("c").await.unwrap();
    assert_eq!(
        tasks[0].config["task.class"].as_deref(),
        Some("org.apache.kafka.connect.file.FileStreamSourceTask")
    );

    // The lines are in Kafka when their offset is committed.
    eventually("the offset of both lines", async || {
        let offsets = worker.port.offsets("c").await.unwrap().offsets;
        let position = offsets
            .first()?
            .offset
            .as_ref()?
            .get("position")?
            .as_i64()?;
        (position == 8).then_some(())
    })
    .await;
    eprintln!("offset committed after {:?}", begun.elapsed());
    eventually("the topic is tracked", async || {
        let topics = worker.port.topics("c").await.unwrap();
        (topics.len() == 1).then_some(())
    })
    .await;

    worker.port.pause("c").await.unwrap();
    let state = |state: &'static str| {
        move |status: &milena_rest_model::ConnectorStateInfo| {
            status.connector.state == state && status.tasks.iter().all(|task| task.state == state)
        }
    };
    worker.status("c", "paused", state("PAUSED")).await;
    worker.port.resume("c").await.unwrap();
    worker.runs("c").await;
    worker.port.restart_connector("c").await.unwrap();
    worker.runs("c").await;
    worker.port.restart_task("c", 0).await.unwrap();
    worker.runs("c").await;

    worker.port.stop("c").await.unwrap();
    worker
        .status("c", "stopped without tasks", |status| {
            status.connector.state == "STOPPED" && status.tasks.is_empty()
        })
        .await;
    let message = worker.port.reset_offsets("c").await.unwrap().message;
    assert_eq!(
        message,
        "The offsets for this connector have been reset successfully"
    );
    assert!(worker.port.offsets("c").await.unwrap().offsets.is_empty());
    worker.port.resume("c").await.unwrap();
    worker.runs("c").await;

    worker.port.delete("c").await.unwrap();
    eventually("no status left", async || {
        let status = worker.port.connector_status("c").await;
        matches!(status, Err(HerderError::NotFound(_))).then_some(())
    })
    .await;
    let begun = Instant::now();
    worker.handle.stop().await;
    eprintln!("stopped in {:?}", begun.elapsed());
    assert!(
        begun.elapsed().as_secs() < 5,
        "a clean stop waits for no grace period"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_worker_goes_on_where_it_was() {
    for broker in brokers("a_restarted_worker_goes_on_where_it_was").await {
        goes_on(&broker.bootstrap).await;
    }
}

async fn goes_on(bootstrap: &str) {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.txt");
    std::fs::write(&input, "one\n").unwrap();
    let settings = cluster(bootstrap, &[]);
    let worker = Worker::start(&settings, "w1:8083").await;
    let config = source(input.to_str().unwrap(), &unique("t"));
    worker.port.create("c", config, None).await.unwrap();
    worker.runs("c").await;
    let position = async |worker: &Worker| {
        let offsets = worker.port.offsets("c").await.unwrap().offsets;
        offsets.first()?.offset.as_ref()?.get("position")?.as_i64()
    };
    eventually("the first line's offset", async || {
        (position(&worker).await == Some(4)).then_some(())
    })
    .await;
    worker.handle.stop().await;

    let mut file = std::fs::File::options().append(true).open(&input).unwrap();
    file.write_all(b"two\n").unwrap();
    let worker = Worker::start(&settings, "w1:8083").await;
    worker.runs("c").await;
    eventually("the second line's offset", async || {
        (position(&worker).await == Some(8)).then_some(())
    })
    .await;
    worker.handle.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connectors_are_created_in_a_loop_without_an_error() {
    for broker in brokers("connectors_are_created_in_a_loop_without_an_error").await {
        many(&broker.bootstrap).await;
    }
}

async fn many(bootstrap: &str) {
    let count = std::env::var("MILENA_TEST_CONNECTORS").map_or(20, |n| n.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let settings = cluster(bootstrap, &[]);
    let worker = Worker::start(&settings, "w1:8083").await;
    let begun = Instant::now();
    for n in 0..count {
        let file = dir.path().join(format!("{n}.txt"));
        let config = source(file.to_str().unwrap(), "t");
        worker
            .port
            .create(&format!("c{n}"), config, None)
            .await
            .unwrap();
    }
    eprintln!("{count} connectors created in {:?}", begun.elapsed());
    eventually("all of them run", async || {
        let statuses = worker.port.all_statuses().await.unwrap();
        let runs = |status: &milena_rest_model::ConnectorStateInfo| {
            status.connector.state == "RUNNING" && status.tasks.iter().any(|t| t.state == "RUNNING")
        };
        (statuses.values().filter(|status| runs(status)).count() == count).then_some(())
    })
    .await;
    eprintln!("all run after {:?}", begun.elapsed());
    worker.handle.stop().await;
    let begun = Instant::now();
    let worker = Worker::start(&settings, "w1:8083").await;
    eprintln!("a new start joined after {:?}", begun.elapsed());
    assert_eq!(worker.port.connectors().await.unwrap().len(), count);
    let begun = Instant::now();
    worker.handle.stop().await;
    eprintln!("stopped in {:?}", begun.elapsed());
}
