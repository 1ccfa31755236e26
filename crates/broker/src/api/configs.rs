//! The configurations that this broker shows: Kafka's names, types and defaults.

use std::collections::BTreeMap;

/// Types of configuration values, as numbers of the protocol.
pub(super) mod kind {
    pub(in crate::api) const BOOLEAN: i8 = 1;
    pub(in crate::api) const STRING: i8 = 2;
    pub(in crate::api) const INT: i8 = 3;
    pub(in crate::api) const LONG: i8 = 5;
    pub(in crate::api) const DOUBLE: i8 = 6;
    pub(in crate::api) const LIST: i8 = 7;
}

/// A topic configuration: name, type, default, and the broker's name of the default.
pub(super) struct TopicConfig {
    pub(super) name: &'static str,
    pub(super) kind: i8,
    pub(super) default: &'static str,
    pub(super) synonym: &'static str,
}

const fn config(
    name: &'static str,
    kind: i8,
    default: &'static str,
    synonym: &'static str,
) -> TopicConfig {
    TopicConfig {
        name,
        kind,
        default,
        synonym,
    }
}

/// Kafka's topic configurations.
pub(super) const TOPIC: &[TopicConfig] = &[
    config("cleanup.policy", kind::LIST, "delete", "log.cleanup.policy"),
    config(
        "compression.type",
        kind::STRING,
        "producer",
        "compression.type",
    ),
    config(
        "compression.gzip.level",
        kind::INT,
        "-1",
        "compression.gzip.level",
    ),
    config(
        "compression.lz4.level",
        kind::INT,
        "9",
        "compression.lz4.level",
    ),
    config(
        "compression.zstd.level",
        kind::INT,
        "3",
        "compression.zstd.level",
    ),
    config(
        "delete.retention.ms",
        kind::LONG,
        "86400000",
        "log.cleaner.delete.retention.ms",
    ),
    config(
        "file.delete.delay.ms",
        kind::LONG,
        "60000",
        "log.segment.delete.delay.ms",
    ),
    config(
        "flush.messages",
        kind::LONG,
        "9223372036854775807",
        "log.flush.interval.messages",
    ),
    config(
        "flush.ms",
        kind::LONG,
        "9223372036854775807",
        "log.flush.interval.ms",
    ),
    // Nothing is replicated or tiered here; the names are Kafka's, so that tools find them.
    config(
        "follower.replication.throttled.replicas",
        kind::LIST,
        "",
        "",
    ),
    config("leader.replication.throttled.replicas", kind::LIST, "", ""),
    config(
        "local.retention.bytes",
        kind::LONG,
        "-2",
        "log.local.retention.bytes",
    ),
    config(
        "local.retention.ms",
        kind::LONG,
        "-2",
        "log.local.retention.ms",
    ),
    config("remote.log.copy.disable", kind::BOOLEAN, "false", ""),
    config("remote.log.delete.on.disable", kind::BOOLEAN, "false", ""),
    config("remote.storage.enable", kind::BOOLEAN, "false", ""),
    config(
        "index.interval.bytes",
        kind::INT,
        "4096",
        "log.index.interval.bytes",
    ),
    config(
        "max.compaction.lag.ms",
        kind::LONG,
        "9223372036854775807",
        "log.cleaner.max.compaction.lag.ms",
    ),
    config(
        "max.message.bytes",
        kind::INT,
        "1048588",
        "message.max.bytes",
    ),
    config(
        "message.timestamp.after.max.ms",
        kind::LONG,
        "3600000",
        "log.message.timestamp.after.max.ms",
    ),
    config(
        "message.timestamp.before.max.ms",
        kind::LONG,
        "9223372036854775807",
        "log.message.timestamp.before.max.ms",
    ),
    config(
        "message.timestamp.type",
        kind::STRING,
        "CreateTime",
        "log.message.timestamp.type",
    ),
    config(
        "min.cleanable.dirty.ratio",
        kind::DOUBLE,
        "0.5",
        "log.cleaner.min.cleanable.ratio",
    ),
    config(
        "min.compaction.lag.ms",
        kind::LONG,
        "0",
        "log.cleaner.min.compaction.lag.ms",
    ),
    config("min.insync.replicas", kind::INT, "1", "min.insync.replicas"),
    config("preallocate", kind::BOOLEAN, "false", "log.preallocate"),
    config("retention.bytes", kind::LONG, "-1", "log.retention.bytes"),
    config("retention.ms", kind::LONG, "604800000", "log.retention.ms"),
    config(
        "segment.bytes",
        kind::INT,
        "1073741824",
        "log.segment.bytes",
    ),
    config(
        "segment.index.bytes",
        kind::INT,
        "10485760",
        "log.index.size.max.bytes",
    ),
    config("segment.jitter.ms", kind::LONG, "0", "log.roll.jitter.ms"),
    config("segment.ms", kind::LONG, "604800000", "log.roll.ms"),
    config(
        "unclean.leader.election.enable",
        kind::BOOLEAN,
        "false",
        "unclean.leader.election.enable",
    ),
];

/// The overrides of a topic after changes; an error names the configuration that cannot be.
pub(super) fn checked(overrides: &BTreeMap<String, String>) -> Result<(), String> {
    if let Some(unknown) = overrides
        .keys()
        .find(|name| !TOPIC.iter().any(|config| config.name == name.as_str()))
    {
        return Err(format!("Unknown topic config name: {unknown}"));
    }
    crate::log::LogConfig::default()
        .with_overrides(overrides)
        .map(drop)
        .map_err(|error| error.to_string())
}
