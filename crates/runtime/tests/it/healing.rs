//! A task whose plugin panics, hangs or blocks, or whose host dies, is FAILED within 2 s, and comes back when the worker is
//! told to heal, with growing pauses and an end.

use std::{
    collections::BTreeMap,
    panic::resume_unwind,
    sync::{LazyLock, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use milena_api::{
    ConfigProvider, ConnectError, Connector, ConnectorContext, ConnectorInstance, ConnectorPlugin,
    PluginInfo, ProvidedConfig, ProviderPlugin, SourceConnector, SourceTask, SourceTaskContext,
    TaskInstance,
};
use milena_config::{ConfigDef, Props, Secret};
use milena_data::SourceRecord;
use milena_rest_model::{ConnectorHealth, RestartPolicy, TaskHealing};

use crate::world::{Worker, cluster, embedded, eventually, props};

/// A task must be known as failed this long after its plugin failed.
const KNOWN_WITHIN: i64 = 2_000;
/// `milena.task.call.timeout.ms` here.
const CALL_LIMIT: i64 = 500;

/// When what is named so went wrong, each time.
static WRONG: LazyLock<Mutex<BTreeMap<String, Vec<i64>>>> = LazyLock::new(Mutex::default);

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

fn goes_wrong(name: &str) {
    let mut wrong = WRONG.lock().unwrap();
    wrong.entry(name.to_owned()).or_default().push(now_ms());
}

fn wrong(name: &str) -> Vec<i64> {
    WRONG.lock().unwrap().get(name).cloned().unwrap_or_default()
}

/// A source whose task goes wrong in its second poll, the way its configuration says.
pub(crate) struct FailingPlugin;

impl PluginInfo for FailingPlugin {
    fn class(&self) -> &str {
        "test.FailingSource"
    }
    fn version(&self) -> &str {
        "1"
    }
}

impl ConnectorPlugin for FailingPlugin {
    fn is_source(&self) -> bool {
        true
    }
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    fn connector(&self) -> Result<ConnectorInstance, ConnectError> {
        Ok(ConnectorInstance::Source(Box::new(Failing::default())))
    }
    fn task(&self) -> Result<TaskInstance, ConnectError> {
        Ok(TaskInstance::Source(Box::new(Failing::default())))
    }
}

#[derive(Default)]
struct Failing {
    config: Props,
    polls: usize,
}

#[async_trait]
impl Connector for Failing {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    async fn start(&mut self, _: ConnectorContext, config: Props) -> Result<(), ConnectError> {
        self.config = config;
        Ok(())
    }
    async fn task_configs(&mut self, _: usize) -> Result<Vec<Props>, ConnectError> {
        Ok(vec![self.config.clone()])
    }
    async fn stop(&mut self) {}
}

impl SourceConnector for Failing {}

#[async_trait]
impl SourceTask for Failing {
    async fn start(&mut self, _: SourceTaskContext, config: Props) -> Result<(), ConnectError> {
        self.config = config;
        Ok(())
    }
    async fn poll(&mut self) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        self.polls += 1;
        if self.polls < 2 {
            return Ok(None);
        }
        goes_wrong(&self.config["name"]);
        match self.config["how"].as_str() {
            "error" => Err(ConnectError::connect("no luck")),
            // Without the hook that writes where it was: that takes longer than everything else here.
            "panic" => resume_unwind(Box::new("no luck")),
            "hang" => std::future::pending().await,
            "block" => loop {
                std::thread::park();
            },
            other => Err(ConnectError::connect(format!("unknown: {other}"))),
        }
    }
    async fn stop(&mut self) {}
}

/// Gives a value twice, to the connector and to its task; whoever asks for the third time dies of it.
pub(crate) struct DeadlyProviderPlugin;

impl PluginInfo for DeadlyProviderPlugin {
    fn class(&self) -> &str {
        "test.DeadlyProvider"
    }
    fn version(&self) -> &str {
        "1"
    }
}

impl ProviderPlugin for DeadlyProviderPlugin {
    fn provider(&self) -> Box<dyn ConfigProvider> {
        Box::new(Deadly::default())
    }
}

#[derive(Default)]
struct Deadly(Mutex<usize>);

#[async_trait]
impl ConfigProvider for Deadly {
    fn configure(&mut self, _: &Props) -> Result<(), ConnectError> {
        Ok(())
    }
    async fn get(&self, path: &str, _: Option<&[String]>) -> Result<ProvidedConfig, ConnectError> {
        let asked = {
            let mut asked = self.0.lock().unwrap();
            *asked += 1;
            *asked
        };
        // The connector, the task's two configurations.
        if asked > path.parse::<usize>().unwrap() {
            goes_wrong("host");
            resume_unwind(Box::new("the provider's panic"));
        }
        let values = BTreeMap::from([("k".to_owned(), Secret::new("v".to_owned()))]);
        Ok(ProvidedConfig { values, ttl: None })
    }
}

fn failing(name: &str, how: &str) -> milena_rest_model::RawProps {
    props(&[
        ("name", name),
        ("connector.class", "test.FailingSource"),
        ("how", how),
        ("topic", "t"),
    ])
}

async fn health(
    worker: &Worker,
    name: &str,
    until: impl Fn(&TaskHealing) -> bool,
) -> ConnectorHealth {
    eventually(&format!("{name} is as awaited"), async || {
        let health = worker.port.connector_health(name).await.ok()?;
        let task = health.tasks.first()?.healing.as_ref()?;
        until(task).then_some(health)
    })
    .await
}

fn healing(health: &ConnectorHealth) -> TaskHealing {
    health.tasks[0].healing.clone().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_went_wrong_is_failed_within_two_seconds() {
    let broker = embedded().await;
    let limit = CALL_LIMIT.to_string();
    let worker = Worker::start(
        &cluster(
            &broker.bootstrap,
            &[
                ("milena.task.call.timeout.ms", &limit),
                ("config.providers", "deadly"),
                ("config.providers.deadly.class", "test.DeadlyProvider"),
            ],
        ),
        "w1:8083",
    )
    .await;
    let mut late = Vec::new();
    for (how, says, allowed) in [
        ("error", "no luck", 0),
        ("panic", "the task panicked: no luck", 0),
        ("hang", "poll did not return within 500 ms", CALL_LIMIT),
        ("block", "poll did not return within 500 ms", CALL_LIMIT),
    ] {
        worker
            .port
            .create(how, failing(how, how), None)
            .await
            .unwrap();
        let failed = health(&worker, how, |task| task.failures_in_a_row > 0).await;
        let seen = healing(&failed);
        let trace = seen.last_error.unwrap();
        assert!(trace.contains(says), "{how}: {trace}");
        let took = seen.failed_at_ms.unwrap() - wrong(how)[0];
        late.push((how, took - allowed));
        assert_eq!(failed.restart, RestartPolicy::Off);
        assert_eq!((seen.restarts, seen.next_restart_at_ms), (0, None));
        let status = worker
            .status(how, how, |s| s.tasks[0].state == "FAILED")
            .await;
        assert!(status.tasks[0].trace.clone().unwrap().contains(says));
    }
    // The host of the task, and the host of the connector: each resolves the configuration.
    for (name, times, says) in [
        ("task", "1", "host of task"),
        ("connector", "0", "host of connector"),
    ] {
        let mut config = failing(name, "error");
        config.insert("x".to_owned(), Some(format!("${{deadly:{times}:k}}")));
        worker.port.create(name, config, None).await.unwrap();
        let status = worker
            .status(name, name, |s| {
                s.connector.state == "FAILED" || s.tasks.iter().any(|t| t.state == "FAILED")
            })
            .await;
        let trace = status
            .tasks
            .first()
            .map_or(status.connector.trace.clone(), |t| t.trace.clone());
        assert!(trace.unwrap().contains(says), "{status:?}");
        if name == "task" {
            let seen = healing(&health(&worker, name, |task| task.failures_in_a_row > 0).await);
            late.push((name, seen.failed_at_ms.unwrap() - wrong("host")[0]));
        }
        worker.port.delete(name).await.unwrap();
    }
    eprintln!("known as failed after ms: {late:?}");
    assert!(
        late.iter().all(|(_, took)| *took <= KNOWN_WITHIN),
        "{late:?}"
    );
    worker.handle.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healing_worker_starts_it_again_with_growing_pauses_and_an_end() {
    let broker = embedded().await;
    let settings = cluster(
        &broker.bootstrap,
        &[
            ("milena.task.call.timeout.ms", "100"),
            ("milena.task.restart.policy", "backoff"),
            ("milena.task.restart.backoff.ms", "100"),
            ("milena.task.restart.backoff.max.ms", "300"),
            ("milena.task.restart.attempts.max", "3"),
        ],
    );
    let worker = Worker::start(&settings, "w1:8083").await;
    for how in ["panic", "hang"] {
        let name = format!("heals-{how}");
        worker
            .port
            .create(&name, failing(&name, how), None)
            .await
            .unwrap();
        let end = health(&worker, &name, |task| task.given_up).await;
        let seen = healing(&end);
        assert_eq!((seen.restarts, seen.failures_in_a_row), (3, 4));
        assert_eq!(
            end.restart,
            RestartPolicy::Backoff {
                backoff_ms: 100,
                backoff_max_ms: 300,
                attempts_max: 3,
                recovered_after_ms: 120_000,
            }
        );
        let at = wrong(&name);
        let pauses: Vec<i64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
        eprintln!("{how}: ms between failures: {pauses:?}");
        assert_eq!(pauses.len(), 3);
        for (pause, least) in pauses.iter().zip([100, 200, 300]) {
            assert!(*pause >= least, "{pauses:?}");
        }
        worker
            .status(&name, &name, |s| s.tasks[0].state == "FAILED")
            .await;
        // A user gives it all its attempts again.
        worker.port.restart_task(&name, 0).await.unwrap();
        health(&worker, &name, |task| task.restarts == 6 && task.given_up).await;
    }
    let begun = std::time::Instant::now();
    worker.handle.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(30));
}
