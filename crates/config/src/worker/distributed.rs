//! A worker of a cluster (`DistributedConfig`, spec 8.4).

use std::time::Duration;

use super::{
    WorkerConfig,
    common::under,
    common_def,
    keys::{High, Int, List, Long, Low, Medium, Null, Required, Short, String as Str, Text, key},
    sasl_def,
};
use crate::{ConfigDef, ConfigError, ConfigValue, ParsedConfig, Props, Validator};

/// `exactly.once.source.support` (KIP-618).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExactlyOnceSource {
    /// Off.
    Disabled,
    /// The leader writes in transactions; tasks are as before.
    Preparing,
    /// Source tasks are exactly-once.
    Enabled,
}

/// `connect.protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectProtocol {
    /// Protocol v0: everything stops for a rebalance.
    Eager,
    /// v1: incremental.
    Compatible,
    /// v2: incremental, internal requests are signed.
    Sessioned,
}

/// One of the three internal topics.
#[derive(Clone, Debug)]
pub struct InternalTopic {
    /// Its name.
    pub name: String,
    /// The number of partitions when it is created; `None`: the broker's default.
    pub partitions: Option<i32>,
    /// The replication factor when it is created; `None`: the broker's default.
    pub replication_factor: Option<i16>,
    /// Topic-level settings for its creation. `cleanup.policy` is always `compact` and never in here.
    pub settings: Props,
}

