//! A distributed worker's surroundings: internal topics, group, other workers.

use std::{sync::Arc, time::Duration};

use base64::Engine;
use milena_config::Secret;
use milena_core::{
    ConnectorName, Token,
    cluster::{KeyValue, RawProps, SessionKey},
    group::membership::Effect,
    herder::{HerderEffect, Outcome},
    status::StatusRecord,
};
use milena_kafka::ports::KafkaErrorKind;
use milena_rest_model::{LeaderPort, PluginPort};
use rand::RngCore;
use tracing::warn;

use super::{
    client_props,
    config_writer::ConfigWriter,
    hosts::Hosts,
    port::{request_error, validate},
    shell::Surroundings,
    status_writer::StatusWriter,
    topic_log::TopicLog,
};
use crate::group_net::GroupNet;

/// How long one read to the end of the config topic may take (`worker.sync.timeout.ms` is for catching up in a
/// rebalance; the budget of a write holds for reading it back).
const READ_WITHIN: Duration = Duration::from_secs(30);
/// How long statuses are waited for before the group goes on.
const FLUSH_WITHIN: Duration = Duration::from_secs(5);
/// How long a round of fencing may take (spec `distributed.md` 3.5).
const FENCE_WITHIN: Duration = Duration::from_secs(90);
/// What Java's generator gives for HmacSHA256 when no size is set.
const KEY_BYTES: usize = 32;

/// Sets loggers of this worker.
pub trait LoggerLevels: Send + Sync {
    /// Sets the level of a logger and of all below it.
    fn set_level(&self, namespace: &str, level: &str);
}

pub(super) struct KafkaSurroundings {
    pub(super) hosts: Arc<Hosts>,
    pub(super) net: GroupNet,
    pub(super) config_log: Arc<TopicLog>,
    pub(super) config_writer: Arc<ConfigWriter>,
    pub(super) statuses: StatusWriter,
    pub(super) leader: Option<Arc<dyn LeaderPort>>,
    pub(super) loggers: Option<Arc<dyn LoggerLevels>>,
    pub(super) plugins: Arc<dyn PluginPort>,
    pub(super) key_bytes: Option<usize>,
    /// The session key as last read, for signing.
    pub(super) session_key: tokio::sync::watch::Receiver<Option<SessionKey>>,
}

impl KafkaSurroundings {
    /// Begins something that ends with an outcome.
    fn begin(&self, token: Token, work: impl Future<Output = Outcome> + Send + 'static) {
        let hosts = Arc::clone(&self.hosts);
        tokio::spawn(async move {
            let outcome = work.await;
            hosts.outcome(token, outcome).await;
        });
    }

    /// The bytes of the session key as last read.
    fn signing_key(&self) -> Option<Secret<Vec<u8>>> {
        let key = self.session_key.borrow();
        let engine = base64::engine::general_purpose::STANDARD;
        engine.decode(&key.as_ref()?.base64).ok().map(Secret::new)
    }

    fn send_task_configs(
        &self,
        token: Token,
        url: String,
        name: ConnectorName,
        configs: Vec<RawProps>,
    ) {
        let (leader, key) = (self.leader.clone(), self.signing_key());
        self.begin(token, async move {
            let Some(leader) = leader else {
                return no_leader_port();
            };
            let sent = leader
                .put_task_configs(&url, name.as_str(), configs, key)
                .await;
            told(sent.map_err(request_error))
        });
    }

    fn ask_for_fencing(&self, token: Token, url: String, name: ConnectorName) {
        let (leader, key) = (self.leader.clone(), self.signing_key());
        self.begin(token, async move {
            let Some(leader) = leader else {
                return no_leader_port();
            };
            let fenced = leader.fence_zombies(&url, name.as_str(), key).await;
            told(fenced.map_err(request_error))
        });
    }

