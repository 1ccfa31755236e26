//! A batch on its way into the producer, in a task of its own: meanwhile the next one is polled and converted.
//!
//! One at a time: the order of records is that of the batches.

use std::sync::Arc;

use milena_api::ConnectError;
use milena_data::SourceRecord;
use milena_kafka::ports::{KafkaError, KafkaErrorKind, OutRecord, Producer};
use tokio::task::JoinHandle;

/// What the producer says of a batch: taken, or the index of the first record that was not.
pub(super) type Handed = Result<(), (usize, KafkaError)>;

/// What belongs to the records that are handed over.
pub(super) struct Batch {
    /// As they were polled.
    pub(super) records: Vec<SourceRecord>,
    /// The ticket of the first that is handed over.
    pub(super) first: u64,
    /// How many are handed over.
    pub(super) count: usize,
    /// Of each row of `records`, how many it has and whether it is handed over.
    pub(super) rows: Vec<(usize, bool)>,
    /// What could not be converted now, by its index: it follows later.
    pub(super) retry_from: Option<usize>,
    /// What the task fails with after the rest was sent.
    pub(super) fatal: Option<ConnectError>,
}

/// A batch that the producer is taking. When this is dropped before it has, the producer is given up: nothing of the batch
/// may follow, beside a task that takes the place of this one.
pub(super) struct HandingOver {
    task: Taking,
    pub(super) batch: Batch,
}

struct Taking {
    producer: Arc<dyn Producer>,
    task: JoinHandle<Handed>,
}

impl Drop for Taking {
    fn drop(&mut self) {
        if !self.task.is_finished() {
            self.producer.abandon();
            self.task.abort();
        }
    }
}

impl HandingOver {
    pub(super) fn begin(producer: &Arc<dyn Producer>, out: Vec<OutRecord>, batch: Batch) -> Self {
        let taker = Arc::clone(producer);
        let task = Taking {
            producer: Arc::clone(producer),
            task: tokio::spawn(async move { taker.send(out).await }),
        };
        Self { task, batch }
    }
}

/// Waits for the producer; `None` when there is nothing. Nothing is lost when it is dropped.
pub(super) async fn handed_over(handing_over: &mut Option<HandingOver>) -> Option<Handed> {
    let handing_over = handing_over.as_mut()?;
    let outcome = (&mut handing_over.task.task).await;
    Some(outcome.unwrap_or_else(|error| {
        let count = handing_over.batch.count;
        let text = format!("the producer fell: {error}");
        Err((count, KafkaError::new(KafkaErrorKind::Fatal, text)))
    }))
}
