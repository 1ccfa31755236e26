//! The settings of one log, with Kafka's names and defaults as typed fields.
//!
//! Parsing is exact and side-effect free; deciding which settings a client may set is the server's.
//! Answers to Java's `LogConfig` / `TopicConfig`.

use std::collections::BTreeMap;
use std::time::Duration;

/// Milliseconds of `Long.MAX_VALUE`, Kafka's "no limit" for several settings.
const FOREVER: Duration = Duration::from_millis(i64::MAX as u64);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// `cleanup.policy`: what happens to old data. Both may be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Remove whole segments by age and size.
    pub delete: bool,
    /// Keep the last value of each key.
    pub compact: bool,
}

/// `message.timestamp.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampKind {
    /// The producer's timestamp is kept.
    CreateTime,
    /// The broker stamps each batch with the time of the append.
    LogAppendTime,
}

/// `compression.type`. Batches are always stored as the producer sent them; the name is kept so
/// that describing the topic echoes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompressionSetting {
    /// `producer`, the default.
    Producer,
    /// `uncompressed`.
    Uncompressed,
    /// `gzip`.
    Gzip,
    /// `snappy`.
    Snappy,
    /// `lz4`.
    Lz4,
    /// `zstd`.
    Zstd,
}

/// The settings of one log. Field names are Kafka's with `_` for `.`; durations are [`Duration`]
/// also where Kafka's name ends in `.ms`.
#[derive(Debug, Clone, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`: size at which the active segment is sealed.
    pub segment_bytes: u32,
    /// `segment.ms`: age (by record timestamps) at which the active segment is sealed.
    pub segment_ms: Duration,
    /// `retention.ms`: age at which a segment is removed; `None` is `-1`, never.
    pub retention_ms: Option<Duration>,
    /// `retention.bytes`: size of the partition above which old segments are removed; `None` is `-1`.
    pub retention_bytes: Option<u64>,
    /// `cleanup.policy`.
    pub cleanup_policy: CleanupPolicy,
    /// `max.message.bytes`: the largest batch accepted.
    pub max_message_bytes: u32,
    /// `message.timestamp.type`.
    pub message_timestamp_type: TimestampKind,
    /// `message.timestamp.before.max.ms`: how far a record's timestamp may lie in the past.
    pub message_timestamp_before_max_ms: Duration,
    /// `message.timestamp.after.max.ms`: how far a record's timestamp may lie in the future.
    pub message_timestamp_after_max_ms: Duration,
    /// `min.cleanable.dirty.ratio`: share of uncompacted bytes that makes compaction due.
    pub min_cleanable_dirty_ratio: f64,
    /// `delete.retention.ms`: how long a tombstone stays after the compaction that reached it.
    pub delete_retention_ms: Duration,
    /// `min.compaction.lag.ms`: age below which a record is never compacted.
    pub min_compaction_lag_ms: Duration,
    /// `max.compaction.lag.ms`: age above which a record makes compaction due.
    pub max_compaction_lag_ms: Duration,
    /// `index.interval.bytes`: bytes of log between two entries of the sparse index.
    pub index_interval_bytes: u32,
    /// `file.delete.delay.ms`. Accepted; files are unlinked at once, because a reader in flight
    /// keeps its file open and loses nothing.
    pub file_delete_delay_ms: Duration,
    /// `flush.messages`: records after which an append is followed by fsync.
    pub flush_messages: u64,
    /// `flush.ms`: age of unsynced data at which it is fsynced.
    pub flush_ms: Duration,
    /// `compression.type`.
    pub compression_type: CompressionSetting,
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY,
            retention_ms: Some(7 * DAY),
            retention_bytes: None,
            cleanup_policy: CleanupPolicy {
                delete: true,
                compact: false,
            },
            max_message_bytes: 1_048_588,
            message_timestamp_type: TimestampKind::CreateTime,
            message_timestamp_before_max_ms: FOREVER,
            message_timestamp_after_max_ms: Duration::from_secs(60 * 60),
            min_cleanable_dirty_ratio: 0.5,
            delete_retention_ms: DAY,
            min_compaction_lag_ms: Duration::ZERO,
            max_compaction_lag_ms: FOREVER,
            index_interval_bytes: 4096,
            file_delete_delay_ms: Duration::from_secs(60),
            flush_messages: i64::MAX as u64,
            flush_ms: FOREVER,
            compression_type: CompressionSetting::Producer,
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The value does not parse or is out of range.
    #[error("invalid value {value:?} for {name}: {expected}")]
    Invalid {
        /// Kafka's name of the setting.
        name: String,
        /// What was given.
        value: String,
        /// What is accepted.
        expected: &'static str,
    },
}

