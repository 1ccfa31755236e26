//! The store of source offsets as tasks see it; the Kafka topic and the standalone file implement it.

use async_trait::async_trait;
use bytes::Bytes;
use milena_api::ConnectError;
use milena_data::SourceMap;

/// One entry to write: the serialised key and value (spec `distributed.md` 1.6); no value: a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetWrite {
    /// `["<connector>",{<source partition>}]`.
    pub key: Bytes,
    /// `{<source offset>}`.
    pub value: Option<Bytes>,
}

/// Where the offsets of source connectors live.
#[async_trait]
pub trait SourceOffsets: Send + Sync {
    /// The committed offset of each partition, after reading the store to its end.
    async fn read(
        &self,
        connector: &str,
        partitions: &[SourceMap],
    ) -> Result<Vec<Option<SourceMap>>, ConnectError>;

    /// Writes the entries; when it answers `Ok` they are durable. All or nothing is not promised:
    /// after an error the caller writes all of them again.
    async fn write(&self, entries: Vec<OffsetWrite>) -> Result<(), ConnectError>;

    /// Takes up what was committed to [`Self::topic`] in a transaction: a store that keeps a copy elsewhere writes it
    /// (spec `distributed.md` 1.6.1). It never fails: the transaction's word counts.
    async fn committed(&self, _entries: Vec<OffsetWrite>) {}

    /// The bytes under which a partition's offset stands already, when they differ from what this
    /// worker would write (written by another order of keys); the caller then uses these.
    fn stored_key(&self, _connector: &str, _partition: &SourceMap) -> Option<Bytes> {
        None
    }

    /// The topic to which exactly-once tasks write within their transaction; `None` when the store is
    /// not a topic (standalone).
    fn topic(&self) -> Option<&str>;
}
