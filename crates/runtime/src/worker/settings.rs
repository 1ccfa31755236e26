//! A worker's settings, parsed once (spec `rest-and-config.md` 8.1, 8.4, 8.6).

use std::time::Duration;

use milena_config::Props;
use milena_core::{
    group::{connect::WorkerSettings, membership::Settings, protocol::connect::ConnectProtocol},
    herder::{ExactlyOnceMode, HerderSettings, TaskRestarts},
};
use milena_telemetry::metrics::Windows;

/// A setting that does not fit; the text is Java's where Java has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A required setting is missing.
    #[error("Missing required configuration \"{0}\" which has no default value.")]
    Missing(&'static str),
    /// A value cannot be read or is out of range.
    #[error("Invalid value {value} for configuration {key}: {reason}")]
    Invalid {
        /// The setting.
        key: &'static str,
        /// Its value.
        value: String,
        /// The rule it breaks.
        reason: String,
    },
}

/// What both kinds of worker have.
#[derive(Clone, Debug)]
pub struct CommonSettings {
    /// `task.shutdown.graceful.timeout.ms`: one deadline for all that is stopped together.
    pub graceful_stop: Duration,
    /// `offset.flush.interval.ms`.
    pub offset_flush_interval: Duration,
    /// `offset.flush.timeout.ms`.
    pub offset_flush_timeout: Duration,
    /// `topic.creation.enable`.
    pub topic_creation: bool,
    /// `topic.tracking.enable`.
    pub topic_tracking: bool,
    /// `topic.tracking.allow.reset`.
    pub topic_tracking_reset: bool,
    /// `metrics.sample.window.ms`, `metrics.num.samples`.
    pub metrics: Windows,
    /// `milena.task.restart.policy`.
    pub task_restarts: Option<TaskRestarts>,
    /// `milena.task.call.timeout.ms`; `None`: no limit.
    pub call_limit: Option<Duration>,
}

/// One of the three internal topics.
#[derive(Clone, Debug)]
pub struct InternalTopic {
    /// The topic.
    pub name: String,
    /// What it is for, in Java's words.
    pub purpose: &'static str,
    /// The setting that names it.
    pub setting: &'static str,
    /// How many partitions it is created with; -1: the broker's default.
    pub partitions: i32,
    /// Its replication factor; -1: the broker's default.
    pub replication_factor: i16,
    /// Topic settings beside `cleanup.policy`.
    pub configs: Props,
}

/// The settings of a distributed worker.
#[derive(Clone, Debug)]
pub struct DistributedSettings {
    /// What both kinds of worker have.
    pub common: CommonSettings,
    /// `group.id`.
    pub group_id: String,
    /// `client.id`.
    pub client_id: String,
    /// The config topic.
    pub config_topic: InternalTopic,
    /// The offsets topic.
    pub offset_topic: InternalTopic,
    /// The status topic.
    pub status_topic: InternalTopic,
    /// `exactly.once.source.support`.
    pub exactly_once: ExactlyOnceMode,
    /// The times and the protocol of the group.
    pub membership: Settings,
    /// `connect.protocol`.
    pub protocol: ConnectProtocol,
    /// `scheduled.rebalance.max.delay.ms`.
    pub rebalance_delay_max: Duration,
    /// `inter.worker.key.ttl.ms`.
    pub key_ttl: Duration,
    /// `inter.worker.key.generation.algorithm`.
    pub key_algorithm: String,
    /// `inter.worker.key.size`, in bytes.
    pub key_bytes: Option<usize>,
}

/// Reads settings from properties.
struct Reader<'a>(&'a Props);

impl Reader<'_> {
    fn text(&self, key: &'static str) -> Option<&str> {
        self.0.get(key).map(|text| text.trim())
    }

    fn required(&self, key: &'static str) -> Result<String, SettingsError> {
        self.text(key)
            .filter(|text| !text.is_empty())
            .map(ToOwned::to_owned)
            .ok_or(SettingsError::Missing(key))
    }

    fn number(&self, key: &'static str, default: i64, min: i64) -> Result<i64, SettingsError> {
        let Some(text) = self.text(key) else {
            return Ok(default);
        };
        let invalid = |reason: String| SettingsError::Invalid {
            key,
            value: text.to_owned(),
            reason,
        };
        let number: i64 = text
            .parse()
            .map_err(|_| invalid("Not a number of type INT".to_owned()))?;
        if number < min {
            return Err(invalid(format!("Value must be at least {min}")));
        }
        Ok(number)
    }

    fn millis(&self, key: &'static str, default: i64) -> Result<Duration, SettingsError> {
        let number = self.number(key, default, 0)?;
        Ok(Duration::from_millis(number.unsigned_abs()))
    }

    fn flag(&self, key: &'static str, default: bool) -> Result<bool, SettingsError> {
        match self.text(key) {
            None => Ok(default),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) => Err(SettingsError::Invalid {
                key,
                value: text.to_owned(),
                reason: "Expected value to be either true or false".to_owned(),
            }),
        }
    }
}

