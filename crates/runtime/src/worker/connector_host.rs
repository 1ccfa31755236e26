//! Runs one connector instance: its calls one after another, each under a deadline, its panics contained
//! (`WorkerConnector`, spec `distributed.md` 6.2). Whatever the plugin does, the host answers.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use milena_api::{ConnectError, Connector, ConnectorContext, ConnectorInstance, ConnectorRequest};
use milena_config::Props;
use milena_core::{
    ConnectorName, Token,
    cluster::{RawProps, TargetState},
    herder::{ConnectorEvent, Incarnation, Outcome, Request},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, info, warn};

use super::{
    hosts::Hosts,
    resolve,
    tasks_max::{check_tasks_max, tasks_max},
};
use crate::apart::{Lost, apart, said};

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
    let (commands, received) = mpsc::channel(COMMANDS);
    let (passed_on, receiver) = mpsc::channel(COMMANDS);
    let stopping = CancellationToken::new();
    tokio::spawn(pass_on(received, passed_on, stopping.clone()));
    let host = ConnectorHost {
        hosts,
        name,
        incarnation,
        raw: config,
        version: None,
        stopping: stopping.clone(),
    };
    let stopped = stopping;
    let span = milena_telemetry::connector_span(host.name.as_str());
    let (hosts, name) = (Arc::clone(&host.hosts), host.name.clone());
    let run = tokio::spawn(host.run(target, receiver).instrument(span));
    // A host that dies must not leave a status that lies, nor a stop that waits for ever.
    tokio::spawn(async move {
        if let Err(died) = run.await {
            let text = format!("the host of connector {name} died: {died}");
            let (trace, version) = (ConnectError::connect(text).trace(), None);
            let failed = ConnectorEvent::Failed {
                trace: trace.clone(),
                version: None,
            };
            hosts.connector(name.clone(), incarnation, failed).await;
            let failure = Some(trace);
            let ended = ConnectorEvent::Ended { failure, version };
            stopped.cancelled().await;
            hosts.connector(name, incarnation, ended).await;
        }
    });
    commands
}

struct ConnectorHost {
    hosts: Arc<Hosts>,
    name: ConnectorName,
    incarnation: Incarnation,
    raw: Arc<RawProps>,
    version: Option<String>,
    /// The herder wants it to stop, whatever call is under way.
    stopping: CancellationToken,
}

/// Passes commands on in order; that the connector is to stop is known at once.
async fn pass_on(
    mut from: mpsc::Receiver<ConnectorCommand>,
    to: mpsc::Sender<ConnectorCommand>,
    stopping: CancellationToken,
) {
    while let Some(command) = from.recv().await {
        if matches!(command, ConnectorCommand::Stop) {
            stopping.cancel();
        }
        if to.send(command).await.is_err() {
            return;
        }
    }
    stopping.cancel();
}

/// An instance that was made.
struct Made {
    /// Gone when it did not come back from a call.
    instance: Option<ConnectorInstance>,
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
        let (config, ttl) = self.hosts.resolver.resolve_until(&self.raw).await?;
        let reload = config.get("config.action.reload");
        if let Some(ttl) = ttl.filter(|_| reload.is_none_or(|action| action.trim() != "none")) {
            self.restart_after(ttl);
        }
        let class = config
            .get("connector.class")
            .ok_or_else(|| ConnectError::connect("the configuration names no connector.class"))?;
        let plugin = self
            .hosts
            .registry
            .connector(class)
            .map_err(|error| ConnectError::connect(error.to_string()))?;
        self.version = Some(plugin.version().to_owned());
        let class = plugin.class().to_owned();
        let plugin = Arc::clone(plugin);
        let made = apart("connector", async move { plugin.connector() });
        let instance = within("the constructor", &self.stopping, CALL_WITHIN, made).await??;
        Ok(Made {
            instance: Some(instance),
            class,
            config,
            started: false,
        })
    }

    /// A value of its configuration holds only this long: then the connector, and not its tasks, is started anew with the
    /// next one (`WorkerConfigTransformer`), unless it ended before.
    fn restart_after(&self, ttl: Duration) {
        let (hosts, name, stopping) = (
            Arc::clone(&self.hosts),
            self.name.clone(),
            self.stopping.clone(),
        );
        info!(connector = %name, "a restart of the connector is scheduled in {} ms", ttl.as_millis());
        let reload = async move {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(ttl) => {}
            }
            if let Err(error) = hosts.ask(Request::RestartConnector(name.clone())).await {
                warn!(connector = %name, %error, "the restart for new values of the configuration failed");
            }
        };
        tokio::spawn(reload.in_current_span());
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
        call(made, &self.stopping, "start", CALL_WITHIN, |connector| {
            connector.start(context, config)
        })
        .await?
    }

    async fn stop(&self, made: &mut Made) -> Result<(), ConnectError> {
        made.started = false;
        if made.instance.is_none() {
            return Ok(());
        }
        call(made, &self.stopping, "stop", STOP_WITHIN, |connector| {
            connector.stop()
        })
        .await
    }

    async fn generate(&self, made: &mut Made) -> Outcome {
        let max = tasks_max(&made.config);
        let generated = call(
            made,
            &self.stopping,
            "task_configs",
            CALL_WITHIN,
            move |connector| connector.task_configs(max),
        )
        .await;
        let configs = match generated {
            Ok(Ok(configs)) => configs,
            Ok(Err(error)) | Err(error) => {
                warn!(connector = %self.name, %error, "generating task configurations failed");
                return Outcome::Failed(error.to_string());
            }
        };
        if let Err(error) = check_tasks_max(&self.name, configs.len(), &made.config) {
            warn!(connector = %self.name, %error, "too many tasks");
            return Outcome::TooManyTasks(error.trace());
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

/// Makes a call on a thread of its own, but does not wait beyond the deadline: then the instance is given up.
async fn call<T: Send + 'static>(
    made: &mut Made,
    stopping: &CancellationToken,
    name: &'static str,
    deadline: Duration,
    work: impl for<'a> FnOnce(&'a mut dyn Connector) -> BoxFuture<'a, T> + Send + 'static,
) -> Result<T, ConnectError> {
    let Some(mut instance) = made.instance.take() else {
        let text = format!("{name}: an earlier call of the connector has not returned");
        return Err(ConnectError::connect(text));
    };
    let called = apart("connector", async move {
        let outcome = AssertUnwindSafe(async { work(common(&mut instance)).await });
        (outcome.catch_unwind().await, instance)
    });
    let (outcome, instance) = within(name, stopping, deadline, called).await?;
    made.instance = Some(instance);
    outcome.map_err(|panic| {
        ConnectError::connect(format!("{name} panicked: {}", said(panic.as_ref())))
    })
}

async fn within<T>(
    name: &str,
    stopping: &CancellationToken,
    deadline: Duration,
    called: impl Future<Output = Result<T, Lost>>,
) -> Result<T, ConnectError> {
    let given_up = async {
        stopping.cancelled().await;
        tokio::time::sleep(STOP_WITHIN).await;
    };
    tokio::select! {
        outcome = called => {
            outcome.map_err(|lost| ConnectError::connect(format!("{name} {lost}")))
        }
        () = given_up => Err(ConnectError::connect(format!(
            "{name} did not return within {} s while the connector was to stop",
            STOP_WITHIN.as_secs()
        ))),
        () = tokio::time::sleep(deadline) => Err(ConnectError::connect(format!(
            "{name} did not return within {} s",
            deadline.as_secs()
        ))),
    }
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
