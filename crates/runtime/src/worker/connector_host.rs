//! Runs one connector instance: its calls one after another, each under a deadline, its panics contained
//! (`WorkerConnector`, spec `distributed.md` 6.2). Whatever the plugin does, the host answers.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use milena_api::{ConnectError, Connector, ConnectorContext, ConnectorInstance, ConnectorRequest};
use milena_config::Props;
use milena_core::{
    ConnectorName, Token,
    cluster::{RawProps, TargetState},
    herder::{ConnectorEvent, Incarnation, Outcome},
};
use tokio::sync::mpsc;
use tracing::warn;

use super::{hosts::Hosts, resolve};

/// How long `start` and `task_configs` may take: as long as a client of REST waits.
const CALL_WITHIN: Duration = Duration::from_secs(90);
/// How long `stop` may take (Java: the graceful shutdown time of connectors).
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// Commands that may wait while a call is under way; more than the herder ever sends to one run.
const COMMANDS: usize = 64;

/// What the herder asks of a running connector.
#[derive(Debug)]
pub(super) enum ConnectorCommand {
    Target(TargetState),
    Generate(Token),
    Stop,
}

/// Starts a connector's run.
pub(super) fn start_connector(
    hosts: Arc<Hosts>,
    name: ConnectorName,
    incarnation: Incarnation,
    config: Arc<RawProps>,
    target: TargetState,
) -> mpsc::Sender<ConnectorCommand> {
    let (commands, receiver) = mpsc::channel(COMMANDS);
    let host = ConnectorHost {
        hosts,
        name,
        incarnation,
        raw: config,
        version: None,
    };
    tokio::spawn(host.run(target, receiver));
    commands
}

struct ConnectorHost {
    hosts: Arc<Hosts>,
    name: ConnectorName,
    incarnation: Incarnation,
    raw: Arc<RawProps>,
    version: Option<String>,
}

/// An instance that was made.
struct Made {
    instance: ConnectorInstance,
    class: String,
    config: Props,
    started: bool,
}

impl ConnectorHost {
    async fn run(mut self, target: TargetState, mut commands: mpsc::Receiver<ConnectorCommand>) {
        let mut made = match self.make().await {
            Ok(made) => Some(made),
            Err(error) => {
                self.failed(&error).await;
                None
            }
        };
        if let Some(instance) = &mut made {
            self.bring_to(instance, target).await;
        }
        while let Some(command) = commands.recv().await {
            match (command, &mut made) {
                (ConnectorCommand::Target(target), Some(made)) => self.bring_to(made, target).await,
                (ConnectorCommand::Generate(token), Some(made)) => {
                    let outcome = self.generate(made).await;
                    self.hosts.outcome(token, outcome).await;
                }
                // An instance that could not be made can only be stopped.
                (ConnectorCommand::Target(TargetState::Stopped), None) => {
                    self.reached(TargetState::Stopped).await;
                }
                (ConnectorCommand::Target(_), None) => {}
                (ConnectorCommand::Generate(token), None) => {
                    let outcome = Outcome::Failed("the connector could not be made".to_owned());
                    self.hosts.outcome(token, outcome).await;
                }
                (ConnectorCommand::Stop, _) => break,
            }
        }
        let failure = match &mut made {
            Some(made) if made.started => self.stop(made).await.err().map(|error| error.trace()),
            _ => None,
        };
        let version = self.version.take();
        self.tell(ConnectorEvent::Ended { failure, version }).await;
    }

    async fn make(&mut self) -> Result<Made, ConnectError> {
        let config = self.hosts.resolver.resolve(&self.raw).await?;
        let class = config
            .get("connector.class")
            .ok_or_else(|| ConnectError::connect("the configuration names no connector.class"))?;
        let plugin = self
            .hosts
            .registry
            .connector(class)
            .map_err(|error| ConnectError::connect(error.to_string()))?;
        let instance = plugin.connector()?;
        self.version = Some(plugin.version().to_owned());
        let class = plugin.class().to_owned();
        Ok(Made {
            instance,
            class,
            config,
            started: false,
        })
    }

    async fn bring_to(&self, made: &mut Made, target: TargetState) {
        let result = match (made.started, target) {
            (false, TargetState::Started) => self.start(made).await,
            // A connector that fails while it stops for STOPPED is stopped all the same.
            (true, TargetState::Stopped) => {
                if let Err(error) = self.stop(made).await {
                    warn!(connector = %self.name, %error, "stopping failed");
                }
                Ok(())
            }
            (true, TargetState::Paused) => self.stop(made).await,
            _ => Ok(()),
        };
        match result {
            Ok(()) => self.reached(target).await,
            Err(error) => self.failed(&error).await,
        }
    }

