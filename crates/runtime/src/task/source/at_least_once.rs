//! The at-least-once source: offsets are committed behind the acknowledgements, at intervals and at the
//! end (spec `distributed.md` 4).

use std::{collections::BTreeMap, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use milena_api::{CommittedRecord, ConnectError, SourceTask};
use milena_core::{
    failure::{Stage, Tolerance},
    offsets::{OffsetLedger, PartitionIndex, Submission, encode_offset_key, encode_offset_value},
};
use milena_data::{SourceMap, SourceOffset, SourceRecord};
use milena_kafka::ports::{Acked, KafkaError, Producer};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::{
    batch::{Preparation, Prepared, Row, origin, told},
    handing_over::{Batch, Handed, HandingOver, handed_over},
    idle::Idle,
    in_flight::InFlight,
};
use crate::task::{
    OffsetWrite, TaskEvent, TaskTarget, ack_inbox::AckInbox, clients::source_producer,
    failing::StageFailure, start::Running, topic_use::TopicUse,
};

/// Records handed to the producer and not answered; beyond it the task is not polled.
const RECORDS_UNACKED_MAX: usize = 50_000;
/// The wait before the rest of a batch is sent again, as in Java.
const SEND_AGAIN: Duration = Duration::from_millis(100);
/// How long closing the producer may take after everything was answered.
const CLOSE: Duration = Duration::from_millis(500);

type Write = Pin<Box<dyn Future<Output = Result<(), ConnectError>> + Send>>;

/// Fewer records than this are not worth another task.
const BESIDE_MIN: usize = 64;

struct Engine<'a> {
    running: &'a mut Running,
    preparation: Preparation,
    producer: Arc<dyn Producer>,
    inbox: Arc<AckInbox>,
    ledger: OffsetLedger<Bytes, SourceOffset>,
    in_flight: InFlight,
    topics: TopicUse,
    /// The last source partition seen, so that its key is encoded once per batch, not per record.
    partition: Option<(Arc<SourceMap>, PartitionIndex)>,
    /// Committable and not yet written, by key.
    pending: BTreeMap<Bytes, Bytes>,
    /// Being written now.
    writing: Option<(BTreeMap<Bytes, Bytes>, Write)>,
    next_commit: Instant,
    /// A write was durable since the task was last told.
    tell_commit: bool,
    committed: Vec<CommittedRecord>,
    wants_records: bool,
    /// What the producer is taking now.
    handing_over: Option<HandingOver>,
    /// The rest of a batch that could not be sent yet.
    unsent: Vec<SourceRecord>,
    /// The producer has taken them all: the task may have their memory. Of two batches the larger one.
    spent: Vec<SourceRecord>,
    idle: Idle,
}

pub(super) async fn run(
    running: &mut Running,
    task: &mut dyn SourceTask,
) -> Result<(), ConnectError> {
    let policy = super::policy(running);
    let preparation = Preparation::new(running, policy).await?;
    let inbox = Arc::new(AckInbox::default());
    let spec = &running.spec;
    let props = source_producer(&spec.world, &spec.id, &spec.connector_config, None);
    let producer = spec.world.clients.producer(&props, inbox.sink()).await;
    let producer: Arc<dyn Producer> = producer.map_err(|error| construction(&error))?.into();
    if preparation.policy.tolerance == Tolerance::None {
        producer.stop_at_failure();
    }
    let next_commit = Instant::now() + spec.world.offset_flush_interval;
    let wants_records = task.wants_committed_records();
    let mut engine = Engine {
        running,
        preparation,
        producer,
        inbox,
        ledger: OffsetLedger::default(),
        in_flight: InFlight::default(),
        topics: TopicUse::default(),
        partition: None,
        pending: BTreeMap::new(),
        writing: None,
        next_commit,
        tell_commit: false,
        committed: Vec::new(),
        wants_records,
        handing_over: None,
        unsent: Vec::new(),
        spent: Vec::new(),
        idle: Idle::default(),
    };
    let mut outcome = super::start(engine.running, task, None).await;
    if outcome.is_ok() {
        engine.running.reports.send(TaskEvent::Running).await;
        outcome = engine.work(task).await;
        engine.finish(task).await;
    }
    task.stop().await;
    engine.handing_over = None;
    // Who lost its place must not send beside who took it.
    let within = match engine.running.spec.world.lease.holds() {
        true => CLOSE,
        false => Duration::ZERO,
    };
    engine.producer.close(within).await;
    outcome
}

