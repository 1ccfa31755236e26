//! The loop of a sink task (spec `distributed.md` 5.3 to 5.7).

mod commit;
mod parts;
mod rebalance;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicI32},
    time::Duration,
};

use milena_api::{
    ConnectError, ErrantRecordReporter, SinkTask, SinkTaskContext, SinkTaskRequest,
    TopicPartition as ApiPartition,
};
use milena_core::{
    group::{
        consumer::{TaskEvent as GroupEvent, TaskInput, TopicPartition},
        membership::RequestId,
    },
    task::{SinkOffsets, SinkPartition},
};
use milena_data::Text;
use milena_java_text::JavaRegex;
use milena_kafka::ports::{Admin, Fetcher, KafkaError, PartitionBatch, StartAt};
use tokio::time::Instant;
use tracing::warn;

use self::parts::Parts;
use super::{
    conversion::{Conversion, Converted},
    dead_letters::DeadLetters,
    decode::Decoder,
    delivery::Delivery,
    fetch_ahead::FetchAhead,
    group::Group,
    membership::{millis, reset, settings},
    reporter::{Originals, Reporter},
};
use crate::task::{
    TaskEvent, TaskTarget,
    clients::{admin, sink_consumer},
    failing::ErrorPolicy,
    pipeline::Pipeline,
    start::Running,
    topic_use::TopicUse,
};

/// The longest wait for records: the loop must come round for `put` of an empty batch and rewinds.
const POLL_MAX: Duration = Duration::from_millis(500);
/// The wait before a batch that `put` refused is delivered again, unless the task says otherwise.
const AGAIN: Duration = Duration::from_millis(500);
/// How often the group is told that the loop turns.
const TELL_POLLED: Duration = Duration::from_secs(1);
/// How soon topics that are not there yet are looked for again.
const MISSING_TOPICS: Duration = Duration::from_millis(250);
/// The default of `metadata.max.age.ms`.
const METADATA_AGE: Duration = Duration::from_secs(300);
/// The wait before a committed offset is asked for again.
const FETCH_AGAIN: Duration = Duration::from_millis(100);
/// How long leaving the group may take.
const LEAVE: Duration = Duration::from_millis(500);

struct Committing {
    request: RequestId,
    offsets: BTreeMap<SinkPartition, i64>,
    begun: Instant,
}

struct Engine {
    running: Running,
    task: Box<dyn SinkTask>,
    conversion: Conversion,
    policy: Arc<ErrorPolicy>,
    dead_letters: Option<Arc<DeadLetters>>,
    fetcher: Box<dyn Fetcher>,
    /// What reading failed with behind the records in hand.
    failed_read: Option<KafkaError>,
    group: Group,
    admin: Arc<dyn Admin>,
    topics: BTreeSet<String>,
    regex: Option<JavaRegex>,
    /// `None`: a partition without an offset fails the task.
    reset: Option<StartAt>,
    /// `metadata.max.age.ms`: how often partition counts are looked at.
    metadata_age: Duration,
    topics_used: TopicUse,
    book: SinkOffsets,
    delivery: Delivery,
    requests: Arc<Mutex<Vec<SinkTaskRequest>>>,
    generation: Arc<AtomicI32>,
    originals: Option<Arc<Originals>>,
    exceeded: Arc<Mutex<Option<ConnectError>>>,
    /// What the task reports errant records to, when there is where to.
    reporter: Option<Arc<Reporter>>,
    /// Partitions that the task itself has paused.
    held: BTreeSet<SinkPartition>,
    opening: Option<(RequestId, Vec<TopicPartition>)>,
    committing: Option<Committing>,
    deferred: VecDeque<GroupEvent>,
    commit_requested: bool,
    paused: bool,
    next_commit: Instant,
    next_put: Instant,
    told_polled: Instant,
    /// The topics of the group, if we have led it: their partitions are watched.
    group_topics: Option<BTreeSet<String>>,
    next_metadata: Instant,
    last_request: u64,
}

pub(super) async fn run(running: Running, task: Box<dyn SinkTask>) -> Result<(), ConnectError> {
    let mut engine = Engine::open(running, task).await?;
    let outcome = match engine.start().await {
        Ok(()) => engine.work().await,
        Err(error) => Err(error),
    };
    engine.finish(outcome.is_ok()).await;
    outcome
}

/// Java's failure of a sink task.
fn unrecoverable(cause: ConnectError) -> ConnectError {
    ConnectError::connect("Exiting WorkerSinkTask due to unrecoverable exception.").caused_by(cause)
}

fn kafka_error(error: milena_kafka::ports::KafkaError) -> ConnectError {
    ConnectError::of(error.class, error.message)
}

