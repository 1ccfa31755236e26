//! Starts a distributed worker: settings, cluster, actor at once; topics and group in the background, so that REST
//! can answer while they are read (spec `rest-and-config.md` 13.13).

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use milena_config::Props;
use milena_core::{
    cluster::SessionKey,
    herder::{DistributedHerder, ExactlyOnceMode, TopicRecord},
};
use milena_kafka::ports::{Admin, ClientProps, InRecord, KafkaClients};
use milena_registry::Registry;
use milena_rest_model::{KAFKA_VERSION, LeaderPort, PluginPort};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info, warn};

use super::{
    DistributedSettings, LoggerLevels, Resolver, StartError, WorkerHandle,
    appender::Appender,
    client_props,
    config_writer::ConfigWriter,
    connector_offsets::TopicStores,
    coordinator_metrics::MeasuredGroup,
    handle::HerderClient,
    hosts::{Hosts, News},
    internal_topics::prepare_internal_topics,
    kafka_offsets::KafkaOffsets,
    kafka_surroundings::KafkaSurroundings,
    metrics::WorkerMetrics,
    port::WorkerPort,
    shell::Shell,
    status_writer::StatusWriter,
    topic_log::{OnRecords, TopicLog},
};
use crate::{
    group_net::GroupNet,
    lease::Lease,
    task::{ExactlyOnce, TaskMetricsBook, TaskWorld},
};

/// News that may wait for the actor; hosts wait when it is full.
pub(super) const NEWS: usize = 4096;
/// Requests that only look and may wait; each is answered by one step.
pub(super) const LOOKS: usize = 64;
/// How long the cluster is asked before the log says that it does not answer.
const ASK_FOR: Duration = Duration::from_secs(5);
/// Answers of the network that may wait.
const NETWORK: usize = 64;

/// What a worker is made of.
pub struct WorkerDeps {
    /// The worker's configuration, variables resolved.
    pub props: Props,
    /// Makes Kafka clients.
    pub clients: Arc<dyn KafkaClients>,
    /// The plugins.
    pub registry: Arc<Registry>,
    /// The URL under which other workers reach this one, with a slash at its end.
    pub advertised_url: String,
    /// The plugins as REST sees them; validates configurations.
    pub plugins: Arc<dyn PluginPort>,
    /// Carries internal requests to other workers; `None`: this worker cannot be a follower with connectors.
    pub leader: Option<Arc<dyn LeaderPort>>,
    /// Takes logger levels that were set for the whole cluster.
    pub loggers: Option<Arc<dyn LoggerLevels>>,
}

/// A worker in distributed mode.
pub struct DistributedWorker;