impl CommonSettings {
    /// Reads them.
    ///
    /// # Errors
    /// The first setting that does not fit.
    pub fn parse(props: &Props) -> Result<Self, SettingsError> {
        let read = Reader(props);
        let restarts = match read.text("milena.task.restart.policy") {
            None | Some("off" | "none") => None,
            Some("backoff") => Some(restarts_of(&read)?),
            Some(other) => {
                return Err(SettingsError::Invalid {
                    key: "milena.task.restart.policy",
                    value: other.to_owned(),
                    reason: "String must be one of: off, backoff".to_owned(),
                });
            }
        };
        Ok(Self {
            graceful_stop: read.millis("task.shutdown.graceful.timeout.ms", 5_000)?,
            offset_flush_interval: read.millis("offset.flush.interval.ms", 60_000)?,
            offset_flush_timeout: read.millis("offset.flush.timeout.ms", 5_000)?,
            topic_creation: read.flag("topic.creation.enable", true)?,
            topic_tracking: read.flag("topic.tracking.enable", true)?,
            topic_tracking_reset: read.flag("topic.tracking.allow.reset", true)?,
            metrics: Windows {
                length: read.millis("metrics.sample.window.ms", 30_000)?,
                count: usize::try_from(read.number("metrics.num.samples", 2, 1)?).unwrap_or(2),
            },
            task_restarts: restarts,
            call_limit: Some(read.millis("milena.task.call.timeout.ms", 0)?)
                .filter(|limit| !limit.is_zero()),
        })
    }
}

impl DistributedSettings {
    /// Reads them.
    ///
    /// # Errors
    /// The first setting that does not fit.
    pub fn parse(props: &Props) -> Result<Self, SettingsError> {
        let read = Reader(props);
        let protocol = read.text("connect.protocol").unwrap_or("sessioned");
        let key_bytes = match read.number("inter.worker.key.size", -1, -1)? {
            -1 => None,
            bytes => usize::try_from(bytes).ok(),
        };
        Ok(Self {
            common: CommonSettings::parse(props)?,
            group_id: read.required("group.id")?,
            client_id: read.text("client.id").unwrap_or_default().to_owned(),
            config_topic: InternalTopic {
                partitions: 1,
                ..topic(&read, "config.storage.", CONFIG)?
            },
            offset_topic: topic(&read, "offset.storage.", OFFSET)?,
            status_topic: topic(&read, "status.storage.", STATUS)?,
            exactly_once: exactly_once(&read)?,
            membership: Settings {
                session_timeout: read.millis("session.timeout.ms", 10_000)?,
                heartbeat_interval: read.millis("heartbeat.interval.ms", 3_000)?,
                rebalance_timeout: read.millis("rebalance.timeout.ms", 60_000)?,
                retry_backoff: read.millis("retry.backoff.ms", 100)?,
                retry_backoff_max: read.millis("retry.backoff.max.ms", 1_000)?,
                ..Settings::connect()
            },
            protocol: ConnectProtocol::from_setting(protocol).ok_or_else(|| {
                SettingsError::Invalid {
                    key: "connect.protocol",
                    value: protocol.to_owned(),
                    reason: "Invalid Connect protocol compatibility".to_owned(),
                }
            })?,
            rebalance_delay_max: read.millis("scheduled.rebalance.max.delay.ms", 300_000)?,
            key_ttl: read.millis("inter.worker.key.ttl.ms", 3_600_000)?,
            key_algorithm: read
                .text("inter.worker.key.generation.algorithm")
                .unwrap_or("HmacSHA256")
                .to_owned(),
            key_bytes,
        })
    }

    /// What the herder decides by. `worker_id` is the advertised `host:port`.
    #[must_use]
    pub fn herder(&self, worker_id: &str) -> HerderSettings {
        HerderSettings {
            worker_id: worker_id.to_owned(),
            group_id: self.group_id.clone(),
            exactly_once: self.exactly_once,
            key_ttl: self.key_ttl,
            key_algorithm: self.key_algorithm.clone(),
            key_bytes: self.key_bytes,
            topic_tracking: self.common.topic_tracking,
            topic_tracking_reset: self.common.topic_tracking_reset,
            rebalance_delay_max: self.rebalance_delay_max,
            task_restarts: self.common.task_restarts,
        }
    }