/// The topics that match `topics.regex` now.
async fn matching(admin: &dyn Admin, regex: &JavaRegex) -> Result<BTreeSet<String>, ConnectError> {
    let all = admin.list_topics().await.map_err(kafka_error)?;
    let names = all.into_iter().map(|topic| topic.name);
    Ok(names
        .filter(|name| regex.matches(name).unwrap_or(false))
        .collect())
}

fn api_partition(partition: &SinkPartition) -> ApiPartition {
    ApiPartition {
        topic: Text::from(partition.0.as_ref()),
        partition: partition.1,
    }
}

fn sink_partition(partition: &ApiPartition) -> SinkPartition {
    ((&*partition.topic).into(), partition.partition)
}

impl Engine {
    async fn open(running: Running, task: Box<dyn SinkTask>) -> Result<Self, ConnectError> {
        let spec = &running.spec;
        let (world, id, config) = (&spec.world, &spec.id, &spec.connector_config);
        let policy = Arc::new(ErrorPolicy::new(
            config,
            id.clone(),
            Arc::clone(&running.metrics),
            running.stopping.clone(),
        ));
        let pipeline = Pipeline::new(&world.registry, config, &world.worker_props, &policy)?;
        let dead_letters = DeadLetters::open(world, id, config, &running.metrics)
            .await?
            .map(Arc::new);
        let props = sink_consumer(world, id, config);
        let group_id = props.get("group.id").cloned().unwrap_or_default();
        let fetcher = world.clients.fetcher(&props).await.map_err(kafka_error)?;
        let fetcher = Box::new(FetchAhead::new(fetcher));
        let admin = world
            .clients
            .admin(&admin(world, id, config))
            .await
            .map_err(kafka_error)?;
        let channel = world
            .clients
            .group(&props, &group_id)
            .await
            .map_err(kafka_error)?;
        let reporting = dead_letters.is_some() || policy.log;
        let originals: Option<Arc<Originals>> = reporting.then(Arc::default);
        let decoder = Decoder::new(pipeline, Arc::clone(&policy), dead_letters.clone());
        let conversion = Conversion::new(decoder, originals.clone());
        let list = spec
            .task_config
            .get("topics")
            .or_else(|| config.get("topics"));
        let names = list
            .map(String::as_str)
            .unwrap_or_default()
            .split(',')
            .map(str::trim);
        let mut topics: BTreeSet<String> =
            names.filter(|t| !t.is_empty()).map(str::to_owned).collect();
        let regex = match config.get("topics.regex").filter(|_| topics.is_empty()) {
            Some(text) => Some(
                JavaRegex::new(text)
                    .map_err(|error| ConnectError::config(format!("topics.regex: {error}")))?,
            ),
            None => None,
        };
        if let Some(regex) = &regex {
            topics = matching(&*admin, regex).await?;
        }
        let metadata_age = millis(&props, "metadata.max.age.ms", METADATA_AGE);
        let group = Group::join(channel, group_id, settings(&props)?, topics.clone());
        let now = Instant::now();
        Ok(Self {
            task,
            conversion,
            policy,
            dead_letters,
            fetcher,
            failed_read: None,
            group,
            admin,
            topics,
            regex,
            reset: reset(&props)?,
            metadata_age,
            topics_used: TopicUse::default(),
            book: SinkOffsets::default(),
            delivery: Delivery::default(),
            requests: Arc::default(),
            generation: Arc::new(AtomicI32::new(-1)),
            originals,
            exceeded: Arc::default(),
            reporter: None,
            held: BTreeSet::new(),
            opening: None,
            committing: None,
            deferred: VecDeque::new(),
            commit_requested: false,
            paused: false,
            next_commit: now + world.offset_flush_interval,
            next_put: now,
            told_polled: now,
            group_topics: None,
            next_metadata: now + metadata_age,
            last_request: 0,
            running,
        })
    }

    async fn start(&mut self) -> Result<(), ConnectError> {
        let spec = &self.running.spec;
        let requests = Arc::clone(&self.requests);
        self.reporter = self.originals.clone().map(|originals| {
            Arc::new(Reporter {
                policy: Arc::clone(&self.policy),
                dead_letters: self.dead_letters.clone(),
                originals,
                exceeded: Arc::clone(&self.exceeded),
            })
        });
        let errant = self.reporter.clone();
        let errant = errant.map(|reporter| reporter as Arc<dyn ErrantRecordReporter>);
        let context = SinkTaskContext {
            connector: spec.id.connector.shared(),
            task: spec.id.task,
            errant,
            stopping: self.running.stopping.clone(),
            generation: Arc::clone(&self.generation),
            requests: Arc::new(move |request| {
                requests
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(request);
            }),
        };
        self.task.start(context, spec.task_config.clone()).await?;
        self.running.reports.send(TaskEvent::Running).await;
        Ok(())
    }

