//! Starts a standalone worker: offsets in a file, everything else in memory (`ConnectStandalone`).

use std::{
    path::Path,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use milena_core::{
    group::{connect::WorkerSettings, membership::Settings, protocol::connect::ConnectProtocol},
    herder::{DistributedHerder, ExactlyOnceMode, HerderSettings},
};
use milena_rest_model::KAFKA_VERSION;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    CommonSettings, Resolver, SettingsError, StartError, WorkerDeps, WorkerHandle, client_props,
    connector_offsets::OneStore,
    distributed::{LOOKS, NEWS, worker_id},
    file_offsets::FileOffsets,
    handle::HerderClient,
    hosts::Hosts,
    memory_surroundings::MemorySurroundings,
    metrics::WorkerMetrics,
    port::WorkerPort,
    shell::Shell,
};
use crate::{
    lease::Lease,
    task::{ExactlyOnce, TaskMetricsBook, TaskWorld},
};

const OFFSET_FILE: &str = "offset.storage.file.filename";

/// A worker in standalone mode.
pub struct StandaloneWorker;

impl StandaloneWorker {
    /// Starts a worker; resolves when the cluster was reached and the offsets were read.
    ///
    /// # Errors
    /// A setting does not fit, the offsets file cannot be used, or the cluster cannot be reached.
    pub async fn start(deps: WorkerDeps) -> Result<WorkerHandle, StartError> {
        let common = CommonSettings::parse(&deps.props)?;
        let file = deps.props.get(OFFSET_FILE).map(|file| file.trim());
        let file = file.filter(|file| !file.is_empty());
        let file = file.ok_or(SettingsError::Missing(OFFSET_FILE))?;
        let resolver = Resolver::new(&deps.props, &deps.registry)?;
        let offsets = FileOffsets::open(Path::new(file)).map_err(StartError::OffsetFile)?;
        let offsets = Arc::new(offsets);
        let admin_props = client_props::base(&deps.props, "connect-shared-admin");
        let admin = deps.clients.admin(&admin_props).await;
        let admin = admin.map_err(StartError::Client)?;
        let cluster_id = admin.cluster_id().await.map_err(StartError::Cluster)?;
        let cluster_id = Arc::new(OnceLock::from(cluster_id));

        let metrics = Arc::new(TaskMetricsBook::new(common.metrics));
        let (news, received) = mpsc::channel(NEWS);
        let (looks, asked) = mpsc::channel(LOOKS);
        let hosts = Arc::new(Hosts {
            registry: Arc::clone(&deps.registry),
            resolver,
            world: Arc::new(TaskWorld {
                clients: Arc::clone(&deps.clients),
                registry: Arc::clone(&deps.registry),
                worker_props: deps.props.clone(),
                group_id: None,
                offset_flush_interval: common.offset_flush_interval,
                offset_flush_timeout: common.offset_flush_timeout,
                call_limit: common.call_limit,
                topic_creation: common.topic_creation,
                exactly_once: ExactlyOnce::Off,
                lease: Arc::new(Lease::since(Instant::now())),
                metrics: Arc::clone(&metrics),
            }),
            stores: Arc::new(OneStore(offsets)),
            graceful_stop: common.graceful_stop,
            news: news.clone(),
            metrics: WorkerMetrics::new(
                worker_id(&deps.advertised_url),
                KAFKA_VERSION,
                Arc::clone(&deps.registry),
                Arc::clone(&deps.clients),
                Arc::clone(&metrics),
            ),
            config_log: OnceLock::new(),
        });
        let herder = DistributedHerder::new(
            herder_settings(&common, &deps.advertised_url),
            group_settings(&deps.advertised_url),
        );
        let (session_key, _) = watch::channel(None);
        let (shell, glimpse) = Shell::new(herder, Arc::clone(&hosts), session_key);
        let client = HerderClient {
            news,
            looks,
            glimpse,
        };
        let port = Arc::new(WorkerPort {
            client: client.clone(),
            plugins: Arc::clone(&deps.plugins),
            hosts: Arc::clone(&hosts),
            cluster_id: Arc::clone(&cluster_id),
            standalone: true,
        });
        let surroundings = MemorySurroundings::new(hosts, deps.plugins, deps.loggers);
        let (ready, surrounded) = oneshot::channel();
        // The actor is not started yet, so it cannot be gone.
        let _ = ready.send(surroundings);
        let actor = tokio::spawn(shell.run(received, asked, surrounded));
        let (_, failure) = watch::channel(None);
        Ok(WorkerHandle {
            client,
            cluster_id,
            actor,
            failure,
            metrics,
            port,
        })
    }
}

fn herder_settings(common: &CommonSettings, url: &str) -> HerderSettings {
    HerderSettings {
        worker_id: worker_id(url),
        group_id: "connect".to_owned(),
        exactly_once: ExactlyOnceMode::Disabled,
        key_ttl: Duration::ZERO,
        key_algorithm: String::new(),
        key_bytes: None,
        topic_tracking: common.topic_tracking,
        topic_tracking_reset: common.topic_tracking_reset,
        rebalance_delay_max: Duration::ZERO,
        task_restarts: common.task_restarts,
    }
}

fn group_settings(url: &str) -> WorkerSettings {
    WorkerSettings {
        // The clock may stand for a while (a suspended machine): nobody else takes over, so nothing lapses.
        membership: Settings {
            session_timeout: Duration::from_secs(u32::MAX.into()),
            rebalance_timeout: Duration::from_secs(u32::MAX.into()),
            heartbeat_interval: Duration::from_secs(3600),
            ..Settings::connect()
        },
        // Without session keys: there is nobody to sign for.
        protocol: ConnectProtocol::Compatible,
        url: url.to_owned(),
        scheduled_rebalance_max_delay: Duration::ZERO,
    }
}
