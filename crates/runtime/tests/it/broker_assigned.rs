//! Sink tasks in groups whose partitions the broker assigns (`group.protocol=consumer`, KIP-848).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    recording::given,
    sink::{
        BY_BROKER, committed, holds, holds_count, moves, produce, recording, takes_up_new_topics,
        topic,
    },
    world::{Worker, brokers, cluster, embedded, eventually, unique},
};

/// Apache Kafka, where there is one.
async fn kafka(test: &str) -> Option<String> {
    brokers(test)
        .await
        .get(1)
        .map(|kafka| kafka.bootstrap.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_moves_partitions_one_by_one() {
    if let Some(kafka) = kafka("the_broker_moves_partitions_one_by_one").await {
        moves(&kafka, &[BY_BROKER], true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_takes_up_new_topics_where_the_broker_assigns() {
    if let Some(kafka) = kafka("a_pattern_takes_up_new_topics_where_the_broker_assigns").await {
        takes_up_new_topics(&kafka, &[BY_BROKER]).await;
    }
}

/// A group is taken over while it is in use, and goes back when it is empty.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_changes_its_protocol() {
    let Some(kafka) = kafka("a_group_changes_its_protocol").await else {
        return;
    };
    let (t, group) = (unique("t"), unique("group"));
    let (old, new) = (unique("old"), unique("new"));
    topic(&kafka, &t, 4).await;
    produce(&kafka, &t, 4, 10, 0).await;
    let worker = Worker::start(&cluster(&kafka, &[]), "w1:8083").await;
    let create = async |name: &str, more: &[(&str, &str)]| {
        let config = recording(&t, &group, more);
        worker.port.create(name, config, None).await.unwrap();
    };
    let reads = async |all: usize| {
        eventually("all records are given", async || {
            (given(&old).len() + given(&new).len() >= all).then_some(())
        })
        .await;
    };
    create(&old, &[]).await;
    reads(40).await;
    // One of each protocol: the broker takes the group over.
    create(&new, &[BY_BROKER]).await;
    holds_count(&new, 2).await;
    holds_count(&old, 2).await;
    produce(&kafka, &t, 4, 10, 10).await;
    reads(80).await;
    worker.port.delete(&old).await.unwrap();
    holds_count(&new, 4).await;
    produce(&kafka, &t, 4, 10, 20).await;
    reads(120).await;
    worker.port.stop(&new).await.unwrap();
    eventually("it has left", async || holds(&new).is_empty().then_some(())).await;
    // Nobody is in it: a classic member may begin anew where the others ended.
    let back = unique("back");
    create(&back, &[]).await;
    holds_count(&back, 4).await;
    produce(&kafka, &t, 4, 10, 30).await;
    eventually("the rest", async || {
        (given(&back).len() == 40).then_some(())
    })
    .await;
    let all = [given(&old), given(&new), given(&back)].concat();
    let each: BTreeSet<_> = all.iter().cloned().collect();
    assert_eq!((each.len(), all.len()), (160, 160), "each record once");
    worker.handle.stop().await;
}

/// What a stopped connector's group has committed can be seen, changed and forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn offsets_of_a_stopped_sink_are_altered_and_reset() {
    let Some(kafka) = kafka("offsets_of_a_stopped_sink_are_altered_and_reset").await else {
        return;
    };
    let (t, name) = (unique("t"), unique("offsets"));
    topic(&kafka, &t, 2).await;
    produce(&kafka, &t, 2, 10, 0).await;
    let worker = Worker::start(&cluster(&kafka, &[]), "w1:8083").await;
    let mut config = recording(&t, "", &[BY_BROKER]);
    config.remove("consumer.override.group.id");
    worker.port.create(&name, config, None).await.unwrap();
    let says = async |wanted: BTreeMap<i64, i64>| {
        eventually("the offsets", async || {
            (committed(&worker, &name).await == wanted).then_some(())
        })
        .await;
    };
    let stop = async || {
        worker.port.stop(&name).await.unwrap();
        worker
            .status(&name, "is stopped", |s| {
                s.connector.state == "STOPPED" && s.tasks.is_empty()
            })
            .await;
    };
    says(BTreeMap::from([(0, 10), (1, 10)])).await;
    stop().await;
    let change = serde_json::json!({"offsets": [
        {"partition": {"kafka_topic": t, "kafka_partition": 0}, "offset": {"kafka_offset": 4}},
        {"partition": {"kafka_topic": t, "kafka_partition": 1}, "offset": null},
    ]});
    let change = serde_json::from_value(change).unwrap();
    let said = worker.port.alter_offsets(&name, change).await.unwrap();
    assert!(said.message.contains("altered successfully"));
    says(BTreeMap::from([(0, 4)])).await;
    worker.port.resume(&name).await.unwrap();
    eventually("again from there", async || {
        (given(&name).len() == 36).then_some(())
    })
    .await;
    says(BTreeMap::from([(0, 10), (1, 10)])).await;
    stop().await;
    let said = worker.port.reset_offsets(&name).await.unwrap();
    assert!(said.message.contains("reset successfully"));
    says(BTreeMap::new()).await;
    worker.handle.stop().await;
}

/// The embedded broker does not know the protocol: the failure names the setting and the remedy.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_without_the_protocol_is_named() {
    let broker = embedded().await;
    let (t, name) = (unique("t"), unique("refused"));
    topic(&broker.bootstrap, &t, 1).await;
    let worker = Worker::start(&cluster(&broker.bootstrap, &[]), "w1:8083").await;
    let config = recording(&t, &name, &[BY_BROKER]);
    worker.port.create(&name, config, None).await.unwrap();
    let failed = worker
        .status(&name, "fails", |status| {
            status
                .tasks
                .first()
                .is_some_and(|task| task.state == "FAILED")
        })
        .await;
    let trace = failed.tasks[0].trace.clone().unwrap_or_default();
    let wanted = "org.apache.kafka.common.errors.UnsupportedVersionException: The cluster does not support the new CONSUMER group protocol. Set group.protocol=classic on the consumer configs to revert to the CLASSIC protocol until the cluster is upgraded.";
    assert!(trace.starts_with(wanted), "{trace}");
    worker.handle.stop().await;
}
