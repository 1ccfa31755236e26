//! The modes that run until they are told to stop: broker, dev, distributed, standalone.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use milena_broker::{Broker, BrokerConfig, RunningBroker, StartError};
use milena_config::Props;
use tracing::info;

use crate::{broker_file, cli, exit::Exit, properties, signals::Signals, worker};

/// `milena broker`.
pub(crate) async fn broker(options: cli::Broker) -> Result<(), Exit> {
    let mut signals = Signals::take()?;
    let config = broker_file::config(&options)?;
    let broker = Broker::start(config).await.map_err(Exit::cannot_start)?;
    for (name, address) in broker.listeners() {
        info!(listener = name, %address, "broker started; for development, not for production data");
    }
    signals.any().await;
    signals.end_at_once();
    broker.shutdown().await;
    Ok(())
}

/// `milena dev`.
pub(crate) async fn dev(options: cli::Dev) -> Result<(), Exit> {
    let mut signals = Signals::take()?;
    let broker = embedded(&options.dir.join("data"), options.broker_port).await?;
    let props = worker::embedded_props("milena-dev", &broker.bootstrap());
    let worker = worker::start_distributed(worker::with_listener(props, options.rest_port)).await?;
    info!(broker = %broker.bootstrap(), rest = %worker.url(), "development worker started");
    let outcome = worker.until(&mut signals).await;
    signals.end_at_once();
    worker.stop().await;
    broker.shutdown().await;
    outcome
}

/// `milena distributed`.
pub(crate) async fn distributed(options: cli::Distributed) -> Result<(), Exit> {
    let mut signals = Signals::take()?;
    let props = properties::worker(&options.worker)?;
    let starting = worker::start_distributed(props);
    let worker = tokio::select! {
        worker = starting => worker?,
        () = signals.any() => return Ok(()),
    };
    info!(rest = %worker.url(), "worker started");
    let outcome = worker.until(&mut signals).await;
    signals.end_at_once();
    worker.stop().await;
    outcome
}

/// `milena standalone`.
pub(crate) async fn standalone(options: cli::Standalone) -> Result<(), Exit> {
    let mut signals = Signals::take()?;
    let props = properties::worker(&options.worker)?;
    let connectors: Vec<Props> = options
        .connectors
        .iter()
        .map(|path| properties::connector(path))
        .collect::<Result<_, _>>()?;
    let starting = worker::start_standalone(props, connectors);
    let worker = tokio::select! {
        worker = starting => worker?,
        () = signals.any() => return Ok(()),
    };
    info!(rest = %worker.url(), "worker started");
    let outcome = worker.until(&mut signals).await;
    signals.end_at_once();
    worker.stop().await;
    outcome
}

/// The embedded broker on loopback, on this port or, when it is taken, on a free one.
pub(crate) async fn embedded(data: &Path, port: u16) -> Result<RunningBroker, Exit> {
    std::fs::create_dir_all(data).map_err(|error| {
        Exit::cannot_start(format!(
            "cannot write to {}: {error}; choose another --dir",
            data.display()
        ))
    })?;
    let start = |port| {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut config = BrokerConfig::new(data, listen);
        // The worker is in this process: what it left open when it was killed can only be aborted.
        config.abort_transactions_at_start = true;
        Broker::start(config)
    };
    match start(port).await {
        Err(StartError::Listen { .. }) => start(0).await.map_err(Exit::cannot_start),
        started => started.map_err(Exit::cannot_start),
    }
}