    fn fence(&self, token: Token, name: ConnectorName, config: Arc<RawProps>, ids: Vec<String>) {
        let hosts = Arc::clone(&self.hosts);
        self.begin(token, async move {
            let resolved = match hosts.resolver.resolve(&config).await {
                Ok(resolved) => resolved,
                Err(error) => return Outcome::Failed(error.to_string()),
            };
            let client_id = format!("connector-worker-adminclient-{name}");
            let props =
                client_props::connector_admin(&hosts.world.worker_props, &resolved, &client_id);
            let fenced = async {
                let admin = hosts.world.clients.admin(&props).await?;
                admin.fence_producers(&ids, FENCE_WITHIN).await
            };
            match fenced.await {
                Ok(()) => Outcome::Done,
                Err(error) if error.kind == KafkaErrorKind::Unknown => Outcome::Unknown,
                Err(error) => Outcome::Failed(error.message),
            }
        });
    }

    fn validate(&self, token: Token, config: RawProps) {
        let plugins = Arc::clone(&self.plugins);
        self.begin(token, async move {
            told(validate(plugins.as_ref(), &config).await)
        });
    }
}

fn told(result: Result<(), milena_core::herder::RequestError>) -> Outcome {
    result.map_or_else(Outcome::Refused, |()| Outcome::Done)
}

fn no_leader_port() -> Outcome {
    Outcome::Failed("this worker cannot send requests to other workers".to_owned())
}

impl Surroundings for KafkaSurroundings {
    fn network(&mut self, effect: Effect) {
        if let Some(odd) = self.net.execute(effect) {
            warn!(
                ?odd,
                "an effect of the membership that no network request answers"
            );
        }
    }

    fn write_config(&mut self, token: Token, records: Vec<KeyValue>, transactional: bool) {
        let writer = Arc::clone(&self.config_writer);
        self.begin(
            token,
            async move { writer.write(records, transactional).await },
        );
    }

    fn read_config_to_end(&mut self, token: Token) {
        let log = Arc::clone(&self.config_log);
        self.begin(token, async move {
            match tokio::time::timeout(READ_WITHIN, log.read_to_end()).await {
                Ok(true) => Outcome::Done,
                Ok(false) => Outcome::Failed("the reader of the config topic is gone".to_owned()),
                Err(_) => Outcome::Unknown,
            }
        });
    }

    fn claim(&mut self, token: Token) {
        let writer = Arc::clone(&self.config_writer);
        self.begin(token, async move { writer.claim().await });
    }

    fn write_status(&mut self, record: &StatusRecord) {
        self.statuses.write(record);
    }

    fn flush_status(&mut self, token: Token) {
        let statuses = self.statuses.clone();
        self.begin(token, async move {
            match tokio::time::timeout(FLUSH_WITHIN, statuses.flush()).await {
                Ok(()) => Outcome::Done,
                Err(_) => Outcome::Unknown,
            }
        });
    }

    fn session_key(&mut self, token: Token) {
        let mut key = vec![0_u8; self.key_bytes.unwrap_or(KEY_BYTES)];
        rand::rng().fill_bytes(&mut key);
        let base64 = base64::engine::general_purpose::STANDARD.encode(key);
        self.begin(token, async move { Outcome::SessionKey(base64) });
    }

    fn other(&mut self, effect: HerderEffect) {
        match effect {
            HerderEffect::SendTaskConfigs {
                token,
                leader_url,
                name,
                configs,
            } => self.send_task_configs(token, leader_url, name, configs),
            HerderEffect::AskForFencing {
                token,
                leader_url,
                name,
            } => self.ask_for_fencing(token, leader_url, name),
            HerderEffect::FenceProducers {
                token,
                name,
                config,
                transactional_ids,
            } => self.fence(token, name, config, transactional_ids),
            HerderEffect::Validate { token, config, .. } => self.validate(token, config),
            HerderEffect::SetLoggerLevel { namespace, level } => {
                if let Some(loggers) = &self.loggers {
                    loggers.set_level(&namespace, &level);
                }
            }
            own => warn!(?own, "an effect that is the actor's own"),
        }
    }
}
