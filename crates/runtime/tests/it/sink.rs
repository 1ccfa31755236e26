//! Sink tasks in their group: order of calls, commits, redelivery, and Java's tasks beside ours.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use milena_kafka::ports::{ClientProps, NewTopic, OutRecord};
use milena_rest_model::RawProps;
use milena_testing_kafka::JavaWorker;

use crate::{
    recording::{Told, given, journal},
    world::{Worker, brokers, cluster, eventually, props, unique},
};

/// The protocol of KIP-848.
pub(crate) const BY_BROKER: (&str, &str) = ("consumer.override.group.protocol", "Consumer");
const COOPERATIVE: (&str, &str) = (
    "consumer.override.partition.assignment.strategy",
    "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
);

fn client(bootstrap: &str) -> ClientProps {
    let pair = ("bootstrap.servers".to_owned(), bootstrap.to_owned());
    ClientProps::from_iter([pair])
}

pub(crate) async fn topic(bootstrap: &str, name: &str, partitions: i32) {
    let admin = milena_kafka::clients()
        .admin(&client(bootstrap))
        .await
        .unwrap();
    let topic = NewTopic {
        name: name.to_owned(),
        partitions,
        replication_factor: 1,
        configs: BTreeMap::new(),
    };
    admin.create_topics(vec![topic]).await.unwrap();
}

/// Writes `count` records to each partition; the values are `<first>` and up.
pub(crate) async fn produce(
    bootstrap: &str,
    topic: &str,
    partitions: i32,
    count: usize,
    first: usize,
) {
    let clients = milena_kafka::clients();
    let producer = clients.producer(&client(bootstrap), Arc::new(|_| {})).await;
    let producer = producer.unwrap();
    let mut records = Vec::new();
    for partition in 0..partitions {
        for n in 0..count {
            let value = format!("{partition}:{}", first + n);
            records.push(OutRecord {
                topic: topic.into(),
                partition: Some(partition),
                value: Some(value.into()),
                ..OutRecord::default()
            });
        }
    }
    producer.send(records).await.unwrap();
    producer.flush().await.unwrap();
}

pub(crate) fn recording(topics: &str, group: &str, more: &[(&str, &str)]) -> RawProps {
    let mut config = props(&[
        ("connector.class", "test.RecordingSink"),
        ("tasks.max", "1"),
        ("consumer.override.group.id", group),
    ]);
    config.extend(props(&[("topics", topics)]));
    config.extend(props(more));
    config
}

/// The partitions that a connector's task holds, as far as it was told.
pub(crate) fn holds(connector: &str) -> BTreeSet<(String, i32)> {
    let mut held = BTreeSet::new();
    for told in journal(connector) {
        match told {
            Told::Open(opened) => {
                assert!(held.is_disjoint(&opened), "opened twice: {opened:?}");
                held.extend(opened);
            }
            Told::Close(closed) => {
                assert!(closed.is_subset(&held), "closed twice: {closed:?}");
                held.retain(|partition| !closed.contains(partition));
            }
            _ => {}
        }
    }
    held
}

pub(crate) async fn holds_count(connector: &str, count: usize) {
    eventually("the partitions are shared", async || {
        (holds(connector).len() == count).then_some(())
    })
    .await;
}

/// The committed offset of each partition of a sink.
pub(crate) async fn committed(worker: &Worker, connector: &str) -> BTreeMap<i64, i64> {
    let offsets = worker.port.offsets(connector).await.unwrap().offsets;
    let number = |map: &serde_json::Map<String, serde_json::Value>, key: &str| {
        map.get(key).and_then(serde_json::Value::as_i64)
    };
    let one = |offset: milena_rest_model::ConnectorOffset| {
        let partition = number(offset.partition.as_ref()?, "kafka_partition")?;
        Some((partition, number(offset.offset.as_ref()?, "kafka_offset")?))
    };
    offsets.into_iter().filter_map(one).collect()
}