impl DistributedWorker {
    /// Starts a worker. Reaching the cluster, reading the topics and joining the group go on: a cluster that is away is
    /// waited for.
    ///
    /// # Errors
    /// A setting does not fit. Later failures come by [`WorkerHandle::failed`].
    pub async fn start(deps: WorkerDeps) -> Result<WorkerHandle, StartError> {
        let settings = DistributedSettings::parse(&deps.props)?;
        let resolver = Resolver::new(&deps.props, &deps.registry)?;
        let admin_props = client_props::base(&deps.props, &settings.client_id_of("shared-admin"));
        let admin = deps.clients.admin(&admin_props).await;
        let admin = admin.map_err(StartError::Client)?;
        let cluster_id = Arc::new(OnceLock::new());

        let offsets = Arc::new(KafkaOffsets::new(&settings.offset_topic.name));
        let stores = TopicStores::new(
            Arc::clone(&offsets),
            Arc::clone(&deps.clients),
            deps.props.clone(),
            settings.offset_topic.clone(),
            settings.exactly_once == ExactlyOnceMode::Enabled,
        );
        let metrics = Arc::new(TaskMetricsBook::new(settings.common.metrics));
        let (news, received) = mpsc::channel(NEWS);
        let (looks, asked) = mpsc::channel(LOOKS);
        let hosts = Arc::new(Hosts {
            registry: Arc::clone(&deps.registry),
            resolver,
            world: Arc::new(TaskWorld {
                clients: Arc::clone(&deps.clients),
                registry: Arc::clone(&deps.registry),
                worker_props: deps.props.clone(),
                group_id: Some(settings.group_id.clone()),
                offset_flush_interval: settings.common.offset_flush_interval,
                offset_flush_timeout: settings.common.offset_flush_timeout,
                call_limit: settings.common.call_limit,
                topic_creation: settings.common.topic_creation,
                exactly_once: match settings.exactly_once {
                    ExactlyOnceMode::Enabled => ExactlyOnce::On,
                    _ => ExactlyOnce::Off,
                },
                lease: Arc::new(Lease::since(Instant::now())),
                metrics: Arc::clone(&metrics),
            }),
            stores: Arc::new(stores),
            graceful_stop: settings.common.graceful_stop,
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
        let worker_id = worker_id(&deps.advertised_url);
        let herder = DistributedHerder::new(
            settings.herder(&worker_id),
            settings.group(&deps.advertised_url),
        );
        let (session_key, signing_key) = watch::channel(None);
        let (shell, glimpse) = Shell::new(herder, Arc::clone(&hosts), session_key);
        let (ready, surroundings) = oneshot::channel();
        let actor = tokio::spawn(shell.run(received, asked, surroundings));
        let (fail, failure) = watch::channel(None);
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
            standalone: false,
        });
        let opening = Opening {
            deps,
            settings,
            admin,
            hosts,
            offsets,
            signing_key,
            cluster_id: Arc::clone(&cluster_id),
        };
        tokio::spawn(async move {
            match opening.open().await {
                // An actor that is gone was stopped meanwhile.
                Ok(surroundings) => drop(ready.send(surroundings)),
                Err(failed) => {
                    error!(error = %failed, "the worker cannot start");
                    fail.send_replace(Some(Arc::new(failed)));
                }
            }
        });
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

/// `host:port` of an advertised URL.
pub(super) fn worker_id(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest).to_owned()
}

/// What opening the topics and the group takes.
struct Opening {
    deps: WorkerDeps,
    settings: DistributedSettings,
    admin: Arc<dyn Admin>,
    hosts: Arc<Hosts>,
    offsets: Arc<KafkaOffsets>,
    signing_key: watch::Receiver<Option<SessionKey>>,
    cluster_id: Arc<OnceLock<String>>,
}

impl Opening {
    /// Waits for the cluster and says so; ends with an error that waiting does not mend.
    async fn reach_cluster(&self) -> Result<(), StartError> {
        loop {
            let asked = tokio::time::timeout(ASK_FOR, self.admin.cluster_id()).await;
            let error = match asked {
                Ok(Ok(id)) => {
                    // Set once: this is the only place.
                    let _ = self.cluster_id.set(id);
                    return Ok(());
                }
                Ok(Err(error)) if !error.is_retriable() => return Err(StartError::Cluster(error)),
                Ok(Err(error)) => error.message,
                Err(_) => format!("no answer within {} s", ASK_FOR.as_secs()),
            };
            warn!(
                bootstrap = self.deps.props.get("bootstrap.servers"),
                error, "the cluster cannot be reached yet; waiting for it"
            );
        }
    }

    async fn open(self) -> Result<KafkaSurroundings, StartError> {
        self.reach_cluster().await?;
        let settings = &self.settings;
        let topics = [
            &settings.offset_topic,
            &settings.status_topic,
            &settings.config_topic,
        ];
        let mut partitions = prepare_internal_topics(&self.admin, &topics)
            .await?
            .into_iter();
        let mut next = || partitions.next().unwrap_or_default();
        let (offset, status, config) = (next(), next(), next());
        // The three topics have nothing to do with each other: they are opened and read at the same time.
        let (offsets, statuses, (config_log, config_writer)) = tokio::try_join!(
            self.open_offsets(offset),
            self.open_statuses(status),
            self.open_config(config)
        )?;
        let () = offsets;
        let config_log = Arc::new(config_log);
        // Set once: this is the only place.
        let _ = self.hosts.config_log.set(Arc::clone(&config_log));
        let net = self.open_group().await?;
        info!("the internal topics have been read to their ends");
        Ok(KafkaSurroundings {
            net,
            config_log,
            config_writer: Arc::new(config_writer),
            statuses,
            leader: self.deps.leader,
            loggers: self.deps.loggers,
            plugins: self.deps.plugins,
            key_bytes: self.settings.key_bytes,
            session_key: self.signing_key,
            hosts: self.hosts,
        })
    }

    async fn open_offsets(&self, partitions: Vec<i32>) -> Result<(), StartError> {
        let client_id = self.settings.client_id_of("offsets");
        let committed = self.settings.exactly_once == ExactlyOnceMode::Enabled;
        let reader = client_props::log_reader(&self.deps.props, &client_id, committed);
        let writer = client_props::log_writer(&self.deps.props, &client_id);
        let (clients, admin) = (self.deps.clients.as_ref(), Arc::clone(&self.admin));
        let opened = self
            .offsets
            .open_log(clients, admin, partitions, &reader, &writer);
        opened.await.map_err(StartError::Client)?;
        let read = self.offsets.read_first().await;
        read.map_err(|_| StartError::NotRead)
    }

