//! Appends records through a producer port and waits for their acknowledgements.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use milena_kafka::ports::{
    Ack, ClientProps, CommitError, KafkaClients, KafkaError, KafkaErrorKind, OutRecord, Producer,
};
use tokio::sync::oneshot;

/// A record to append: key and value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Bytes,
    pub(super) value: Option<Bytes>,
}

/// A batch that waits for acknowledgements.
struct Batch {
    /// How many are missing.
    missing: usize,
    /// The first that failed.
    failure: Option<KafkaError>,
    done: oneshot::Sender<Result<(), KafkaError>>,
}

#[derive(Default)]
struct Waiting {
    /// By the batch's number.
    batches: BTreeMap<u64, Batch>,
}

/// A ticket is the number of its batch.
fn take_acks(waiting: &Mutex<Waiting>, acks: Vec<Ack>) {
    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    for ack in acks.into_iter().flat_map(Ack::each) {
        let Some(batch) = waiting.batches.get_mut(&ack.ticket) else {
            continue;
        };
        batch.missing = batch.missing.saturating_sub(1);
        if let Err(error) = ack.outcome {
            batch.failure.get_or_insert(error);
        }
        if batch.missing == 0
            && let Some(batch) = waiting.batches.remove(&ack.ticket)
        {
            // Whoever waited may have given up.
            let _ = batch.done.send(batch.failure.map_or(Ok(()), Err));
        }
    }
}

/// A producer whose appends can be awaited.
pub(super) struct Appender {
    producer: Box<dyn Producer>,
    waiting: Arc<Mutex<Waiting>>,
    batches: AtomicU64,
}

impl Appender {
    pub(super) async fn open(
        clients: &dyn KafkaClients,
        props: &ClientProps,
    ) -> Result<Self, KafkaError> {
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let sink = Arc::clone(&waiting);
        let producer = clients
            .producer(props, Arc::new(move |acks| take_acks(&sink, acks)))
            .await?;
        Ok(Self {
            producer,
            waiting,
            batches: AtomicU64::new(0),
        })
    }

    /// Appends entries to a topic, in order; answers when all are acknowledged.
    pub(super) async fn append(
        &self,
        topic: &Arc<str>,
        partition: Option<i32>,
        entries: Vec<Entry>,
    ) -> Result<(), KafkaError> {
        if entries.is_empty() {
            return Ok(());
        }
        let batch = self.batches.fetch_add(1, Ordering::Relaxed);
        let (done, acked) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let waits = Batch {
                missing: entries.len(),
                failure: None,
                done,
            };
            waiting.batches.insert(batch, waits);
        }
        let records = entries.into_iter().map(|entry| OutRecord {
            topic: Arc::clone(topic),
            partition,
            key: Some(entry.key),
            value: entry.value,
            ticket: batch,
            ..OutRecord::default()
        });
        if let Err((_, error)) = self.producer.send(records.collect()).await {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.batches.remove(&batch);
            return Err(error);
        }
        self.producer.flush().await?;
        acked.await.unwrap_or_else(|_| {
            let text = "the producer was closed before the records were acknowledged";
            Err(KafkaError::new(KafkaErrorKind::Unknown, text))
        })
    }

    /// Registers the transactional id: fences whoever used it before.
    pub(super) async fn init_transactions(&self) -> Result<(), KafkaError> {
        self.producer.init_transactions().await
    }

    /// Appends entries in one transaction.
    pub(super) async fn append_in_transaction(
        &self,
        topic: &Arc<str>,
        partition: Option<i32>,
        entries: Vec<Entry>,
    ) -> Result<(), CommitError> {
        self.producer.begin().await.map_err(classify)?;
        if let Err(error) = self.append(topic, partition, entries).await {
            // The producer is given up after this anyway; the abort only spares readers the time-out.
            let _ = self.producer.abort().await;
            return Err(classify(error));
        }
        self.producer.commit().await
    }

    pub(super) async fn close(&self, within: Duration) {
        self.producer.close(within).await;
    }
}

fn classify(error: KafkaError) -> CommitError {
    match error.kind {
        KafkaErrorKind::Fenced => CommitError::Fenced(error),
        KafkaErrorKind::Unknown => CommitError::Unknown(error),
        _ => CommitError::Aborted(error),
    }
}
