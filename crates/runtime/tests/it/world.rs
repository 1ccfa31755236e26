//! A worker in a test: plugins, settings, and waiting for what it reports.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use milena_api::{
    ConnectError, ConverterInstance, ConverterPlugin, ConverterUse, HeaderConverter,
    HeaderConverterPlugin, PluginInfo, RawHeader, RecordConverter,
};
use milena_broker::{Broker, BrokerConfig, RunningBroker};
use milena_config::{ConfigDef, Props, Secret};
use milena_data::{Schema, SchemaAndValue, Value};
use milena_registry::Registry;
use milena_rest_model::{
    ConfigInfos, ConfigKeyInfo, ConnectorStateInfo, HerderError, HerderPort, LeaderPort,
    PluginPort, RawProps,
};
use milena_runtime::worker::{DistributedWorker, StandaloneWorker, WorkerDeps, WorkerHandle};
use milena_testing_kafka::{BrokerOptions, KafkaBroker, oracle_is_missing};
use tempfile::TempDir;

use crate::bad_plugins::{BadConverter, BadPlugin};

/// Apache Kafka with its default of creating topics: one for all tests of this binary; it ends with the process.
static KAFKA: LazyLock<KafkaBroker> = LazyLock::new(|| {
    let mut options = BrokerOptions::default();
    let create = ("auto.create.topics.enable".to_owned(), "true".to_owned());
    options.properties.extend([create]);
    // Groups whose partitions the broker assigns: rounds that a test can wait for.
    for (key, value) in [
        ("group.consumer.min.heartbeat.interval.ms", "100"),
        ("group.consumer.heartbeat.interval.ms", "500"),
        ("group.consumer.min.session.timeout.ms", "1000"),
        ("group.consumer.session.timeout.ms", "10000"),
    ] {
        options.properties.insert(key.to_owned(), value.to_owned());
    }
    KafkaBroker::start_with(&options).unwrap()
});

/// A broker to test with.
pub(crate) struct TestBroker {
    pub(crate) bootstrap: String,
    /// The embedded broker and its folder, which end with this.
    _embedded: Option<(RunningBroker, TempDir)>,
}

/// The embedded broker.
pub(crate) async fn embedded() -> TestBroker {
    let folder = tempfile::tempdir().unwrap();
    let mut config = BrokerConfig::new(folder.path(), ([127, 0, 0, 1], 0).into());
    config.auto_create_topics = true;
    config.group_initial_rebalance_delay = Duration::ZERO;
    let broker = Broker::start(config).await.unwrap();
    TestBroker {
        bootstrap: broker.bootstrap(),
        _embedded: Some((broker, folder)),
    }
}

/// The embedded broker, and Apache Kafka where there is one.
pub(crate) async fn brokers(test: &str) -> Vec<TestBroker> {
    let mut brokers = vec![embedded().await];
    if !oracle_is_missing(test) {
        let kafka = tokio::task::spawn_blocking(|| KAFKA.bootstrap());
        brokers.push(TestBroker {
            bootstrap: kafka.await.unwrap(),
            _embedded: None,
        });
    }
    brokers
}

/// A name that no other test and no earlier run uses.
pub(crate) fn unique(what: &str) -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let at = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let n = LAST.fetch_add(1, Ordering::Relaxed);
    format!("{what}-{}-{}-{n}", at.as_millis(), std::process::id())
}

pub(crate) fn props(pairs: &[(&str, &str)]) -> RawProps {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), Some((*v).to_owned())))
        .collect()
}

/// Text as UTF-8 bytes; enough for these tests.
struct Plain;

impl PluginInfo for Plain {
    fn class(&self) -> &str {
        "test.PlainConverter"
    }
    fn version(&self) -> &str {
        "1"
    }
}

impl ConverterPlugin for Plain {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    fn converter(&self, _: &Props, _: ConverterUse) -> Result<ConverterInstance, ConnectError> {
        Ok(ConverterInstance::PerRecord(Box::new(Plain)))
    }
}

