//! A standalone worker's surroundings: one member in a group of its own, topics in memory. The herder decides as in a
//! cluster, so that both modes behave alike (`StandaloneHerder`, `MemoryConfigBackingStore`, `MemoryStatusBackingStore`).

use std::sync::Arc;

use milena_core::{
    Token,
    cluster::KeyValue,
    group::{
        GenerationId, MemberId,
        membership::{Effect, Input, JoinAnswer, MemberMetadata, Node},
    },
    herder::{HerderEffect, Outcome, TopicRecord},
    status::StatusRecord,
};
use milena_rest_model::PluginPort;
use tokio::sync::mpsc;
use tracing::warn;

use super::{
    LoggerLevels,
    hosts::{Hosts, News},
    port::validate,
    shell::Surroundings,
};

pub(super) struct MemorySurroundings {
    hosts: Arc<Hosts>,
    plugins: Arc<dyn PluginPort>,
    loggers: Option<Arc<dyn LoggerLevels>>,
    /// Keeps the order of what the actor is told; holds no more than one step's effects.
    echoes: mpsc::UnboundedSender<News>,
    offset: i64,
    generation: i32,
}

impl MemorySurroundings {
    pub(super) fn new(
        hosts: Arc<Hosts>,
        plugins: Arc<dyn PluginPort>,
        loggers: Option<Arc<dyn LoggerLevels>>,
    ) -> Self {
        let (echoes, mut received) = mpsc::unbounded_channel();
        let to = Arc::clone(&hosts);
        tokio::spawn(async move {
            while let Some(news) = received.recv().await {
                to.send(news).await;
            }
        });
        Self {
            hosts,
            plugins,
            loggers,
            echoes,
            offset: 0,
            generation: 0,
        }
    }

    fn tell(&self, news: News) {
        // An actor that is gone needs no news.
        let _ = self.echoes.send(news);
    }

    fn done(&self, token: Token) {
        let outcome = Outcome::Done;
        self.tell(News::Outcome { token, outcome });
    }

    fn record(&mut self, record: KeyValue) -> TopicRecord {
        self.offset += 1;
        TopicRecord {
            offset: self.offset,
            key: Some(record.key.into_bytes()),
            value: record.value,
        }
    }
}

impl Surroundings for MemorySurroundings {
    fn network(&mut self, effect: Effect) {
        let node = Node {
            id: 0,
            host: "localhost".to_owned(),
            port: 0,
        };
        let member = MemberId::from("standalone");
        let input = match effect {
            Effect::FindCoordinator { token } => Input::CoordinatorFound {
                token,
                result: Ok(node),
            },
            Effect::Join { token, request, .. } => {
                self.generation = self.generation.wrapping_add(1);
                let Some(offered) = request.protocols.into_iter().next() else {
                    return;
                };
                let joined = JoinAnswer::Joined {
                    generation: GenerationId(self.generation),
                    protocol: offered.name,
                    leader: member.clone(),
                    member: member.clone(),
                    members: vec![MemberMetadata {
                        member,
                        instance: None,
                        metadata: offered.metadata,
                    }],
                };
                Input::Joined {
                    token,
                    result: Ok(joined),
                }
            }
            Effect::Sync {
                token, assignments, ..
            } => Input::Synced {
                token,
                result: Ok(assignments
                    .into_iter()
                    .next()
                    .map_or(Vec::new(), |(_, own)| own)),
            },
            Effect::Heartbeat { token, .. } => Input::HeartbeatAnswered {
                token,
                result: Ok(()),
            },
            Effect::Leave { token, .. } => Input::LeaveAnswered {
                token,
                result: Ok(()),
            },
            odd => {
                warn!(?odd, "an effect of the membership that no request answers");
                return;
            }
        };
        self.tell(News::Network(input));
    }

    fn write_config(&mut self, token: Token, records: Vec<KeyValue>, _transactional: bool) {
        let records = records
            .into_iter()
            .map(|record| self.record(record))
            .collect();
        self.tell(News::ConfigRecords(records));
        self.done(token);
    }

    fn read_config_to_end(&mut self, token: Token) {
        // Everything written was told before.
        self.done(token);
    }

    fn claim(&mut self, token: Token) {
        self.done(token);
    }

    fn write_status(&mut self, record: &StatusRecord) {
        let record = self.record(record.encode());
        // Statuses have offsets of their own; the config offset must not move.
        self.offset -= 1;
        self.tell(News::StatusRecords(vec![record]));
    }

    fn flush_status(&mut self, token: Token) {
        self.done(token);
    }

    fn session_key(&mut self, token: Token) {
        // Nobody asks: the group is not sessioned.
        self.done(token);
    }

    fn other(&mut self, effect: HerderEffect) {
        match effect {
            HerderEffect::Validate { token, config, .. } => {
                let (plugins, hosts) = (Arc::clone(&self.plugins), Arc::clone(&self.hosts));
                tokio::spawn(async move {
                    let valid = validate(plugins.as_ref(), &config).await;
                    let outcome = valid.map_or_else(Outcome::Refused, |()| Outcome::Done);
                    hosts.outcome(token, outcome).await;
                });
            }
            HerderEffect::SetLoggerLevel { namespace, level } => {
                if let Some(loggers) = &self.loggers {
                    loggers.set_level(&namespace, &level);
                }
            }
            HerderEffect::SendTaskConfigs { token, .. }
            | HerderEffect::AskForFencing { token, .. }
            | HerderEffect::FenceProducers { token, .. } => self.done(token),
            own => warn!(?own, "an effect that is the actor's own"),
        }
    }
}
