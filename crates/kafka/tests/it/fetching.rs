//! Our own fetcher where things go wrong: nothing is lost, repeated or out of order, and what cannot be read is said as
//! Java says it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use milena_broker::{Broker, BrokerConfig, ListenerConfig};
use milena_kafka::ports::{Fetcher, InRecord, KafkaError, OutRecord, PartitionBatch, StartAt};
use milena_testing_kafka::oracle_is_missing;

use crate::{
    proxy::Proxy,
    support::{World, topic},
};

const POLL: Duration = Duration::from_millis(200);

/// Values with their number in front.
fn numbered(topic: &Arc<str>, partition: i32, number: usize, bytes: usize) -> OutRecord {
    let mut value = format!("{number} ");
    value.extend(std::iter::repeat_n('x', bytes.saturating_sub(value.len())));
    OutRecord {
        topic: Arc::clone(topic),
        partition: Some(partition),
        value: Some(value.into()),
        key: number
            .is_multiple_of(3)
            .then(|| format!("k{number}").into()),
        ..OutRecord::default()
    }
}

fn number(record: &InRecord) -> usize {
    let value = record.value.as_deref().unwrap();
    let text = std::str::from_utf8(value.split(|b| *b == b' ').next().unwrap()).unwrap();
    text.parse().unwrap()
}

/// Writes so many numbered records to each partition, with the library's producer.
async fn fill(
    world: &World,
    name: &Arc<str>,
    partitions: i32,
    count: usize,
    more: &[(&str, &str)],
) {
    fill_from(world, name, partitions, 0..count, more).await;
}

async fn fill_from(
    world: &World,
    name: &Arc<str>,
    partitions: i32,
    numbers: std::ops::Range<usize>,
    more: &[(&str, &str)],
) {
    let (producer, acks) = world.producer(more).await;
    let mut total = 0;
    for partition in 0..partitions {
        let list: Vec<_> = numbers
            .clone()
            .map(|at| numbered(name, partition, at, 100))
            .collect();
        total += list.len();
        producer.send(list).await.unwrap();
    }
    producer.flush().await.unwrap();
    assert!(acks.wait(total).await.iter().all(|ack| ack.outcome.is_ok()));
    producer.close(Duration::from_secs(5)).await;
}

/// What is read of partitions whose records are numbered as their offsets.
struct Log {
    next: Vec<i64>,
}

impl Log {
    fn new(partitions: i32) -> Self {
        Self {
            next: vec![0; partitions as usize],
        }
    }

    fn take(&mut self, batches: Vec<PartitionBatch>) {
        for batch in batches {
            let next = &mut self.next[batch.partition as usize];
            for record in &batch.records {
                assert_eq!(record.offset, *next, "lost, repeated or out of order");
                assert_eq!(number(record), *next as usize);
                *next += 1;
            }
            assert_eq!(batch.next_offset, *next);
        }
    }

    fn has(&self, count: usize) -> bool {
        self.next.iter().all(|next| *next == count as i64)
    }
}

fn from_start(name: &Arc<str>, partitions: i32) -> Vec<(Arc<str>, i32, Option<StartAt>)> {
    let one = |partition| (Arc::clone(name), partition, Some(StartAt::Earliest));
    (0..partitions).map(one).collect()
}

