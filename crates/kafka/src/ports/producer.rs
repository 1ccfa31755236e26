//! The producer port: batches go in, acknowledgements come back as they arrive.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use super::KafkaError;

/// A header of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The key.
    pub key: Arc<str>,
    /// The bytes, which may be null.
    pub value: Option<Bytes>,
}

/// A record to produce.
#[derive(Clone, Debug, Default)]
pub struct OutRecord {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition; `None`: by the key's murmur2 hash, or sticky without a key, as Java does.
    pub partition: Option<i32>,
    /// Milliseconds since the epoch; `None`: the client's clock.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// The headers.
    pub headers: Vec<Header>,
    /// What the acknowledgement names; chosen by the caller.
    pub ticket: u64,
}

/// Where a record was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acked {
    /// The partition.
    pub partition: i32,
    /// The offset; -1 when the broker did not say.
    pub offset: i64,
}

/// What became of one record.
#[derive(Clone, Debug)]
pub struct Ack {
    /// The record's ticket.
    pub ticket: u64,
    /// Written, or why not (after the client's own retries).
    pub outcome: Result<Acked, KafkaError>,
}

/// Takes acknowledgements, on the client's own thread: it must not block.
pub type AckSink = Arc<dyn Fn(Vec<Ack>) + Send + Sync>;

/// Why a transaction could not be committed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// A newer instance has taken over: this one must not write any more.
    #[error("fenced: {0}")]
    Fenced(KafkaError),
    /// The transaction is aborted for certain (a record could not be written, or it timed out).
    #[error("aborted: {0}")]
    Aborted(KafkaError),
    /// Nobody knows: never reuse this producer (R9). Make a new one, read the committed offsets, go on.
    #[error("outcome unknown: {0}")]
    Unknown(KafkaError),
}

/// A producer. One caller at a time.
#[async_trait]
pub trait Producer: Send + Sync {
    /// Hands over a batch; waits while the client's buffer is full. Every accepted record is answered
    /// once through the [`AckSink`] given when the producer was made.
    ///
    /// # Errors
    /// The index of the first record that was not accepted, and why; those before it were.
    async fn send(&self, batch: Vec<OutRecord>) -> Result<(), (usize, KafkaError)>;

    /// From now on nothing is accepted behind a record that failed: [`Self::send`] hands over all answers that there are
    /// and names the first record that it did not take, with an error that is not retriable.
    fn stop_at_failure(&self);

    /// Waits until every accepted record is answered.
    async fn flush(&self) -> Result<(), KafkaError>;

    /// Registers the transactional id: fences older instances, aborts their open transaction.
    async fn init_transactions(&self) -> Result<(), KafkaError>;

    /// Begins a transaction.
    async fn begin(&self) -> Result<(), KafkaError>;

    /// Commits: waits for all sends of the transaction first.
    async fn commit(&self) -> Result<(), CommitError>;

    /// Aborts the open transaction.
    async fn abort(&self) -> Result<(), KafkaError>;

    /// Gives the producer up at once, from any thread, also while [`Self::send`] runs: what is not on its way is thrown away,
    /// and nothing is taken any more. Only [`Self::close`] may follow.
    fn abandon(&self) {}

    /// Ends the producer; what is not answered by the deadline fails.
    async fn close(&self, within: Duration);
}