/// A client that cannot be made, under Java's class and text.
pub(super) fn construction(error: &KafkaError) -> ConnectError {
    ConnectError::of(error.class, error.message.clone())
}

impl Engine<'_> {
    async fn work(&mut self, task: &mut dyn SourceTask) -> Result<(), ConnectError> {
        while !self.running.stopping.is_cancelled() {
            self.take_acks().await?;
            self.tell(task).await;
            // A source that always has something ready leaves no time between two polls.
            if self.writing.is_none() && Instant::now() >= self.next_commit {
                self.begin_commit();
            }
            if *self.running.target.borrow_and_update() == TaskTarget::Paused {
                if !self.pause(task).await? {
                    return Ok(());
                }
                continue;
            }
            if !super::may_act(self.running).await {
                return Ok(());
            }
            if self.in_flight.len() >= RECORDS_UNACKED_MAX {
                self.wait_for_answer().await?;
                continue;
            }
            let batch = if self.unsent.is_empty() {
                let begun = Instant::now();
                let batch = self.poll(task).await?;
                if let Some(rest) = self.idle.after(batch.is_empty(), begun.elapsed()) {
                    tokio::select! {
                        () = self.running.stopping.cancelled() => {}
                        () = self.inbox.arrived() => {}
                        () = tokio::time::sleep(rest) => {}
                    }
                }
                batch
            } else {
                std::mem::take(&mut self.unsent)
            };
            if !self.running.spec.world.lease.holds() {
                // It was polled before the worker stood still: it waits until it is ours for certain.
                self.unsent = batch;
            } else if !batch.is_empty() {
                self.send(batch).await?;
            }
        }
        Ok(())
    }

    /// One poll; meanwhile acknowledgements and commits go on. Empty when there was nothing, or when the
    /// target changed.
    async fn poll(&mut self, task: &mut dyn SourceTask) -> Result<Vec<SourceRecord>, ConnectError> {
        let begun = Instant::now();
        if !self.spent.is_empty() {
            task.take_back(std::mem::take(&mut self.spent));
        }
        let poll = task.poll();
        tokio::pin!(poll);
        loop {
            let commit_at = self.writing.is_none().then_some(self.next_commit);
            tokio::select! {
                biased;
                () = self.running.stopping.cancelled() => return Ok(Vec::new()),
                _ = self.running.target.changed() => {
                    self.running.target.mark_changed();
                    return Ok(Vec::new());
                }
                outcome = write(&mut self.writing) => self.wrote(outcome),
                outcome = handed_over(&mut self.handing_over), if self.handing_over.is_some() => {
                    self.handed_over(outcome).await?;
                    if !self.unsent.is_empty() {
                        return Ok(Vec::new());
                    }
                }
                polled = &mut poll => {
                    return super::given(self.running, polled, begun);
                }
                () = self.inbox.arrived() => self.take_acks().await?,
                () = super::at(commit_at) => self.begin_commit(),
            }
        }
    }

    async fn wait_for_answer(&mut self) -> Result<(), ConnectError> {
        let commit_at = self.writing.is_none().then_some(self.next_commit);
        tokio::select! {
            biased;
            () = self.running.stopping.cancelled() => {}
            outcome = write(&mut self.writing) => self.wrote(outcome),
            outcome = handed_over(&mut self.handing_over), if self.handing_over.is_some() => {
                self.handed_over(outcome).await?;
            }
            () = self.inbox.arrived() => {}
            () = super::at(commit_at) => self.begin_commit(),
        }
        Ok(())
    }

    async fn pause(&mut self, task: &mut dyn SourceTask) -> Result<bool, ConnectError> {
        // What was sent is made durable first: a pause may last.
        self.settle(task).await;
        self.take_acks().await?;
        if !super::paused(self.running).await {
            return Ok(false);
        }
        self.running.reports.send(TaskEvent::Resumed).await;
        Ok(true)
    }

    /// Converts a batch while the one before it is being handed over, then begins to hand it over. What cannot be sent now
    /// stays in `unsent`. What comes before a record that fails the task is sent, as Java does, which takes one record after
    /// the other.
    async fn send(&mut self, batch: Vec<SourceRecord>) -> Result<(), ConnectError> {
        self.running.metrics.batch(batch.len());
        let prepared = self.preparation.convert(&batch).await;
        // Order: the rest of an earlier batch goes before this one.
        self.wait_handed_over().await?;
        if self.running.stopping.is_cancelled() {
            return Ok(());
        }
        // Meanwhile the worker may have lost its session.
        if !self.unsent.is_empty() || !self.running.spec.world.lease.holds() {
            self.unsent.extend(batch);
            return Ok(());
        }
        let Prepared {
            mut out,
            first,
            rows,
            mut retry_from,
            mut fatal,
        } = prepared;
        let mut records = batch.iter();
        let mut count = 0;
        for row in &rows {
            let offsets = records.clone().take(row.count);
            let offsets = offsets.filter_map(|record| record.source_offset.clone());
            let submission = match self.submit(row, offsets) {
                Ok(submission) => submission,
                Err(error) => {
                    out.truncate(count);
                    (retry_from, fatal) = (None, Some(error));
                    break;
                }
            };
            let (own, rest) = records.as_slice().split_at(row.count.min(records.len()));
            records = rest.iter();
            if let Some(topic) = &row.topic {
                let kept = match self.wants_records {
                    true => own.iter().cloned().map(Some).collect(),
                    false => Vec::new(),
                };
                let ticket = first + count as u64;
                self.in_flight
                    .add(ticket, row.count, Arc::clone(topic), submission, kept);
                count += row.count;
                continue;
            }
            self.running.metrics.dropped(row.count);
            // R14: a dropped record counts as done, or it would hold back its partition.
            if let Some(submission) = submission {
                self.ledger.acknowledge_row(submission, row.count as u64);
            }
            if self.wants_records {
                let own = own.iter().cloned();
                self.committed.extend(own.map(|record| CommittedRecord {
                    record,
                    written: None,
                }));
            }
        }
        let rows = rows.iter().map(|row| (row.count, row.topic.is_some()));
        let rows = rows.collect();
        let waits = retry_from.is_some() || fatal.is_some() || out.len() < BESIDE_MIN;
        self.handing_over = Some(HandingOver::begin(
            &self.producer,
            out,
            Batch {
                records: batch,
                first,
                count,
                rows,
                retry_from,
                fatal,
            },
        ));
        if waits {
            self.wait_handed_over().await?;
        }
        Ok(())
    }

    /// Waits until the producer has taken what is being handed over, or until the task is to stop.
    async fn wait_handed_over(&mut self) -> Result<(), ConnectError> {
        tokio::select! {
            outcome = handed_over(&mut self.handing_over) => self.handed_over(outcome).await,
            () = self.running.stopping.cancelled(), if self.handing_over.is_some() => Ok(()),
        }
    }

    /// The producer has taken a batch, or not all of it.
    async fn handed_over(&mut self, outcome: Option<Handed>) -> Result<(), ConnectError> {
        let (Some(outcome), Some(HandingOver { batch, .. })) = (outcome, self.handing_over.take())
        else {
            return Ok(());
        };
        let Batch {
            records,
            first,
            count,
            rows,
            mut retry_from,
            mut fatal,
        } = batch;
        if let Err((accepted, error)) = outcome {
            if accepted < count {
                for submission in self.in_flight.take_back(first + accepted as u64) {
                    self.ledger.withdraw(submission);
                }
            }
            if !error.is_retriable() {
                // The record before it that was not written says more.
                self.take_acks().await?;
                let cause = construction(&error);
                return Err(
                    ConnectError::connect("Unrecoverable exception trying to send")
                        .caused_by(cause),
                );
            }
            debug!(task = %self.running.spec.id, %error, "the rest of a batch will be sent again");
            fatal = None;
            retry_from = (accepted < count)
                .then(|| origin(&rows, accepted))
                .or(retry_from);
        }
        if let Some(error) = fatal {
            return Err(error);
        }
        if let Some(index) = retry_from {
            let mut rest: Vec<SourceRecord> = records.into_iter().skip(index).collect();
            rest.append(&mut self.unsent);
            self.unsent = rest;
            tokio::select! {
                () = tokio::time::sleep(SEND_AGAIN) => {}
                () = self.running.stopping.cancelled() => {}
            }
        } else if records.len() > self.spent.len() {
            self.spent = records;
        }
        Ok(())
    }

    /// Notes a row in the ledger, if it has a place in its source.
    fn submit(
        &mut self,
        row: &Row,
        offsets: impl Iterator<Item = SourceOffset>,
    ) -> Result<Option<Submission>, ConnectError> {
        let Some(partition) = &row.partition else {
            return Ok(None);
        };
        let index = match &self.partition {
            Some((known, index)) if Arc::ptr_eq(known, partition) => *index,
            _ => {
                let index = self.ledger.partition(self.key(partition)?);
                self.partition = Some((Arc::clone(partition), index));
                index
            }
        };
        Ok(Some(self.ledger.submit_row(index, offsets)))
    }

    fn key(&self, partition: &SourceMap) -> Result<Bytes, ConnectError> {
        offset_key(self.running, partition)
    }

    /// Takes up acknowledgements. An error fails the task.
    async fn take_acks(&mut self) -> Result<(), ConnectError> {
        self.topics.tick();
        let acks = self.inbox.take();
        if acks.is_empty() {
            return Ok(());
        }
        let mut acked = 0;
        let mut failed = None;
        for ack in acks {
            let at = match ack.outcome {
                Ok(at) => Some(at),
                Err(error) => {
                    if let Err(error) = self.refused(error) {
                        // Not acknowledged: its offset holds back its partition. The others are.
                        failed = failed.or(Some(error));
                        self.in_flight.answer(ack.ticket, ack.count);
                        continue;
                    }
                    None
                }
            };
            let mut behind = 0;
            while let left = ack.count.saturating_sub(behind)
                && left > 0
                && let Some(answered) = self.in_flight.answer(ack.ticket + behind, left)
            {
                if let Some(first) = answered.submission {
                    // NoLoss: the ledger advances only on an answer.
                    self.ledger.acknowledge_row(first, answered.count as u64);
                }
                if at.is_some() {
                    acked += answered.count;
                    if let Some(topic) = self.topics.first(&answered.topic) {
                        self.running.reports.send(TaskEvent::TopicUsed(topic)).await;
                    }
                }
                let at = at.as_ref().map(|at| Acked {
                    partition: at.partition,
                    offset: at.behind(behind),
                });
                behind += answered.count as u64;
                self.committed.extend(told(answered, at.as_ref()));
            }
        }
        self.running.metrics.written(acked);
        failed.map_or(Ok(()), Err)
    }

    /// A record was not written: skipped by tolerance, or the end of the task.
    fn refused(&mut self, error: KafkaError) -> Result<(), ConnectError> {
        let failure = StageFailure {
            stage: Stage::KafkaProduce,
            class: "org.apache.kafka.connect.runtime.WorkerSourceTask".to_owned(),
            error: construction(&error),
        };
        if self.preparation.policy.tolerance == Tolerance::None {
            let text = "Unrecoverable exception from producer send callback";
            return Err(ConnectError::connect(text).caused_by(failure.error));
        }
        self.preparation.policy.judge(&failure, String::new)
    }

    /// Calls the task back about what became durable; its errors are logged, as in Java.
    async fn tell(&mut self, task: &mut dyn SourceTask) {
        if !self.committed.is_empty() {
            let committed = std::mem::take(&mut self.committed);
            if let Err(error) = task.commit_records(committed).await {
                warn!(task = %self.running.spec.id, %error, "commit_records failed");
            }
        }
        if std::mem::take(&mut self.tell_commit)
            && let Err(error) = task.commit().await
        {
            warn!(task = %self.running.spec.id, %error, "commit failed");
        }
    }

    /// Begins to write what is committable; nothing to write counts as a commit.
    fn begin_commit(&mut self) {
        self.next_commit = Instant::now() + self.running.spec.world.offset_flush_interval;
        if !self.running.spec.world.lease.holds() {
            // Another worker may be at it: it must not be set back.
            return;
        }
        self.collect();
        if self.pending.is_empty() {
            self.tell_commit = true;
            self.running.metrics.offsets_committed(Ok(Duration::ZERO));
            return;
        }
        let entries = std::mem::take(&mut self.pending);
        let spec = &self.running.spec;
        let (offsets, within) = (Arc::clone(&spec.offsets), spec.world.offset_flush_timeout);
        let writes = entries.iter().map(|(key, value)| OffsetWrite {
            key: key.clone(),
            value: Some(value.clone()),
        });
        let writes: Vec<OffsetWrite> = writes.collect();
        let write = async move {
            tokio::time::timeout(within, offsets.write(writes))
                .await
                .unwrap_or_else(|_| Err(ConnectError::connect("timed out")))
        };
        self.writing = Some((entries, Box::pin(write)));
    }

    fn collect(&mut self) {
        for (key, offset) in self.ledger.take_committable() {
            match encode_offset_value(&offset.map()) {
                Ok(value) => {
                    self.pending.insert(key.clone(), value.into());
                }
                Err(error) => {
                    warn!(task = %self.running.spec.id, %error, "an offset cannot be written");
                }
            }
        }
    }

    fn wrote(&mut self, outcome: Result<(), ConnectError>) {
        let Some((entries, _)) = self.writing.take() else {
            return;
        };
        // The next commit was set when this one began.
        let interval = self.running.spec.world.offset_flush_interval;
        let took = (Instant::now() + interval).saturating_duration_since(self.next_commit);
        let measured = outcome.as_ref().map(|()| took).map_err(|_| ());
        self.running.metrics.offsets_committed(measured);
        match outcome {
            Ok(()) => self.tell_commit = true,
            Err(error) => {
                // R8: polling goes on; the offsets are written with the next commit, newer ones first.
                warn!(task = %self.running.spec.id, %error, "offsets could not be committed and will be tried again");
                for (key, value) in entries {
                    self.pending.entry(key).or_insert(value);
                }
            }
        }
    }

    /// Waits for outstanding answers, at most the flush timeout, and commits once. Who lost its place waits for nothing: the
    /// answers would not be committed.
    async fn settle(&mut self, task: &mut dyn SourceTask) {
        let deadline = Instant::now() + self.running.spec.world.offset_flush_timeout;
        while self.in_flight.len() > 0 {
            if let Err(error) = self.take_acks().await {
                warn!(task = %self.running.spec.id, %error, "a record was not written");
                break;
            }
            if self.in_flight.len() == 0 || !self.running.spec.world.lease.holds() {
                break;
            }
            tokio::select! {
                () = self.inbox.arrived() => {}
                outcome = handed_over(&mut self.handing_over), if self.handing_over.is_some() => {
                    if let Err(error) = self.handed_over(outcome).await {
                        warn!(task = %self.running.spec.id, %error, "a batch was not sent");
                    }
                }
                () = tokio::time::sleep_until(deadline) => break,
                () = self.running.cancelled.cancelled() => return,
            }
        }
        for _ in 0..2 {
            // A write that was under way is waited for, then what came since is written.
            if self.writing.is_some() {
                let outcome = tokio::select! {
                    outcome = write(&mut self.writing) => outcome,
                    () = self.running.cancelled.cancelled() => return,
                };
                self.wrote(outcome);
            }
            self.collect();
            if self.pending.is_empty() {
                break;
            }
            self.begin_commit();
        }
        if self.writing.is_some() {
            let outcome = write(&mut self.writing).await;
            self.wrote(outcome);
        }
        self.tell_commit = true;
        self.tell(task).await;
    }

    /// The end, clean or not: what was acknowledged is committed, unless the task was cancelled.
    async fn finish(&mut self, task: &mut dyn SourceTask) {
        if !self.running.cancelled.is_cancelled() {
            self.settle(task).await;
        }
    }
}

/// The write under way, or for ever nothing.
async fn write(writing: &mut Option<(BTreeMap<Bytes, Bytes>, Write)>) -> Result<(), ConnectError> {
    match writing {
        Some((_, write)) => write.await,
        None => std::future::pending().await,
    }
}

/// The key under which a partition's offset stands, or will.
pub(super) fn offset_key(running: &Running, partition: &SourceMap) -> Result<Bytes, ConnectError> {
    let connector = running.spec.id.connector.as_str();
    if let Some(stored) = running.spec.offsets.stored_key(connector, partition) {
        return Ok(stored);
    }
    encode_offset_key(connector, Some(partition))
        .map(Bytes::from)
        .map_err(|error| ConnectError::data(error.to_string()))
}