/// Reads until each partition has so many, through whatever goes wrong meanwhile.
async fn read(fetcher: &mut Box<dyn Fetcher>, log: &mut Log, count: usize) {
    let all = async {
        while !log.has(count) {
            match fetcher.poll(POLL).await {
                Ok(batches) => log.take(batches),
                Err(error) => assert!(error.is_retriable(), "{error}"),
            }
        }
    };
    let within = tokio::time::timeout(Duration::from_secs(60), all).await;
    assert!(within.is_ok(), "{:?} of {count}", log.next);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_fetchers_read_the_same_of_every_compression() {
    if oracle_is_missing("both_fetchers_read_the_same_of_every_compression") {
        return;
    }
    same(World::kafka(), World::kafka().native()).await;
}

async fn same(library: World, native: World) {
    let name: Arc<str> = "compressed".into();
    library.topic(&name, 1).await;
    let kinds = ["none", "gzip", "snappy", "lz4", "zstd"];
    for (at, kind) in kinds.into_iter().enumerate() {
        let numbers = at * 700..(at + 1) * 700;
        fill_from(&library, &name, 1, numbers, &[("compression.type", kind)]).await;
    }
    let mut all = Vec::new();
    for world in [&library, &native] {
        let mut fetcher = world
            .fetcher(&[("max.partition.fetch.bytes", "20000")])
            .await;
        fetcher.assign(from_start(&name, 1)).await.unwrap();
        let mut records = Vec::new();
        while records.len() < 700 * kinds.len() {
            for batch in fetcher.poll(POLL).await.unwrap() {
                let shown = |r: InRecord| (r.offset, r.timestamp, r.key, r.value, r.headers);
                records.extend(batch.records.into_iter().map(shown));
            }
        }
        fetcher.close().await;
        all.push(records);
    }
    assert_eq!(all[0], all[1]);
    assert_eq!(all[1].last().unwrap().0, 700 * kinds.len() as i64 - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_cut_short_are_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut proxy = Proxy::bind().await;
    let mut listener = ListenerConfig::plaintext(([127, 0, 0, 1], 0).into());
    listener.advertised = Some(("127.0.0.1".to_owned(), proxy.port()));
    let mut config = BrokerConfig::new(folder.path(), ([127, 0, 0, 1], 0).into());
    config.listeners = vec![listener];
    config.auto_create_topics = false;
    let broker = Broker::start(config).await.unwrap();
    let cutting = Arc::new(AtomicBool::new(false));
    let cuts = Arc::clone(&cutting);
    proxy.run(broker.local_addr().to_string(), move |at| {
        // Somewhere in an answer, each time elsewhere.
        match cuts.load(Ordering::Relaxed) {
            true => 3_000 + (at * 7_919) % 40_000,
            false => usize::MAX,
        }
    });
    let world = World::at(proxy.bootstrap()).native();
    let name: Arc<str> = "cut".into();
    world.topic(&name, 3).await;
    fill(&world, &name, 3, 2000, &[]).await;
    cutting.store(true, Ordering::Relaxed);
    let props = [
        ("max.partition.fetch.bytes", "10000"),
        ("reconnect.backoff.max.ms", "50"),
        ("retry.backoff.ms", "10"),
    ];
    let mut fetcher = world.fetcher(&props).await;
    fetcher.assign(from_start(&name, 3)).await.unwrap();
    let mut log = Log::new(3);
    read(&mut fetcher, &mut log, 2000).await;
    // Nothing goes on once it is dropped.
    drop(fetcher);
    let quiet = tokio::time::timeout(Duration::from_secs(60), proxy.quiet()).await;
    quiet.expect("connections end with their fetcher");
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_comes_back_is_read_on() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |port: u16| {
        let mut config = BrokerConfig::new(folder.path(), ([127, 0, 0, 1], port).into());
        config.auto_create_topics = false;
        Broker::start(config).await
    };
    let mut broker = start(0).await.unwrap();
    let port = broker.local_addr().port();
    let world = World::at(broker.bootstrap()).native();
    let name: Arc<str> = "restarted".into();
    world.topic(&name, 2).await;
    let props = [
        ("max.partition.fetch.bytes", "5000"),
        ("reconnect.backoff.max.ms", "100"),
        ("max.poll.records", "50"),
    ];
    let mut fetcher = world.fetcher(&props).await;
    fetcher.assign(from_start(&name, 2)).await.unwrap();
    let mut log = Log::new(2);
    for round in 0..3 {
        let numbers = round * 300..(round + 1) * 300;
        fill_from(&world, &name, 2, numbers, &[]).await;
        for _ in 0..3 {
            log.take(fetcher.poll(POLL).await.unwrap_or_default());
        }
        broker.shutdown().await;
        for _ in 0..3 {
            log.take(fetcher.poll(POLL).await.unwrap_or_default());
        }
        broker = start(port).await.unwrap();
    }
    read(&mut fetcher, &mut log, 900).await;
    fetcher.close().await;
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_appears_later_is_read_then() {
    let world = World::embedded().await.native();
    let name: Arc<str> = "later".into();
    let mut fetcher = world
        .fetcher(&[
            ("auto.offset.reset", "earliest"),
            ("retry.backoff.ms", "20"),
        ])
        .await;
    let all = vec![(Arc::clone(&name), 0, None)];
    fetcher.assign(all).await.unwrap();
    assert!(fetcher.poll(POLL).await.unwrap().is_empty());
    world.topic(&name, 1).await;
    fill(&world, &name, 1, 10, &[]).await;
    let mut log = Log::new(1);
    read(&mut fetcher, &mut log, 10).await;
    // Deleted and made again: out of range, and so from the beginning.
    let admin = world.admin().await;
    admin.delete_topics(&[name.to_string()]).await.unwrap();
    assert!(fetcher.poll(POLL).await.unwrap().is_empty());
    world.topic(&name, 1).await;
    fill(&world, &name, 1, 5, &[]).await;
    let mut log = Log::new(1);
    read(&mut fetcher, &mut log, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_larger_than_a_fetch_and_many_partitions_are_read() {
    let world = World::embedded().await.native();
    let name: Arc<str> = "huge".into();
    let mut huge = topic(&name, 40);
    let limit = ("max.message.bytes".to_owned(), "4000000".to_owned());
    huge.configs = [limit].into_iter().collect();
    world.admin().await.create_topics(vec![huge]).await.unwrap();
    let (producer, acks) = world.producer(&[("max.request.size", "4000000")]).await;
    for partition in 0..40 {
        let bytes = |at| {
            if at == 1 && partition < 3 {
                3_000_000
            } else {
                2_000
            }
        };
        let list = (0..3).map(|at| numbered(&name, partition, at, bytes(at)));
        producer.send(list.collect()).await.unwrap();
    }
    producer.flush().await.unwrap();
    acks.wait(120).await;
    let props = [
        ("max.partition.fetch.bytes", "1000"),
        ("fetch.max.bytes", "10000"),
    ];
    let mut fetcher = world.fetcher(&props).await;
    fetcher.assign(from_start(&name, 40)).await.unwrap();
    let mut log = Log::new(40);
    read(&mut fetcher, &mut log, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pauses_seeks_and_polls_that_are_dropped_lose_nothing() {
    let world = World::embedded().await.native();
    let name: Arc<str> = "moved".into();
    world.topic(&name, 4).await;
    fill(&world, &name, 4, 3000, &[]).await;
    let mut fetcher = world
        .fetcher(&[
            ("max.partition.fetch.bytes", "20000"),
            ("max.poll.records", "70"),
        ])
        .await;
    fetcher.assign(from_start(&name, 4)).await.unwrap();
    let mut log = Log::new(4);
    let mut round = 0_usize;
    while !log.has(3000) {
        round += 1;
        let one = [(Arc::clone(&name), (round % 4) as i32)];
        fetcher.pause(&one).await.unwrap();
        // Given up wherever it is.
        let wait = Duration::from_micros((round as u64 * 37) % 900);
        if let Ok(polled) = tokio::time::timeout(wait, fetcher.poll(POLL)).await {
            let batches = polled.unwrap();
            assert!(batches.iter().all(|batch| batch.partition != one[0].1));
            log.take(batches);
        }
        if round.is_multiple_of(5) {
            // Back, but not over what was delivered: the same again.
            let partition = (round / 5) % 4;
            let back = (log.next[partition] - 40).max(0);
            fetcher.seek(&name, partition as i32, back).await.unwrap();
            assert_eq!(
                fetcher.position(&name, partition as i32).await.unwrap(),
                back
            );
            log.next[partition] = back;
        }
        fetcher.resume(&one).await.unwrap();
        assert!(round < 100_000, "{:?}", log.next);
    }
    // A partition that is not there any more is not delivered, the others go on where they were.
    let two = (0..2).map(|partition| (Arc::clone(&name), partition, None));
    fetcher.assign(two.collect()).await.unwrap();
    assert_eq!(fetcher.position(&name, 1).await.unwrap(), 3000);
    let error = fetcher.position(&name, 3).await.unwrap_err();
    assert_eq!(error.class, "java.lang.IllegalStateException");
}

/// The error of the first poll that has one.
async fn refused(fetcher: &mut Box<dyn Fetcher>) -> KafkaError {
    let polls = async {
        loop {
            if let Err(error) = fetcher.poll(POLL).await {
                return error;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), polls)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_that_are_nowhere_go_where_the_settings_say() {
    let world = World::embedded().await.native();
    let name: Arc<str> = "reset".into();
    world.topic(&name, 1).await;
    fill(&world, &name, 1, 20, &[]).await;
    for (reset, start, first) in [
        ("earliest", Some(StartAt::Offset(1000)), 0),
        ("by_duration:PT1H", Some(StartAt::Offset(1000)), 0),
        ("by_duration:PT1H", None, 0),
        ("by_duration:PT0S", None, 20),
        ("latest", None, 20),
        ("latest", Some(StartAt::Offset(7)), 7),
    ] {
        let mut fetcher = world.fetcher(&[("auto.offset.reset", reset)]).await;
        let wanted = vec![(Arc::clone(&name), 0, start)];
        fetcher.assign(wanted).await.unwrap();
        if first < 20 {
            let batches = loop {
                let batches = fetcher.poll(POLL).await.unwrap();
                if !batches.is_empty() {
                    break batches;
                }
            };
            assert_eq!(batches[0].records[0].offset, first, "{reset} {start:?}");
        }
        assert_eq!(
            fetcher.position(&name, 0).await.unwrap(),
            20,
            "{reset} {start:?}"
        );
        fetcher.close().await;
    }
    let mut fetcher = world.fetcher(&[("auto.offset.reset", "none")]).await;
    let nowhere = vec![(Arc::clone(&name), 0, None)];
    fetcher.assign(nowhere).await.unwrap();
    for error in [
        refused(&mut fetcher).await,
        fetcher.position(&name, 0).await.unwrap_err(),
    ] {
        assert_eq!(
            error.class,
            "org.apache.kafka.clients.consumer.NoOffsetForPartitionException"
        );
        assert_eq!(
            error.message,
            "Undefined offset with no reset policy for partitions: [reset-0]"
        );
    }
    fetcher.seek(&name, 0, 999).await.unwrap();
    let error = refused(&mut fetcher).await;
    assert_eq!(
        error.class,
        "org.apache.kafka.clients.consumer.OffsetOutOfRangeException"
    );
    assert!(
        error.message.contains("999") && error.message.contains("reset-0"),
        "{error}"
    );
    // Told again until the position is another.
    assert_eq!(refused(&mut fetcher).await, error);
    fetcher.seek(&name, 0, 0).await.unwrap();
    let mut log = Log::new(1);
    read(&mut fetcher, &mut log, 20).await;
}
