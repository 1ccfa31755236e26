//! What tasks count while they run (`WorkerTask.TaskMetricsGroup`, `SourceTaskMetricsGroup`, `SinkTaskMetricsGroup`,
//! `ErrorHandlingMetrics`; spec `data.md` 6.2). One short lock per batch; readers take a snapshot.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use milena_core::{TaskId, task::SinkPartition};
use milena_telemetry::metrics::{Average, Bean, Maximum, Meter, Minimum, Shares, Windows};

/// The state of a task as its metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// It was made and has not begun.
    Unassigned,
    /// It polls or puts.
    Running,
    /// It holds what it has.
    Paused,
    /// It failed; nothing of it runs.
    Failed,
}

impl TaskState {
    /// Java's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unassigned => "unassigned",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Failed => "failed",
        }
    }
}

/// How a commit of a sink task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SinkCommit {
    /// The group took the offsets.
    Done(Duration),
    /// There was nothing to commit.
    Skipped,
    /// It failed.
    Failed,
}

/// The counters of one run of a task.
#[derive(Debug)]
pub struct TaskMetrics {
    /// Records that `poll` gave, or that were read for a sink.
    pub records_in: AtomicU64,
    /// Records that Kafka acknowledged, or that `put` took.
    pub records_out: AtomicU64,
    /// Records that were skipped by tolerance.
    pub records_skipped: AtomicU64,
    numbers: Mutex<Numbers>,
}

#[derive(Debug)]
struct Numbers {
    windows: Windows,
    state: TaskState,
    since: Instant,
    running: Duration,
    paused: Duration,
    other: Duration,
    commit_max: Maximum,
    commit_avg: Average,
    commits: Shares,
    batch_max: Maximum,
    batch_avg: Average,
    kind: Kind,
    errors: Errors,
}

#[derive(Debug)]
enum Kind {
    Unknown,
    Source(Box<Source>),
    Sink(Box<Sink>),
}

#[derive(Debug)]
struct Active {
    now: f64,
    max: Maximum,
    avg: Average,
}

#[derive(Debug)]
struct Source {
    polled: Meter,
    written: Meter,
    poll_max: Maximum,
    poll_avg: Average,
    active: Active,
    transactions: Option<(Minimum, Maximum, Average)>,
}

#[derive(Debug)]
struct Sink {
    read: Meter,
    sent: Meter,
    partitions: usize,
    commit_number: u64,
    completed: Meter,
    skipped: Meter,
    put_max: Maximum,
    put_avg: Average,
    active: Active,
    consumed: BTreeMap<SinkPartition, i64>,
    committed: BTreeMap<SinkPartition, i64>,
}

#[derive(Debug, Default)]
struct Errors {
    failures: u64,
    errors: u64,
    skipped: u64,
    retries: u64,
    logged: u64,
    dead_letters: u64,
    dead_letter_failures: u64,
    /// Milliseconds since the epoch; 0 before the first.
    last: u64,
}

fn millis(time: Duration) -> f64 {
    // Java measures in whole milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "JMX shows doubles")]
    let millis = time.as_millis() as f64;
    millis
}

#[expect(clippy::cast_precision_loss, reason = "JMX shows doubles")]
fn double(count: usize) -> f64 {
    count as f64
}

impl Active {
    fn new(windows: Windows) -> Self {
        Self {
            now: 0.0,
            max: Maximum::new(windows),
            avg: Average::new(windows),
        }
    }

    fn set(&mut self, at: Instant, count: f64) {
        self.now = count.max(0.0);
        self.max.record(at, self.now);
        self.avg.record(at, self.now);
    }

