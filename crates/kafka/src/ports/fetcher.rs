//! The fetcher port: reads assigned partitions, without a group.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Header, KafkaError};

/// What a timestamp means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// There is none.
    None,
    /// Set by the producer.
    CreateTime,
    /// Set by the broker.
    LogAppendTime,
}

/// A record as it was read.
#[derive(Clone, Debug)]
pub struct InRecord {
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since the epoch; -1 when there is none.
    pub timestamp: i64,
    /// What the timestamp means.
    pub timestamp_type: TimestampType,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// The headers.
    pub headers: Vec<Header>,
}

/// Records of one partition, in log order.
#[derive(Clone, Debug)]
pub struct PartitionBatch {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The records.
    pub records: Vec<InRecord>,
    /// The position after this batch; may be past the last record (markers, compaction).
    pub next_offset: i64,
}

/// Where to begin reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// At this offset.
    Offset(i64),
    /// At the oldest record.
    Earliest,
    /// After the newest record.
    Latest,
}

/// Reads partitions. One caller at a time.
#[async_trait]
pub trait Fetcher: Send {
    /// Replaces the assignment. Partitions that stay keep their position unless one is given.
    async fn assign(
        &mut self,
        partitions: Vec<(Arc<str>, i32, Option<StartAt>)>,
    ) -> Result<(), KafkaError>;

    /// Goes on from this offset.
    async fn seek(&mut self, topic: &str, partition: i32, offset: i64) -> Result<(), KafkaError>;

    /// Delivers nothing of these partitions until they are resumed.
    async fn pause(&mut self, partitions: &[(Arc<str>, i32)]) -> Result<(), KafkaError>;

    /// Delivers these partitions again.
    async fn resume(&mut self, partitions: &[(Arc<str>, i32)]) -> Result<(), KafkaError>;

    /// The next offset to deliver.
    async fn position(&mut self, topic: &str, partition: i32) -> Result<i64, KafkaError>;

    /// Records that are there, or come within `max_wait`. Dropping the future loses nothing.
    async fn poll(&mut self, max_wait: Duration) -> Result<Vec<PartitionBatch>, KafkaError>;

    /// The end offsets of partitions: the last stable offset under read_committed.
    async fn end_offsets(
        &mut self,
        partitions: &[(Arc<str>, i32)],
    ) -> Result<BTreeMap<(Arc<str>, i32), i64>, KafkaError>;

    /// Ends the fetcher.
    async fn close(&mut self);
}