    /// How it takes part in its group. `url` is the advertised URL.
    #[must_use]
    pub fn group(&self, url: &str) -> WorkerSettings {
        WorkerSettings {
            membership: self.membership.clone(),
            protocol: self.protocol,
            url: url.to_owned(),
            scheduled_rebalance_max_delay: self.rebalance_delay_max,
        }
    }

    /// The client id of a client of the worker's own: `<group>-[<client.id>-]<what>`.
    #[must_use]
    pub fn client_id_of(&self, what: &str) -> String {
        match self.client_id.as_str() {
            "" => format!("{}-{what}", self.group_id),
            client_id => format!("{}-{client_id}-{what}", self.group_id),
        }
    }
}

fn restarts_of(read: &Reader<'_>) -> Result<TaskRestarts, SettingsError> {
    let default = TaskRestarts::default();
    let millis = |key, default: Duration| {
        read.millis(key, i64::try_from(default.as_millis()).unwrap_or(i64::MAX))
    };
    let attempts = read.number(
        "milena.task.restart.attempts.max",
        default.attempts_max.into(),
        0,
    )?;
    Ok(TaskRestarts {
        backoff: millis("milena.task.restart.backoff.ms", default.backoff)?,
        backoff_max: millis("milena.task.restart.backoff.max.ms", default.backoff_max)?,
        attempts_max: u32::try_from(attempts).unwrap_or(u32::MAX),
        recovered_after: millis(
            "milena.task.restart.recovered.after.ms",
            default.recovered_after,
        )?,
    })
}

struct TopicKeys {
    topic: &'static str,
    partitions: &'static str,
    replication: &'static str,
    partitions_default: i64,
    purpose: &'static str,
}

const CONFIG: TopicKeys = TopicKeys {
    topic: "config.storage.topic",
    partitions: "config.storage.partitions",
    replication: "config.storage.replication.factor",
    partitions_default: 1,
    purpose: "connector configurations",
};
const OFFSET: TopicKeys = TopicKeys {
    topic: "offset.storage.topic",
    partitions: "offset.storage.partitions",
    replication: "offset.storage.replication.factor",
    partitions_default: 25,
    purpose: "source connector offsets",
};
const STATUS: TopicKeys = TopicKeys {
    topic: "status.storage.topic",
    partitions: "status.storage.partitions",
    replication: "status.storage.replication.factor",
    partitions_default: 5,
    purpose: "connector and task statuses",
};

fn topic(read: &Reader<'_>, prefix: &str, keys: TopicKeys) -> Result<InternalTopic, SettingsError> {
    let own = [
        "topic",
        "partitions",
        "replication.factor",
        "cleanup.policy",
    ];
    let configs = read.0.iter().filter_map(|(key, value)| {
        let name = key.strip_prefix(prefix)?;
        (!own.contains(&name)).then(|| (name.to_owned(), value.clone()))
    });
    let positive = |key, default, reason: &str| match read.number(key, default, -1)? {
        0 => Err(SettingsError::Invalid {
            key,
            value: "0".to_owned(),
            reason: reason.to_owned(),
        }),
        number => Ok(number),
    };
    let partitions = positive(
        keys.partitions,
        keys.partitions_default,
        "Number of partitions must be positive, or -1 to use the broker's default",
    )?;
    let replication = positive(
        keys.replication,
        3,
        "Replication factor must be positive and not larger than the number of brokers in the Kafka \
         cluster, or -1 to use the broker's default",
    )?;
    Ok(InternalTopic {
        name: read.required(keys.topic)?,
        purpose: keys.purpose,
        setting: keys.topic,
        partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
        replication_factor: i16::try_from(replication).unwrap_or(i16::MAX),
        configs: configs.collect(),
    })
}

fn exactly_once(read: &Reader<'_>) -> Result<ExactlyOnceMode, SettingsError> {
    const KEY: &str = "exactly.once.source.support";
    let text = read.text(KEY).unwrap_or("disabled");
    match text.to_ascii_lowercase().as_str() {
        "disabled" => Ok(ExactlyOnceMode::Disabled),
        "preparing" => Ok(ExactlyOnceMode::Preparing),
        "enabled" => Ok(ExactlyOnceMode::Enabled),
        _ => Err(SettingsError::Invalid {
            key: KEY,
            value: text.to_owned(),
            reason: "String must be one of (case insensitive): DISABLED, ENABLED, PREPARING"
                .to_owned(),
        }),
    }
}