impl HeaderConverterPlugin for Plain {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    fn header_converter(&self, _: &Props) -> Result<Box<dyn HeaderConverter>, ConnectError> {
        Ok(Box::new(Plain))
    }
}

impl RecordConverter for Plain {
    fn to_connect(
        &mut self,
        _: &str,
        _: &[RawHeader],
        _: Option<&Bytes>,
    ) -> Result<SchemaAndValue, ConnectError> {
        Ok(SchemaAndValue::default())
    }
    fn from_connect(
        &mut self,
        _: &str,
        _: &mut Vec<RawHeader>,
        _: Option<&Schema>,
        value: &Value,
    ) -> Result<Option<Bytes>, ConnectError> {
        Ok(value
            .as_str()
            .map(|text| Bytes::copy_from_slice(text.as_bytes())))
    }
}

impl HeaderConverter for Plain {
    fn to_connect(
        &mut self,
        _: &str,
        _: &str,
        _: Option<&Bytes>,
    ) -> Result<SchemaAndValue, ConnectError> {
        Ok(SchemaAndValue::default())
    }
    fn from_connect(
        &mut self,
        _: &str,
        _: &str,
        _: &SchemaAndValue,
    ) -> Result<Option<Bytes>, ConnectError> {
        Ok(None)
    }
}

/// Accepts every configuration.
struct NoValidation;

#[async_trait]
impl PluginPort for NoValidation {
    fn plugins(&self, _: bool) -> Vec<milena_rest_model::PluginInfo> {
        Vec::new()
    }
    fn plugin_config(&self, _: &str, _: Option<&str>) -> Result<Vec<ConfigKeyInfo>, HerderError> {
        Ok(Vec::new())
    }
    async fn validate(&self, _: &RawProps) -> Result<ConfigInfos, HerderError> {
        Ok(ConfigInfos {
            name: String::new(),
            error_count: 0,
            groups: Vec::new(),
            configs: Vec::new(),
        })
    }
}

pub(crate) fn registry() -> Arc<Registry> {
    let mut converters = milena_converters::converters();
    converters.push(Arc::new(Plain));
    converters.push(Arc::new(BadConverter));
    converters.push(Arc::new(crate::retries::Tally));
    let builder = Registry::builder()
        .connector(Arc::new(milena_file::FileStreamSourcePlugin))
        .connector(Arc::new(milena_file::FileStreamSinkPlugin))
        .connector(crate::recording::plugin())
        .connector(Arc::new(crate::boundaries::MarkingPlugin))
        .connector(Arc::new(crate::odd_sources::OddPlugin))
        .connector(Arc::new(BadPlugin { source: true }))
        .connector(Arc::new(BadPlugin { source: false }))
        .connector(Arc::new(crate::healing::FailingPlugin))
        .providers(vec![
            Arc::new(crate::healing::DeadlyProviderPlugin),
            Arc::new(crate::reload::FleetingProviderPlugin),
        ])
        .converters(converters)
        .transforms(crate::retries::transforms())
        .header_converters(vec![Arc::new(Plain)]);
    Arc::new(builder.build())
}

/// The settings of a cluster of its own.
pub(crate) fn cluster(bootstrap: &str, more: &[(&str, &str)]) -> Props {
    let id = unique("g");
    let mut all = Props::new();
    let pairs = [
        ("bootstrap.servers", bootstrap),
        ("key.converter", "test.PlainConverter"),
        ("value.converter", "test.PlainConverter"),
        ("header.converter", "test.PlainConverter"),
        ("config.storage.replication.factor", "1"),
        ("offset.storage.replication.factor", "1"),
        ("status.storage.replication.factor", "1"),
        ("offset.storage.partitions", "2"),
        ("offset.flush.interval.ms", "500"),
        ("scheduled.rebalance.max.delay.ms", "0"),
        ("heartbeat.interval.ms", "300"),
    ];
    for (key, value) in pairs.iter().chain(more) {
        all.insert((*key).to_owned(), (*value).to_owned());
    }
    all.insert("group.id".to_owned(), id.clone());
    for topic in ["config", "offset", "status"] {
        all.insert(format!("{topic}.storage.topic"), format!("{id}-{topic}"));
    }
    all
}

