//! The exactly-once source: data and offsets in one transaction (KIP-618; spec `distributed.md` 3).

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use milena_api::{CommittedRecord, ConnectError, SourceTask};
use milena_core::{
    offsets::encode_offset_value,
    task::{BoundaryRequest, TransactionBoundary, parse_boundary},
};
use milena_data::{SourceMap, SourceRecord};
use milena_kafka::ports::{Ack, CommitError, OutRecord, Producer};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::{
    Ended,
    at_least_once::{construction, offset_key},
    batch::{InFlight, Preparation, Sent, written},
    idle::Idle,
    marks::{Marks, Part},
};
use crate::task::{
    OffsetWrite, TaskEvent, TaskTarget, ack_inbox::AckInbox, clients::source_producer,
    start::Running, topic_use::TopicUse,
};

/// The wait before the rest of a batch is sent again, within the same transaction.
const SEND_AGAIN: Duration = Duration::from_millis(100);
/// How long closing the producer may take.
const CLOSE: Duration = Duration::from_millis(500);
/// The ticket of offset records: nobody asks for their answers, the commit does.
const NO_TICKET: u64 = u64::MAX;

struct Engine<'a> {
    running: &'a mut Running,
    preparation: Preparation,
    producer: Box<dyn Producer>,
    inbox: Arc<AckInbox>,
    offsets_topic: Arc<str>,
    boundary: TransactionBoundary,
    in_flight: InFlight<Sent>,
    topics: TopicUse,
    open: bool,
    last_commit: Instant,
    /// The offsets of this transaction, by key.
    pending: BTreeMap<Bytes, Arc<SourceMap>>,
    partition: Option<(Arc<SourceMap>, Bytes)>,
    /// Told to the task after the commit, in order.
    committed: Vec<CommittedRecord>,
    wants_records: bool,
    /// The parts of the batch in hand that are not sent yet.
    parts: VecDeque<Part>,
    marks: Option<Arc<Marks>>,
    /// The outcome of a commit is unknown: this producer must not be used again.
    unknown: bool,
    sent: usize,
    idle: Idle,
}

pub(super) async fn run(
    running: &mut Running,
    task: &mut dyn SourceTask,
) -> Result<Ended, ConnectError> {
    let policy = super::policy(running);
    let preparation = Preparation::new(running, policy).await?;
    if let Some(gate) = running.spec.gate.clone() {
        gate.before_producer().await?;
    }
    // An older instance must not fence a newer one: it does not even begin.
    if running.stopping.is_cancelled() {
        return Ok(Ended::Stopped);
    }
    let spec = &running.spec;
    let offsets_topic = spec.offsets.topic().ok_or_else(|| {
        ConnectError::connect(
            "exactly-once source tasks need an offsets topic: standalone mode has none",
        )
    })?;
    let offsets_topic: Arc<str> = offsets_topic.into();
    let group = spec.world.group_id.as_deref().unwrap_or("connect");
    let transactional_id = format!("{group}-{}-{}", spec.id.connector, spec.id.task);
    let inbox = Arc::new(AckInbox::default());
    let props = source_producer(
        &spec.world,
        &spec.id,
        &spec.connector_config,
        Some(&transactional_id),
    );
    let producer = spec.world.clients.producer(&props, inbox.sink()).await;
    let producer = producer.map_err(|error| construction(&error))?;
    tokio::select! {
        fenced = producer.init_transactions() => fenced.map_err(|error| construction(&error))?,
        () = running.stopping.cancelled() => return Ok(Ended::Stopped),
    }
    if let Some(gate) = running.spec.gate.clone() {
        gate.after_producer().await?;
    }
    let boundary = boundary(running)?;
    let marks = (boundary == TransactionBoundary::Connector).then(Arc::<Marks>::default);
    let wants_records = task.wants_committed_records();
    let mut engine = Engine {
        running,
        preparation,
        producer,
        inbox,
        offsets_topic,
        boundary,
        in_flight: InFlight::default(),
        topics: TopicUse::default(),
        open: false,
        last_commit: Instant::now(),
        pending: BTreeMap::new(),
        partition: None,
        committed: Vec::new(),
        wants_records,
        parts: VecDeque::new(),
        marks: marks.clone(),
        unknown: false,
        sent: 0,
        idle: Idle::default(),
    };
    let mut outcome = super::start(engine.running, task, marks.map(|marks| marks as _)).await;
    if outcome.is_ok() {
        engine.running.reports.send(TaskEvent::Running).await;
        outcome = engine.work(task).await;
        if outcome.is_ok()
            && engine.boundary.commit_at_end()
            && !engine.running.cancelled.is_cancelled()
        {
            outcome = engine.commit(task).await;
        } else if engine.open && !engine.unknown {
            // After a failure nothing of the open transaction may be seen.
            if let Err(error) = engine.producer.abort().await {
                debug!(task = %engine.running.spec.id, %error, "the open transaction was left to its timeout");
            }
        }
    }
    task.stop().await;
    engine.producer.close(CLOSE).await;
    match outcome {
        // R9: the epoch of a transaction with an unknown outcome is never used again.
        Err(_) if engine.unknown && !engine.running.stopping.is_cancelled() => {
            Ok(Ended::OutcomeUnknown)
        }
        outcome => outcome.map(|()| Ended::Stopped),
    }
}