impl LogConfig {
    /// These settings with `overrides` (Kafka's names) applied. Names that do not concern storage
    /// are ignored.
    ///
    /// # Errors
    /// The first setting whose value does not parse.
    pub fn with_overrides(
        &self,
        overrides: &BTreeMap<String, String>,
    ) -> Result<LogConfig, ConfigError> {
        let mut config = self.clone();
        for (name, value) in overrides {
            config.set(name, value)?;
        }
        Ok(config)
    }

    /// Sets one setting by Kafka's name; `false` when the name does not concern storage.
    ///
    /// # Errors
    /// The value does not parse or is out of range.
    pub fn set(&mut self, name: &str, value: &str) -> Result<bool, ConfigError> {
        let setting = Setting { name, value };
        match name {
            "segment.bytes" => self.segment_bytes = setting.size(1)?,
            "segment.ms" => self.segment_ms = setting.duration(1)?,
            "retention.ms" => self.retention_ms = setting.limit()?.map(Duration::from_millis),
            "retention.bytes" => self.retention_bytes = setting.limit()?,
            "cleanup.policy" => self.cleanup_policy = setting.cleanup_policy()?,
            "max.message.bytes" => self.max_message_bytes = setting.size(0)?,
            "message.timestamp.type" => {
                self.message_timestamp_type = match value.trim() {
                    "CreateTime" => TimestampKind::CreateTime,
                    "LogAppendTime" => TimestampKind::LogAppendTime,
                    _ => return Err(setting.invalid("CreateTime or LogAppendTime")),
                }
            }
            "message.timestamp.before.max.ms" => {
                self.message_timestamp_before_max_ms = setting.duration(0)?;
            }
            "message.timestamp.after.max.ms" => {
                self.message_timestamp_after_max_ms = setting.duration(0)?;
            }
            "min.cleanable.dirty.ratio" => {
                self.min_cleanable_dirty_ratio = match value.trim().parse::<f64>() {
                    Ok(ratio) if (0.0..=1.0).contains(&ratio) => ratio,
                    _ => return Err(setting.invalid("a number between 0 and 1")),
                }
            }
            "delete.retention.ms" => self.delete_retention_ms = setting.duration(0)?,
            "min.compaction.lag.ms" => self.min_compaction_lag_ms = setting.duration(0)?,
            "max.compaction.lag.ms" => self.max_compaction_lag_ms = setting.duration(1)?,
            "index.interval.bytes" => self.index_interval_bytes = setting.size(0)?,
            "file.delete.delay.ms" => self.file_delete_delay_ms = setting.duration(0)?,
            "flush.messages" => self.flush_messages = setting.integer(1)? as u64,
            "flush.ms" => self.flush_ms = setting.duration(0)?,
            "compression.type" => {
                self.compression_type = match value.trim() {
                    "producer" => CompressionSetting::Producer,
                    "uncompressed" => CompressionSetting::Uncompressed,
                    "gzip" => CompressionSetting::Gzip,
                    "snappy" => CompressionSetting::Snappy,
                    "lz4" => CompressionSetting::Lz4,
                    "zstd" => CompressionSetting::Zstd,
                    _ => {
                        return Err(
                            setting.invalid("uncompressed, zstd, lz4, snappy, gzip or producer")
                        );
                    }
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// One name and value being parsed.
struct Setting<'a> {
    name: &'a str,
    value: &'a str,
}

impl Setting<'_> {
    fn invalid(&self, expected: &'static str) -> ConfigError {
        ConfigError::Invalid {
            name: self.name.to_owned(),
            value: self.value.to_owned(),
            expected,
        }
    }

    fn integer(&self, min: i64) -> Result<i64, ConfigError> {
        match self.value.trim().parse::<i64>() {
            Ok(number) if number >= min => Ok(number),
            _ => Err(self.invalid("an integer not below the minimum")),
        }
    }

    fn size(&self, min: i64) -> Result<u32, ConfigError> {
        match self.integer(min)? {
            number if number <= i64::from(i32::MAX) => Ok(number as u32),
            _ => Err(self.invalid("an integer of 32 bits")),
        }
    }

    fn duration(&self, min: i64) -> Result<Duration, ConfigError> {
        Ok(Duration::from_millis(self.integer(min)? as u64))
    }

    fn limit(&self) -> Result<Option<u64>, ConfigError> {
        let number = self.integer(-1)?;
        Ok(u64::try_from(number).ok())
    }

    fn cleanup_policy(&self) -> Result<CleanupPolicy, ConfigError> {
        let mut policy = CleanupPolicy {
            delete: false,
            compact: false,
        };
        for part in self.value.split(',').map(str::trim) {
            match part {
                "delete" => policy.delete = true,
                "compact" => policy.compact = true,
                // Kafka accepts an empty list since 4.0: neither policy, data is kept for ever.
                "" => {}
                _ => return Err(self.invalid("a list of compact and delete")),
            }
        }
        Ok(policy)
    }
}
