//! Clients that were not written here against the `milena broker` process: librdkafka (kcat), Apache Kafka's
//! verifiable clients, and the Rust client that the workers use for data. More of them run against the
//! broker as a library, in `crates/broker/tests/clients`.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use milena_kafka::ports::{Ack, ClientProps, OutRecord, StartAt};

use crate::process::Milena;

/// `milena broker` on a free port.
pub(crate) struct Embedded {
    _broker: Milena,
    pub(crate) bootstrap: String,
}

impl Embedded {
    pub(crate) fn start(data: &Path) -> Self {
        let data = data.to_str().unwrap();
        let mut broker = Milena::start(&["broker", "--listen", "127.0.0.1:0", "--data", data]);
        let bootstrap = broker.address("broker started");
        Self {
            _broker: broker,
            bootstrap,
        }
    }
}

/// Notes a test that cannot run for a missing program, so that the runner counts it.
pub(crate) fn missing(test: &str, variable: &str) -> bool {
    let Ok(reason) = std::env::var(variable) else {
        return false;
    };
    milena_testing_kafka::skipped(test, &reason);
    true
}

fn fed(mut command: Command, input: &str) -> String {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn kcat_produces_consumes_and_joins_a_group() {
    if missing("kcat_produces_consumes_and_joins_a_group", "MILENA_NO_KCAT") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(dir.path());
    let kcat = |args: &[&str]| {
        let mut command = Command::new("kcat");
        command
            .args(["-b", &kafka.bootstrap, "-X", "message.timeout.ms=30000"])
            .args(args);
        command
    };
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        fed(
            kcat(&["-P", "-t", "words", "-K", ":", "-z", codec]),
            "a:one\nb:two\n",
        );
    }
    let read = fed(
        kcat(&[
            "-C",
            "-t",
            "words",
            "-e",
            "-q",
            "-o",
            "beginning",
            "-f",
            "%k=%s\n",
        ]),
        "",
    );
    assert_eq!(read, "a=one\nb=two\n".repeat(5));
    let query = fed(kcat(&["-Q", "-t", "words:0:-1"]), "");
    assert!(query.contains("offset 10"), "{query}");
    // A group reads everything once and commits; a second member of it finds nothing more.
    let group = [
        "-G",
        "readers",
        "words",
        "-e",
        "-q",
        "-X",
        "auto.offset.reset=earliest",
    ];
    assert_eq!(fed(kcat(&group), "").lines().count(), 10);
    assert_eq!(fed(kcat(&group), "").lines().count(), 0);
}

#[test]
fn the_verifiable_clients_of_kafka_work() {
    if milena_testing_kafka::oracle_is_missing("the_verifiable_clients_of_kafka_work") {
        return;
    }
    let jars: PathBuf = milena_testing_kafka::ensure_jars().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(dir.path());
    let java = |class: &str, args: &[&str]| {
        let mut command = Command::new("java");
        command.args(["-Xmx256m", "-cp"]).arg(jars.join("*"));
        command
            .arg(format!("org.apache.kafka.tools.{class}"))
            .args(args);
        command
    };
    let produced = java(
        "VerifiableProducer",
        &[
            "--bootstrap-server",
            &kafka.bootstrap,
            "--topic",
            "events",
            "--max-messages",
            "1000",
            "--acks",
            "-1",
        ],
    );
    let produced = fed(produced, "");
    assert!(produced.contains("\"acked\":1000"), "{produced}");
    let consumed = fed(
        java(
            "VerifiableConsumer",
            &[
                "--bootstrap-server",
                &kafka.bootstrap,
                "--topic",
                "events",
                "--group-id",
                "java",
                "--max-messages",
                "1000",
                "--reset-policy",
                "earliest",
            ],
        ),
        "",
    );
    assert!(consumed.contains("records_consumed"), "{consumed}");
}

#[test]
fn the_rust_client_writes_transactions_and_reads_what_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(dir.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let clients = milena_kafka::clients();
        let props = |more: &[(&str, &str)]| -> ClientProps {
            let base = [("bootstrap.servers", kafka.bootstrap.as_str())];
            base.iter()
                .chain(more)
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        let acks: Arc<Mutex<Vec<Ack>>> = Arc::default();
        let noted = Arc::clone(&acks);
        let sink = Arc::new(move |more: Vec<Ack>| {
            let more = more.into_iter().flat_map(Ack::each);
            noted.lock().unwrap().extend(more);
        });
        let transactional = props(&[
            ("transactional.id", "t"),
            ("enable.idempotence", "true"),
            ("acks", "all"),
        ]);
        let producer = clients.producer(&transactional, sink).await.unwrap();
        producer.init_transactions().await.unwrap();
        let record = |text: &'static str, ticket| OutRecord {
            topic: "money".into(),
            value: Some(bytes::Bytes::from_static(text.as_bytes())),
            ticket,
            ..OutRecord::default()
        };
        producer.begin().await.unwrap();
        producer.send(vec![record("aborted", 1)]).await.unwrap();
        producer.abort().await.unwrap();
        producer.begin().await.unwrap();
        producer
            .send(vec![record("one", 2), record("two", 3)])
            .await
            .unwrap();
        producer.commit().await.unwrap();
        assert_eq!(
            acks.lock()
                .unwrap()
                .iter()
                .filter(|ack| ack.outcome.is_ok() && ack.ticket >= 2)
                .count(),
            2
        );
        let mut fetcher = clients
            .fetcher(&props(&[("isolation.level", "read_committed")]))
            .await
            .unwrap();
        fetcher
            .assign(vec![("money".into(), 0, Some(StartAt::Earliest))])
            .await
            .unwrap();
        let mut seen = Vec::new();
        while seen.len() < 2 {
            for batch in fetcher.poll(Duration::from_secs(5)).await.unwrap() {
                seen.extend(batch.records.into_iter().filter_map(|record| record.value));
            }
        }
        assert_eq!(seen, ["one", "two"]);
        producer.close(Duration::from_secs(1)).await;
        fetcher.close().await;
    });
}