fn boundary(running: &Running) -> Result<TransactionBoundary, ConnectError> {
    let config = &running.spec.connector_config;
    let interval = match config.get("transaction.boundary.interval.ms") {
        Some(text) => Some(Duration::from_millis(text.trim().parse().map_err(|_| {
            ConnectError::config(format!(
                "Invalid value {text} for configuration transaction.boundary.interval.ms: Not a number of type LONG"
            ))
        })?)),
        None => None,
    };
    let text = config.get("transaction.boundary").map(String::as_str);
    parse_boundary(text, interval, running.spec.world.offset_flush_interval).ok_or_else(|| {
        ConnectError::config(format!(
            "unknown transaction.boundary {text:?}: use poll, interval or connector"
        ))
    })
}

impl Engine<'_> {
    async fn work(&mut self, task: &mut dyn SourceTask) -> Result<(), ConnectError> {
        while !self.running.stopping.is_cancelled() {
            if *self.running.target.borrow_and_update() == TaskTarget::Paused {
                if self.boundary.commit_at_end() {
                    self.commit(task).await?;
                }
                if !super::paused(self.running).await {
                    return Ok(());
                }
                self.last_commit = Instant::now();
                self.running.reports.send(TaskEvent::Resumed).await;
                continue;
            }
            if !super::may_act(self.running).await {
                return Ok(());
            }
            if self.parts.is_empty() {
                let begun = Instant::now();
                let batch = self.poll(task).await?;
                if let Some(rest) = self.idle.after(batch.is_empty(), begun.elapsed()) {
                    tokio::select! {
                        () = self.running.stopping.cancelled() => {}
                        () = tokio::time::sleep(rest) => {}
                    }
                }
                self.parts = match &self.marks {
                    Some(marks) => marks.cut(batch)?.into(),
                    None => VecDeque::from([Part {
                        records: batch,
                        then: None,
                    }]),
                };
            }
            // It may have been polled before the worker stood still: it waits until it is ours for certain.
            while self.running.spec.world.lease.holds()
                && let Some(part) = self.parts.pop_front()
            {
                let rest = match part.records.is_empty() {
                    true => Vec::new(),
                    false => self.send(part.records).await?,
                };
                self.take_acks().await;
                if !rest.is_empty() {
                    let then = part.then;
                    self.parts.push_front(Part {
                        records: rest,
                        then,
                    });
                    break;
                }
                match part.then {
                    Some(BoundaryRequest::Commit) => self.commit(task).await?,
                    Some(BoundaryRequest::Abort) => self.abort(task).await?,
                    None => {}
                }
            }
            let due = self.boundary.commit_after_batch(self.last_commit.elapsed());
            if due && self.parts.is_empty() && !self.running.stopping.is_cancelled() {
                self.commit(task).await?;
            }
        }
        Ok(())
    }

    /// The records of the open transaction are given up for good: their offsets are committed without them.
    async fn abort(&mut self, task: &mut dyn SourceTask) -> Result<(), ConnectError> {
        if self.open {
            self.producer
                .abort()
                .await
                .map_err(|error| construction(&error))?;
            self.open = false;
            self.take_acks().await;
            self.sent = 0;
        } else {
            warn!(task = %self.running.spec.id, "an abort was asked for, but no transaction is open");
        }
        self.commit(task).await
    }

    async fn poll(&mut self, task: &mut dyn SourceTask) -> Result<Vec<SourceRecord>, ConnectError> {
        let interval = match self.boundary {
            TransactionBoundary::Interval(interval) if self.open => {
                Some(self.last_commit + interval)
            }
            _ => None,
        };
        let begun = Instant::now();
        tokio::select! {
            biased;
            () = self.running.stopping.cancelled() => Ok(Vec::new()),
            _ = self.running.target.changed() => {
                self.running.target.mark_changed();
                Ok(Vec::new())
            }
            polled = task.poll() => match polled {
                Ok(batch) => {
                    if let Some(batch) = &batch {
                        self.running.metrics.polled(batch.len(), begun.elapsed());
                    }
                    Ok(batch.unwrap_or_default())
                }
                Err(error) if error.is_retriable() => {
                    warn!(task = %self.running.spec.id, %error, "poll failed and will be tried again");
                    Ok(Vec::new())
                }
                Err(error) => Err(error),
            },
            () = super::at(interval) => Ok(Vec::new()),
        }
    }

    /// Sends records in the open transaction; answers what could not be sent now.
    async fn send(&mut self, batch: Vec<SourceRecord>) -> Result<Vec<SourceRecord>, ConnectError> {
        self.running.metrics.batch(batch.len());
        let mut out: Vec<OutRecord> = Vec::with_capacity(batch.len());
        let mut origins = Vec::with_capacity(batch.len());
        let mut retry_from = None;
        for (index, record) in batch.iter().enumerate() {
            match self.preparation.prepare(record, &mut out).await {
                Ok(true) => {
                    let Some(out) = out.last_mut() else { continue };
                    out.ticket = self.in_flight.next_ticket();
                    let topic = Arc::clone(&out.topic);
                    if topic == self.offsets_topic {
                        return Err(ConnectError::connect(
                            "Source tasks may not produce to their own offsets topics when exactly-once \
                             support is enabled",
                        ));
                    }
                    let record = self.wants_records.then(|| Box::new(record.clone()));
                    self.in_flight.add(Sent { topic, record });
                    origins.push(index);
                }
                Ok(false) => {
                    self.running.metrics.dropped(1);
                    if self.wants_records {
                        self.committed.push(CommittedRecord {
                            record: record.clone(),
                            written: None,
                        });
                    }
                }
                Err(error) if error.is_retriable() => {
                    warn!(task = %self.running.spec.id, %error, "a record will be sent again");
                    retry_from = Some(index);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        if !out.is_empty() {
            self.begin().await?;
            let count = out.len();
            let sent = tokio::select! {
                sent = self.producer.send(out) => sent,
                // The transaction is aborted: nothing of a half sent batch may be committed.
                () = self.running.cancelled.cancelled() => return Err(ConnectError::connect("the task was cancelled")),
            };
            if let Err((accepted, error)) = sent {
                if !error.is_retriable() {
                    let cause = construction(&error);
                    return Err(
                        ConnectError::connect("Unrecoverable exception trying to send")
                            .caused_by(cause),
                    );
                }
                for _ in accepted..count {
                    self.in_flight.take_back();
                }
                retry_from = origins.get(accepted).copied().or(retry_from);
            }
        }
        let done = retry_from.unwrap_or(batch.len());
        // Of records of one partition in a row only the last counts.
        let mut next = batch.iter().take(done).peekable();
        while let Some(record) = next.next() {
            let again = next.peek().is_some_and(|next| {
                next.source_offset.is_some()
                    && matches!(
                        (&record.source_partition, &next.source_partition),
                        (Some(this), Some(next)) if Arc::ptr_eq(this, next)
                    )
            });
            if !again {
                self.note_offset(record)?;
            }
        }
        let Some(index) = retry_from else {
            return Ok(Vec::new());
        };
        tokio::select! {
            () = tokio::time::sleep(SEND_AGAIN) => {}
            () = self.running.stopping.cancelled() => {}
        }
        Ok(batch.into_iter().skip(index).collect())
    }

    async fn begin(&mut self) -> Result<(), ConnectError> {
        if !self.open {
            self.producer
                .begin()
                .await
                .map_err(|error| construction(&error))?;
            self.open = true;
        }
        Ok(())
    }

    /// The offset of a record that was sent or dropped goes into this transaction.
    fn note_offset(&mut self, record: &SourceRecord) -> Result<(), ConnectError> {
        let (Some(partition), Some(offset)) = (&record.source_partition, &record.source_offset)
        else {
            return Ok(());
        };
        let key = match &self.partition {
            Some((known, key)) if Arc::ptr_eq(known, partition) => key.clone(),
            _ => {
                let key = offset_key(self.running, partition)?;
                self.partition = Some((Arc::clone(partition), key.clone()));
                key
            }
        };
        self.pending.insert(key, Arc::clone(offset));
        Ok(())
    }

    async fn take_acks(&mut self) {
        self.topics.tick();
        // Most acknowledgements are of one topic.
        let mut used: Option<Arc<str>> = None;
        for Ack { ticket, outcome } in self.inbox.take() {
            let Some(sent) = self.in_flight.answer(ticket) else {
                continue;
            };
            // A failed send surfaces when the transaction is committed.
            let Ok(at) = outcome else { continue };
            self.sent += 1;
            if used
                .as_ref()
                .is_none_or(|last| !Arc::ptr_eq(last, &sent.topic))
            {
                if let Some(topic) = self.topics.first(&sent.topic) {
                    self.running.reports.send(TaskEvent::TopicUsed(topic)).await;
                }
                used = Some(Arc::clone(&sent.topic));
            }
            if let Some(record) = sent.record {
                self.committed.push(CommittedRecord {
                    record: *record,
                    written: Some(written(&sent.topic, &at)),
                });
            }
        }
    }

    /// Commits data and offsets; then, and only then, tells the task.
    async fn commit(&mut self, task: &mut dyn SourceTask) -> Result<(), ConnectError> {
        self.last_commit = Instant::now();
        if self.open || !self.pending.is_empty() {
            self.begin().await?;
            let offsets = self.offset_records()?;
            let copy = offsets.iter().filter_map(|record| {
                Some(OffsetWrite {
                    key: record.key.clone()?,
                    value: record.value.clone(),
                })
            });
            let copy = copy.collect();
            let sent = self.producer.send(offsets).await;
            sent.map_err(|(_, error)| {
                ConnectError::connect("offsets could not be written in the transaction")
                    .caused_by(construction(&error))
            })?;
            if let Err(error) = self.producer.commit().await {
                self.unknown = matches!(error, CommitError::Unknown(_));
                return Err(commit_failed(&error));
            }
            self.open = false;
            self.pending.clear();
            self.running.spec.offsets.committed(copy).await;
            self.take_acks().await;
            let sent = std::mem::take(&mut self.sent);
            let metrics = &self.running.metrics;
            metrics.written(sent);
            metrics.transaction(sent);
            metrics.offsets_committed(Ok(self.last_commit.elapsed()));
        }
        // CallbackAfterDurable: only now.
        if !self.committed.is_empty() {
            let committed = std::mem::take(&mut self.committed);
            if let Err(error) = task.commit_records(committed).await {
                warn!(task = %self.running.spec.id, %error, "commit_records failed");
            }
        }
        if let Err(error) = task.commit().await {
            warn!(task = %self.running.spec.id, %error, "commit failed");
        }
        Ok(())
    }

    fn offset_records(&self) -> Result<Vec<OutRecord>, ConnectError> {
        let one = |(key, offset): (&Bytes, &Arc<SourceMap>)| {
            let value = encode_offset_value(offset)
                .map_err(|error| ConnectError::data(error.to_string()))?;
            Ok(OutRecord {
                topic: Arc::clone(&self.offsets_topic),
                key: Some(key.clone()),
                value: Some(value.into()),
                ticket: NO_TICKET,
                ..OutRecord::default()
            })
        };
        self.pending.iter().map(one).collect()
    }
}

/// What the task fails with. After an unknown outcome it begins anew instead, unless it is being stopped.
fn commit_failed(error: &CommitError) -> ConnectError {
    let (CommitError::Fenced(cause) | CommitError::Aborted(cause) | CommitError::Unknown(cause)) =
        error;
    let text = match error {
        CommitError::Fenced(_) => {
            "Failed to commit the transaction: a newer instance of the task has taken over, or the transaction timed out (raise transaction.timeout.ms, shorten the interval, or use transaction.boundary=poll)"
        }
        CommitError::Aborted(_) => "Failed to commit the transaction: it was aborted",
        CommitError::Unknown(_) => {
            "Failed to commit the transaction: its outcome is unknown; a restart of the task reads what was committed and goes on from there"
        }
    };
    ConnectError::connect(text).caused_by(construction(cause))
}
