//! Source tasks: they read the outside system and give batches of records.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use milena_config::Props;
use milena_data::{SourceMap, SourceRecord};
use tokio_util::sync::CancellationToken;

use crate::ConnectError;

/// Reads the offsets that were durably committed for this connector.
#[async_trait]
pub trait OffsetReader: Send + Sync {
    /// The committed offset of each partition, in the order asked; `None` where there is none.
    async fn offsets(
        &self,
        partitions: &[SourceMap],
    ) -> Result<Vec<Option<SourceMap>>, ConnectError>;
}

/// Lets a source mark transaction boundaries (`transaction.boundary=connector`, KIP-618). The marks are
/// taken up after the `poll` in which they were made has returned.
pub trait TransactionContext: Send + Sync {
    /// Commit after the batch that `poll` returns next.
    fn commit_transaction(&self);
    /// Commit right after the record at this index of the batch that is being returned.
    fn commit_transaction_after(&self, index: usize);
    /// Abort after the batch: its records are not seen by read_committed readers.
    fn abort_transaction(&self);
    /// Abort after the record at this index of the batch that is being returned.
    fn abort_transaction_after(&self, index: usize);
}

/// What the worker gives a source task.
#[derive(Clone)]
pub struct SourceTaskContext {
    /// The connector's name.
    pub connector: Arc<str>,
    /// The task's number.
    pub task: u32,
    /// The committed offsets.
    pub offsets: Arc<dyn OffsetReader>,
    /// Present when the connector defines transaction boundaries.
    pub transactions: Option<Arc<dyn TransactionContext>>,
    /// Cancelled when the task is to stop. `poll` should return soon after.
    pub stopping: CancellationToken,
}

/// What became of a record that the task gave.
#[derive(Clone, Debug)]
pub struct CommittedRecord {
    /// The record as the task gave it.
    pub record: SourceRecord,
    /// Topic partition and offset where it was written; `None` when it was filtered or skipped.
    pub written: Option<(crate::TopicPartition, i64)>,
}

/// A source task.
///
/// Order of calls: `start`; then `poll` again and again, with `commit_records` and `commit` between polls
/// (never at the same time as a poll); then `stop`. A paused task is not polled. The worker polls on before it tells what
/// became of the records of earlier polls.
#[async_trait]
pub trait SourceTask: Send {
    /// Opens what the task reads. An error makes the task FAILED.
    async fn start(
        &mut self,
        context: SourceTaskContext,
        config: Props,
    ) -> Result<(), ConnectError>;

    /// The next records, `None` or an empty batch when there is nothing now (the task itself waits a
    /// little, at most about a second, rather than returning at once). The future may be dropped at any await
    /// (stop, pause): records not returned must come again with the next poll. A retriable error counts
    /// as empty, any other makes the task FAILED.
    async fn poll(&mut self) -> Result<Option<Vec<SourceRecord>>, ConnectError>;

    /// Whether the engine should call [`Self::commit_records`] at all; most tasks do not need it.
    fn wants_committed_records(&self) -> bool {
        false
    }

    /// The broker has acknowledged these records, or they were filtered or skipped
    /// (`CallbackAfterDurable`). In order of acknowledgement.
    async fn commit_records(&mut self, _records: Vec<CommittedRecord>) -> Result<(), ConnectError> {
        Ok(())
    }

    /// Records of an earlier poll that the engine is done with, as they were polled, for their memory: a task may make the
    /// next ones in their places. It is not told of all records, nor when which are durable.
    fn take_back(&mut self, _records: Vec<SourceRecord>) {}

    /// All offsets up to now are durable. An error is logged, the task goes on.
    async fn commit(&mut self) -> Result<(), ConnectError> {
        Ok(())
    }

    /// Frees what `start` took. Called once, also after a failed `start` or `poll`.
    async fn stop(&mut self);

    /// How long a `poll` may take before the task is held to hang; `None`: no limit.
    fn poll_deadline(&self) -> Option<Duration> {
        None
    }
}
