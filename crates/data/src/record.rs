//! Records on their way through a chain: the common part and what sources and sinks add
//! (spec `data.md` 1.5).

use std::sync::Arc;

use crate::{Headers, SchemaAndValue, Text, Value};

/// `ConnectRecord`: what converters and transforms see. Transforms work on this type alone, so one
/// implementation serves sources and sinks; the origin travels beside it.
#[derive(Clone, Debug, Default)]
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

/// A map from string to a primitive value: a source partition or a source offset. Order is kept:
/// it decides the bytes of the key in the offsets topic (spec `distributed.md` 1.6).
pub type SourceMap = indexmap::IndexMap<Text, Value>;

/// A record of a source, with the partition and offset that it stands for.
#[derive(Clone, Debug, Default)]
pub struct SourceRecord {
    /// What is converted and produced.
    pub record: Record,
    /// The source partition, shared by many records.
    pub source_partition: Option<Arc<SourceMap>>,
    /// The source offset.
    pub source_offset: Option<Arc<SourceMap>>,
}
