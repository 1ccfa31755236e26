//! The settings of Kafka clients that a worker makes (spec 9): later layers override earlier ones.

use super::{DistributedConfig, StandaloneConfig, WorkerConfig, common::under};
use crate::Props;

/// A client made for a connector or a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client<'a> {
    /// The producer of a source task.
    Producer {
        /// `<connector>-<task>`.
        id: &'a str,
    },
    /// The producer of an exactly-once source task.
    ExactlyOnceProducer {
        /// `<connector>-<task>`.
        id: &'a str,
        /// `<group.id>-<connector>-<task>`; a user's own is replaced.
        transactional_id: &'a str,
    },
    /// The consumer of a sink task.
    SinkConsumer {
        /// `<connector>-<task>`.
        id: &'a str,
        /// The connector, of which the group's name is made.
        connector: &'a str,
    },
    /// The admin client of a task.
    Admin {
        /// `<connector>-<task>`, or the connector.
        id: &'a str,
    },
    /// The producer of dead letters.
    DlqProducer {
        /// `<connector>-<task>`.
        id: &'a str,
    },
    /// The producer with which REST changes offsets of a source.
    OffsetProducer {
        /// The connector.
        connector: &'a str,
    },
    /// The admin client with which REST changes offsets of a sink, and with which zombies are fenced.
    WorkerAdmin {
        /// The connector.
        connector: &'a str,
    },
}

/// A client of the worker itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InternalClient {
    /// Of the config topic.
    Configs,
    /// Of the offsets topic.
    Offsets,
    /// Of the status topic.
    Statuses,
    /// The admin client that all three share.
    SharedAdmin,
}

impl InternalClient {
    fn suffix(self) -> &'static str {
        match self {
            Self::Configs => "configs",
            Self::Offsets => "offsets",
            Self::Statuses => "statuses",
            Self::SharedAdmin => "shared-admin",
        }
    }
}

/// Prefixes of keys that are the worker's own business and mean nothing to a Kafka client.
const WORKER_ONLY: &[&str] = &[
    "access.control.",
    "admin.",
    "config.providers",
    "config.storage.",
    "connect.protocol",
    "connector.client.config.",
    "consumer.",
    "exactly.once.source.support",
    "header.converter",
    "inter.worker.",
    "internal.",
    "key.converter",
    "listeners",
    "metric.reporters",
    "metrics.",
    "milena.",
    "offset.flush.",
    "offset.storage.",
    "plugin.",
    "producer.",
    "response.http.",
    "rest.",
    "scheduled.rebalance.",
    "ssl.client.auth",
    "status.storage.",
    "task.shutdown.",
    "topic.creation.",
    "topic.tracking.",
    "value.converter",
    "worker.",
];

/// Keys of the worker's membership, which a client of a topic must not take over.
const MEMBERSHIP: &[&str] = &[
    "group.id",
    "session.timeout.ms",
    "rebalance.timeout.ms",
    "heartbeat.interval.ms",
];

