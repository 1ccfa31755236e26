//! The same requests to the embedded broker and to real Apache Kafka give the same answers. One body per
//! feature notes what it is told; the notes of both must agree.

mod admin;
mod admin_versions;
mod groups;
mod kip890;
mod producing;
mod reading;
mod sessions;
mod times;
mod topics;
mod transactions;
mod versions;

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use milena_broker::{Broker, BrokerConfig};
use milena_testing_kafka::{BrokerOptions, KafkaBroker, oracle_is_missing};

use crate::client::Client;

const NEW: (i64, i16) = (-1, -1);
/// "Come again": the coordinator is being found, loaded, or still ends a transaction. Apache Kafka says so
/// for a moment where one node that does all at once does not.
const AGAIN: [i16; 4] = [14, 15, 16, 51];
/// Where this broker means to answer otherwise.
const INTENDED: &[&str] = &[
    // Apache Kafka fails with an unknown error; this is a bad request.
    "configs: an unknown operation",
    // A new cluster sets it for all brokers, so that nobody takes the default for it.
    "configs: config min.insync.replicas",
    // Records without a time have no greatest one.
    "times: timeless, time -3",
];
/// How long one body may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a body was answered, in order.
#[derive(Default)]
struct Notes(Vec<(String, String)>);

impl Notes {
    fn note(&mut self, what: &str, answer: impl Debug) {
        self.0.push((what.to_owned(), format!("{answer:?}")));
    }
}

/// Asks until the answer's code is not one of [`AGAIN`].
async fn settled<T>(mut ask: impl AsyncFnMut() -> (i16, T)) -> (i16, T) {
    loop {
        let (code, rest) = ask().await;
        if !AGAIN.contains(&code) {
            return (code, rest);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// As [`settled`] for answers that are a code only.
async fn code(mut ask: impl AsyncFnMut() -> i16) -> i16 {
    settled(async || (ask().await, ())).await.0
}

async fn answers(bootstrap: &str, who: &str) -> BTreeMap<String, String> {
    let mut c = Client::connect(bootstrap).await;
    // Coordinators are made by the first look for them.
    for kind in [0, 1] {
        c.coordinator(kind).await;
    }
    let mut all = BTreeMap::new();
    macro_rules! body {
        ($name:literal, $body:expr) => {
            let mut notes = Notes::default();
            let done = tokio::time::timeout(PATIENCE, $body(&mut c, &mut notes)).await;
            assert!(
                done.is_ok(),
                "{who} does not answer in {}; the last answers: {:#?}",
                $name,
                notes.0.iter().rev().take(3).collect::<Vec<_>>()
            );
            for (what, said) in notes.0 {
                let what = format!("{}: {what}", $name);
                assert!(all.insert(what, said).is_none(), "two notes of one name");
            }
        };
    }
    body!("topics", topics::topics);
    body!("configs", topics::configs);
    body!("partitions", topics::partitions);
    body!("security", admin::security);
    body!("quotas", admin::quotas);
    body!("elections", admin::elections);
    body!("directories", admin::directories);
    body!("topic pages", admin::pages);
    body!("fetch sessions", sessions::sessions);
    body!("idempotence", producing::idempotence);
    body!("refused batches", producing::refused);
    body!("list offsets", reading::list_offsets);
    body!("delete records", reading::delete_records);
    body!("append time", times::appended);
    body!("times", times::within);
    body!("versions", versions::versions);
    body!("versions of topics", admin_versions::topics);
    body!("versions of others", admin_versions::others);
    body!("fetch", reading::fetch);
    body!("leader epochs", reading::epochs);
    body!("transactions", transactions::transactions);
    body!("fencing", transactions::fencing);
    body!("offsets in transactions", transactions::offsets);
    body!("described transactions", transactions::described);
    body!("bumped epochs", kip890::bumps);
    body!("bumped epochs and offsets", kip890::offsets);
    body!("partitions between brokers", kip890::batched);
    body!("groups", groups::strangers);
    body!("members", groups::members);
    body!("static members", groups::static_members);
    body!("offsets", groups::offsets);
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_those_of_apache_kafka() {
    if oracle_is_missing("answers_are_those_of_apache_kafka") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut config = BrokerConfig::new(dir.path(), "127.0.0.1:0".parse().unwrap());
    config.auto_create_topics = false;
    // The records are old: retention must not take them while they are looked at.
    config.maintenance = Duration::from_secs(3600);
    let broker = Broker::start(config).await.unwrap();
    let ours = answers(&broker.bootstrap(), "the embedded broker").await;
    let mut options = BrokerOptions::default();
    let (key, value) = ("log.initial.task.delay.ms", "3600000");
    options.properties.insert(key.to_owned(), value.to_owned());
    let kafka = tokio::task::spawn_blocking(move || KafkaBroker::start_with(&options)).await;
    let kafka = kafka.unwrap().unwrap();
    let theirs = answers(&kafka.bootstrap(), "Apache Kafka").await;
    let mut differing = Vec::new();
    let offered = Client::connect(&kafka.bootstrap()).await.offered().await;
    for (key, min, max) in Client::connect(&broker.bootstrap()).await.offered().await {
        let known = |(k, least, most): &(i16, i16, i16)| *k == key && *least <= min && max <= *most;
        if !offered.iter().any(known) {
            differing.push(format!("{key}: {min} to {max} is offered"));
        }
    }
    let all: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    for what in all {
        let (ours, theirs) = (ours.get(what), theirs.get(what));
        if ours != theirs && !INTENDED.contains(&what.as_str()) {
            differing.push(format!("{what}: {ours:?}, Apache Kafka {theirs:?}"));
        }
    }
    assert!(differing.is_empty(), "{differing:#?}");
    broker.shutdown().await;
    tokio::task::spawn_blocking(|| drop(kafka)).await.unwrap();
}
