//! Brokers and clients for the tests.

use std::{
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use milena_broker::{Broker, BrokerConfig, RunningBroker};
use milena_kafka::{
    DataClient, clients, clients_with,
    ports::{Ack, AckSink, Admin, ClientProps, Fetcher, GroupChannel, NewTopic, Producer},
};
use milena_testing_kafka::KafkaBroker;
use tempfile::TempDir;
use tokio::sync::Notify;

/// One real broker for all tests of this binary; it ends with the process.
static KAFKA: LazyLock<KafkaBroker> = LazyLock::new(|| KafkaBroker::start().unwrap());

/// A broker under test.
pub(crate) struct World {
    bootstrap: String,
    /// Whose producers and fetchers it gives.
    data: DataClient,
    /// The embedded broker and its folder, which end with the world.
    embedded: Option<(RunningBroker, TempDir)>,
}

impl World {
    /// Apache Kafka.
    pub(crate) fn kafka() -> Self {
        Self {
            bootstrap: KAFKA.bootstrap(),
            data: DataClient::Library,
            embedded: None,
        }
    }

    /// A broker that somebody else keeps.
    pub(crate) fn at(bootstrap: String) -> Self {
        Self {
            bootstrap,
            data: DataClient::Library,
            embedded: None,
        }
    }

    /// The embedded broker.
    pub(crate) async fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = BrokerConfig::new(folder.path(), ([127, 0, 0, 1], 0).into());
        config.auto_create_topics = false;
        config.group_initial_rebalance_delay = Duration::ZERO;
        let broker = Broker::start(config).await.unwrap();
        Self {
            bootstrap: broker.bootstrap(),
            data: DataClient::Library,
            embedded: Some((broker, folder)),
        }
    }

    /// The same with our own producers and fetchers.
    pub(crate) fn native(mut self) -> Self {
        self.data = DataClient::Native;
        self
    }

    /// A name that no other adapter's test uses on the same broker.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{name}-{:?}", self.data).to_lowercase()
    }

    /// Where it is.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Ends the embedded broker; answers its address.
    pub(crate) async fn end(self) -> String {
        if let Some((broker, _)) = self.embedded {
            broker.shutdown().await;
        }
        self.bootstrap
    }

    pub(crate) fn props(&self, more: &[(&str, &str)]) -> ClientProps {
        let mut props = ClientProps::new();
        props.insert("bootstrap.servers".into(), self.bootstrap.clone());
        props.insert("client.id".into(), "test".into());
        for (name, value) in more {
            props.insert((*name).into(), (*value).into());
        }
        props
    }

    pub(crate) async fn admin(&self) -> Arc<dyn Admin> {
        clients().admin(&self.props(&[])).await.unwrap()
    }

    pub(crate) async fn group(&self, group: &str) -> Arc<dyn GroupChannel> {
        clients().group(&self.props(&[]), group).await.unwrap()
    }

    pub(crate) async fn fetcher(&self, more: &[(&str, &str)]) -> Box<dyn Fetcher> {
        clients_with(self.data)
            .fetcher(&self.props(more))
            .await
            .unwrap()
    }

    pub(crate) async fn producer(&self, more: &[(&str, &str)]) -> (Box<dyn Producer>, Arc<Acks>) {
        let acks = Arc::new(Acks::default());
        let sink: AckSink = {
            let acks = Arc::clone(&acks);
            Arc::new(move |list| acks.take(list))
        };
        let producer = clients_with(self.data)
            .producer(&self.props(more), sink)
            .await
            .unwrap();
        (producer, acks)
    }

    pub(crate) async fn topic(&self, name: &str, partitions: i32) {
        let outcome = self
            .admin()
            .await
            .create_topics(vec![topic(name, partitions)])
            .await
            .unwrap();
        assert_eq!(outcome, [milena_kafka::ports::CreateOutcome::Created]);
    }
}

pub(crate) fn topic(name: &str, partitions: i32) -> NewTopic {
    NewTopic {
        name: name.into(),
        partitions,
        replication_factor: 1,
        configs: Default::default(),
    }
}

/// Acknowledgements as they came.
#[derive(Default)]
pub(crate) struct Acks {
    list: Mutex<Vec<Ack>>,
    arrived: Notify,
}

impl Acks {
    pub(crate) fn take(&self, list: Vec<Ack>) {
        let each = list.into_iter().flat_map(Ack::each);
        self.list.lock().unwrap().extend(each);
        self.arrived.notify_one();
    }

    /// Waits for this many, sorted by ticket.
    pub(crate) async fn wait(&self, count: usize) -> Vec<Ack> {
        loop {
            if self.list.lock().unwrap().len() >= count {
                let mut list = std::mem::take(&mut *self.list.lock().unwrap());
                list.sort_by_key(|ack| ack.ticket);
                return list;
            }
            self.arrived.notified().await;
        }
    }
}
