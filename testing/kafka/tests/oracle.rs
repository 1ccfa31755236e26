//! The oracle itself: it starts, serves and leaves nothing behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests fail by panicking"
)]

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::TcpStream,
};

use milena_testing_kafka::{JavaWorker, KafkaBroker, oracle_is_missing};

#[test]
fn a_broker_and_a_java_worker_run_and_end() {
    if oracle_is_missing("a_broker_and_a_java_worker_run_and_end") {
        return;
    }
    let broker = KafkaBroker::start().unwrap();
    let properties: BTreeMap<String, String> = [
        ("bootstrap.servers", broker.bootstrap()),
        ("group.id", "g".to_owned()),
        ("config.storage.topic", "c".to_owned()),
        ("offset.storage.topic", "o".to_owned()),
        ("status.storage.topic", "s".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let worker = JavaWorker::start_distributed(&properties).unwrap();
    let address = worker.url().strip_prefix("http://").unwrap().to_owned();
    let mut rest = TcpStream::connect(&address).unwrap();
    rest.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    rest.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\"version\":\"4.3.1\""), "{answer}");
    drop(worker);
    assert!(TcpStream::connect(&address).is_err());
    let bootstrap = broker.bootstrap();
    drop(broker);
    assert!(TcpStream::connect(bootstrap).is_err());
}
