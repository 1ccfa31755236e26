//! Partitions, offsets and what a source can promise about them.

use milena_data::{SourceMap, Text};

/// A partition of a Kafka topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Text,
    /// The partition number.
    pub partition: i32,
}

/// One entry of an offsets request for a source: its partition and, unless it is reset, its new offset.
#[derive(Clone, Debug)]
pub struct ConnectorOffset {
    /// The source partition; `None` for JSON null.
    pub partition: Option<SourceMap>,
    /// The source offset; `None` resets it.
    pub offset: Option<SourceMap>,
}

/// Whether a source connector can be exactly-once with a configuration (KIP-618).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExactlyOnceSupport {
    /// It can.
    Supported,
    /// It cannot.
    Unsupported,
    /// It does not say (Java: the method returned null).
    Unknown,
}

/// Whether a source connector can define its own transaction boundaries (KIP-618).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionBoundaries {
    /// It can.
    Supported,
    /// It cannot.
    Unsupported,
}