    async fn start(&self, made: &mut Made) -> Result<(), ConnectError> {
        let (hosts, name, incarnation) =
            (Arc::clone(&self.hosts), self.name.clone(), self.incarnation);
        let version = self.version.clone();
        let context = ConnectorContext::new(move |request| {
            let event = match request {
                ConnectorRequest::Reconfigure => ConnectorEvent::Reconfigure,
                ConnectorRequest::Fail(error) => ConnectorEvent::Failed {
                    trace: error.trace(),
                    version: version.clone(),
                },
            };
            hosts.connector_soon(name.clone(), incarnation, event);
        });
        // A failed start is followed by a stop too: it frees what was taken.
        made.started = true;
        let config = made.config.clone();
        let connector = common(&mut made.instance);
        guarded("start", CALL_WITHIN, connector.start(context, config)).await?
    }

    async fn stop(&self, made: &mut Made) -> Result<(), ConnectError> {
        made.started = false;
        let connector = common(&mut made.instance);
        guarded("stop", STOP_WITHIN, connector.stop()).await
    }

    async fn generate(&self, made: &mut Made) -> Outcome {
        let max = made
            .config
            .get("tasks.max")
            .and_then(|text| text.trim().parse::<usize>().ok())
            .unwrap_or(1);
        let connector = common(&mut made.instance);
        let generated = guarded("task_configs", CALL_WITHIN, connector.task_configs(max)).await;
        let configs = match generated {
            Ok(Ok(configs)) => configs,
            Ok(Err(error)) | Err(error) => {
                warn!(connector = %self.name, %error, "generating task configurations failed");
                return Outcome::Failed(error.to_string());
            }
        };
        let enforce = made
            .config
            .get("tasks.max.enforce")
            .is_none_or(|text| !text.trim().eq_ignore_ascii_case("false"));
        if configs.len() > max {
            let text = too_many(&self.name, configs.len(), max);
            warn!(connector = %self.name, "{text}");
            if enforce {
                let class = "org.apache.kafka.connect.runtime.TooManyTasksException";
                return Outcome::TooManyTasks(ConnectError::of(class, text).trace());
            }
        }
        let complete = |config| task_config(config, made, &self.raw);
        Outcome::TaskConfigs(configs.into_iter().map(complete).collect())
    }

    async fn reached(&self, target: TargetState) {
        let version = self.version.clone();
        self.tell(ConnectorEvent::Reached { target, version }).await;
    }

    async fn failed(&self, error: &ConnectError) {
        warn!(connector = %self.name, error = %error.to_java_string(), "the connector failed");
        let (trace, version) = (error.trace(), self.version.clone());
        self.tell(ConnectorEvent::Failed { trace, version }).await;
    }

    async fn tell(&self, event: ConnectorEvent) {
        self.hosts
            .connector(self.name.clone(), self.incarnation, event)
            .await;
    }
}

fn common(instance: &mut ConnectorInstance) -> &mut dyn Connector {
    match instance {
        ConnectorInstance::Source(connector) => connector.as_mut(),
        ConnectorInstance::Sink(connector) => connector.as_mut(),
    }
}

/// Awaits a plugin's call, but not beyond its deadline, and turns a panic into an error.
async fn guarded<T>(
    call: &str,
    within: Duration,
    future: impl Future<Output = T>,
) -> Result<T, ConnectError> {
    match tokio::time::timeout(within, AssertUnwindSafe(future).catch_unwind()).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(panic)) => {
            let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
            let said = said.unwrap_or_else(|| "no message".to_owned());
            Err(ConnectError::connect(format!("{call} panicked: {said}")))
        }
        Err(_) => Err(ConnectError::connect(format!(
            "{call} did not return within {} s",
            within.as_secs()
        ))),
    }
}

fn too_many(name: &ConnectorName, generated: usize, max: usize) -> String {
    format!(
        "The connector {name} has generated {generated} tasks, which is greater than {max}, the maximum \
         number of tasks it is configured to create. This behaviour should be considered a bug and is \
         disallowed. If necessary, it can be permitted by reconfiguring the connector with \
         'tasks.max.enforce' set to false; however, this option will be removed in a future release of \
         Kafka Connect."
    )
}

/// A task's configuration as it is stored: with its class and topics, and with the connector's variables in
/// place of their values, so that no secret is written out.
fn task_config(config: Props, made: &Made, raw: &RawProps) -> RawProps {
    let mut config = config;
    // Java keeps the task's class beside its configuration; here it is derived from the connector's.
    let class = made.class.strip_suffix("Connector").unwrap_or(&made.class);
    config.insert("task.class".to_owned(), format!("{class}Task"));
    for key in ["topics", "topics.regex"] {
        if let Some(value) = made.config.get(key) {
            config.insert(key.to_owned(), value.clone());
        }
    }
    let stored = config.into_iter().map(|(key, value)| {
        let template = raw
            .get(&key)
            .and_then(Option::as_ref)
            .filter(|text| resolve::has_variable(text));
        let value = template.cloned().unwrap_or(value);
        (key, Some(value))
    });
    stored.collect()
}
