//! Sink tasks: they take batches of records and write them to the outside system.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use milena_config::Props;
use milena_data::SinkRecord;
use tokio_util::sync::CancellationToken;

use crate::{ConnectError, TopicPartition};

/// Offsets by partition: the position after the last record.
pub type PartitionOffsets = BTreeMap<TopicPartition, i64>;

/// Awaits the durability of a reported record.
#[async_trait]
pub trait ReportTicket: Send {
    /// Resolves when the dead letter is durable (or when there is none to write).
    async fn done(self: Box<Self>) -> Result<(), ConnectError>;
}

/// Reports records that the sink cannot write (KIP-610).
#[async_trait]
pub trait ErrantRecordReporter: Send + Sync {
    /// Reports one record with its error. Fails at once when the connector tolerates no error; the task
    /// should then return that error from `put`. Offsets of the record's partition are not committed
    /// before the report is durable, whether or not the ticket is awaited.
    async fn report(
        &self,
        record: SinkRecord,
        error: ConnectError,
    ) -> Result<Box<dyn ReportTicket>, ConnectError>;
}

/// What a sink task asks of the worker; taken up after the current call returns.
#[derive(Clone, Debug)]
pub enum SinkTaskRequest {
    /// Deliver from these offsets on (they must be of assigned partitions).
    Rewind(PartitionOffsets),
    /// Stop delivery of these partitions until resumed.
    Pause(Vec<TopicPartition>),
    /// Deliver these partitions again.
    Resume(Vec<TopicPartition>),
    /// Commit offsets soon, before the interval is over.
    Commit,
    /// Wait this long before the batch of a retriable `put` is delivered again.
    RetryAfter(Duration),
}

/// What the worker gives a sink task.
#[derive(Clone)]
pub struct SinkTaskContext {
    /// The connector's name.
    pub connector: Arc<str>,
    /// The task's number.
    pub task: u32,
    /// Present when a dead letter queue or error logging is configured.
    pub errant: Option<Arc<dyn ErrantRecordReporter>>,
    /// Cancelled when the task is to stop.
    pub stopping: CancellationToken,
    /// The generation of the consumer group at the last assignment, for fencing in the target.
    pub generation: Arc<std::sync::atomic::AtomicI32>,
    /// Hands a request to the engine; never blocks.
    pub requests: Arc<dyn Fn(SinkTaskRequest) + Send + Sync>,
}

/// A sink task.
///
/// Order of calls: `start`; `open` with the first partitions; then `put` again and again with
/// `pre_commit`, `open` and `close` between; at the end `close` of all partitions, then `stop`. No two
/// calls at once. A batch is in log order per partition.
#[async_trait]
pub trait SinkTask: Send {
    /// Opens the target. An error makes the task FAILED.
    async fn start(&mut self, context: SinkTaskContext, config: Props) -> Result<(), ConnectError>;

    /// Partitions that were newly assigned. A task that keeps offsets in its target rewinds here.
    async fn open(&mut self, _partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        Ok(())
    }

    /// Takes a batch, possibly empty; it is lent, so that the engine can deliver it again without a copy. A
    /// retriable error: the same batch is delivered again later, and
    /// nothing of it may be half visible if a repeat would do harm. An error of a record
    /// ([`crate::ErrorKind::Record`]): the batch comes again in parts. Any other error: the task is FAILED
    /// and the batch's offsets are not committed.
    async fn put(&mut self, records: &[SinkRecord]) -> Result<(), ConnectError>;

    /// Writes everything taken so far durably (`offsets` are the positions after it). Called through
    /// the default [`Self::pre_commit`].
    async fn flush(&mut self, _offsets: &PartitionOffsets) -> Result<(), ConnectError> {
        Ok(())
    }

    /// The offsets that may be committed: durable in the target, never past `offsets`
    /// (`SinkNeverAhead`). An empty answer commits nothing.
    async fn pre_commit(
        &mut self,
        offsets: PartitionOffsets,
    ) -> Result<PartitionOffsets, ConnectError> {
        self.flush(&offsets).await?;
        Ok(offsets)
    }

    /// Partitions that go away; `pre_commit` was called before, unless they were lost.
    async fn close(&mut self, _partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        Ok(())
    }

    /// Frees what `start` took. Called once, also after a failure.
    async fn stop(&mut self);
}
