//! The real Java Connect worker, distributed, with exactly-once sources.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use milena_testing_kafka::{JavaWorker, oracle_is_missing};

use crate::Served;

const PATIENCE: Duration = Duration::from_secs(120);

/// Creates a connector, once the worker serves its resources and no rebalance is under way.
fn post(url: &str, path: &str, body: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = posted(url, path, body);
        let again = ["HTTP/1.1 404", "HTTP/1.1 409", "HTTP/1.1 503"];
        if answer.starts_with("HTTP/1.1 201") {
            return;
        }
        assert!(
            again.iter().any(|code| answer.starts_with(code)),
            "{answer}"
        );
        assert!(Instant::now() < deadline, "{answer}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

fn posted(url: &str, path: &str, body: &str) -> String {
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn lines_come(file: &Path, wanted: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        if text == wanted {
            return;
        }
        assert!(wanted.starts_with(&text), "not in order or twice: {text}");
        assert!(Instant::now() < deadline, "only {text}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn worker(kafka: &Served) -> JavaWorker {
    let properties: BTreeMap<String, String> = [
        ("bootstrap.servers", kafka.bootstrap.as_str()),
        ("group.id", "java-connect"),
        ("config.storage.topic", "configs"),
        ("offset.storage.topic", "offsets"),
        ("status.storage.topic", "statuses"),
        ("exactly.once.source.support", "enabled"),
        // After the crash nobody waits longer than a session for the dead.
        ("scheduled.rebalance.max.delay.ms", "0"),
        ("session.timeout.ms", "6000"),
        ("heartbeat.interval.ms", "1000"),
        ("offset.flush.interval.ms", "500"),
        (
            "key.converter",
            "org.apache.kafka.connect.storage.StringConverter",
        ),
        (
            "value.converter",
            "org.apache.kafka.connect.storage.StringConverter",
        ),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    JavaWorker::start_distributed(&properties).unwrap()
}

#[test]
fn the_java_worker_runs_an_exactly_once_source_also_after_a_crash() {
    if oracle_is_missing("the_java_worker_runs_an_exactly_once_source_also_after_a_crash") {
        return;
    }
    let kafka = Served::start();
    let dir = tempfile::tempdir().unwrap();
    let (source, sink) = (dir.path().join("in"), dir.path().join("out"));
    let first: String = (0..100).map(|line| format!("line {line}\n")).collect();
    let second: String = (100..200).map(|line| format!("line {line}\n")).collect();
    fs::write(&source, &first).unwrap();

    let mut java = worker(&kafka);
    let connector = |name: &str, class: &str, file: &Path, more: &str| {
        let file = file.display();
        format!(
            r#"{{"name":"{name}","config":{{"connector.class":"{class}","tasks.max":"1","file":"{file}",{more}}}}}"#
        )
    };
    let from = connector("from", "FileStreamSource", &source, r#""topic":"lines""#);
    let to = |name: &str, file: &Path| {
        connector(
            name,
            "FileStreamSink",
            file,
            r#""topics":"lines","consumer.override.session.timeout.ms":"6000",
               "consumer.override.isolation.level":"read_committed""#,
        )
    };
    post(java.url(), "/connectors", &from);
    post(java.url(), "/connectors", &to("to", &sink));
    lines_come(&sink, &first);
    java.kill();

    let mut file = fs::OpenOptions::new().append(true).open(&source).unwrap();
    file.write_all(second.as_bytes()).unwrap();
    // The sink is at least once: its file begins anew, and what was read is read again or not.
    fs::write(&sink, "").unwrap();
    let java = worker(&kafka);
    let all = format!("{first}{second}");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(&sink).unwrap_or_default();
        if text.ends_with(&second) {
            break;
        }
        assert!(Instant::now() < deadline, "only {text}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    // That sink may repeat what it had not committed. One that begins with the topic shows what the source
    // wrote: every line once, in order, the crash notwithstanding.
    let copy = dir.path().join("copy");
    post(java.url(), "/connectors", &to("copy", &copy));
    lines_come(&copy, &all);
}