    async fn work(&mut self) -> Result<(), ConnectError> {
        while crate::task::source::may_act(&self.running).await
            && !self.running.stopping.is_cancelled()
        {
            while let Some(event) = self
                .deferred
                .pop_front()
                .or_else(|| self.group.events.try_recv().ok())
            {
                self.take(event).await?;
            }
            self.follow_target().await?;
            self.take_requests().await?;
            let now = Instant::now();
            if now >= self.told_polled + TELL_POLLED {
                self.told_polled = now;
                self.group.tell(TaskInput::Polled).await;
            }
            if now >= self.next_metadata {
                self.refresh_topics().await?;
            }
            if self.committing.is_none() && (self.commit_requested || now >= self.next_commit) {
                self.commit_requested = false;
                self.next_commit = now + self.running.spec.world.offset_flush_interval;
                self.begin_commit().await?;
            }
            self.read().await?;
            self.deliver().await?;
        }
        Ok(())
    }

    fn may_read(&self) -> bool {
        !self.paused
            && !self.delivery.again
            && self.opening.is_none()
            && self.book.assigned().next().is_some()
    }

    /// Waits for records, an event of the group, a request to stop, or a timer.
    async fn read(&mut self) -> Result<(), ConnectError> {
        let mut until = Instant::now() + POLL_MAX;
        until = until.min(self.next_commit).min(self.next_metadata);
        if self.delivery.again {
            until = until.min(self.next_put);
        }
        let reading = self.may_read();
        if reading && let Some(error) = self.failed_read.take() {
            return self.convert(Err(error)).await;
        }
        let converting = reading && self.conversion.has_work(&self.held);
        let wait = until.saturating_duration_since(Instant::now());
        let batches = tokio::select! {
            biased;
            () = self.running.stopping.cancelled() => return Ok(()),
            _ = self.running.target.changed() => {
                self.running.target.mark_changed();
                return Ok(());
            }
            event = self.group.events.recv() => {
                let Some(event) = event else {
                    return Err(ConnectError::connect("the group membership ended"));
                };
                self.deferred.push_back(event);
                return Ok(());
            }
            () = self.conversion.finished(), if converting => Ok(Vec::new()),
            polled = self.fetcher.poll(wait), if reading && !converting => polled,
            () = tokio::time::sleep_until(until) => {
                self.conversion.rest();
                return Ok(());
            }
        };
        if !converting && matches!(&batches, Ok(none) if none.is_empty()) {
            self.conversion.rest();
        }
        self.convert(batches).await?;
        if !converting && self.conversion.works_ahead() {
            // What is on a thread of its own is taken when it is done; what was not worth one is there now.
            tokio::select! {
                biased;
                () = self.running.stopping.cancelled() => return Ok(()),
                () = self.conversion.finished() => {}
                () = tokio::time::sleep_until(until) => return Ok(()),
            }
        }
        for converted in self.conversion.take(&self.held) {
            self.take_converted(converted).await?;
        }
        if self.conversion.works_ahead() && !self.conversion.has_work(&self.held) {
            // What is there already is converted while the task is given these.
            match self.fetcher.poll(Duration::ZERO).await {
                Ok(there) => self.convert(Ok(there)).await?,
                // The task is given what came before.
                Err(error) => self.failed_read = Some(error),
            }
        }
        Ok(())
    }

    async fn convert(
        &mut self,
        polled: Result<Vec<PartitionBatch>, KafkaError>,
    ) -> Result<(), ConnectError> {
        match polled {
            Ok(batches) => {
                if !batches.is_empty() {
                    self.conversion.begin(batches).await;
                }
                Ok(())
            }
            Err(error) if error.is_retriable() => {
                warn!(task = %self.running.spec.id, %error, "reading failed and will be tried again");
                tokio::time::sleep(FETCH_AGAIN).await;
                Ok(())
            }
            Err(error) => Err(kafka_error(error)),
        }
    }

    /// Takes up what the task is given next.
    async fn take_converted(&mut self, converted: Converted) -> Result<(), ConnectError> {
        let Converted {
            partition,
            read,
            next,
            mut records,
            bytes,
            failure,
        } = converted;
        self.running.metrics.read(&partition, read, next);
        if let Some(failure) = failure {
            return Err(failure);
        }
        match self.delivery.records.is_empty() {
            true => self.delivery.records = records,
            false => self.delivery.records.append(&mut records),
        }
        self.delivery.bytes += bytes;
        self.topics_used.tick();
        if let Some(topic) = self.topics_used.first(&partition.0) {
            self.running.reports.send(TaskEvent::TopicUsed(topic)).await;
        }
        // A dropped record counts as delivered.
        self.delivery.positions.insert(partition, next);
        Ok(())
    }