    fn show(&self, bean: &mut Bean, now: Instant, names: [&'static str; 3]) {
        let [count, max, avg] = names;
        bean.number(count, self.now);
        bean.number(max, self.max.value(now));
        bean.number(avg, self.avg.value(now));
    }
}

impl TaskMetrics {
    fn new(windows: Windows) -> Self {
        Self {
            records_in: AtomicU64::new(0),
            records_out: AtomicU64::new(0),
            records_skipped: AtomicU64::new(0),
            numbers: Mutex::new(Numbers {
                windows,
                state: TaskState::Unassigned,
                since: Instant::now(),
                running: Duration::ZERO,
                paused: Duration::ZERO,
                other: Duration::ZERO,
                commit_max: Maximum::new(windows),
                commit_avg: Average::new(windows),
                commits: Shares::new(windows),
                batch_max: Maximum::new(windows),
                batch_avg: Average::new(windows),
                kind: Kind::Unknown,
                errors: Errors::default(),
            }),
        }
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn source(&self, note: impl FnOnce(&mut Source, Instant)) {
        if let Kind::Source(source) = &mut self.numbers().kind {
            note(source, Instant::now());
        }
    }

    fn sink(&self, note: impl FnOnce(&mut Sink, Instant)) {
        if let Kind::Sink(sink) = &mut self.numbers().kind {
            note(sink, Instant::now());
        }
    }

    /// It is a source task.
    pub(super) fn is_source(&self, exactly_once: bool) {
        let mut numbers = self.numbers();
        let windows = numbers.windows;
        numbers.kind = Kind::Source(Box::new(Source {
            polled: Meter::new(windows),
            written: Meter::new(windows),
            poll_max: Maximum::new(windows),
            poll_avg: Average::new(windows),
            active: Active::new(windows),
            transactions: exactly_once.then(|| {
                (
                    Minimum::new(windows),
                    Maximum::new(windows),
                    Average::new(windows),
                )
            }),
        }));
    }

    /// It is a sink task.
    pub(super) fn is_sink(&self) {
        let mut numbers = self.numbers();
        let windows = numbers.windows;
        numbers.kind = Kind::Sink(Box::new(Sink {
            read: Meter::new(windows),
            sent: Meter::new(windows),
            partitions: 0,
            commit_number: 0,
            completed: Meter::new(windows),
            skipped: Meter::new(windows),
            put_max: Maximum::new(windows),
            put_avg: Average::new(windows),
            active: Active::new(windows),
            consumed: BTreeMap::new(),
            committed: BTreeMap::new(),
        }));
    }

    /// It came to another state.
    pub(super) fn state(&self, state: TaskState) {
        let mut numbers = self.numbers();
        numbers.settle(Instant::now());
        numbers.state = state;
    }

    /// `poll` gave so many records after so long.
    pub(super) fn polled(&self, records: usize, took: Duration) {
        self.records_in.fetch_add(records as u64, Ordering::Relaxed);
        self.source(|source, now| {
            source.polled.add(now, records);
            source.poll_max.record(now, millis(took));
            source.poll_avg.record(now, millis(took));
            let active = source.active.now + double(records);
            source.active.set(now, active);
        });
    }

    /// A batch of so many records went to the producer, or to `put`.
    pub(super) fn batch(&self, records: usize) {
        let mut numbers = self.numbers();
        let now = Instant::now();
        numbers.batch_max.record(now, double(records));
        numbers.batch_avg.record(now, double(records));
    }

    /// So many records of a source are durable in Kafka.
    pub(super) fn written(&self, records: usize) {
        self.records_out
            .fetch_add(records as u64, Ordering::Relaxed);
        self.source(|source, now| {
            source.written.add(now, records);
            let active = source.active.now - double(records);
            source.active.set(now, active);
        });
    }

    /// So many records of a source were filtered or skipped.
    pub(super) fn dropped(&self, records: usize) {
        self.source(|source, now| {
            let active = source.active.now - double(records);
            source.active.set(now, active);
        });
    }

    /// A transaction of so many records was committed.
    pub(super) fn transaction(&self, records: usize) {
        self.source(|source, now| {
            if let Some((min, max, avg)) = &mut source.transactions {
                min.record(now, double(records));
                max.record(now, double(records));
                avg.record(now, double(records));
            }
        });
    }

    /// The offsets of a source were committed, or could not be.
    pub(super) fn offsets_committed(&self, took: Result<Duration, ()>) {
        let mut numbers = self.numbers();
        let now = Instant::now();
        numbers.commits.record(now, took.is_ok());
        if let Ok(took) = took {
            numbers.commit_max.record(now, millis(took));
            numbers.commit_avg.record(now, millis(took));
        }
    }

    /// A sink task read records of one partition; the next is at `next`.
    pub(super) fn read(&self, partition: &SinkPartition, records: usize, next: i64) {
        self.records_in.fetch_add(records as u64, Ordering::Relaxed);
        self.sink(|sink, now| {
            sink.read.add(now, records);
            sink.consumed.insert(partition.clone(), next);
            sink.count_active(now);
        });
    }

    /// `put` took a batch after so long.
    pub(super) fn put(&self, records: usize, took: Duration) {
        self.records_out
            .fetch_add(records as u64, Ordering::Relaxed);
        self.batch(records);
        self.sink(|sink, now| {
            sink.sent.add(now, records);
            sink.put_max.record(now, millis(took));
            sink.put_avg.record(now, millis(took));
        });
    }

    /// The partitions of a sink task and the offsets from which they are read.
    pub(super) fn partitions(&self, positions: &BTreeMap<SinkPartition, i64>) {
        self.sink(|sink, now| {
            sink.partitions = positions.len();
            sink.consumed.retain(|p, _| positions.contains_key(p));
            sink.committed.retain(|p, _| positions.contains_key(p));
            for (partition, at) in positions {
                sink.committed.entry(partition.clone()).or_insert(*at);
            }
            sink.count_active(now);
        });
    }

    /// A commit of a sink task ended.
    pub(super) fn sink_commit(&self, how: SinkCommit, offsets: &BTreeMap<SinkPartition, i64>) {
        match how {
            SinkCommit::Done(took) => self.offsets_committed(Ok(took)),
            SinkCommit::Failed => self.offsets_committed(Err(())),
            SinkCommit::Skipped => {}
        }
        self.sink(|sink, now| match how {
            SinkCommit::Done(_) => {
                sink.commit_number += 1;
                sink.completed.add(now, 1);
                for (partition, at) in offsets {
                    sink.committed.insert(partition.clone(), *at);
                }
                sink.count_active(now);
            }
            SinkCommit::Skipped => sink.skipped.add(now, 1),
            SinkCommit::Failed => {}
        });
    }

    /// An attempt failed and is made again.
    pub(super) fn retried(&self) {
        let errors = &mut self.numbers().errors;
        errors.failures += 1;
        errors.retries += 1;
    }

    /// An operation failed for good.
    pub(super) fn failed(&self, skipped: bool, logged: bool) {
        if skipped {
            self.records_skipped.fetch_add(1, Ordering::Relaxed);
        }
        let last = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let errors = &mut self.numbers().errors;
        errors.failures += 1;
        errors.errors += 1;
        errors.skipped += u64::from(skipped);
        errors.logged += u64::from(logged);
        errors.last = u64::try_from(last.as_millis()).unwrap_or(u64::MAX);
    }

    /// A record went to the dead letter queue.
    pub(super) fn dead_letter(&self) {
        self.numbers().errors.dead_letters += 1;
    }

    /// A record did not reach the dead letter queue.
    pub(super) fn dead_letter_failed(&self) {
        self.numbers().errors.dead_letter_failures += 1;
    }

    fn beans(&self, id: &TaskId) -> Vec<Bean> {
        let mut numbers = self.numbers();
        let now = Instant::now();
        numbers.settle(now);
        let bean = |name| {
            let connector = id.connector.as_str().to_owned();
            Bean::new(
                name,
                vec![("connector", connector), ("task", id.task.to_string())],
            )
        };
        let mut beans = vec![numbers.common(bean("connector-task-metrics"), now)];
        match &numbers.kind {
            Kind::Source(source) => beans.push(source.show(bean("source-task-metrics"), now)),
            Kind::Sink(sink) => beans.push(sink.show(bean("sink-task-metrics"), now)),
            Kind::Unknown => {}
        }
        beans.push(numbers.errors.show(bean("task-error-metrics")));
        beans
    }
}

impl Numbers {
    /// Adds the time since the last look to the state that held.
    fn settle(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        self.since = now;
        match self.state {
            TaskState::Running => self.running += passed,
            TaskState::Paused => self.paused += passed,
            TaskState::Unassigned | TaskState::Failed => self.other += passed,
        }
    }

