//! Connectors with an offsets topic of their own (KIP-618).

use std::io::Write;

use milena_kafka::ports::{ClientProps, StartAt};
use milena_rest_model::{ConnectorOffsets, RawProps};

use crate::world::{Worker, brokers, cluster, eventually, props, unique};

fn source(file: &str, topic: &str, own: Option<&str>) -> RawProps {
    let mut config = props(&[
        ("connector.class", "FileStreamSource"),
        ("file", file),
        ("topic", topic),
    ]);
    if let Some(own) = own {
        config.insert("offsets.storage.topic".to_owned(), Some(own.to_owned()));
    }
    config
}

async fn position(worker: &Worker) -> Option<i64> {
    let offsets = worker.port.offsets("c").await.unwrap().offsets;
    offsets.first()?.offset.as_ref()?.get("position")?.as_i64()
}

async fn reaches(worker: &Worker, wanted: Option<i64>) {
    eventually("the position", async || {
        (position(worker).await == wanted).then_some(())
    })
    .await;
}

async fn stopped(worker: &Worker) {
    worker.port.stop("c").await.unwrap();
    worker
        .status("c", "stopped without tasks", |status| {
            status.connector.state == "STOPPED" && status.tasks.is_empty()
        })
        .await;
}

/// The values of a topic of two partitions, in the order they were written to each.
async fn values(bootstrap: &str, topic: &str, partitions: i32) -> Vec<Option<String>> {
    let pairs = [
        ("bootstrap.servers", bootstrap),
        ("isolation.level", "read_committed"),
    ];
    let props: ClientProps = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let mut fetcher = milena_kafka::clients().fetcher(&props).await.unwrap();
    let partitions: Vec<_> = (0..partitions).map(|p| (topic.into(), p)).collect();
    let start = partitions.iter().cloned();
    let start = start.map(|(topic, p)| (topic, p, Some(StartAt::Earliest)));
    fetcher.assign(start.collect()).await.unwrap();
    let ends = fetcher.end_offsets(&partitions).await.unwrap();
    let mut values = Vec::new();
    loop {
        let mut behind = false;
        for ((topic, partition), end) in &ends {
            behind |= fetcher.position(topic, *partition).await.unwrap() < *end;
        }
        if !behind {
            break;
        }
        for batch in fetcher
            .poll(std::time::Duration::from_secs(1))
            .await
            .unwrap()
        {
            let text = |value: bytes::Bytes| String::from_utf8(value.to_vec()).unwrap();
            values.extend(batch.records.into_iter().map(|r| r.value.map(text)));
        }
    }
    fetcher.close().await;
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_move_to_a_topic_of_their_own_and_back() {
    for broker in brokers("offsets_move_to_a_topic_of_their_own_and_back").await {
        moves(&broker.bootstrap, &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_move_to_a_topic_of_their_own_and_back_exactly_once() {
    for broker in brokers("offsets_move_to_a_topic_of_their_own_and_back_exactly_once").await {
        let enabled = [("exactly.once.source.support", "enabled")];
        moves(&broker.bootstrap, &enabled).await;
    }
}

async fn moves(bootstrap: &str, more: &[(&str, &str)]) {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.txt");
    let file = input.to_str().unwrap();
    std::fs::write(&input, "one\n").unwrap();
    let append = |text: &str| {
        let mut file = std::fs::File::options().append(true).open(&input).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    let settings = cluster(bootstrap, more);
    let worker_topic = settings["offset.storage.topic"].clone();
    let worker = Worker::start(&settings, "w1:8083").await;
    let (topic, own) = (unique("t"), unique("own"));
    worker
        .port
        .create("c", source(file, &topic, None), None)
        .await
        .unwrap();
    worker.runs("c").await;
    reaches(&worker, Some(4)).await;

    // What the new topic does not say is taken from the worker's: no line comes twice.
    stopped(&worker).await;
    let moved = source(file, &topic, Some(&own));
    worker.port.put_config("c", moved).await.unwrap();
    worker.port.resume("c").await.unwrap();
    append("two\n");
    reaches(&worker, Some(8)).await;
    let own_says = async || values(bootstrap, &own, 2).await;
    let worker_says = async || values(bootstrap, &worker_topic, 2).await;
    assert_eq!(
        own_says().await.last().unwrap().as_deref(),
        Some(r#"{"position":8}"#)
    );
    eventually("the copy in the worker's topic", async || {
        let last = worker_says().await.pop().flatten();
        (last.as_deref() == Some(r#"{"position":8}"#)).then_some(())
    })
    .await;

    // Altered and reset where both are.
    stopped(&worker).await;
    let altered = worker.port.offsets("c").await.unwrap().offsets;
    let mut entry = altered[0].clone();
    entry
        .offset
        .as_mut()
        .unwrap()
        .insert("position".to_owned(), 4.into());
    let offsets = ConnectorOffsets {
        offsets: vec![entry],
    };
    worker.port.alter_offsets("c", offsets).await.unwrap();
    assert_eq!(position(&worker).await, Some(4));
    worker.port.resume("c").await.unwrap();
    reaches(&worker, Some(8)).await;
    stopped(&worker).await;
    worker.port.reset_offsets("c").await.unwrap();
    assert_eq!(position(&worker).await, None);
    assert_eq!(own_says().await.last().unwrap(), &None, "a tombstone");
    assert_eq!(worker_says().await.last().unwrap(), &None, "a tombstone");

    // A new start reads both again; without the setting the worker's topic counts.
    worker.port.resume("c").await.unwrap();
    reaches(&worker, Some(8)).await;
    worker.handle.stop().await;
    append("three\n");
    let worker = Worker::start(&settings, "w1:8083").await;
    reaches(&worker, Some(14)).await;
    stopped(&worker).await;
    let config = source(file, &topic, None);
    worker.port.put_config("c", config).await.unwrap();
    worker.port.resume("c").await.unwrap();
    append("four\n");
    reaches(&worker, Some(19)).await;
    worker.handle.stop().await;
    let lines = values(bootstrap, &topic, 1).await;
    let lines: Vec<_> = lines.iter().flatten().map(String::as_str).collect();
    let all = ["one", "two", "two", "one", "two", "three", "four"];
    assert_eq!(lines, all, "twice only what was altered and reset");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offsets_topic_that_is_not_compacted_fails_the_task() {
    let broker = crate::world::embedded().await;
    let settings = cluster(&broker.bootstrap, &[]);
    let worker = Worker::start(&settings, "w1:8083").await;
    let own = unique("own");
    let pairs = [("bootstrap.servers", broker.bootstrap.as_str())];
    let client: ClientProps = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let admin = milena_kafka::clients().admin(&client).await.unwrap();
    let topic = milena_kafka::ports::NewTopic {
        name: own.clone(),
        partitions: 1,
        replication_factor: 1,
        configs: [("cleanup.policy".to_owned(), "delete".to_owned())].into(),
    };
    admin.create_topics(vec![topic]).await.unwrap();
    let config = source("/nowhere", &unique("t"), Some(&own));
    worker.port.create("c", config, None).await.unwrap();
    let failed = |status: &milena_rest_model::ConnectorStateInfo| {
        status
            .tasks
            .first()
            .is_some_and(|task| task.state == "FAILED")
    };
    let status = worker.status("c", "its task fails", failed).await;
    let trace = status.tasks[0].trace.clone().unwrap_or_default();
    assert!(
        trace.contains("required to have 'cleanup.policy=compact'"),
        "{trace}"
    );
    assert!(trace.contains(&own), "{trace}");
    worker.handle.stop().await;
}
