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
use milena_data::{SourceMap, SourceOffset, SourceRecord};
use milena_kafka::ports::{Acked, CommitError, OutRecord, Producer};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::{
    Ended,
    ahead::{Ahead, Became, Pace, PollAhead, takes_more},
    at_least_once::{construction, offset_key},
    batch::{Preparation, Prepared, Row, origin, told},
    idle::Idle,
    in_flight::InFlight,
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
    in_flight: InFlight,
    topics: TopicUse,
    open: bool,
    /// When the open transaction was begun, and the bytes that were sent in it.
    begun: Instant,
    bytes: usize,
    last_commit: Instant,
    /// The offsets of this transaction, by key.
    pending: BTreeMap<Bytes, SourceOffset>,
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
    pace: Pace,
    /// What was polled while a transaction was committed.
    ahead: VecDeque<Ahead>,
    /// The first of `parts`, converted already.
    prepared: VecDeque<Prepared>,
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
        begun: Instant::now(),
        bytes: 0,
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
        pace: Pace::default(),
        ahead: VecDeque::new(),
        prepared: VecDeque::new(),
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
                self.parts = self.next_parts(task).await?;
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

    /// What is sent next: the batches that were polled while the last transaction was committed, or a new one. One that could
    /// not be converted whole is alone: what comes of it must not end the transaction of others.
    async fn next_parts(
        &mut self,
        task: &mut dyn SourceTask,
    ) -> Result<VecDeque<Part>, ConnectError> {
        let mut parts = VecDeque::new();
        while let Some(ahead) = self.ahead.pop_front() {
            match ahead {
                Ok((records, prepared)) if parts.is_empty() || prepared.is_whole() => {
                    self.prepared.push_back(prepared);
                    let then = None;
                    parts.push_back(Part { records, then });
                }
                Err(error) if parts.is_empty() => return Err(error),
                other => {
                    self.ahead.push_front(other);
                    break;
                }
            }
        }
        if !parts.is_empty() {
            return Ok(parts);
        }
        let records = self.next(task).await?;
        Ok(match &self.marks {
            Some(marks) => marks.cut(records)?.into(),
            None => VecDeque::from([Part {
                records,
                then: None,
            }]),
        })
    }

    /// A poll, and a rest after it if the source never waits.
    async fn next(&mut self, task: &mut dyn SourceTask) -> Result<Vec<SourceRecord>, ConnectError> {
        let begun = Instant::now();
        let batch = self.poll(task).await?;
        let took = begun.elapsed();
        if let Some(rest) = self.idle.after(batch.is_empty(), took) {
            tokio::select! {
                () = self.running.stopping.cancelled() => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
        Ok(batch)
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
            polled = task.poll() => super::given(self.running, polled, begun),
            () = super::at(interval) => Ok(Vec::new()),
        }
    }

    /// Sends records in the open transaction; answers what could not be sent now.
    async fn send(&mut self, batch: Vec<SourceRecord>) -> Result<Vec<SourceRecord>, ConnectError> {
        self.running.metrics.batch(batch.len());
        let prepared = match self.prepared.pop_front() {
            Some(prepared) => prepared,
            None => self.preparation.convert(&batch).await,
        };
        let bytes = prepared.bytes();
        let Prepared {
            out,
            first,
            rows,
            mut retry_from,
            fatal,
        } = prepared;
        if rows
            .iter()
            .any(|row| row.topic.as_ref() == Some(&self.offsets_topic))
        {
            return Err(ConnectError::connect(
                "Source tasks may not produce to their own offsets topics when exactly-once \
                 support is enabled",
            ));
        }
        if let Some(fatal) = fatal {
            return Err(fatal);
        }
        self.note_flight(&batch, first, &rows);
        if !out.is_empty() {
            self.begin().await?;
            self.bytes += bytes;
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
                self.in_flight.take_back(first + accepted as u64);
                let rows: Vec<_> = rows
                    .iter()
                    .map(|row| (row.count, row.topic.is_some()))
                    .collect();
                retry_from = (accepted < count)
                    .then(|| origin(&rows, accepted))
                    .or(retry_from);
            }
        }
        let done = retry_from.unwrap_or(batch.len());
        self.note_offsets(&rows, batch.get(..done).unwrap_or_default())?;
        let Some(index) = retry_from else {
            return Ok(Vec::new());
        };
        // The rest is converted again, and has tickets behind those of the parts that follow: so do they.
        self.prepared.clear();
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
            (self.begun, self.bytes) = (Instant::now(), 0);
        }
        Ok(())
    }

    /// What is sent is in flight; what was dropped is told with this transaction.
    fn note_flight(&mut self, batch: &[SourceRecord], first: u64, rows: &[Row]) {
        let mut records = batch.iter();
        let mut ticket = first;
        for row in rows {
            let own = match self.wants_records {
                true => records.by_ref().take(row.count).cloned().collect(),
                false => Vec::new(),
            };
            match &row.topic {
                Some(topic) => {
                    let own = own.into_iter().map(Some).collect();
                    self.in_flight
                        .add(ticket, row.count, Arc::clone(topic), None, own);
                    ticket += row.count as u64;
                }
                None => {
                    self.running.metrics.dropped(row.count);
                    self.committed
                        .extend(own.into_iter().map(|record| CommittedRecord {
                            record,
                            written: None,
                        }));
                }
            }
        }
    }

    /// The offsets of records that were sent or dropped go into this transaction: of a row only the last counts.
    fn note_offsets(
        &mut self,
        rows: &[Row],
        mut records: &[SourceRecord],
    ) -> Result<(), ConnectError> {
        for row in rows {
            let (own, rest) = records.split_at(row.count.min(records.len()));
            records = rest;
            let mut offsets = own.iter().rev();
            let last = offsets.find_map(|record| record.source_offset.as_ref());
            if let (Some(partition), Some(offset)) = (&row.partition, last) {
                self.note_offset(partition, offset.clone())?;
            }
        }
        Ok(())
    }

    fn note_offset(
        &mut self,
        partition: &Arc<SourceMap>,
        offset: SourceOffset,
    ) -> Result<(), ConnectError> {
        let key = match &self.partition {
            Some((known, key)) if Arc::ptr_eq(known, partition) => key.clone(),
            _ => {
                let key = offset_key(self.running, partition)?;
                self.partition = Some((Arc::clone(partition), key.clone()));
                key
            }
        };
        self.pending.insert(key, offset);
        Ok(())
    }

    async fn take_acks(&mut self) {
        self.topics.tick();
        for ack in self.inbox.take() {
            // A failed send surfaces when the transaction is committed.
            let Ok(at) = ack.outcome else {
                self.in_flight.answer(ack.ticket, ack.count);
                continue;
            };
            let mut behind = 0;
            while let left = ack.count.saturating_sub(behind)
                && left > 0
                && let Some(answered) = self
                    .in_flight
                    .answer(ack.ticket.saturating_add(behind), left)
            {
                self.sent += answered.count;
                if let Some(topic) = self.topics.first(&answered.topic) {
                    self.running.reports.send(TaskEvent::TopicUsed(topic)).await;
                }
                let at = Acked {
                    partition: at.partition,
                    offset: at.behind(behind),
                };
                behind += answered.count as u64;
                self.committed.extend(told(answered, Some(&at)));
            }
        }
    }

    /// Commits data and offsets; then, and only then, tells the task. A transaction that takes another batch first is not
    /// committed yet.
    async fn commit(&mut self, task: &mut dyn SourceTask) -> Result<(), ConnectError> {
        self.last_commit = Instant::now();
        if self.open || !self.pending.is_empty() {
            self.begin().await?;
            let copy = match self.commit_transaction(task).await {
                Ok(Some(copy)) => copy,
                Ok(None) => return Ok(()),
                Err(NotCommitted::Offsets(error)) => return Err(error),
                Err(NotCommitted::Commit(error)) => {
                    self.unknown = matches!(error, CommitError::Unknown(_));
                    return Err(commit_failed(&error));
                }
            };
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

    /// Sends the offsets and commits; meanwhile the next batches are polled, if there will be any. Answers the offsets; `None`:
    /// the transaction takes another batch first, which is ahead.
    async fn commit_transaction(
        &mut self,
        task: &mut dyn SourceTask,
    ) -> Result<Option<Vec<OffsetWrite>>, NotCommitted> {
        let goes_on = self.boundary == TransactionBoundary::Poll
            && self.parts.is_empty()
            && self.ahead.is_empty()
            && !self.running.stopping.is_cancelled()
            && *self.running.target.borrow() == TaskTarget::Started
            && self.running.spec.world.lease.holds();
        let producer = &*self.producer;
        let (pending, topic) = (&self.pending, &self.offsets_topic);
        let commit = async move {
            let offsets = offset_records(pending, topic).map_err(NotCommitted::Offsets)?;
            let copy = offsets.iter().filter_map(|record| {
                Some(OffsetWrite {
                    key: record.key.clone()?,
                    value: record.value.clone(),
                })
            });
            let copy: Vec<_> = copy.collect();
            let sent = producer.send(offsets).await;
            sent.map_err(|(_, error)| {
                let text = "offsets could not be written in the transaction";
                NotCommitted::Offsets(ConnectError::connect(text).caused_by(construction(&error)))
            })?;
            producer.commit().await.map_err(NotCommitted::Commit)?;
            Ok(copy)
        };
        if !goes_on || !self.pace.pays() {
            return commit.await.map(Some);
        }
        let settling = takes_more(self.bytes, self.begun.elapsed()).then(|| written(producer));
        let ahead = PollAhead {
            running: self.running,
            preparation: &mut self.preparation,
            pace: &mut self.pace,
        };
        match ahead.during(settling, commit, task).await {
            Became::TakesMore(batch) => {
                self.ahead.push_back(batch);
                Ok(None)
            }
            Became::Ended(outcome, ahead) => {
                self.ahead = ahead;
                outcome.map(Some)
            }
        }
    }
}

/// Waits until all that was sent is answered.
async fn written(producer: &dyn Producer) {
    if let Err(error) = producer.flush().await {
        debug!(%error, "records were not written: the commit will tell");
    }
}

/// Why a transaction was not committed.
enum NotCommitted {
    /// The offsets could not be written in it.
    Offsets(ConnectError),
    Commit(CommitError),
}

fn offset_records(
    pending: &BTreeMap<Bytes, SourceOffset>,
    topic: &Arc<str>,
) -> Result<Vec<OutRecord>, ConnectError> {
    let one = |(key, offset): (&Bytes, &SourceOffset)| {
        let value = encode_offset_value(&offset.map())
            .map_err(|error| ConnectError::data(error.to_string()))?;
        Ok(OutRecord {
            topic: Arc::clone(topic),
            key: Some(key.clone()),
            value: Some(value.into()),
            ticket: NO_TICKET,
            ..OutRecord::default()
        })
    };
    pending.iter().map(one).collect()
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