    async fn deliver(&mut self) -> Result<(), ConnectError> {
        let now = Instant::now();
        let waiting = self.delivery.again && now < self.next_put;
        // Java: `put` also gets empty batches, also while paused; sinks flush by time in it.
        if self.opening.is_some() || waiting {
            return Ok(());
        }
        // AtMostOneRunning: after a pause of the process the partitions may be somebody else's.
        if self.group.fenced() || !self.running.spec.world.lease.holds() {
            return Ok(());
        }
        let begun = Instant::now();
        let put = self.task.put(&self.delivery.records).await;
        match (put, self.take_exceeded()) {
            (Ok(()), None) => {
                let records = self.delivery.records.len();
                self.running.metrics.put(records, begun.elapsed());
            }
            (Err(error), None) if self.takes_apart(&error) => {
                if self.put_in_parts(error).await? == Parts::Again {
                    self.delivery.again = true;
                    self.next_put = Instant::now() + self.again_after();
                    return Ok(());
                }
            }
            (Err(error), _) if error.is_retriable() => {
                warn!(task = %self.running.spec.id, %error, "put failed and gets the same batch again");
                self.delivery.again = true;
                self.next_put = Instant::now() + self.again_after();
                return Ok(());
            }
            (Err(error), _) => return Err(unrecoverable(error)),
            (Ok(()), Some(error)) => return Err(unrecoverable(error)),
        }
        for (partition, next) in std::mem::take(&mut self.delivery.positions) {
            self.book.delivered(&partition, next);
        }
        let bytes = std::mem::take(&mut self.delivery.bytes);
        self.conversion.reuse(&mut self.delivery.records, bytes);
        self.delivery.again = false;
        if let Some(originals) = &self.originals {
            originals.clear();
        }
        Ok(())
    }

    fn take_exceeded(&self) -> Option<ConnectError> {
        let mut exceeded = self.exceeded.lock().unwrap_or_else(PoisonError::into_inner);
        exceeded.take()
    }

    fn again_after(&mut self) -> Duration {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let mut after = AGAIN;
        requests.retain(|request| match request {
            SinkTaskRequest::RetryAfter(delay) => {
                after = *delay;
                false
            }
            _ => true,
        });
        after
    }

    async fn follow_target(&mut self) -> Result<(), ConnectError> {
        let paused = *self.running.target.borrow_and_update() == TaskTarget::Paused;
        if paused == self.paused {
            return Ok(());
        }
        self.paused = paused;
        if paused {
            self.commit_requested = true;
            self.running.reports.send(TaskEvent::Paused).await;
        } else {
            self.running.reports.send(TaskEvent::Resumed).await;
        }
        Ok(())
    }

    async fn take_requests(&mut self) -> Result<(), ConnectError> {
        let requests =
            std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner));
        for request in requests {
            match request {
                SinkTaskRequest::Commit => self.commit_requested = true,
                SinkTaskRequest::RetryAfter(delay) => self.next_put = Instant::now() + delay,
                SinkTaskRequest::Rewind(offsets) => {
                    for (partition, offset) in offsets {
                        let partition = sink_partition(&partition);
                        self.rewind(&partition, offset).await?;
                    }
                }
                SinkTaskRequest::Pause(partitions) => {
                    let list: Vec<SinkPartition> = partitions.iter().map(sink_partition).collect();
                    self.fetcher.pause(&list).await.map_err(kafka_error)?;
                    self.held.extend(list);
                }
                SinkTaskRequest::Resume(partitions) => {
                    let list: Vec<SinkPartition> = partitions.iter().map(sink_partition).collect();
                    self.fetcher.resume(&list).await.map_err(kafka_error)?;
                    for partition in &list {
                        self.held.remove(partition);
                    }
                }
            }
        }
        Ok(())
    }

    async fn rewind(&mut self, partition: &SinkPartition, offset: i64) -> Result<(), ConnectError> {
        self.fetcher
            .seek(&partition.0, partition.1, offset)
            .await
            .map_err(kafka_error)?;
        self.book.rewind(partition, offset);
        let gone = |topic: &str, number| *topic == *partition.0 && number == partition.1;
        self.delivery.forget(&gone);
        self.conversion.forget(&gone).await;
        Ok(())
    }

    /// The end: what was confirmed is committed, unless the task failed in `put` or was cancelled.
    async fn finish(&mut self, clean: bool) {
        if !self.running.cancelled.is_cancelled() {
            let ours = clean && !self.group.fenced();
            let all = self.book.assigned().cloned().collect();
            if let Err(error) = self.release(all, ours).await {
                warn!(task = %self.running.spec.id, %error, "closing failed");
            }
        }
        self.task.stop().await;
        if let Some(dead_letters) = &self.dead_letters
            && !self.running.cancelled.is_cancelled()
        {
            dead_letters.close().await;
        }
        self.group.leave("the task is being stopped", LEAVE).await;
        self.fetcher.close().await;
    }
}