    fn common(&self, mut bean: Bean, now: Instant) -> Bean {
        let all = (self.running + self.paused + self.other).as_secs_f64();
        let share = |part: Duration| {
            if all > 0.0 {
                part.as_secs_f64() / all
            } else {
                0.0
            }
        };
        let (success, failure) = self.commits.value(now);
        bean.text("status", self.state.word());
        bean.number("running-ratio", share(self.running));
        bean.number("pause-ratio", share(self.paused));
        bean.number("batch-size-max", self.batch_max.value(now));
        bean.number("batch-size-avg", self.batch_avg.value(now));
        bean.number("offset-commit-max-time-ms", self.commit_max.value(now));
        bean.number("offset-commit-avg-time-ms", self.commit_avg.value(now));
        bean.number("offset-commit-failure-percentage", failure);
        bean.number("offset-commit-success-percentage", success);
        bean
    }
}

impl Source {
    fn show(&self, mut bean: Bean, now: Instant) -> Bean {
        bean.number("source-record-poll-rate", self.polled.rate(now));
        bean.number("source-record-poll-total", self.polled.total());
        bean.number("source-record-write-rate", self.written.rate(now));
        bean.number("source-record-write-total", self.written.total());
        bean.number("poll-batch-max-time-ms", self.poll_max.value(now));
        bean.number("poll-batch-avg-time-ms", self.poll_avg.value(now));
        let names = [
            "source-record-active-count",
            "source-record-active-count-max",
            "source-record-active-count-avg",
        ];
        self.active.show(&mut bean, now, names);
        if let Some((min, max, avg)) = &self.transactions {
            bean.number("transaction-size-min", min.value(now));
            bean.number("transaction-size-max", max.value(now));
            bean.number("transaction-size-avg", avg.value(now));
        }
        bean
    }
}

impl Sink {
    /// Σ max(0, consumed − committed) over the partitions.
    fn count_active(&mut self, now: Instant) {
        let active = self.consumed.iter().map(|(partition, consumed)| {
            let committed = self.committed.get(partition).copied().unwrap_or(0);
            u32::try_from((consumed - committed).max(0)).unwrap_or(u32::MAX)
        });
        let active: f64 = active.map(f64::from).sum();
        self.active.set(now, active);
    }