impl WorkerConfig {
    /// The settings of a client for a connector or task; `overrides` are the connector's own for this kind of
    /// client, without their prefix and already allowed by the policy.
    #[must_use]
    pub fn client_props(&self, client: Client<'_>, overrides: &Props) -> Props {
        let mut props = Props::new();
        let mut set = |name: &str, value: &str| {
            props.insert(name.to_owned(), value.to_owned());
        };
        let servers = self.bootstrap_servers.join(",");
        let produce = |set: &mut dyn FnMut(&str, &str)| {
            set("bootstrap.servers", &servers);
            set("max.block.ms", "9223372036854775807");
            set("acks", "all");
            set("max.in.flight.requests.per.connection", "1");
            set("delivery.timeout.ms", "2147483647");
        };
        let prefix = match client {
            Client::Producer { id } => {
                produce(&mut set);
                set("enable.idempotence", "false");
                set("client.id", &format!("connector-producer-{id}"));
                "producer."
            }
            Client::DlqProducer { id } => {
                produce(&mut set);
                set("enable.idempotence", "false");
                set("client.id", &format!("connector-dlq-producer-{id}"));
                "producer."
            }
            Client::OffsetProducer { connector } => {
                produce(&mut set);
                set("enable.idempotence", "false");
                set(
                    "client.id",
                    &format!("connector-offset-producer-{connector}"),
                );
                "producer."
            }
            Client::ExactlyOnceProducer { id, .. } => {
                produce(&mut set);
                set("client.id", &format!("connector-producer-{id}"));
                "producer."
            }
            Client::SinkConsumer { id, connector } => {
                set("bootstrap.servers", &servers);
                set("group.id", &format!("connect-{connector}"));
                set("client.id", &format!("connector-consumer-{id}"));
                set("enable.auto.commit", "false");
                set("auto.offset.reset", "earliest");
                "consumer."
            }
            Client::Admin { id } => {
                set("client.id", &format!("connector-adminclient-{id}"));
                "admin."
            }
            Client::WorkerAdmin { connector } => {
                set(
                    "client.id",
                    &format!("connector-worker-adminclient-{connector}"),
                );
                "admin."
            }
        };
        if prefix == "admin." {
            // The admin client alone sees what the worker's file says without a prefix.
            let own = self.kafka_client_keys();
            props.extend(
                own.into_iter()
                    .filter(|(name, _)| !MEMBERSHIP.contains(&name.as_str())),
            );
            props.insert("bootstrap.servers".to_owned(), servers);
        }
        props.extend(
            under(self.originals(), prefix)
                .into_iter()
                .filter(|(name, _)| !name.starts_with("listeners")),
        );
        props.extend(
            overrides
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        if let Client::ExactlyOnceProducer {
            transactional_id, ..
        } = client
        {
            props.insert("enable.idempotence".to_owned(), "true".to_owned());
            props.insert("transactional.id".to_owned(), transactional_id.to_owned());
        }
        props
    }

    /// The keys of the worker's file that a Kafka client understands, without prefixed ones.
    #[must_use]
    pub fn kafka_client_keys(&self) -> Props {
        let worker_only = |name: &str| WORKER_ONLY.iter().any(|prefix| name.starts_with(prefix));
        let own = self
            .originals()
            .iter()
            .filter(|(name, _)| !worker_only(name));
        own.map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

impl DistributedConfig {
    /// The settings of a client of the worker itself.
    #[must_use]
    pub fn internal_client_props(&self, client: InternalClient) -> Props {
        let mut props = self.worker.kafka_client_keys();
        for name in MEMBERSHIP {
            props.remove(*name);
        }
        props.insert(
            "bootstrap.servers".to_owned(),
            self.worker.bootstrap_servers.join(","),
        );
        let mut id = format!("{}-", self.group_id);
        if !self.client_id.trim().is_empty() {
            id.push_str(&self.client_id);
            id.push('-');
        }
        id.push_str(client.suffix());
        props.insert("client.id".to_owned(), id);
        props
    }

    /// `transactional.id` of an exactly-once source task.
    #[must_use]
    pub fn transactional_id(&self, connector: &str, task: u32) -> String {
        format!("{}-{connector}-{task}", self.group_id)
    }

    /// `transactional.id` of the leader's writer of the config topic.
    #[must_use]
    pub fn leader_transactional_id(&self) -> String {
        format!("connect-cluster-{}", self.group_id)
    }
}

impl StandaloneConfig {
    /// The settings of the worker's own admin client.
    #[must_use]
    pub fn internal_client_props(&self) -> Props {
        let mut props = self.worker.kafka_client_keys();
        props.insert(
            "bootstrap.servers".to_owned(),
            self.worker.bootstrap_servers.join(","),
        );
        props
    }
}

/// Keys of a worker's file that neither a definition nor a prefix with a meaning covers.
pub(super) fn unknown(def: &crate::ConfigDef, props: &Props) -> Vec<String> {
    let prefixes = [
        "producer.",
        "consumer.",
        "admin.",
        "key.converter.",
        "value.converter.",
        "header.converter.",
        "config.providers.",
        "connector.client.config.override.",
        "config.storage.",
        "offset.storage.",
        "status.storage.",
        "listeners.https.",
        "admin.listeners.https.",
        "milena.",
    ];
    let known = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let unknown = def
        .unknown_keys(props)
        .into_iter()
        .filter(|name| !known(name));
    unknown.map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use crate::{DistributedConfig, Props, worker::Client};

    #[test]
    fn layers_override_in_javas_order() {
        let props: Props = [
            ("bootstrap.servers", "b:1"),
            ("group.id", "g"),
            ("key.converter", "JsonConverter"),
            ("value.converter", "JsonConverter"),
            ("offset.storage.topic", "o"),
            ("config.storage.topic", "c"),
            ("status.storage.topic", "s"),
            ("producer.linger.ms", "7"),
            ("producer.acks", "1"),
            ("security.protocol", "SSL"),
            ("admin.retries", "3"),
            ("admin.listeners", "http://:1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let config = DistributedConfig::parse(&props).unwrap();
        let overrides = Props::from([("acks".to_owned(), "0".to_owned())]);
        let producer = config
            .worker
            .client_props(Client::Producer { id: "c-0" }, &overrides);
        assert_eq!(
            (producer["acks"].as_str(), producer["linger.ms"].as_str()),
            ("0", "7")
        );
        assert!(!producer.contains_key("security.protocol"));
        let admin = config
            .worker
            .client_props(Client::Admin { id: "c-0" }, &Props::new());
        assert_eq!(
            (
                admin["security.protocol"].as_str(),
                admin["retries"].as_str()
            ),
            ("SSL", "3")
        );
        assert!(!admin.contains_key("group.id") && !admin.contains_key("listeners"));
        let sink = config.worker.client_props(
            Client::SinkConsumer {
                id: "c-0",
                connector: "c",
            },
            &Props::new(),
        );
        assert_eq!(sink["group.id"], "connect-c");
    }
}
