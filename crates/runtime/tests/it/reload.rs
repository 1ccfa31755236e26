//! A value of a config provider that holds only for a while: its connector is started anew with the next one
//! (`config.action.reload`).

use std::{
    collections::BTreeMap,
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use milena_api::{ConfigProvider, ConnectError, PluginInfo, ProvidedConfig, ProviderPlugin};
use milena_config::{Props, Secret};

use crate::world::{Worker, cluster, embedded, eventually, props};

/// How often the value at each path was asked for.
static ASKED: LazyLock<Mutex<BTreeMap<String, u64>>> = LazyLock::new(Mutex::default);
static VALUES: AtomicU64 = AtomicU64::new(0);

/// Gives values that hold for 100 ms.
pub(crate) struct FleetingProviderPlugin;

impl PluginInfo for FleetingProviderPlugin {
    fn class(&self) -> &str {
        "test.FleetingProvider"
    }
    fn version(&self) -> &str {
        "1"
    }
}

impl ProviderPlugin for FleetingProviderPlugin {
    fn provider(&self) -> Box<dyn ConfigProvider> {
        Box::new(Fleeting)
    }
}

struct Fleeting;

#[async_trait]
impl ConfigProvider for Fleeting {
    fn configure(&mut self, _: &Props) -> Result<(), ConnectError> {
        Ok(())
    }
    async fn get(&self, path: &str, _: Option<&[String]>) -> Result<ProvidedConfig, ConnectError> {
        *ASKED.lock().unwrap().entry(path.to_owned()).or_default() += 1;
        let value = VALUES.fetch_add(1, Ordering::Relaxed).to_string();
        Ok(ProvidedConfig {
            values: BTreeMap::from([("k".to_owned(), Secret::new(value))]),
            ttl: Some(Duration::from_millis(100)),
        })
    }
}

fn asked(path: &str) -> u64 {
    ASKED.lock().unwrap().get(path).copied().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_is_started_anew_when_a_value_of_its_configuration_is_over() {
    let broker = embedded().await;
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.txt");
    std::fs::write(&input, "one\n").unwrap();
    let provider = [
        ("config.providers", "fleeting"),
        ("config.providers.fleeting.class", "test.FleetingProvider"),
    ];
    let worker = Worker::start(&cluster(&broker.bootstrap, &provider), "w1:8083").await;
    for (name, action) in [("kept", "none"), ("renewed", "restart")] {
        let value = format!("${{fleeting:{name}:k}}");
        let config = props(&[
            ("connector.class", "FileStreamSource"),
            ("file", input.to_str().unwrap()),
            ("topic", "t"),
            ("config.action.reload", action),
            ("x", &value),
        ]);
        worker.port.create(name, config, None).await.unwrap();
        worker.runs(name).await;
    }
    let kept = asked("kept");
    eventually(
        "the connector was started anew, again and again",
        async || (asked("renewed") >= 6).then_some(()),
    )
    .await;
    assert_eq!(asked("kept"), kept, "`none` keeps what is");
    worker.runs("renewed").await;
    worker.handle.stop().await;
}
