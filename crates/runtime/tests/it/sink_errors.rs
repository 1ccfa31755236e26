//! What becomes of records that a sink refuses, and of dead letters that cannot be written.

use std::{collections::BTreeMap, sync::Arc};

use milena_broker::{Broker, BrokerConfig};
use milena_kafka::ports::{ClientProps, InRecord, NewTopic, OutRecord, StartAt};
use milena_rest_model::RawProps;

use crate::{
    recording::given,
    world::{Worker, brokers, cluster, embedded, eventually, props, unique},
};

fn client(bootstrap: &str) -> ClientProps {
    let pair = ("bootstrap.servers".to_owned(), bootstrap.to_owned());
    ClientProps::from_iter([pair])
}

async fn topic(bootstrap: &str, name: &str, configs: &[(&str, &str)]) {
    let admin = milena_kafka::clients().admin(&client(bootstrap)).await;
    let topic = NewTopic {
        name: name.to_owned(),
        partitions: 1,
        replication_factor: 1,
        configs: configs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
    };
    admin.unwrap().create_topics(vec![topic]).await.unwrap();
}

/// Records whose values are their offsets, padded to a size.
async fn produce(bootstrap: &str, topic: &str, offsets: std::ops::Range<usize>, size: usize) {
    let clients = milena_kafka::clients();
    let producer = clients.producer(&client(bootstrap), Arc::new(|_| {})).await;
    let producer = producer.unwrap();
    let record = |n: usize| OutRecord {
        topic: topic.into(),
        partition: Some(0),
        value: Some(format!("{n:0size$}").into()),
        ..OutRecord::default()
    };
    producer.send(offsets.map(record).collect()).await.unwrap();
    producer.flush().await.unwrap();
}

/// All records of a topic's one partition.
async fn records(bootstrap: &str, topic: &str) -> Vec<InRecord> {
    let mut fetcher = milena_kafka::clients()
        .fetcher(&client(bootstrap))
        .await
        .unwrap();
    let partition = (topic.into(), 0);
    let start = vec![(topic.into(), 0, Some(StartAt::Earliest))];
    fetcher.assign(start).await.unwrap();
    let ends = fetcher.end_offsets(&[partition]).await.unwrap();
    let end = ends.into_values().next().unwrap();
    let (mut read, mut next) = (Vec::new(), 0);
    while next < end {
        let batches = fetcher.poll(std::time::Duration::from_secs(1)).await;
        for batch in batches.unwrap() {
            next = batch.next_offset;
            read.extend(batch.records);
        }
    }
    fetcher.close().await;
    read
}

fn sink(topic: &str, more: &[(&str, &str)]) -> RawProps {
    let mut config = props(&[
        ("connector.class", "test.RecordingSink"),
        ("tasks.max", "1"),
        ("topics", topic),
        ("request.commit", "1"),
        ("errors.tolerance", "all"),
    ]);
    config.extend(props(more));
    config
}

async fn committed(worker: &Worker, connector: &str) -> Option<i64> {
    let offsets = worker.port.offsets(connector).await.unwrap().offsets;
    let offset = offsets.first()?.offset.as_ref()?.get("kafka_offset")?;
    offset.as_i64()
}

