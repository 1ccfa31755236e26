//! Records on their way through a chain: the common part and what sources and sinks add
//! (spec `data.md` 1.5).

use std::{fmt, sync::Arc};

use crate::{Headers, SchemaAndValue, SourceMap, SourceOffset, Text};

/// `ConnectRecord`: what converters and transforms see. Transforms work on this type alone, so one
/// implementation serves sources and sinks; the origin travels beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The topic; transforms may change it.
    pub topic: Text,
    /// The partition, when known or chosen.
    pub partition: Option<i32>,
    /// The key with its schema.
    pub key: SchemaAndValue,
    /// The value with its schema.
    pub value: SchemaAndValue,
    /// Milliseconds since the epoch.
    pub timestamp: Option<i64>,
    /// The headers.
    pub headers: Headers,
    /// Present on records read from Kafka (a `SinkRecord`): what is fixed however a chain changes the rest.
    pub origin: Option<SinkOrigin>,
}

/// Where a sink record came from (KIP-793): what `preCommit`, `offsets`, `open` and `close` speak of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkOrigin {
    /// The topic it was read from.
    pub topic: Text,
    /// The partition it was read from.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// What the timestamp means.
    pub timestamp_type: TimestampType,
}

/// What a Kafka record's timestamp means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TimestampType {
    /// `NoTimestampType`.
    #[default]
    None,
    /// `CreateTime`.
    CreateTime,
    /// `LogAppendTime`.
    LogAppendTime,
}

/// A record for a sink; [`Record::origin`] is present.
pub type SinkRecord = Record;

/// A record of a source, with the partition and offset that it stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceRecord {
    /// What is converted and produced.
    pub record: Record,
    /// The source partition, shared by many records.
    pub source_partition: Option<Arc<SourceMap>>,
    /// The source offset.
    pub source_offset: Option<SourceOffset>,
}

impl TimestampType {
    /// Java's `TimestampType.toString`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NoTimestampType",
            Self::CreateTime => "CreateTime",
            Self::LogAppendTime => "LogAppendTime",
        }
    }
}

/// `null` or the text.
struct OrNull<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for OrNull<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("null"),
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(
                f,
                "SinkRecord{{kafkaOffset={}, timestampType={}, originalTopic={}, \
                 originalKafkaPartition={}, originalKafkaOffset={}}} ",
                origin.offset,
                origin.timestamp_type.name(),
                origin.topic,
                origin.partition,
                origin.offset
            )?;
        }
        write!(
            f,
            "ConnectRecord{{topic='{}', kafkaPartition={}, key={}, keySchema={}, value={}, \
             valueSchema={}, timestamp={}, headers={}}}",
            self.topic,
            OrNull(self.partition),
            self.key.value,
            OrNull(self.key.schema.as_ref()),
            self.value.value,
            OrNull(self.value.schema.as_ref()),
            OrNull(self.timestamp),
            self.headers
        )
    }
}

impl fmt::Display for SourceRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SourceRecord{sourcePartition=")?;
        map_text(f, self.source_partition.as_deref())?;
        f.write_str(", sourceOffset=")?;
        let offset = self.source_offset.as_ref().map(SourceOffset::map);
        map_text(f, offset.as_deref())?;
        write!(f, "}} {}", self.record)
    }
}

fn map_text(f: &mut fmt::Formatter<'_>, map: Option<&SourceMap>) -> fmt::Result {
    let Some(map) = map else {
        return f.write_str("null");
    };
    f.write_str("{")?;
    for (index, (key, value)) in map.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        write!(f, "{comma}{key}={value}")?;
    }
    f.write_str("}")
}
