//! Clients that were not written here, against the embedded broker: Apache Kafka's Java clients and tools,
//! Kafka Streams, the Java Connect worker, and librdkafka.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod connect;
mod librdkafka;
mod streams;
mod tools;

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use milena_broker::{Broker, BrokerConfig, RunningBroker};

/// A broker in this process, with threads of its own.
struct Served {
    bootstrap: String,
    broker: Option<RunningBroker>,
    runtime: tokio::runtime::Runtime,
    _dir: tempfile::TempDir,
}

impl Served {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let config = BrokerConfig::new(dir.path(), "127.0.0.1:0".parse().unwrap());
        let broker = runtime.block_on(Broker::start(config)).unwrap();
        Self {
            bootstrap: broker.bootstrap(),
            broker: Some(broker),
            runtime,
            _dir: dir,
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(broker) = self.broker.take() {
            self.runtime.block_on(broker.shutdown());
        }
    }
}

/// A Java program of this folder, compiled as it starts, with Apache Kafka's jars.
fn java(program: &str) -> Command {
    let jars: PathBuf = milena_testing_kafka::ensure_jars().unwrap();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/java");
    let mut command = Command::new("java");
    command
        .args(["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg("-cp")
        .arg(jars.join("*"))
        .arg(format!("{source}/{program}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs to the end; what it printed, or its words when it failed.
fn output(mut command: Command) -> String {
    let out = command.output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        out.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&out.stderr)
    );
    said
}