async fn fails(worker: &Worker, connector: &str) -> String {
    let failed = |status: &milena_rest_model::ConnectorStateInfo| {
        let first = status.tasks.first();
        first.is_some_and(|task| task.state == "FAILED")
    };
    let status = worker.status(connector, "its task fails", failed).await;
    status.tasks[0].trace.clone().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_record_is_found_in_its_batch_and_the_rest_is_taken() {
    for broker in brokers("a_bad_record_is_found_in_its_batch_and_the_rest_is_taken").await {
        let bootstrap = &broker.bootstrap;
        let (t, dead) = (unique("t"), unique("dead"));
        topic(bootstrap, &t, &[]).await;
        produce(bootstrap, &t, 0..200, 8).await;
        let worker = Worker::start(&cluster(bootstrap, &[]), "w1:8083").await;
        let name = unique("bad");
        let config = sink(
            &t,
            &[
                ("bad.offsets", "0,17,18,19,120,199"),
                // In the middle of the search the target is away for a while, twice.
                ("refuse.every", "7"),
                ("errors.deadletterqueue.topic.name", &dead),
                ("errors.deadletterqueue.topic.replication.factor", "1"),
                ("errors.deadletterqueue.context.headers.enable", "true"),
            ],
        );
        worker.port.create(&name, config, None).await.unwrap();
        eventually("all is committed", async || {
            (committed(&worker, &name).await == Some(200)).then_some(())
        })
        .await;
        let bad = [0, 17, 18, 19, 120, 199];
        let taken: Vec<i64> = given(&name)
            .into_iter()
            .map(|(_, _, offset)| offset)
            .collect();
        let good: Vec<i64> = (0..200).filter(|offset| !bad.contains(offset)).collect();
        assert_eq!(taken, good, "each good record once, in order");
        let letters = records(bootstrap, &dead).await;
        let values: Vec<i64> = letters
            .iter()
            .map(|letter| {
                std::str::from_utf8(letter.value.as_deref().unwrap())
                    .unwrap()
                    .parse()
                    .unwrap()
            })
            .collect();
        assert_eq!(values, bad);
        let headers: BTreeMap<&str, &[u8]> = letters[1]
            .headers
            .iter()
            .map(|header| (&*header.key, header.value.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(headers["__connect.errors.offset"], b"17");
        assert_eq!(headers["__connect.errors.stage"], b"TASK_PUT");
        assert_eq!(headers["__connect.errors.exception.message"], b"17 is bad");
        worker.port.delete(&name).await.unwrap();

        // Without tolerance it is an error like any other, and nothing is given again.
        let name = unique("strict");
        let strict = [("errors.tolerance", "none"), ("bad.offsets", "5")];
        worker
            .port
            .create(&name, sink(&t, &strict), None)
            .await
            .unwrap();
        let trace = fails(&worker, &name).await;
        assert!(trace.contains("5 is bad"), "{trace}");
        assert!(given(&name).is_empty() && committed(&worker, &name).await.is_none());
        worker.handle.stop().await;
    }
}

/// A dead letter queue that takes no letters: the offset stays before the record, and the task says why.
async fn refused(bootstrap: &str, dead: &str, more: &[(&str, &str)], words: &[&str]) {
    let t = unique("t");
    topic(bootstrap, &t, &[]).await;
    produce(bootstrap, &t, 0..3, 8).await;
    let worker = Worker::start(&cluster(bootstrap, &[]), "w1:8083").await;
    let name = unique("refused");
    let mut list = vec![
        ("errors.deadletterqueue.topic.name", dead),
        ("errors.deadletterqueue.topic.replication.factor", "1"),
        ("bad.offsets", "3"),
    ];
    list.extend_from_slice(more);
    worker
        .port
        .create(&name, sink(&t, &list), None)
        .await
        .unwrap();
    eventually("the good ones are committed", async || {
        (committed(&worker, &name).await == Some(3)).then_some(())
    })
    .await;
    let admin = milena_kafka::clients().admin(&client(bootstrap)).await;
    if more.is_empty() {
        let admin = admin.unwrap();
        admin.delete_topics(&[dead.to_owned()]).await.unwrap();
    }
    produce(bootstrap, &t, 3..4, 2_000).await;
    let trace = fails(&worker, &name).await;
    for word in words {
        assert!(trace.contains(word), "{word}: {trace}");
    }
    assert_eq!(committed(&worker, &name).await, Some(3));
    worker.handle.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_the_broker_refuses_fails_the_task() {
    for broker in brokers("a_dead_letter_that_the_broker_refuses_fails_the_task").await {
        let dead = unique("dead");
        topic(&broker.bootstrap, &dead, &[("max.message.bytes", "500")]).await;
        let more = [("producer.override.linger.ms", "0")];
        let words = [
            "a record could not be written to the dead letter queue",
            &dead,
            "RecordTooLargeException",
        ];
        refused(&broker.bootstrap, &dead, &more, &words).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_the_producer_refuses_fails_the_task() {
    let broker = embedded().await;
    let dead = unique("dead");
    let more = [("producer.override.max.request.size", "1000")];
    let words = [
        "could not be written to the dead letter queue",
        "RecordTooLargeException",
    ];
    // The topic is missing at first: it is made.
    refused(&broker.bootstrap, &dead, &more, &words).await;
    assert!(records(&broker.bootstrap, &dead).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_topic_that_was_deleted_fails_the_task() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = BrokerConfig::new(folder.path(), ([127, 0, 0, 1], 0).into());
    config.auto_create_topics = false;
    config.group_initial_rebalance_delay = std::time::Duration::ZERO;
    let broker = Broker::start(config).await.unwrap();
    let words = [
        "could not be written to the dead letter queue",
        "does not exist any more",
    ];
    refused(&broker.bootstrap(), &unique("dead"), &[], &words).await;
}