/// Carries internal requests between the workers of this process.
#[derive(Default)]
pub(crate) struct Net(Mutex<BTreeMap<String, Arc<dyn HerderPort>>>);

impl Net {
    fn join(&self, id: &str, port: Arc<dyn HerderPort>) {
        self.0.lock().unwrap().insert(format!("http://{id}/"), port);
    }

    pub(crate) fn port(&self, url: &str) -> Result<Arc<dyn HerderPort>, HerderError> {
        let found = self.0.lock().unwrap().get(url).cloned();
        found.ok_or_else(|| HerderError::Failed(format!("no worker at {url}")))
    }
}

#[async_trait]
impl LeaderPort for Net {
    async fn put_task_configs(
        &self,
        url: &str,
        name: &str,
        configs: Vec<RawProps>,
        key: Option<Secret<Vec<u8>>>,
    ) -> Result<(), HerderError> {
        drop(key);
        self.port(url)?.put_task_configs(name, configs).await
    }

    async fn fence_zombies(
        &self,
        url: &str,
        name: &str,
        key: Option<Secret<Vec<u8>>>,
    ) -> Result<(), HerderError> {
        drop(key);
        self.port(url)?.fence_zombies(name).await
    }
}

fn deps(props: &Props, id: &str) -> WorkerDeps {
    WorkerDeps {
        props: props.clone(),
        clients: milena_kafka::clients(),
        registry: registry(),
        advertised_url: format!("http://{id}/"),
        plugins: Arc::new(NoValidation),
        leader: None,
        loggers: None,
    }
}

/// A running worker.
pub(crate) struct Worker {
    pub(crate) handle: WorkerHandle,
    pub(crate) port: Arc<dyn HerderPort>,
}

impl Worker {
    pub(crate) async fn start(props: &Props, id: &str) -> Self {
        let begun = Instant::now();
        let handle = DistributedWorker::start(deps(props, id)).await;
        let handle = handle.expect("started");
        let cluster = begun.elapsed();
        assert!(handle.client().started().await, "the worker ended");
        eprintln!(
            "worker {id}: cluster {cluster:?}, joined {:?}",
            begun.elapsed()
        );
        let port = handle.herder_port();
        Self { handle, port }
    }

    /// A worker of a cluster of several.
    pub(crate) async fn join(props: &Props, id: &str, net: &Arc<Net>) -> Self {
        let mut deps = deps(props, id);
        deps.leader = Some(Arc::clone(net) as _);
        let handle = DistributedWorker::start(deps).await.expect("started");
        assert!(handle.client().started().await, "the worker ended");
        let port = handle.herder_port();
        net.join(id, Arc::clone(&port));
        Self { handle, port }
    }

    pub(crate) async fn standalone(props: &Props) -> Self {
        let handle = StandaloneWorker::start(deps(props, "s:8083")).await;
        let handle = handle.expect("started");
        let port = handle.herder_port();
        Self { handle, port }
    }

    /// Waits until a status satisfies the condition.
    pub(crate) async fn status(
        &self,
        name: &str,
        what: &str,
        until: impl Fn(&ConnectorStateInfo) -> bool,
    ) -> ConnectorStateInfo {
        let give_up = Instant::now() + Duration::from_secs(60);
        loop {
            let status = self.port.connector_status(name).await;
            if let Ok(status) = &status
                && until(status)
            {
                return status.clone();
            }
            assert!(Instant::now() < give_up, "{what}: {status:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn runs(&self, name: &str) -> ConnectorStateInfo {
        self.status(name, "runs with a task", |status| {
            status.connector.state == "RUNNING"
                && status.tasks.len() == 1
                && status.tasks[0].state == "RUNNING"
        })
        .await
    }
}

/// What the condition gives, as soon as it gives something.
pub(crate) async fn eventually<T>(what: &str, condition: impl AsyncFn() -> Option<T>) -> T {
    let give_up = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < give_up, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