    fn show(&self, mut bean: Bean, now: Instant) -> Bean {
        bean.number("sink-record-read-rate", self.read.rate(now));
        bean.number("sink-record-read-total", self.read.total());
        bean.number("sink-record-send-rate", self.sent.rate(now));
        bean.number("sink-record-send-total", self.sent.total());
        let names = [
            "sink-record-active-count",
            "sink-record-active-count-max",
            "sink-record-active-count-avg",
        ];
        self.active.show(&mut bean, now, names);
        bean.number("partition-count", double(self.partitions));
        bean.count("offset-commit-seq-no", self.commit_number);
        bean.number("offset-commit-completion-rate", self.completed.rate(now));
        bean.number("offset-commit-completion-total", self.completed.total());
        bean.number("offset-commit-skip-rate", self.skipped.rate(now));
        bean.number("offset-commit-skip-total", self.skipped.total());
        bean.number("put-batch-max-time-ms", self.put_max.value(now));
        bean.number("put-batch-avg-time-ms", self.put_avg.value(now));
        bean
    }
}

impl Errors {
    fn show(&self, mut bean: Bean) -> Bean {
        bean.count("total-record-failures", self.failures);
        bean.count("total-record-errors", self.errors);
        bean.count("total-records-skipped", self.skipped);
        bean.count("total-retries", self.retries);
        bean.count("total-errors-logged", self.logged);
        bean.count("deadletterqueue-produce-requests", self.dead_letters);
        bean.count(
            "deadletterqueue-produce-failures",
            self.dead_letter_failures,
        );
        bean.count("last-error-timestamp", self.last);
        bean
    }
}

/// The counters of all tasks that run in this process, and of those that failed here and were not taken away.
#[derive(Debug, Default)]
pub struct TaskMetricsBook {
    windows: Windows,
    tasks: Mutex<BTreeMap<TaskId, Arc<TaskMetrics>>>,
}

impl TaskMetricsBook {
    /// Statistics over these windows (`metrics.sample.window.ms`, `metrics.num.samples`).
    #[must_use]
    pub fn new(windows: Windows) -> Self {
        Self {
            windows,
            tasks: Mutex::default(),
        }
    }

    fn tasks(&self) -> MutexGuard<'_, BTreeMap<TaskId, Arc<TaskMetrics>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counters of a task that starts now, from zero.
    pub(super) fn open(&self, id: &TaskId) -> Arc<TaskMetrics> {
        let metrics = Arc::new(TaskMetrics::new(self.windows));
        self.tasks().insert(id.clone(), Arc::clone(&metrics));
        metrics
    }

    /// Forgets a task that ended, unless a newer run has taken its place.
    pub(super) fn close(&self, id: &TaskId, metrics: &Arc<TaskMetrics>) {
        let mut tasks = self.tasks();
        if tasks.get(id).is_some_and(|held| Arc::ptr_eq(held, metrics)) {
            tasks.remove(id);
        }
    }

    /// Forgets the tasks that failed here and are not this worker's any more.
    pub(crate) fn keep_failed(&self, ours: impl Fn(&TaskId) -> bool) {
        self.tasks()
            .retain(|id, metrics| metrics.numbers().state != TaskState::Failed || ours(id));
    }

    /// The counters of all tasks, by task.
    #[must_use]
    pub fn all(&self) -> Vec<(TaskId, Arc<TaskMetrics>)> {
        self.tasks()
            .iter()
            .map(|(id, metrics)| (id.clone(), Arc::clone(metrics)))
            .collect()
    }

    /// Over which windows statistics go.
    #[must_use]
    pub(crate) fn windows(&self) -> Windows {
        self.windows
    }

    /// The tasks with their states.
    #[must_use]
    pub(crate) fn states(&self) -> Vec<(TaskId, TaskState)> {
        self.tasks()
            .iter()
            .map(|(id, metrics)| (id.clone(), metrics.numbers().state))
            .collect()
    }

    /// What every task measures.
    #[must_use]
    pub(crate) fn beans(&self) -> Vec<Bean> {
        let all = self.all();
        all.iter()
            .flat_map(|(id, metrics)| metrics.beans(id))
            .collect()
    }
}