pub(crate) async fn moves(bootstrap: &str, more: &[(&str, &str)], cooperative: bool) {
    let (t, group) = (unique("t"), unique("group"));
    let (a, b) = (unique("a"), unique("b"));
    topic(bootstrap, &t, 4).await;
    produce(bootstrap, &t, 4, 10, 0).await;
    // Commits at the interval are not what is looked at here.
    let settings = cluster(bootstrap, &[("offset.flush.interval.ms", "60000")]);
    let worker = Worker::start(&settings, "w1:8083").await;
    worker
        .port
        .create(&a, recording(&t, &group, more), None)
        .await
        .unwrap();
    holds_count(&a, 4).await;
    eventually("all records are given", async || {
        (given(&a).len() == 40).then_some(())
    })
    .await;
    worker
        .port
        .create(&b, recording(&t, &group, more), None)
        .await
        .unwrap();
    holds_count(&b, 2).await;
    holds_count(&a, 2).await;
    produce(bootstrap, &t, 4, 5, 10).await;
    eventually("the new records are given", async || {
        (given(&a).len() + given(&b).len() == 60).then_some(())
    })
    .await;
    let both: BTreeSet<_> = given(&a).into_iter().chain(given(&b)).collect();
    assert_eq!(both.len(), 60, "each record is given once");

    // What is given up is confirmed first, then closed; a cooperative member closes only what it gives up.
    let told = journal(&a);
    let close = told
        .iter()
        .position(|told| matches!(told, Told::Close(_)))
        .unwrap();
    let Told::Close(closed) = &told[close] else {
        unreachable!()
    };
    assert_eq!(told[close - 1], Told::PreCommit(closed.clone()));
    assert_eq!(closed.len(), if cooperative { 2 } else { 4 }, "{told:?}");
    worker.port.delete(&b).await.unwrap();
    holds_count(&a, 4).await;
    worker.port.stop(&a).await.unwrap();
    eventually("everything is closed", async || {
        (journal(&a).last() == Some(&Told::Stop)).then_some(())
    })
    .await;
    assert!(holds(&a).is_empty());
    worker.handle.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_move_eagerly_by_default() {
    for broker in brokers("partitions_move_eagerly_by_default").await {
        moves(&broker.bootstrap, &[], false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_move_cooperatively_where_configured() {
    for broker in brokers("partitions_move_cooperatively_where_configured").await {
        moves(&broker.bootstrap, &[COOPERATIVE], true).await;
    }
}

/// One task that refuses, rewinds, pauses, lies and fails to flush, each on its own connector.
async fn odd_tasks(bootstrap: &str) {
    let t = unique("t");
    topic(bootstrap, &t, 2).await;
    produce(bootstrap, &t, 2, 10, 0).await;
    let settings = cluster(bootstrap, &[("offset.flush.interval.ms", "200")]);
    let worker = Worker::start(&settings, "w1:8083").await;
    let create = async |what: &str, more: &[(&str, &str)]| {
        let name = unique(what);
        let config = recording(&t, &name, more);
        worker.port.create(&name, config, None).await.unwrap();
        name
    };
    let refuses = create("refuses", &[("refuse.puts", "3")]).await;
    let rewinds = create("rewinds", &[("rewind.after", "20")]).await;
    let pauses = create("pauses", &[("pause.first", "1")]).await;
    let fails = create("fails", &[("fail.flushes", "1")]).await;
    let lies = create("lies", &[("lie", "1")]).await;
    let all = BTreeMap::from([(0, 10), (1, 10)]);

    eventually("all is committed", async || {
        for name in [&refuses, &rewinds, &pauses, &fails] {
            if committed(&worker, name).await != all {
                return None;
            }
        }
        Some(())
    })
    .await;
    // The same batch came again, whole and in the same order, until it was taken.
    let puts: Vec<Told> = journal(&refuses)
        .into_iter()
        .filter(|told| matches!(told, Told::Put(_)))
        .collect();
    assert!(puts[..4].iter().all(|put| *put == puts[0]), "{puts:?}");
    let twice: BTreeSet<_> = given(&rewinds).into_iter().collect();
    assert!(
        given(&rewinds).len() > twice.len(),
        "a rewind gives records again"
    );
    assert_eq!(twice.len(), 20);
    // The paused partition came later than the first batch.
    let first = journal(&pauses).into_iter().find_map(|told| match told {
        Told::Put(records) => Some(records),
        _ => None,
    });
    assert!(
        first
            .unwrap()
            .iter()
            .all(|(_, partition, _)| *partition == 0)
    );
    // R16: what a failed flush held was given again before its offset was committed.
    let again: BTreeSet<_> = given(&fails).into_iter().collect();
    assert_eq!(again.len(), 20);
    assert!(
        given(&fails).len() > 20,
        "a failed flush gives records again"
    );
    // A claim past what was delivered is not believed.
    eventually("the liar was asked", async || {
        journal(&lies)
            .iter()
            .any(|told| matches!(told, Told::PreCommit(_)))
            .then_some(())
    })
    .await;
    eventually("the liar has all", async || {
        (given(&lies).len() == 20).then_some(())
    })
    .await;
    assert!(committed(&worker, &lies).await.is_empty());
    worker.handle.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_tasks_lose_nothing() {
    for broker in brokers("odd_tasks_lose_nothing").await {
        odd_tasks(&broker.bootstrap).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_takes_up_new_topics() {
    for broker in brokers("a_pattern_takes_up_new_topics").await {
        takes_up_new_topics(&broker.bootstrap, &[]).await;
    }
}

pub(crate) async fn takes_up_new_topics(bootstrap: &str, more: &[(&str, &str)]) {
    let prefix = unique("p");
    let first = format!("{prefix}-1");
    topic(bootstrap, &first, 1).await;
    let worker = Worker::start(&cluster(bootstrap, &[]), "w1:8083").await;
    let name = unique("regex");
    let mut config = recording("", &name, &[("request.commit", "1")]);
    config.extend(props(more));
    config.remove("topics");
    let pattern = format!("{prefix}-.*");
    config.extend(props(&[
        ("topics.regex", &pattern),
        ("consumer.override.metadata.max.age.ms", "200"),
    ]));
    worker.port.create(&name, config, None).await.unwrap();
    holds_count(&name, 1).await;
    let second = format!("{prefix}-2");
    topic(bootstrap, &second, 2).await;
    holds_count(&name, 3).await;
    produce(bootstrap, &second, 2, 3, 0).await;
    eventually("its records", async || {
        (given(&name).len() == 6).then_some(())
    })
    .await;
    worker.handle.stop().await;
}

/// Java's worker and ours run a connector of the same name: its tasks share one group.
#[tokio::test(flavor = "multi_thread")]
async fn java_and_we_share_a_group() {
    let brokers = brokers("java_and_we_share_a_group").await;
    let [_, broker] = &brokers[..] else { return };
    let bootstrap = &broker.bootstrap;
    let dir = tempfile::tempdir().unwrap();
    let strings = "org.apache.kafka.connect.storage.StringConverter";
    let shared = |more: &[(&str, &str)]| {
        let (t, name) = (unique("t"), unique("shared"));
        let config = props(&[
            ("name", &name),
            ("connector.class", "FileStreamSink"),
            ("tasks.max", "1"),
            ("topics", &t),
            ("value.converter", strings),
            ("key.converter", strings),
            (
                "file",
                dir.path().join(format!("java-{name}")).to_str().unwrap(),
            ),
        ]);
        let config: RawProps = config.into_iter().chain(props(more)).collect();
        (t, name, config)
    };
    let connectors = [shared(&[]), shared(&[COOPERATIVE]), shared(&[BY_BROKER])];
    for (t, _, _) in &connectors {
        topic(bootstrap, t, 4).await;
        produce(bootstrap, t, 4, 10, 0).await;
    }
    let plain = |config: &RawProps| -> BTreeMap<String, String> {
        let pairs = config.iter();
        pairs
            .map(|(k, v)| (k.clone(), v.clone().unwrap()))
            .collect()
    };
    let worker = BTreeMap::from([("bootstrap.servers".to_owned(), bootstrap.clone())]);
    let configs = connectors.each_ref().map(|(_, _, config)| plain(config));
    let java = tokio::task::spawn_blocking(move || JavaWorker::start_standalone(&worker, &configs));
    let java = java.await.unwrap().unwrap();
    let ours = Worker::start(&cluster(bootstrap, &[]), "w1:8083").await;
    for (t, name, mut config) in connectors {
        let theirs = dir.path().join(format!("java-{name}"));
        let own = dir.path().join(format!("own-{name}"));
        let lines = |path: &std::path::Path| -> Vec<String> {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.lines().map(str::to_owned).collect()
        };
        eventually("Java has all", async || {
            (lines(&theirs).len() == 40).then_some(())
        })
        .await;
        config.insert("file".to_owned(), own.to_str().map(str::to_owned));
        ours.port.create(&name, config, None).await.unwrap();
        // As soon as both have their share, new records go to both.
        let mut next = 10;
        while lines(&own).is_empty() {
            produce(bootstrap, &t, 4, 1, next).await;
            next += 1;
            assert!(next < 2000, "we never got a share");
        }
        produce(bootstrap, &t, 4, 10, next).await;
        next += 10;
        let all = || [lines(&theirs), lines(&own)].concat();
        eventually("all are read", async || {
            (all().len() >= 4 * next).then_some(())
        })
        .await;
        ours.port.delete(&name).await.unwrap();
        produce(bootstrap, &t, 4, 10, next).await;
        next += 10;
        eventually("Java reads on", async || {
            (all().len() >= 4 * next).then_some(())
        })
        .await;
        let each: BTreeSet<String> = all().into_iter().collect();
        assert_eq!((each.len(), all().len()), (4 * next, 4 * next), "each once");
    }
    drop(java);
    ours.handle.stop().await;
}