    async fn open_statuses(&self, partitions: Vec<i32>) -> Result<StatusWriter, StartError> {
        let client_id = self.settings.client_id_of("statuses");
        let topic: Arc<str> = self.settings.status_topic.name.as_str().into();
        let on_records = self.news_of(News::StatusRecords);
        let log = self
            .read_log(
                Arc::clone(&topic),
                partitions,
                &client_id,
                false,
                on_records,
            )
            .await?;
        let props = client_props::status_writer(&self.deps.props, &client_id);
        Ok(StatusWriter::start(
            self.appender(&props).await?,
            topic,
            log,
        ))
    }

    async fn open_config(
        &self,
        partitions: Vec<i32>,
    ) -> Result<(TopicLog, ConfigWriter), StartError> {
        let client_id = self.settings.client_id_of("configs");
        let topic: Arc<str> = self.settings.config_topic.name.as_str().into();
        let on_records = self.news_of(News::ConfigRecords);
        let committed = self.settings.exactly_once == ExactlyOnceMode::Enabled;
        let log = self
            .read_log(
                Arc::clone(&topic),
                partitions,
                &client_id,
                committed,
                on_records,
            )
            .await?;
        let props = client_props::log_writer(&self.deps.props, &client_id);
        let writer = ConfigWriter {
            clients: Arc::clone(&self.deps.clients),
            topic,
            plain: self.appender(&props).await?,
            leader_props: client_props::leader_writer(
                &self.deps.props,
                &self.settings.client_id_of("configs-leader"),
                &self.settings.group_id,
            ),
            leader: tokio::sync::Mutex::new(None),
        };
        Ok((log, writer))
    }

    async fn open_group(&self) -> Result<GroupNet, StartError> {
        let client_id = match self.settings.client_id.as_str() {
            "" => format!("connect-{}", worker_id(&self.deps.advertised_url)),
            client_id => client_id.to_owned(),
        };
        let props = client_props::base(&self.deps.props, &client_id);
        let clients = &self.deps.clients;
        let channel = clients.worker_group(&props, &self.settings.group_id).await;
        let (inputs, mut answers) = mpsc::channel(NETWORK);
        let hosts = Arc::clone(&self.hosts);
        tokio::spawn(async move {
            while let Some(input) = answers.recv().await {
                hosts.send(News::Network(input)).await;
            }
        });
        let channel = MeasuredGroup {
            channel: channel.map_err(StartError::Client)?,
            metrics: Arc::clone(&self.hosts.metrics.coordinator),
        };
        Ok(GroupNet::new(Arc::new(channel), "connect", inputs))
    }

    async fn appender(&self, props: &ClientProps) -> Result<Appender, StartError> {
        let appender = Appender::open(self.deps.clients.as_ref(), props).await;
        appender.map_err(StartError::Client)
    }

    /// Opens a log and reads it to its end.
    async fn read_log(
        &self,
        topic: Arc<str>,
        partitions: Vec<i32>,
        client_id: &str,
        read_committed: bool,
        on_records: OnRecords,
    ) -> Result<TopicLog, StartError> {
        let props = client_props::log_reader(&self.deps.props, client_id, read_committed);
        let fetcher = self.deps.clients.fetcher(&props).await;
        let fetcher = fetcher.map_err(StartError::Client)?;
        let admin = Arc::clone(&self.admin);
        let log = TopicLog::open(topic, partitions, fetcher, admin, on_records).await;
        let log = log.map_err(StartError::Client)?;
        match log.read_to_end().await {
            true => Ok(log),
            false => Err(StartError::NotRead),
        }
    }

    fn news_of(&self, kind: fn(Vec<TopicRecord>) -> News) -> OnRecords {
        let hosts = Arc::clone(&self.hosts);
        Box::new(move |records| {
            let hosts = Arc::clone(&hosts);
            let records = records.into_iter().map(topic_record).collect();
            async move { hosts.send(kind(records)).await }.boxed()
        })
    }
}

fn topic_record(record: InRecord) -> TopicRecord {
    TopicRecord {
        offset: record.offset,
        key: record.key.map(Into::into),
        value: record.value.map(Into::into),
    }
}