/// The settings of a distributed worker. Defaults are Java's.
#[derive(Clone, Debug)]
pub struct DistributedConfig {
    /// What both modes have.
    pub worker: WorkerConfig,
    /// `group.id`.
    pub group_id: String,
    /// `client.id`, empty when unset.
    pub client_id: String,
    /// `session.timeout.ms`.
    pub session_timeout: Duration,
    /// `rebalance.timeout.ms`.
    pub rebalance_timeout: Duration,
    /// `heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// `exactly.once.source.support`.
    pub exactly_once: ExactlyOnceSource,
    /// `connect.protocol`.
    pub protocol: ConnectProtocol,
    /// `scheduled.rebalance.max.delay.ms`.
    pub scheduled_rebalance_max_delay: Duration,
    /// `worker.sync.timeout.ms`.
    pub worker_sync_timeout: Duration,
    /// `worker.unsync.backoff.ms`.
    pub worker_unsync_backoff: Duration,
    /// `request.timeout.ms`.
    pub request_timeout: Duration,
    /// `retry.backoff.ms`.
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`.
    pub retry_backoff_max: Duration,
    /// `metadata.max.age.ms`.
    pub metadata_max_age: Duration,
    /// `config.storage.*`; always one partition.
    pub config_topic: InternalTopic,
    /// `offset.storage.*`.
    pub offset_topic: InternalTopic,
    /// `status.storage.*`.
    pub status_topic: InternalTopic,
    /// `inter.worker.key.ttl.ms`; zero: no rotation by time.
    pub key_ttl: Duration,
    /// `inter.worker.key.generation.algorithm`.
    pub key_algorithm: String,
    /// `inter.worker.key.size` in bits, when set.
    pub key_size: Option<u32>,
    /// `inter.worker.signature.algorithm`.
    pub signature_algorithm: String,
    /// `inter.worker.verification.algorithms`.
    pub verification_algorithms: Vec<String>,
    /// Keys that nobody defines, in order; to be logged by name, never by value.
    pub unknown: Vec<String>,
}

/// The MAC algorithms that session keys and signatures may use.
pub const MAC_ALGORITHMS: &[&str] = &["HmacSHA1", "HmacSHA256", "HmacSHA384", "HmacSHA512"];

/// The shortest session key that Java makes.
const KEY_BITS_MIN: i64 = 40;

fn algorithm(name: &str, text: &str) -> Result<(), ConfigError> {
    if MAC_ALGORITHMS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(text))
    {
        return Ok(());
    }
    let reason = format!(
        "the algorithm is not supported by this JVM; the supported algorithms are: [{}]",
        MAC_ALGORITHMS.join(", ")
    );
    Err(ConfigError::invalid(name, text, &reason))
}

/// The keys of a distributed worker.
#[must_use]
pub fn distributed_def() -> ConfigDef {
    let mac = || Validator::new(|name, value| algorithm(name, value.as_str().unwrap_or_default()));
    let macs = Validator::new(|name, value| match value {
        ConfigValue::List(items) if !items.is_empty() => {
            items.iter().try_for_each(|one| algorithm(name, one))
        }
        _ => Err(ConfigError::invalid(
            name,
            &value.to_message(),
            "At least one signature verification algorithm must be provided",
        )),
    });
    let count = |reason: &'static str| {
        Validator::new(move |name, value| match value.as_f64() {
            Some(n) if n < 1.0 && n.to_bits() != (-1.0_f64).to_bits() => {
                Err(ConfigError::invalid(name, &value.to_message(), reason))
            }
            _ => Ok(()),
        })
    };
    let partitions =
        || count("Number of partitions must be positive, or -1 to use the broker's default");
    let replicas = || {
        count(
            "Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, \
             or -1 to use the broker's default",
        )
    };
    let protocol =
        Validator::new(
            |name, value| match parse_protocol(value.as_str().unwrap_or_default()) {
                Some(_) => Ok(()),
                None => Err(ConfigError::invalid(
                    name,
                    &value.to_message(),
                    "Invalid Connect protocol compatibility",
                )),
            },
        );
    let least = Validator::at_least;
    let span = || Validator::between(0, i32::MAX);
    let factor =
        "How many brokers keep a copy of the topic when it is created; -1: the broker's default.";
    let parts =
        "The number of partitions of the topic when it is created; -1: the broker's default.";
    common_def()
        .define(key("group.id", Str, Required, High, "The name of the cluster of workers; its own, not that of a consumer group."))
        .define(key("session.timeout.ms", Int, Text("10000"), High, "After how long without a heartbeat a worker is held to be gone, in milliseconds."))
        .define(key("rebalance.timeout.ms", Int, Text("60000"), High, "How long workers have to rejoin in a rebalance, in milliseconds."))
        .define(key("heartbeat.interval.ms", Int, Text("3000"), High, "The time between heartbeats, in milliseconds."))
        .define(key("exactly.once.source.support", Str, Text("disabled"), High, "Whether source tasks write exactly once: disabled, preparing or enabled.").validator(Validator::one_of_ignoring_case(&["disabled", "enabled", "preparing"])))
        .define(key("metadata.max.age.ms", Long, Text("300000"), Low, "After how long metadata is fetched again, in milliseconds.").validator(least(0)))
        .define(key("client.id", Str, Text(""), Low, "A name for this worker in the broker's logs and quotas."))
        .define(key("send.buffer.bytes", Int, Text("131072"), Medium, "The size of the send buffer; -1: the system's.").validator(least(-1)))
        .define(key("receive.buffer.bytes", Int, Text("32768"), Medium, "The size of the receive buffer; -1: the system's.").validator(least(-1)))
        .define(key("reconnect.backoff.ms", Long, Text("50"), Low, "The first pause before a broker is connected to again, in milliseconds.").validator(least(0)))
        .define(key("reconnect.backoff.max.ms", Long, Text("1000"), Low, "The longest pause before a broker is connected to again, in milliseconds.").validator(least(0)))
        .define(key("socket.connection.setup.timeout.ms", Long, Text("10000"), Low, "How long a connection may take to be made at first, in milliseconds.").validator(least(0)))
        .define(key("socket.connection.setup.timeout.max.ms", Long, Text("30000"), Low, "How long a connection may take to be made at most, in milliseconds.").validator(least(0)))
        .define(key("retry.backoff.ms", Long, Text("100"), Low, "The first pause before a request is tried again, in milliseconds.").validator(least(0)))
        .define(key("retry.backoff.max.ms", Long, Text("1000"), Low, "The longest pause before a request is tried again, in milliseconds.").validator(least(0)))
        .define(key("request.timeout.ms", Int, Text("40000"), Medium, "How long a request may take, in milliseconds.").validator(least(0)))
        .define(key("connections.max.idle.ms", Long, Text("540000"), Medium, "After how long an idle connection is closed, in milliseconds."))
        .define(key("security.protocol", Str, Text("PLAINTEXT"), Medium, "How brokers are spoken to: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.").validator(Validator::one_of_ignoring_case(&["SASL_SSL", "PLAINTEXT", "SSL", "SASL_PLAINTEXT"])))
        .extend(&sasl_def())
        .extend(&super::oauth::oauth_def())
        .define(key("worker.sync.timeout.ms", Int, Text("3000"), Medium, "How long a worker that is behind may take to read the config topic before it leaves the group, in milliseconds."))
        .define(key("worker.unsync.backoff.ms", Int, Text("300000"), Medium, "How long such a worker stays away, in milliseconds."))
        .define(key("offset.storage.topic", Str, Required, High, "The topic that keeps the offsets of sources."))
        .define(key("offset.storage.partitions", Int, Text("25"), Low, parts).validator(partitions()))
        .define(key("offset.storage.replication.factor", Short, Text("3"), Low, factor).validator(replicas()))
        .define(key("config.storage.topic", Str, Required, High, "The topic that keeps the configurations of connectors."))
        .define(key("config.storage.replication.factor", Short, Text("3"), Low, factor).validator(replicas()))
        .define(key("status.storage.topic", Str, Required, High, "The topic that keeps the statuses of connectors and tasks."))
        .define(key("status.storage.partitions", Int, Text("5"), Low, parts).validator(partitions()))
        .define(key("status.storage.replication.factor", Short, Text("3"), Low, factor).validator(replicas()))
        .define(key("connect.protocol", Str, Text("sessioned"), Low, "How workers share work: eager, compatible or sessioned.").validator(protocol))
        .define(key("scheduled.rebalance.max.delay.ms", Int, Text("300000"), Low, "How long the work of a lost worker waits for its return, in milliseconds.").validator(span()))
        .define(key("inter.worker.key.ttl.ms", Int, Text("3600000"), Low, "How long a session key is used, in milliseconds; 0: for ever.").validator(span()))
        .define(key("inter.worker.key.generation.algorithm", Str, Text("HmacSHA256"), Low, "The algorithm of session keys.").validator(mac()))
        .define(key("inter.worker.key.size", Int, Null, Low, "The size of session keys in bits; the algorithm's own when unset."))
        .define(key("inter.worker.signature.algorithm", Str, Text("HmacSHA256"), Low, "The algorithm with which internal requests are signed.").validator(mac()))
        .define(key("inter.worker.verification.algorithms", List, Text("HmacSHA256"), Low, "The algorithms with which internal requests may be signed.").validator(macs))
        .define(key("metadata.recovery.strategy", Str, Text("rebootstrap"), Low, "What is done when no known broker answers: none or rebootstrap.").validator(Validator::one_of_ignoring_case(&["rebootstrap", "none"])))
        .define(key("metadata.recovery.rebootstrap.trigger.ms", Long, Text("300000"), Low, "After how long without metadata the bootstrap servers are asked again, in milliseconds.").validator(least(0)))
}

fn parse_protocol(text: &str) -> Option<ConnectProtocol> {
    match text.to_lowercase().as_str() {
        "eager" => Some(ConnectProtocol::Eager),
        "compatible" => Some(ConnectProtocol::Compatible),
        "sessioned" => Some(ConnectProtocol::Sessioned),
        _ => None,
    }
}

fn topic(config: &ParsedConfig, props: &Props, prefix: &str) -> InternalTopic {
    let number = |name: &str| {
        config
            .integer(&format!("{prefix}.{name}"))
            .filter(|n| *n > 0)
    };
    let mut settings = under(props, &format!("{prefix}."));
    for fixed in [
        "topic",
        "partitions",
        "replication.factor",
        "cleanup.policy",
        "file.filename",
    ] {
        settings.remove(fixed);
    }
    InternalTopic {
        name: config.text(&format!("{prefix}.topic")),
        partitions: number("partitions").and_then(|n| n.try_into().ok()),
        replication_factor: number("replication.factor").and_then(|n| n.try_into().ok()),
        settings,
    }
}

impl DistributedConfig {
    /// Parses a worker's file whose variables have been resolved.
    ///
    /// # Errors
    /// The first violated rule, with Java's text.
    pub fn parse(props: &Props) -> Result<Self, ConfigError> {
        let def = distributed_def();
        let config = def.parse(props)?;
        let verification = config.list("inter.worker.verification.algorithms").to_vec();
        let signature = config.text("inter.worker.signature.algorithm");
        if !verification.contains(&signature) {
            return Err(ConfigError::invalid(
                "inter.worker.signature.algorithm",
                &signature,
                "Signature algorithm must be present in inter.worker.verification.algorithms list",
            ));
        }
        if let Some(bits) = config
            .integer("inter.worker.key.size")
            .filter(|bits| *bits < KEY_BITS_MIN)
        {
            return Err(ConfigError::new(format!(
                "Unable to create key generator with algorithm {} and key size {bits}: Key length must be at least \
                 {KEY_BITS_MIN} bits",
                config.text("inter.worker.key.generation.algorithm")
            )));
        }
        let mut config_topic = topic(&config, props, "config.storage");
        config_topic.partitions = Some(1);
        Ok(Self {
            worker: WorkerConfig::from_parsed(&config, props)?,
            group_id: config.text("group.id"),
            client_id: config.text("client.id"),
            session_timeout: config.millis("session.timeout.ms"),
            rebalance_timeout: config.millis("rebalance.timeout.ms"),
            heartbeat_interval: config.millis("heartbeat.interval.ms"),
            exactly_once: match config
                .text("exactly.once.source.support")
                .to_lowercase()
                .as_str()
            {
                "enabled" => ExactlyOnceSource::Enabled,
                "preparing" => ExactlyOnceSource::Preparing,
                _ => ExactlyOnceSource::Disabled,
            },
            protocol: parse_protocol(&config.text("connect.protocol"))
                .unwrap_or(ConnectProtocol::Sessioned),
            scheduled_rebalance_max_delay: config.millis("scheduled.rebalance.max.delay.ms"),
            worker_sync_timeout: config.millis("worker.sync.timeout.ms"),
            worker_unsync_backoff: config.millis("worker.unsync.backoff.ms"),
            request_timeout: config.millis("request.timeout.ms"),
            retry_backoff: config.millis("retry.backoff.ms"),
            retry_backoff_max: config.millis("retry.backoff.max.ms"),
            metadata_max_age: config.millis("metadata.max.age.ms"),
            config_topic,
            offset_topic: topic(&config, props, "offset.storage"),
            status_topic: topic(&config, props, "status.storage"),
            key_ttl: config.millis("inter.worker.key.ttl.ms"),
            key_algorithm: config.text("inter.worker.key.generation.algorithm"),
            key_size: config
                .integer("inter.worker.key.size")
                .and_then(|bits| bits.try_into().ok()),
            signature_algorithm: signature,
            verification_algorithms: verification,
            unknown: super::common_unknown(&def, props),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{ConnectProtocol, DistributedConfig, distributed_def};
    use crate::Props;

    pub(crate) fn minimal() -> Props {
        [
            ("group.id", "g"),
            ("key.converter", "JsonConverter"),
            ("key.converter.schemas.enable", "false"),
            ("value.converter", "JsonConverter"),
            ("offset.storage.topic", "o"),
            ("config.storage.topic", "c"),
            ("status.storage.topic", "s"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    #[test]
    fn every_default_of_the_table_parses() {
        let required: Vec<&str> = ["key.converter", "value.converter", "group.id"].into();
        for key in distributed_def().keys() {
            let may_lack =
                required.contains(&key.name.as_str()) || key.name.ends_with(".storage.topic");
            assert_eq!(key.default.is_none(), may_lack, "{}", key.name);
            if let (Some(default), Some(validator)) = (&key.default, &key.validator) {
                validator.check(&key.name, default).unwrap();
            }
        }
    }

    #[test]
    fn a_minimal_file_gives_javas_defaults() {
        let mut props = minimal();
        props.insert("config.storage.replication.factor".into(), "1".into());
        props.insert("config.storage.min.insync.replicas".into(), "2".into());
        props.insert("my.own".into(), "x".into());
        props.insert("producer.acks".into(), "all".into());
        let config = DistributedConfig::parse(&props).unwrap();
        assert_eq!(config.protocol, ConnectProtocol::Sessioned);
        assert_eq!(
            (
                config.config_topic.partitions,
                config.config_topic.replication_factor
            ),
            (Some(1), Some(1))
        );
        assert_eq!(config.config_topic.settings["min.insync.replicas"], "2");
        assert_eq!(config.offset_topic.partitions, Some(25));
        assert_eq!(config.worker.key_converter.props["schemas.enable"], "false");
        assert_eq!(config.worker.key_converter.props["converter.type"], "key");
        assert_eq!(config.unknown, ["my.own"]);
        assert_eq!(
            config.worker.rest.advertised_url(8083, "h"),
            "http://h:8083/"
        );
    }

    #[test]
    fn wrong_files_are_refused_in_javas_words() {
        let said = |name: &str, value: &str| {
            let mut props = minimal();
            props.insert(name.into(), value.into());
            DistributedConfig::parse(&props).unwrap_err().message
        };
        assert_eq!(
            said("listeners", "x"),
            "Listener doesn't have the right format (protocol://hostname:port)."
        );
        assert!(
            said("offset.storage.partitions", "0").ends_with(
                "Number of partitions must be positive, or -1 to use the broker's default"
            )
        );
        assert!(said("connect.protocol", "x").ends_with("Invalid Connect protocol compatibility"));
        let mut props = minimal();
        props.remove("group.id");
        assert_eq!(
            DistributedConfig::parse(&props).unwrap_err().message,
            "Missing required configuration \"group.id\" which has no default value."
        );
    }
}
