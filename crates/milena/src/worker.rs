//! Puts a worker together: plugins, clients, herder, REST.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::Arc,
};

use milena_config::{
    ConfigError, Props,
    worker::{DistributedConfig, ExactlyOnceSource, StandaloneConfig, WorkerConfig},
};
use milena_kafka::{DataClient, clients_with};
use milena_registry::Registry;
use milena_rest::{BoundRest, RestServer, RestSettings, Services};
use milena_rest_model::PluginPort;
use milena_runtime::worker::{DistributedWorker, StandaloneWorker, WorkerDeps, WorkerHandle};
use milena_validation::{ConnectorValidator, WorkerView};
use tracing::{info, warn};

use crate::{basic_auth, exit::Exit, loggers, plugins, providers, signals::Signals};

/// A worker with its REST server.
pub(crate) struct RunningWorker {
    pub(crate) handle: WorkerHandle,
    rest: RestServer,
}

/// Where a standalone worker listens unless it is told otherwise.
const LOOPBACK: &str = "http://127.0.0.1:8083";

/// The configuration of a worker on an embedded broker.
pub(crate) fn embedded_props(group: &str, bootstrap: &str) -> Props {
    let string = "org.apache.kafka.connect.storage.StringConverter";
    let pairs = [
        ("bootstrap.servers", bootstrap),
        ("group.id", group),
        ("key.converter", string),
        ("value.converter", string),
        ("config.storage.topic", "connect-configs"),
        ("config.storage.replication.factor", "1"),
        ("offset.storage.topic", "connect-offsets"),
        ("offset.storage.replication.factor", "1"),
        ("offset.storage.partitions", "5"),
        ("status.storage.topic", "connect-status"),
        ("status.storage.replication.factor", "1"),
        ("offset.flush.interval.ms", "500"),
        ("exactly.once.source.support", "enabled"),
        ("scheduled.rebalance.max.delay.ms", "0"),
        ("milena.rest.browser.guard", "true"),
        ("milena.task.restart.policy", "backoff"),
        ("milena.task.call.timeout.ms", "300000"),
    ];
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Whether web pages are kept out (`milena.rest.browser.guard`); Java's workers have no such check.
fn browser_guard(worker: &WorkerConfig) -> bool {
    let set = worker.originals().get("milena.rest.browser.guard");
    set.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

/// Whose producers and fetchers the tasks have (`milena.kafka.client`).
fn data_client(worker: &WorkerConfig) -> Result<DataClient, Exit> {
    const NAME: &str = "milena.kafka.client";
    let set = worker.originals().get(NAME).map(|value| value.trim());
    match set {
        None => Ok(DataClient::default()),
        Some("native") => Ok(DataClient::Native),
        Some("library") => Ok(DataClient::Library),
        Some(other) => Err(Exit::cannot_start(ConfigError::invalid(
            NAME,
            other,
            "it must be native or library",
        ))),
    }
}

/// Adds a REST listener on loopback, on this port or, when it is taken, on a free one.
pub(crate) fn with_listener(mut props: Props, port: u16) -> Props {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err();
    let port = if taken { 0 } else { port };
    props.insert("listeners".to_owned(), format!("http://127.0.0.1:{port}"));
    props
}

/// Starts a worker in distributed mode; resolves when REST answers.
pub(crate) async fn start_distributed(props: Props) -> Result<RunningWorker, Exit> {
    let props = providers::resolved(props).await?;
    let config = DistributedConfig::parse(&props).map_err(Exit::cannot_start)?;
    for name in &config.unknown {
        warn!(key = %name, "this setting is not one of the worker's own: it has an effect only where a Kafka client knows it");
    }
    let mut settings = RestSettings::new(config.worker.rest.clone());
    settings.basic_auth = basic_auth::of(&config.worker)?;
    settings.browser_guard = browser_guard(&config.worker);
    settings
        .verification_algorithms
        .clone_from(&config.verification_algorithms);
    let bound = BoundRest::bind(settings)
        .await
        .map_err(Exit::cannot_start)?;
    let exactly_once = config.exactly_once == ExactlyOnceSource::Enabled;
    let view = WorkerView::new(&config.worker).in_group(&config.group_id, exactly_once);
    let (mut deps, port) = deps(props, &bound, &config.worker, view)?;
    deps.leader = Some(Arc::new(bound.leader_client(&config.signature_algorithm)));
    let handle = DistributedWorker::start(deps)
        .await
        .map_err(Exit::cannot_start)?;
    Ok(serve(handle, bound, port))
}

/// A standalone worker that was not told where to listen does so for this machine alone: its REST server asks nobody who
/// they are. Java's listens on all interfaces.
fn on_loopback(mut props: Props) -> Props {
    if !props.contains_key("listeners") {
        info!(
            "only programs on this machine reach this worker, because listeners is not set; listeners=http://:8083 opens it \
             to the network"
        );
        props.insert("listeners".to_owned(), LOOPBACK.to_owned());
    }
    props
}

/// Starts a worker in standalone mode with its connectors; resolves when they were created.
pub(crate) async fn start_standalone(
    props: Props,
    connectors: Vec<Props>,
) -> Result<RunningWorker, Exit> {
    let props = on_loopback(providers::resolved(props).await?);
    let config = StandaloneConfig::parse(&props).map_err(Exit::cannot_start)?;
    for name in &config.unknown {
        warn!(key = %name, "this setting is not one of the worker's own: it has an effect only where a Kafka client knows it");
    }
    let mut settings = RestSettings::new(config.worker.rest.clone());
    settings.basic_auth = basic_auth::of(&config.worker)?;
    settings.browser_guard = browser_guard(&config.worker);
    let bound = BoundRest::bind(settings)
        .await
        .map_err(Exit::cannot_start)?;
    let view = WorkerView::new(&config.worker);
    let (deps, port) = deps(props, &bound, &config.worker, view)?;
    let handle = StandaloneWorker::start(deps)
        .await
        .map_err(Exit::cannot_start)?;
    let herder = handle.herder_port();
    let worker = serve(handle, bound, port);
    for connector in connectors {
        let name = connector.get("name").cloned().unwrap_or_default();
        let raw = connector
            .into_iter()
            .map(|(key, value)| (key, Some(value)))
            .collect();
        if let Err(error) = herder.put_config(&name, raw).await {
            worker.stop().await;
            return Err(Exit::ConnectorFile(format!(
                "connector {name:?} cannot be created: {error}"
            )));
        }
    }
    Ok(worker)
}

/// As in Java, a worker whose own converters are not there does not start.
fn converters_are_known(worker: &WorkerConfig, registry: &Registry) -> Result<(), Exit> {
    let (key, value, header) = (
        &worker.key_converter.class,
        &worker.value_converter.class,
        &worker.header_converter.class,
    );
    let known = [
        ("key.converter", key, registry.converter(key).is_ok()),
        ("value.converter", value, registry.converter(value).is_ok()),
        (
            "header.converter",
            header,
            registry.header_converter(header).is_ok(),
        ),
    ];
    match known.into_iter().find(|(_, _, known)| !known) {
        None => Ok(()),
        Some((name, class, _)) => Err(Exit::cannot_start(ConfigError::invalid(
            name,
            class,
            &format!("Class {class} could not be found."),
        ))),
    }
}

fn deps(
    props: Props,
    bound: &BoundRest,
    worker: &WorkerConfig,
    view: WorkerView,
) -> Result<(WorkerDeps, Arc<ConnectorValidator>), Exit> {
    let registry = Arc::new(plugins::registry());
    converters_are_known(worker, &registry)?;
    let port = ConnectorValidator::new(Arc::clone(&registry), view).map_err(Exit::cannot_start)?;
    let port = Arc::new(port);
    let deps = WorkerDeps {
        props,
        clients: clients_with(data_client(worker)?),
        registry,
        advertised_url: bound.advertised_url(),
        plugins: Arc::clone(&port) as Arc<dyn PluginPort>,
        leader: None,
        loggers: Some(Arc::new(loggers::ClusterLevels)),
    };
    Ok((deps, port))
}

fn serve(
    handle: WorkerHandle,
    bound: BoundRest,
    plugins: Arc<ConnectorValidator>,
) -> RunningWorker {
    let services = Services {
        herder: handle.herder_port(),
        plugins,
        loggers: loggers::port(),
    };
    RunningWorker {
        handle,
        rest: bound.serve(services),
    }
}

impl RunningWorker {
    /// The REST address.
    pub(crate) fn url(&self) -> String {
        self.rest.advertised_url().trim_end_matches('/').to_owned()
    }

    /// Waits for a signal, or for the worker to fail.
    pub(crate) async fn until(&self, signals: &mut Signals) -> Result<(), Exit> {
        tokio::select! {
            () = signals.any() => Ok(()),
            error = self.handle.failed() => Err(Exit::failed(error)),
        }
    }

    /// Stops tasks and connectors, commits, leaves the group, ends REST.
    pub(crate) async fn stop(self) {
        self.handle.stop().await;
        self.rest.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use milena_config::Props;

    use super::{LOOPBACK, on_loopback};

    #[test]
    fn a_standalone_worker_listens_on_loopback_unless_it_is_told_otherwise() {
        assert_eq!(on_loopback(Props::new())["listeners"], LOOPBACK);
        let told = Props::from([("listeners".to_owned(), "http://:8084".to_owned())]);
        assert_eq!(on_loopback(told.clone()), told);
    }
}
