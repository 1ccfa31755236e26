//! Exactly-once sources under `kill -9`: a read_committed reader counts every line once, in order per file.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    time::{Duration, Instant},
};

use milena_kafka::ports::{ClientProps, StartAt};
use milena_testing_kafka::{BrokerOptions, KafkaBroker, free_ports, oracle_is_missing};

use crate::{
    clients::Embedded,
    process::{Milena, PATIENCE, between_looks, call, get},
};

/// How often the worker is killed; `MILENA_TEST_KILLS` says another number.
const KILLS: usize = 2;
/// Lines that are appended between two kills.
const LINES: usize = 3_000;

#[test]
fn every_line_is_there_once_on_the_embedded_broker() {
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(dir.path());
    killed_again_and_again(&kafka.bootstrap);
}

#[test]
fn every_line_is_there_once_on_apache_kafka() {
    if oracle_is_missing("every_line_is_there_once_on_apache_kafka") {
        return;
    }
    let mut options = BrokerOptions::default();
    let (key, value) = ("auto.create.topics.enable", "true");
    options.properties.insert(key.to_owned(), value.to_owned());
    let kafka = KafkaBroker::start_with(&options).unwrap();
    killed_again_and_again(&kafka.bootstrap());
}

fn killed_again_and_again(bootstrap: &str) {
    let kills = std::env::var("MILENA_TEST_KILLS").map_or(KILLS, |n| n.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let port = free_ports(1).unwrap()[0];
    let strings = "org.apache.kafka.connect.storage.StringConverter";
    fs::write(
        at("worker.properties"),
        format!(
            "bootstrap.servers={bootstrap}\ngroup.id=eos\nkey.converter={strings}\nvalue.converter={strings}\n\
             offset.storage.topic=o\noffset.storage.replication.factor=1\noffset.storage.partitions=2\n\
             config.storage.topic=c\nconfig.storage.replication.factor=1\n\
             status.storage.topic=s\nstatus.storage.replication.factor=1\n\
             exactly.once.source.support=enabled\nsession.timeout.ms=6000\nheartbeat.interval.ms=500\n\
             scheduled.rebalance.max.delay.ms=0\noffset.flush.interval.ms=100\n\
             listeners=http://127.0.0.1:{port}\n"
        ),
    )
    .unwrap();
    let base = format!("http://127.0.0.1:{port}");
    let until = |what: &str, holds: &mut dyn FnMut() -> bool| {
        // What is appended between two kills adds up, at fifty lines a transaction.
        let rounds = u32::try_from(kills).unwrap();
        let deadline = Instant::now() + PATIENCE * (rounds / 2 + 1);
        while !holds() {
            assert!(Instant::now() < deadline, "never: {what}");
            between_looks();
        }
    };
    let mut listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    let append = |round: usize| {
        for file in ["a", "b"] {
            let mut text = String::new();
            for n in round * LINES..(round + 1) * LINES {
                writeln!(text, "{file}:{n}").unwrap();
            }
            let options = fs::File::options().create(true).append(true).open(at(file));
            options.unwrap().write_all(text.as_bytes()).unwrap();
        }
    };
    let position = |file: &str| -> u64 {
        let (status, body) = get(&format!("{base}/connectors/{file}/offsets"));
        let json: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        match status {
            200 => json["offsets"][0]["offset"]["position"]
                .as_u64()
                .unwrap_or(0),
            _ => 0,
        }
    };
    let total = |file: &str| fs::metadata(at(file)).unwrap().len();
    append(0);
    let mut worker = Milena::start(&["distributed", &at("worker.properties")]);
    until("the worker listens", &mut listens);
    for (file, boundary) in [("a", "poll"), ("b", "interval")] {
        let body = format!(
            r#"{{"name":"{file}","config":{{"connector.class":"FileStreamSource","tasks.max":"1","file":"{}","topic":"lines","batch.size":"50","transaction.boundary":"{boundary}","transaction.boundary.interval.ms":"50"}}}}"#,
            at(file)
        );
        until("the connector is made", &mut || {
            let (status, answer) = call("POST", &format!("{base}/connectors"), &body);
            assert!([201, 409, 500, 503].contains(&status), "{status} {answer}");
            status == 201 || answer.contains("already exists")
        });
    }
    for round in 1..=kills {
        // In the middle of the work: some of the round is committed, some is not.
        let before = position("a");
        append(round);
        until("it goes on", &mut || position("a") > before);
        worker.kill();
        worker = Milena::start(&["distributed", &at("worker.properties")]);
        until("the worker listens again", &mut listens);
    }
    until("everything is committed", &mut || {
        position("a") == total("a") && position("b") == total("b")
    });
    assert_eq!(worker.terminate().code(), Some(0));

    let text = committed(bootstrap, "lines");
    for file in ["a", "b"] {
        let own = text.iter().filter_map(|line| {
            let number = line.strip_prefix(file)?.strip_prefix(':')?;
            Some(number.parse::<usize>().unwrap())
        });
        let own: Vec<usize> = own.collect();
        let all: Vec<usize> = (0..(kills + 1) * LINES).collect();
        let first = own.iter().zip(&all).find(|(a, b)| a != b);
        assert_eq!(
            (own.len(), first),
            (all.len(), None),
            "{file}: each line once, in order"
        );
    }
}

/// The values of a topic's first partition up to its end, as a read_committed reader sees them.
fn committed(bootstrap: &str, topic: &str) -> Vec<String> {
    let pairs = [
        ("bootstrap.servers", bootstrap),
        ("isolation.level", "read_committed"),
    ];
    let pairs = pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let props: ClientProps = pairs.collect();
    let read = async {
        let mut fetcher = milena_kafka::clients().fetcher(&props).await.unwrap();
        let partition = (topic.into(), 0);
        let start = vec![(topic.into(), 0, Some(StartAt::Earliest))];
        fetcher.assign(start).await.unwrap();
        let ends = fetcher.end_offsets(&[partition]).await.unwrap();
        let end = *ends.values().next().unwrap();
        let (mut values, mut next) = (Vec::new(), 0);
        while next < end {
            for batch in fetcher.poll(Duration::from_secs(1)).await.unwrap() {
                next = batch.next_offset;
                let text = |value: Option<bytes::Bytes>| {
                    String::from_utf8(value.unwrap().to_vec()).unwrap()
                };
                values.extend(batch.records.into_iter().map(|record| text(record.value)));
            }
        }
        fetcher.close().await;
        values
    };
    tokio::runtime::Runtime::new().unwrap().block_on(read)
}
