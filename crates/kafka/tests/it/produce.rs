//! Our own producer, and what it does when something goes wrong.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use milena_broker::BrokerConfig;
use milena_kafka::{
    DataClient, clients_with,
    ports::{
        Ack, AckSink, ClientProps, CommitError, Fetcher, Header, InRecord, KafkaErrorKind,
        NewTopic, OutRecord, Producer, StartAt,
    },
};
use milena_testing_kafka::{KafkaBroker, oracle_is_missing, skipped};

use crate::{
    lossy::{Fate, Proxied},
    support::{Acks, World},
};

const PRODUCE: i16 = 0;
const END_TXN: i16 = 26;
const AT_LEAST_ONCE: [(&str, &str); 3] = [
    ("acks", "all"),
    ("enable.idempotence", "false"),
    ("max.in.flight.requests.per.connection", "1"),
];

fn props(bootstrap: &str, more: &[(&str, &str)]) -> ClientProps {
    let mut props: ClientProps = [
        ("bootstrap.servers", bootstrap),
        ("client.id", "test"),
        ("retry.backoff.ms", "10"),
        ("reconnect.backoff.ms", "10"),
        ("reconnect.backoff.max.ms", "50"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for (name, value) in more {
        props.insert((*name).into(), (*value).into());
    }
    props
}

async fn producer(bootstrap: &str, more: &[(&str, &str)]) -> (Box<dyn Producer>, Arc<Acks>) {
    let acks = Arc::new(Acks::default());
    let sink: AckSink = {
        let acks = Arc::clone(&acks);
        Arc::new(move |list| acks.take(list))
    };
    let made = clients_with(DataClient::Native)
        .producer(&props(bootstrap, more), sink)
        .await;
    (made.unwrap(), acks)
}

async fn topic(bootstrap: &str, name: &str, partitions: i32, configs: &[(&str, &str)]) {
    let admin = clients_with(DataClient::Native)
        .admin(&props(bootstrap, &[]))
        .await
        .unwrap();
    let configs = configs.iter();
    let new = NewTopic {
        name: name.into(),
        partitions,
        replication_factor: 1,
        configs: configs.map(|(k, v)| ((*k).into(), (*v).into())).collect(),
    };
    admin.create_topics(vec![new]).await.unwrap();
}

fn record(topic: &Arc<str>, partition: i32, value: &str, ticket: u64) -> OutRecord {
    OutRecord {
        topic: Arc::clone(topic),
        partition: Some(partition),
        value: Some(value.to_owned().into()),
        ticket,
        ..OutRecord::default()
    }
}

/// Everything in some partitions, read by the library's fetcher.
async fn read(
    bootstrap: &str,
    topic: &Arc<str>,
    partitions: i32,
    count: usize,
    more: &[(&str, &str)],
) -> BTreeMap<i32, Vec<InRecord>> {
    let mut fetcher = clients_with(DataClient::Library)
        .fetcher(&props(bootstrap, more))
        .await
        .unwrap();
    let all = (0..partitions).map(|at| (Arc::clone(topic), at, Some(StartAt::Earliest)));
    fetcher.assign(all.collect()).await.unwrap();
    let ends = (0..partitions).map(|at| (Arc::clone(topic), at));
    let ends = fetcher
        .end_offsets(&ends.collect::<Vec<_>>())
        .await
        .unwrap();
    let mut read: BTreeMap<i32, Vec<InRecord>> = BTreeMap::new();
    while read.values().map(Vec::len).sum::<usize>() < count || !at_end(&mut fetcher, &ends).await {
        for batch in fetcher.poll(Duration::from_millis(200)).await.unwrap() {
            let partition = batch.partition;
            read.entry(partition).or_default().extend(batch.records);
        }
    }
    fetcher.close().await;
    read
}

async fn at_end(fetcher: &mut Box<dyn Fetcher>, ends: &BTreeMap<(Arc<str>, i32), i64>) -> bool {
    for ((topic, partition), end) in ends {
        if fetcher.position(topic, *partition).await.unwrap() < *end {
            return false;
        }
    }
    true
}

fn values(records: &[InRecord]) -> Vec<String> {
    let value = |record: &InRecord| {
        let value = record.value.as_deref().unwrap_or_default();
        String::from_utf8(value.to_vec()).unwrap()
    };
    records.iter().map(value).collect()
}

fn offset(ack: &Ack) -> i64 {
    ack.outcome.as_ref().unwrap().offset
}

/// Losses at some requests, before and after the broker has them.
fn losses() -> impl Iterator<Item = Fate> {
    use Fate::{After, Before, Pass};
    let some = [
        Pass, Before, Pass, Pass, After, After, Pass, Before, Before, Pass, Pass, After,
    ];
    some.into_iter().cycle().take(48)
}

/// Many small batches under losses; what stands in the partitions, and the answers.
async fn under_losses(more: &[(&str, &str)]) -> (BTreeMap<i32, Vec<InRecord>>, Vec<Ack>) {
    const RECORDS: usize = 3000;
    let world = Proxied::start(|_| {}).await;
    topic(&world.bootstrap, "lossy", 3, &[]).await;
    let name: Arc<str> = "lossy".into();
    let settings = [&[("batch.size", "300"), ("linger.ms", "1")], more].concat();
    let (producer, acks) = producer(&world.bootstrap, &settings).await;
    world.expect(PRODUCE, losses());
    for from in (0..RECORDS).step_by(100) {
        let records = (from..from + 100).map(|at| {
            let partition = i32::try_from(at % 3).unwrap();
            record(&name, partition, &format!("{at:06}"), at as u64)
        });
        producer.send(records.collect()).await.unwrap();
    }
    producer.flush().await.unwrap();
    let answered = acks.wait(RECORDS).await;
    producer.close(Duration::from_secs(5)).await;
    let read = read(&world.bootstrap, &name, 3, RECORDS, &[]).await;
    (read, answered)
}

#[tokio::test(flavor = "multi_thread")]
async fn idempotent_records_are_written_once_and_in_order_whatever_is_lost() {
    let (read, answered) = under_losses(&[]).await;
    for partition in 0..3 {
        let wanted = (0..3000).filter(|at| at % 3 == partition);
        let wanted: Vec<String> = wanted.map(|at| format!("{at:06}")).collect();
        assert_eq!(values(&read[&partition]), wanted);
    }
    for (at, ack) in answered.iter().enumerate() {
        assert_eq!(ack.ticket, at as u64);
        // Of a duplicate the broker may not say where it is.
        let told = offset(ack);
        assert!(told == -1 || told == (at / 3) as i64, "{ack:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_request_under_way_nothing_is_lost_and_the_order_stays() {
    let (read, answered) = under_losses(&AT_LEAST_ONCE).await;
    for partition in 0..3 {
        let all = values(&read[&partition]);
        let mut seen: Vec<String> = Vec::new();
        for value in &all {
            if !seen.contains(value) {
                seen.push(value.clone());
            }
        }
        let wanted = (0..3000).filter(|at| at % 3 == partition);
        assert_eq!(
            seen,
            wanted.map(|at| format!("{at:06}")).collect::<Vec<_>>()
        );
    }
    for ack in answered {
        let place = usize::try_from(offset(&ack)).unwrap();
        let partition = ack.outcome.as_ref().unwrap().partition;
        let there = &read[&partition][place];
        let value = format!("{:06}", ack.ticket);
        assert_eq!(there.value.as_deref(), Some(value.as_bytes()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_gone_and_back_gets_everything_once() {
    for settings in [&[][..], &AT_LEAST_ONCE] {
        let mut world = Proxied::start(|_| {}).await;
        topic(&world.bootstrap, "restarted", 1, &[]).await;
        let name: Arc<str> = "restarted".into();
        let (producer, acks) = producer(&world.bootstrap, settings).await;
        let send = async |from: u64| {
            let records = (from..from + 50).map(|at| record(&name, 0, &format!("{at:06}"), at));
            producer.send(records.collect()).await.unwrap();
        };
        send(0).await;
        acks.wait(50).await;
        world.stop().await;
        send(50).await;
        send(100).await;
        world.start_again().await;
        send(150).await;
        producer.flush().await.unwrap();
        assert!(acks.wait(150).await.iter().all(|ack| ack.outcome.is_ok()));
        producer.close(Duration::ZERO).await;
        let read = read(&world.bootstrap, &name, 1, 200, &[]).await;
        let wanted: Vec<_> = (0..200).map(|at| format!("{at:06}")).collect();
        assert_eq!(values(&read[&0]), wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_buffer_makes_the_caller_wait_and_then_fails_the_record() {
    let world = Proxied::start(|_| {}).await;
    topic(&world.bootstrap, "full", 1, &[]).await;
    let name: Arc<str> = "full".into();
    let settings = [("buffer.memory", "2000"), ("max.block.ms", "300")];
    let (producer, acks) = producer(&world.bootstrap, &settings).await;
    let large = |ticket| record(&name, 0, &"x".repeat(800), ticket);
    producer.send(vec![large(0)]).await.unwrap();
    producer.flush().await.unwrap();
    world.hold(true);
    producer.send(vec![large(1), large(2)]).await.unwrap();
    let begun = Instant::now();
    producer.send(vec![large(3)]).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let answered = acks.wait(2).await;
    let error = answered[1].outcome.as_ref().unwrap_err();
    assert_eq!(
        (answered[1].ticket, error.kind),
        (3, KafkaErrorKind::Unknown)
    );
    assert_eq!(
        error.class,
        "org.apache.kafka.clients.producer.BufferExhaustedException"
    );
    // Room that comes in time wakes the caller.
    let waiting = producer.send(vec![large(4), large(5)]);
    world.hold(false);
    waiting.await.unwrap();
    producer.flush().await.unwrap();
    assert!(acks.wait(4).await.iter().all(|ack| ack.outcome.is_ok()));
}

#[tokio::test(flavor = "multi_thread")]
async fn given_up_it_takes_nothing_more_and_answers_for_everything() {
    let world = Proxied::start(|_| {}).await;
    topic(&world.bootstrap, "given-up", 1, &[]).await;
    let name: Arc<str> = "given-up".into();
    let settings = [
        ("buffer.memory", "2000"),
        ("max.block.ms", "9223372036854775807"),
    ];
    let (producer, acks) = producer(&world.bootstrap, &settings).await;
    let producer: Arc<dyn Producer> = producer.into();
    let large = |ticket| record(&name, 0, &"x".repeat(800), ticket);
    producer.send(vec![large(0)]).await.unwrap();
    acks.wait(1).await;
    world.hold(true);
    let own = Arc::clone(&producer);
    let records = (1..9).map(large).collect();
    let sending = tokio::spawn(async move { own.send(records).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!sending.is_finished());
    producer.abandon();
    let (index, error) = sending.await.unwrap().unwrap_err();
    assert!(!error.is_retriable(), "{error:?}");
    producer.close(Duration::from_secs(1)).await;
    let answered = acks.wait(index).await;
    assert!(answered.iter().all(|ack| ack.outcome.is_err()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_delivered_in_time_fails_and_the_next_goes_on() {
    for settings in [&[][..], &AT_LEAST_ONCE] {
        let world = Proxied::start(|_| {}).await;
        topic(&world.bootstrap, "late", 1, &[]).await;
        let name: Arc<str> = "late".into();
        let times = [
            ("delivery.timeout.ms", "600"),
            ("request.timeout.ms", "300"),
            ("linger.ms", "0"),
        ];
        let settings = [&times, settings].concat();
        let (producer, acks) = producer(&world.bootstrap, &settings).await;
        producer.send(vec![record(&name, 0, "a", 0)]).await.unwrap();
        acks.wait(1).await;
        world.hold(true);
        producer.send(vec![record(&name, 0, "b", 1)]).await.unwrap();
        let error = acks.wait(1).await[0].outcome.clone().unwrap_err();
        assert!(
            error
                .message
                .starts_with("Expiring 1 record(s) for late-0:"),
            "{error}"
        );
        assert_eq!(
            error.class,
            "org.apache.kafka.common.errors.TimeoutException"
        );
        world.hold(false);
        producer.send(vec![record(&name, 0, "c", 2)]).await.unwrap();
        producer.flush().await.unwrap();
        assert!(acks.wait(1).await[0].outcome.is_ok());
        let read = read(&world.bootstrap, &name, 1, 2, &[]).await;
        // What was given up may have been on its way.
        let values: Vec<_> = values(&read[&0]).into_iter().filter(|v| v != "b").collect();
        assert_eq!(values, ["a", "c"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_behind_a_record_that_failed_if_so_asked() {
    let world = Proxied::start(|_| {}).await;
    topic(&world.bootstrap, "stops", 1, &[]).await;
    let name: Arc<str> = "stops".into();
    let (producer, acks) = producer(&world.bootstrap, &[("max.request.size", "1000")]).await;
    producer.stop_at_failure();
    let large = record(&name, 0, &"x".repeat(2000), 1);
    let batch = vec![record(&name, 0, "a", 0), large, record(&name, 0, "c", 2)];
    let (index, error) = producer.send(batch).await.unwrap_err();
    assert_eq!(index, 2);
    assert!(!error.is_retriable());
    producer.close(Duration::from_secs(5)).await;
    let answered = acks.wait(2).await;
    assert!(answered[0].outcome.is_ok());
    let error = answered[1].outcome.as_ref().unwrap_err();
    assert!(
        error
            .message
            .ends_with("which is the value of the max.request.size configuration.")
    );
}

async fn transactional(world: &Proxied, more: &[(&str, &str)]) -> (Box<dyn Producer>, Arc<Acks>) {
    let settings = [&[("transactional.id", "own")], more].concat();
    let (producer, acks) = producer(&world.bootstrap, &settings).await;
    producer.init_transactions().await.unwrap();
    (producer, acks)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_unknown_and_the_producer_is_done_with() {
    let world = Proxied::start(|_| {}).await;
    topic(&world.bootstrap, "txn", 1, &[]).await;
    let name: Arc<str> = "txn".into();
    let (producer, _acks) = transactional(&world, &[]).await;
    // Nothing was sent: there is nothing to lose.
    world.expect(END_TXN, [Fate::After]);
    producer.begin().await.unwrap();
    producer.commit().await.unwrap();
    producer.begin().await.unwrap();
    producer.send(vec![record(&name, 0, "a", 0)]).await.unwrap();
    let refused = producer.commit().await.unwrap_err();
    assert!(matches!(refused, CommitError::Unknown(_)), "{refused:?}");
    assert!(producer.begin().await.is_err());
    producer.close(Duration::ZERO).await;
    let (next, _) = transactional(&world, &[]).await;
    next.begin().await.unwrap();
    next.send(vec![record(&name, 0, "b", 0)]).await.unwrap();
    next.commit().await.unwrap();
    let committed = [("isolation.level", "read_committed")];
    let read = read(&world.bootstrap, &name, 1, 2, &committed).await;
    assert_eq!(values(&read[&0]), ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_whole_under_losses_and_one_with_a_failure_is_aborted() {
    let world = Proxied::start(|_| {}).await;
    topic(&world.bootstrap, "txn", 2, &[]).await;
    let name: Arc<str> = "txn".into();
    let settings = [("batch.size", "200"), ("max.request.size", "5000")];
    let (producer, acks) = transactional(&world, &settings).await;
    world.expect(PRODUCE, losses());
    let mut wanted = Vec::new();
    for turn in 0..12_u64 {
        producer.begin().await.unwrap();
        let of_turn = (0..40).map(|at| format!("{turn:03}-{at:03}"));
        let of_turn: Vec<String> = of_turn.collect();
        let records = of_turn.iter().map(|value| record(&name, 0, value, turn));
        producer.send(records.collect()).await.unwrap();
        match turn % 4 {
            1 => producer.abort().await.unwrap(),
            2 => {
                let large = record(&name, 1, &"x".repeat(6000), turn);
                producer.send(vec![large]).await.unwrap();
                let refused = producer.commit().await.unwrap_err();
                assert!(matches!(refused, CommitError::Aborted(_)), "{refused:?}");
                let again = producer.send(vec![record(&name, 0, "no", 0)]).await;
                assert_eq!(again.unwrap_err().0, 0);
                producer.abort().await.unwrap();
            }
            _ => {
                producer.commit().await.unwrap();
                wanted.extend(of_turn);
            }
        }
    }
    producer.close(Duration::from_secs(5)).await;
    assert_eq!(acks.wait(12 * 40 + 3).await.len(), 12 * 40 + 3);
    let committed = [("isolation.level", "read_committed")];
    let read = read(&world.bootstrap, &name, 1, wanted.len(), &committed).await;
    assert_eq!(values(&read[&0]), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_takes_too_long_cannot_be_committed() {
    let world = Proxied::start(|config: &mut BrokerConfig| {
        config.maintenance = Duration::from_millis(100);
    })
    .await;
    topic(&world.bootstrap, "slow", 1, &[]).await;
    let name: Arc<str> = "slow".into();
    let (producer, _acks) = transactional(&world, &[("transaction.timeout.ms", "300")]).await;
    producer.begin().await.unwrap();
    producer.send(vec![record(&name, 0, "a", 0)]).await.unwrap();
    producer.flush().await.unwrap();
    // The marker stands behind the record.
    let mut fetcher = clients_with(DataClient::Library)
        .fetcher(&props(
            &world.bootstrap,
            &[("isolation.level", "read_committed")],
        ))
        .await
        .unwrap();
    let all = vec![(Arc::clone(&name), 0, Some(StartAt::Earliest))];
    fetcher.assign(all).await.unwrap();
    while fetcher.position("slow", 0).await.unwrap() < 2 {
        for batch in fetcher.poll(Duration::from_millis(200)).await.unwrap() {
            assert!(batch.records.is_empty());
        }
    }
    fetcher.close().await;
    let refused = producer.commit().await.unwrap_err();
    assert!(
        matches!(refused, CommitError::Fenced(_) | CommitError::Aborted(_)),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_compression_is_read_back_and_every_acks_is_answered() {
    let embedded = Proxied::start(|config| config.auto_create_topics = true).await;
    let mut brokers = vec![embedded.bootstrap.clone()];
    if !oracle_is_missing("every_compression_is_read_back_and_every_acks_is_answered") {
        let kafka = World::kafka().bootstrap().to_owned();
        topic(&kafka, "packed", 1, &[]).await;
        brokers.push(kafka);
    }
    let header = Header {
        key: "h".into(),
        value: None,
    };
    for bootstrap in &brokers {
        // The embedded broker makes the topic by itself.
        let name: Arc<str> = "packed".into();
        let mut count = 0;
        for settings in [
            [("compression.type", "none"), ("acks", "1")],
            [("compression.type", "gzip"), ("acks", "0")],
            [("compression.type", "snappy"), ("acks", "all")],
            [("compression.type", "lz4"), ("acks", "all")],
            [
                ("compression.type", "zstd"),
                ("compression.zstd.level", "9"),
            ],
        ] {
            let (producer, acks) = producer(bootstrap, &settings).await;
            let records = (0..500_u64).map(|at| OutRecord {
                key: (at % 3 > 0).then(|| format!("key {at}").into()),
                timestamp: Some(1_700_000_000_000 + i64::try_from(at).unwrap()),
                headers: vec![header.clone()],
                ..record(&name, 0, &format!("a value that is like others {at}"), at)
            });
            let records: Vec<OutRecord> = records.collect();
            producer.send(records.clone()).await.unwrap();
            producer.flush().await.unwrap();
            let answered = acks.wait(500).await;
            let known = settings[1] != ("acks", "0");
            for (at, ack) in (0_i64..).zip(&answered) {
                assert_eq!(offset(ack), if known { count + at } else { -1 });
            }
            count += 500;
            producer.close(Duration::from_secs(5)).await;
            let read = read(bootstrap, &name, 1, usize::try_from(count).unwrap(), &[]).await;
            let last = read[&0].iter().skip(usize::try_from(count - 500).unwrap());
            for (read, sent) in last.zip(&records) {
                assert_eq!((&read.key, &read.value), (&sent.key, &sent.value));
                assert_eq!(Some(read.timestamp), sent.timestamp);
                assert_eq!(read.headers, sent.headers);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_the_broker_finds_too_large_is_halved() {
    let embedded = Proxied::start(|_| {}).await;
    let mut brokers = vec![embedded.bootstrap.clone()];
    if !oracle_is_missing("a_batch_that_the_broker_finds_too_large_is_halved") {
        brokers.push(World::kafka().bootstrap().to_owned());
    }
    for bootstrap in &brokers {
        for (topic_name, more) in [
            ("halved", &[][..]),
            ("halved-plain", &AT_LEAST_ONCE),
            ("halved-packed", &[("compression.type", "gzip")]),
        ] {
            topic(bootstrap, topic_name, 1, &[("max.message.bytes", "1000")]).await;
            let name: Arc<str> = topic_name.into();
            let (producer, acks) = producer(bootstrap, more).await;
            let mut random = String::new();
            for at in 0..200_u64 {
                random.push_str(&format!("{:x}", at.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
            }
            let text = |at: u64| {
                let from = usize::try_from(at * 7).unwrap();
                format!("{at:03}{}", &random[from..from + 300])
            };
            let mut records: Vec<OutRecord> =
                (0..100).map(|at| record(&name, 0, &text(at), at)).collect();
            records[40] = record(&name, 0, &random, 40);
            producer.send(records).await.unwrap();
            producer.flush().await.unwrap();
            let answered = acks.wait(100).await;
            let failed = answered.iter().filter(|ack| ack.outcome.is_err());
            let failed: Vec<_> = failed.collect();
            assert_eq!((failed.len(), failed[0].ticket), (1, 40));
            let error = failed[0].outcome.as_ref().unwrap_err();
            let class = "org.apache.kafka.common.errors.RecordTooLargeException";
            assert_eq!((error.class, error.kind), (class, KafkaErrorKind::Fatal));
            let read = read(bootstrap, &name, 1, 99, &[]).await;
            let wanted = (0..100).filter(|at| *at != 40).map(text);
            assert_eq!(values(&read[&0]), wanted.collect::<Vec<_>>());
            producer.close(Duration::from_secs(1)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_there_is_waited_for() {
    let world = Proxied::start(|_| {}).await;
    let name: Arc<str> = "comes".into();
    let (producer, acks) = producer(&world.bootstrap, &[("max.block.ms", "200")]).await;
    producer.send(vec![record(&name, 0, "a", 0)]).await.unwrap();
    let error = acks.wait(1).await[0].outcome.clone().unwrap_err();
    assert_eq!(
        error.message,
        "Topic comes not present in metadata after 200 ms."
    );
    topic(&world.bootstrap, "comes", 1, &[]).await;
    producer.send(vec![record(&name, 3, "a", 1)]).await.unwrap();
    let error = acks.wait(1).await[0].outcome.clone().unwrap_err();
    assert_eq!(
        error.message,
        "Partition 3 of topic comes with partition count 1 is not present in metadata after 200 ms."
    );
    producer.send(vec![record(&name, 0, "a", 2)]).await.unwrap();
    producer.flush().await.unwrap();
    assert_eq!(offset(&acks.wait(1).await[0]), 0);
}

/// Without KIP-890 a client adds partitions to a transaction by itself, and raises the epoch where a sequence was lost.
#[tokio::test(flavor = "multi_thread")]
async fn transactions_of_the_first_protocol_are_whole_too() {
    let test = "transactions_of_the_first_protocol_are_whole_too";
    if std::env::var_os("MILENA_LONG").is_none() {
        return skipped(test, "MILENA_LONG=1, for a broker of its own");
    }
    if oracle_is_missing(test) {
        return;
    }
    let broker = KafkaBroker::start().unwrap();
    let downgrade = ["downgrade", "--feature", "transaction.version=1"];
    broker
        .tool("org.apache.kafka.tools.FeatureCommand", &downgrade)
        .unwrap();
    let bootstrap = broker.bootstrap();
    topic(&bootstrap, "first", 2, &[("max.message.bytes", "1000")]).await;
    let name: Arc<str> = "first".into();
    let settings = [("transactional.id", "first"), ("batch.size", "200")];
    let (producer, _acks) = producer(&bootstrap, &settings).await;
    producer.init_transactions().await.unwrap();
    let mut wanted = Vec::new();
    for turn in 0..9_u64 {
        producer.begin().await.unwrap();
        let of_turn: Vec<String> = (0..30).map(|at| format!("{turn:03}-{at:03}")).collect();
        let records = of_turn.iter().enumerate();
        let records = records.map(|(at, value)| {
            let partition = i32::from(turn % 2 == 1 && at > 20);
            record(&name, partition, value, turn)
        });
        producer.send(records.collect()).await.unwrap();
        match turn % 3 {
            1 => producer.abort().await.unwrap(),
            2 => {
                let large = record(&name, 0, &"x".repeat(3000), turn);
                let small = record(&name, 0, "behind", turn);
                producer.send(vec![large, small]).await.unwrap();
                let refused = producer.commit().await.unwrap_err();
                assert!(matches!(refused, CommitError::Aborted(_)), "{refused:?}");
                producer.abort().await.unwrap();
            }
            _ => {
                producer.commit().await.unwrap();
                wanted.extend(of_turn);
            }
        }
    }
    producer.close(Duration::from_secs(5)).await;
    let committed = [("isolation.level", "read_committed")];
    let read = read(&bootstrap, &name, 2, wanted.len(), &committed).await;
    let mut all: Vec<String> = read.values().flat_map(|records| values(records)).collect();
    all.sort();
    assert_eq!(all, wanted);
}
