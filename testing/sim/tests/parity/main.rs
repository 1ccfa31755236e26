//! The model beside Apache Kafka: one script is played to both, and what they answer is compared. What the simulator shows is
//! worth no more than this.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod cleaner;
mod group;
mod transactions;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use milena_kafka::ports::{Admin, ClientProps, CreateOutcome, NewTopic};
use milena_testing_kafka::{BrokerOptions, KafkaBroker};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// One broker for the tests that run at the same time.
fn kafka() -> Arc<KafkaBroker> {
    static SHARED: Mutex<Weak<KafkaBroker>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(kafka) = shared.upgrade() {
        return kafka;
    }
    let mut options = BrokerOptions::default();
    let quick = [
        ("log.cleaner.backoff.ms", "100"),
        ("group.min.session.timeout.ms", "500"),
    ];
    for (name, value) in quick {
        options.properties.insert(name.to_owned(), value.to_owned());
    }
    let kafka = Arc::new(KafkaBroker::start_with(&options).unwrap());
    *shared = Arc::downgrade(&kafka);
    kafka
}

fn props(kafka: &KafkaBroker, more: &[(&str, &str)]) -> ClientProps {
    let bootstrap = ("bootstrap.servers".to_owned(), kafka.bootstrap());
    let more = more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    std::iter::once(bootstrap).chain(more).collect()
}

async fn create(kafka: &KafkaBroker, name: &str, configs: &[(&str, &str)]) -> Arc<dyn Admin> {
    let admin = milena_kafka::clients();
    let admin = admin.admin(&props(kafka, &[])).await.unwrap();
    let configs = configs.iter();
    let topic = NewTopic {
        name: name.to_owned(),
        partitions: 1,
        replication_factor: 1,
        configs: configs
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect::<BTreeMap<_, _>>(),
    };
    let created = admin.create_topics(vec![topic]).await.unwrap();
    assert_eq!(created, [CreateOutcome::Created]);
    admin
}
