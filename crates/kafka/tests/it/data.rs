//! Producer and fetcher.

use std::{sync::Arc, time::Duration};

use milena_kafka::ports::{
    CommitError, Fetcher, Header, InRecord, KafkaErrorKind, OutRecord, StartAt, TimestampType,
};
use milena_testing_kafka::oracle_is_missing;
use tokio::net::TcpListener;

use crate::support::World;

const POLL: Duration = Duration::from_millis(500);

/// Polls until this many records have come.
async fn read(fetcher: &mut Box<dyn Fetcher>, count: usize) -> Vec<InRecord> {
    let mut records = Vec::new();
    while records.len() < count {
        for batch in fetcher.poll(POLL).await.unwrap() {
            records.extend(batch.records);
        }
    }
    records
}

fn record(topic: &Arc<str>, value: &str, ticket: u64) -> OutRecord {
    OutRecord {
        topic: Arc::clone(topic),
        partition: Some(0),
        value: Some(value.to_owned().into()),
        ticket,
        ..OutRecord::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_read_and_positions_follow() {
    if oracle_is_missing("what_is_written_is_read_and_positions_follow") {
        return;
    }
    round_trip(&World::kafka()).await;
    round_trip(&World::kafka().native()).await;
}

async fn round_trip(world: &World) {
    let topic = world.name("data");
    world.topic(&topic, 2).await;
    let topic: Arc<str> = topic.into();
    let (producer, acks) = world
        .producer(&[("acks", "all"), ("enable.idempotence", "false")])
        .await;
    let mut full = record(&topic, "v0", 100);
    full.key = Some("k".into());
    full.timestamp = Some(1234);
    let header = |key: &str, value: Option<&'static str>| Header {
        key: key.into(),
        value: value.map(Into::into),
    };
    full.headers = vec![header("h", Some("1")), header("h", None)];
    let mut empty = record(&topic, "", 101);
    empty.value = None;
    producer.send(vec![full.clone(), empty]).await.unwrap();
    producer.flush().await.unwrap();
    let answered = acks.wait(2).await;
    let offsets: Vec<i64> = answered
        .iter()
        .map(|ack| ack.outcome.as_ref().unwrap().offset)
        .collect();
    assert_eq!(offsets, [0, 1]);

    let mut fetcher = world.fetcher(&[]).await;
    let first = vec![(Arc::clone(&topic), 0, Some(StartAt::Earliest))];
    fetcher.assign(first).await.unwrap();
    let records = read(&mut fetcher, 2).await;
    assert_eq!(records[0].key.as_deref(), Some(b"k".as_slice()));
    assert_eq!(records[0].timestamp, 1234);
    assert_eq!(records[0].timestamp_type, TimestampType::CreateTime);
    assert_eq!(records[0].headers, full.headers);
    assert_eq!((records[1].offset, &records[1].value), (1, &None));
    assert_eq!(fetcher.position(&topic, 0).await.unwrap(), 2);

    fetcher.seek(&topic, 0, 1).await.unwrap();
    assert_eq!(read(&mut fetcher, 1).await[0].offset, 1);
    let ends = fetcher
        .end_offsets(&[(Arc::clone(&topic), 0)])
        .await
        .unwrap();
    assert_eq!(ends.into_values().collect::<Vec<_>>(), [2]);

    // A partition that is paused delivers nothing; resumed, it goes on where it was.
    let this = [(Arc::clone(&topic), 0)];
    fetcher.pause(&this).await.unwrap();
    producer
        .send(vec![record(&topic, "v2", 102)])
        .await
        .unwrap();
    producer.flush().await.unwrap();
    assert!(fetcher.poll(POLL).await.unwrap().is_empty());
    fetcher.resume(&this).await.unwrap();
    assert_eq!(read(&mut fetcher, 1).await[0].offset, 2);
    // A partition that stays assigned keeps its position.
    let more = vec![
        (Arc::clone(&topic), 0, None),
        (Arc::clone(&topic), 1, Some(StartAt::Latest)),
    ];
    fetcher.assign(more).await.unwrap();
    assert_eq!(fetcher.position(&topic, 0).await.unwrap(), 3);
    fetcher.close().await;
    producer.close(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_seen_whole_or_not_at_all() {
    if oracle_is_missing("transactions_are_seen_whole_or_not_at_all") {
        return;
    }
    transactions(&World::kafka()).await;
    transactions(&World::kafka().native()).await;
}

async fn transactions(world: &World) {
    let topic = world.name("txn");
    world.topic(&topic, 1).await;
    let topic: Arc<str> = topic.into();
    let id = [("transactional.id", &*topic)];
    let (producer, _acks) = world.producer(&id).await;
    producer.init_transactions().await.unwrap();
    for (value, commit) in [("a", true), ("b", false), ("c", true)] {
        producer.begin().await.unwrap();
        producer.send(vec![record(&topic, value, 0)]).await.unwrap();
        if commit {
            producer.commit().await.unwrap();
        } else {
            producer.flush().await.unwrap();
            producer.abort().await.unwrap();
        }
    }
    let mut committed = world
        .fetcher(&[("isolation.level", "read_committed")])
        .await;
    let all = || vec![(Arc::clone(&topic), 0, Some(StartAt::Earliest))];
    committed.assign(all()).await.unwrap();
    let values: Vec<_> = read(&mut committed, 2)
        .await
        .into_iter()
        .filter_map(|record| record.value)
        .collect();
    assert_eq!(values, ["a", "c"]);
    // Markers move the position past the last record.
    while committed.position(&topic, 0).await.unwrap() < 6 {
        committed.poll(POLL).await.unwrap();
    }
    let mut uncommitted = world.fetcher(&[]).await;
    uncommitted.assign(all()).await.unwrap();
    assert_eq!(read(&mut uncommitted, 3).await.len(), 3);

    let (newer, _) = world.producer(&id).await;
    newer.init_transactions().await.unwrap();
    producer.begin().await.unwrap();
    // Whether the record or the commit hears of it first is a matter of time.
    let _ = producer.send(vec![record(&topic, "zombie", 0)]).await;
    let refused = producer.commit().await.unwrap_err();
    assert!(matches!(refused, CommitError::Fenced(_)), "{refused:?}");
    producer.close(Duration::ZERO).await;
    newer.close(Duration::ZERO).await;
    committed.close().await;
    uncommitted.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_is_answered_by_class() {
    if oracle_is_missing("a_record_that_is_too_large_is_answered_by_class") {
        return;
    }
    let world = World::kafka();
    world.topic("large", 1).await;
    let (producer, acks) = world.producer(&[("max.request.size", "1000")]).await;
    let large = record(&"large".into(), &"x".repeat(2000), 7);
    match producer.send(vec![large]).await {
        Err((index, error)) => {
            assert_eq!(index, 0);
            assert_eq!(error.class, TOO_LARGE);
        }
        Ok(()) => {
            producer.flush().await.unwrap();
            let error = acks.wait(1).await[0].outcome.clone().unwrap_err();
            assert_eq!(
                (error.class, error.kind),
                (TOO_LARGE, KafkaErrorKind::Fatal)
            );
        }
    }
    producer.close(Duration::from_secs(1)).await;
}

/// It would go on to try, for as long as its delivery timeout lets it, and write beside whoever took its place.
#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_is_dropped_sends_nothing_more() {
    let world = World::embedded().await;
    world.topic("dropped", 1).await;
    let (producer, acks) = world
        .producer(&[
            ("delivery.timeout.ms", "2147483647"),
            ("request.timeout.ms", "1000"),
            ("reconnect.backoff.max.ms", "50"),
        ])
        .await;
    let topic = "dropped".into();
    producer.send(vec![record(&topic, "a", 0)]).await.unwrap();
    assert!(acks.wait(1).await[0].outcome.is_ok());
    let address = world.end().await;
    let listener = TcpListener::bind(&address).await.unwrap();
    producer.send(vec![record(&topic, "b", 1)]).await.unwrap();
    let tries = async || tokio::time::timeout(Duration::from_secs(60), listener.accept()).await;
    tries().await.expect("it tries while it lives").unwrap();
    drop(producer);
    // It would wait for a second at most between two tries.
    let quiet = async || tokio::time::timeout(Duration::from_secs(3), listener.accept()).await;
    for _ in 0..20 {
        if quiet().await.is_err() {
            return;
        }
    }
    panic!("it still tries to send");
}

const TOO_LARGE: &str = "org.apache.kafka.common.errors.RecordTooLargeException";

/// The same bodies on the embedded broker.
mod embedded {
    use crate::support::World;

    #[tokio::test(flavor = "multi_thread")]
    async fn round_trip() {
        super::round_trip(&World::embedded().await).await;
        super::round_trip(&World::embedded().await.native()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn transactions() {
        super::transactions(&World::embedded().await).await;
        super::transactions(&World::embedded().await.native()).await;
    }
}

/// The partitions that Java's client gives these keys: murmur2, of seven partitions.
const OF_JAVA: [(&str, i32); 6] = [
    ("", 2),
    ("a", 5),
    ("key", 4),
    ("user-42", 1),
    (r#"["s",{"filename":"/f"}]"#, 0),
    ("été", 4),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_to_the_partition_that_java_gives_it() {
    let world = World::embedded().await;
    world.topic("keyed", 7).await;
    let topic: Arc<str> = "keyed".into();
    // As the tasks and the writers of internal topics are set, and a setting that would choose otherwise.
    for more in [
        ("enable.idempotence", "false"),
        ("partitioner.type", "ConsistentRandomPartitioner"),
    ] {
        let (producer, acks) = world.producer(&[("acks", "all"), more]).await;
        let keyed = (0_u64..).zip(OF_JAVA).map(|(ticket, (key, _))| OutRecord {
            partition: None,
            key: Some(key.into()),
            ..record(&topic, "v", ticket)
        });
        producer.send(keyed.collect()).await.unwrap();
        producer.flush().await.unwrap();
        let answered = acks.wait(OF_JAVA.len()).await;
        let partitions = answered
            .iter()
            .map(|ack| ack.outcome.as_ref().unwrap().partition);
        let wanted = OF_JAVA.map(|(_, partition)| partition);
        assert_eq!(partitions.collect::<Vec<_>>(), wanted);
    }
}
