//! `transaction.boundary=poll`: the next batches are polled while a transaction is committed, and sent when that was answered.
//! A producer whose commits the test answers, and a source that does as it is told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use milena_api::{
    ConnectError, ConnectorInstance, ConnectorPlugin, PluginInfo, SourceTask, SourceTaskContext,
    TaskInstance,
};
use milena_config::{ConfigDef, Props};
use milena_core::ConnectorName;
use milena_data::{Record, SchemaAndValue, SourceMap, SourceRecord, Text, Value};
use milena_kafka::ports::{
    Ack, AckSink, Acked, Admin, ClientProps, CommitError, Fetcher, GroupChannel, KafkaClients,
    KafkaError, KafkaErrorKind, OutRecord, Producer,
};
use milena_registry::Registry;
use milena_runtime::{
    lease::Lease,
    task::{
        ExactlyOnce, OffsetWrite, SourceOffsets, TaskEvent, TaskHandle, TaskMetricsBook,
        TaskReport, TaskSpec, TaskTarget, TaskWorld, start_task,
    },
};
use milena_telemetry::metrics::Windows;
use tokio::sync::{Notify, mpsc};

const PATIENCE: Duration = Duration::from_secs(60);

/// What one poll does.
#[derive(Clone, Copy, Debug)]
enum Poll {
    Gives(&'static str),
    /// A record that the converter refuses.
    GivesBad,
    Fails,
    Hangs,
}

/// What happened, in order, and what is to happen.
#[derive(Default)]
struct Stage {
    journal: Mutex<Vec<String>>,
    noted: Notify,
    polls: Mutex<VecDeque<Poll>>,
    answers: Mutex<VecDeque<Result<(), CommitError>>>,
    answered: Notify,
    /// What was sent is not answered yet.
    unwritten: Mutex<bool>,
    written: Notify,
}

impl Stage {
    fn note(&self, what: impl Into<String>) {
        self.journal.lock().unwrap().push(what.into());
        self.noted.notify_one();
    }

    /// Waits until something happened for the given time.
    async fn until(&self, what: &str, times: usize) {
        let there = async {
            loop {
                let seen = self.journal().iter().filter(|one| *one == what).count();
                if seen >= times {
                    return;
                }
                self.noted.notified().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, there).await;
        waited.unwrap_or_else(|_| panic!("{what} ({times}): {:?}", self.journal()));
    }

    fn journal(&self) -> Vec<String> {
        self.journal.lock().unwrap().clone()
    }

    fn answer(&self, answer: Result<(), CommitError>) {
        self.note("answered");
        self.answers.lock().unwrap().push_back(answer);
        self.answered.notify_one();
    }
}

struct Told(Arc<Stage>);

#[async_trait]
impl SourceTask for Told {
    async fn start(&mut self, _: SourceTaskContext, _: Props) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn poll(&mut self) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        let poll = self.0.polls.lock().unwrap().pop_front();
        let poll = poll.unwrap_or(Poll::Hangs);
        self.0.note("poll");
        let value = match poll {
            Poll::Gives(value) => Value::Bytes(value.into()),
            Poll::GivesBad => Value::Boolean(true),
            Poll::Fails => return Err(ConnectError::connect("boom")),
            Poll::Hangs => std::future::pending().await,
        };
        let map =
            |key: &'static str| Arc::new(SourceMap::of(Text::from_static(key), Value::Int64(1)));
        Ok(Some(vec![SourceRecord {
            source_partition: Some(map("p")),
            source_offset: Some(map("position").into()),
            record: Record {
                topic: Text::from_static("t"),
                value: SchemaAndValue::new(None, value),
                ..Record::default()
            },
        }]))
    }

    async fn commit(&mut self) -> Result<(), ConnectError> {
        self.0.note("told");
        Ok(())
    }

    async fn stop(&mut self) {}
}

struct ToldPlugin(Arc<Stage>);

impl PluginInfo for ToldPlugin {
    fn class(&self) -> &str {
        "test.Told"
    }
    fn version(&self) -> &str {
        "1"
    }
}

impl ConnectorPlugin for ToldPlugin {
    fn is_source(&self) -> bool {
        true
    }
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    fn connector(&self) -> Result<ConnectorInstance, ConnectError> {
        Err(ConnectError::connect("only its tasks"))
    }
    fn task(&self) -> Result<TaskInstance, ConnectError> {
        Ok(TaskInstance::Source(Box::new(Told(Arc::clone(&self.0)))))
    }
}

struct Answered {
    stage: Arc<Stage>,
    acks: AckSink,
}

#[async_trait]
impl Producer for Answered {
    async fn send(&self, batch: Vec<OutRecord>) -> Result<(), (usize, KafkaError)> {
        for record in &batch {
            let value = record.value.clone().unwrap_or_default();
            match &*record.topic {
                "offsets" => self.stage.note("offsets"),
                _ => self.stage.note(String::from_utf8(value.to_vec()).unwrap()),
            }
        }
        let at = Acked {
            partition: 0,
            offset: 0,
        };
        let acks = batch.iter();
        let acks = acks.map(|record| Ack::of(record.ticket, Ok(at.clone())));
        (self.acks)(acks.collect());
        Ok(())
    }
    fn stop_at_failure(&self) {}
    async fn flush(&self) -> Result<(), KafkaError> {
        self.stage.note("flush");
        while *self.stage.unwritten.lock().unwrap() {
            self.stage.written.notified().await;
        }
        Ok(())
    }
    async fn init_transactions(&self) -> Result<(), KafkaError> {
        self.stage.note("init");
        Ok(())
    }
    async fn begin(&self) -> Result<(), KafkaError> {
        self.stage.note("begin");
        Ok(())
    }
    async fn commit(&self) -> Result<(), CommitError> {
        self.stage.note("commit");
        loop {
            if let Some(answer) = self.stage.answers.lock().unwrap().pop_front() {
                return answer;
            }
            self.stage.answered.notified().await;
        }
    }
    async fn abort(&self) -> Result<(), KafkaError> {
        self.stage.note("abort");
        Ok(())
    }
    async fn close(&self, _: Duration) {}
}

struct Clients(Arc<Stage>);

fn none<T>() -> Result<T, KafkaError> {
    Err(KafkaError::new(KafkaErrorKind::Fatal, "not on this stage"))
}

#[async_trait]
impl KafkaClients for Clients {
    async fn producer(
        &self,
        _: &ClientProps,
        acks: AckSink,
    ) -> Result<Box<dyn Producer>, KafkaError> {
        let stage = Arc::clone(&self.0);
        Ok(Box::new(Answered { stage, acks }))
    }
    async fn fetcher(&self, _: &ClientProps) -> Result<Box<dyn Fetcher>, KafkaError> {
        none()
    }
    async fn group(&self, _: &ClientProps, _: &str) -> Result<Arc<dyn GroupChannel>, KafkaError> {
        none()
    }
    async fn admin(&self, _: &ClientProps) -> Result<Arc<dyn Admin>, KafkaError> {
        none()
    }
}

struct Offsets;

#[async_trait]
impl SourceOffsets for Offsets {
    async fn read(
        &self,
        _: &str,
        partitions: &[SourceMap],
    ) -> Result<Vec<Option<SourceMap>>, ConnectError> {
        Ok(vec![None; partitions.len()])
    }
    async fn write(&self, _: Vec<OffsetWrite>) -> Result<(), ConnectError> {
        Ok(())
    }
    fn topic(&self) -> Option<&str> {
        Some("offsets")
    }
}

struct Play {
    stage: Arc<Stage>,
    handle: TaskHandle,
    reports: mpsc::Receiver<TaskReport>,
}

impl Play {
    fn begin(polls: &[Poll]) -> Self {
        Self::begin_written(polls, true)
    }

    /// Records may be answered when they are asked for, or when the test says so.
    fn begin_written(polls: &[Poll], written: bool) -> Self {
        let stage = Arc::new(Stage {
            polls: Mutex::new(polls.iter().copied().collect()),
            unwritten: Mutex::new(!written),
            ..Stage::default()
        });
        let bytes = "org.apache.kafka.connect.converters.ByteArrayConverter";
        let config = [
            ("connector.class", "test.Told"),
            ("key.converter", bytes),
            ("value.converter", bytes),
            ("header.converter", bytes),
            ("transaction.boundary", "poll"),
        ];
        let config: Props = config.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let registry = Registry::builder()
            .connector(Arc::new(ToldPlugin(Arc::clone(&stage))))
            .converters(milena_converters::converters())
            .header_converters(milena_converters::header_converters())
            .build();
        let world = TaskWorld {
            clients: Arc::new(Clients(Arc::clone(&stage))),
            registry: Arc::new(registry),
            worker_props: Props::new(),
            group_id: Some("g".to_owned()),
            offset_flush_interval: PATIENCE,
            offset_flush_timeout: PATIENCE,
            topic_creation: false,
            call_limit: None,
            exactly_once: ExactlyOnce::On,
            lease: Arc::new(Lease::endless()),
            metrics: Arc::new(TaskMetricsBook::new(Windows::default())),
        };
        let spec = TaskSpec {
            id: ConnectorName::from("c").task(0),
            connector_config: config.clone(),
            task_config: config,
            target: TaskTarget::Started,
            gate: None,
            offsets: Arc::new(Offsets),
            world: Arc::new(world),
        };
        let (sender, reports) = mpsc::channel(64);
        Self {
            handle: start_task(spec, 1, sender),
            stage,
            reports,
        }
    }

    /// Waits for a report; what was reported before it is passed over.
    async fn reported(&mut self, is_it: impl Fn(&TaskEvent) -> bool) -> TaskEvent {
        loop {
            let report = tokio::time::timeout(PATIENCE, self.reports.recv()).await;
            let report = report.expect("it reports in time").expect("it reports");
            if is_it(&report.event) {
                return report.event;
            }
        }
    }

    async fn failed(&mut self) -> String {
        match self
            .reported(|event| matches!(event, TaskEvent::Failed(_)))
            .await
        {
            TaskEvent::Failed(trace) => trace,
            _ => String::new(),
        }
    }
}

fn error() -> KafkaError {
    KafkaError::new(KafkaErrorKind::Fatal, "as the test says")
}

/// What comes up to the answer to the first commit, with such a second poll: behind one that gives something another is made.
fn until_answered(second: Poll) -> Vec<&'static str> {
    let mut all = FIRST.to_vec();
    all.extend(matches!(second, Poll::Gives(_)).then_some("poll"));
    all.push("answered");
    all
}

impl Stage {
    /// Waits until no more is polled, and answers.
    async fn answer_behind(&self, second: Poll, answer: Result<(), CommitError>) {
        let polls = until_answered(second);
        let polls = polls.iter().filter(|one| **one == "poll").count();
        self.until("poll", polls).await;
        self.answer(answer);
    }
}

const FIRST: [&str; 7] = ["init", "poll", "begin", "one", "offsets", "commit", "poll"];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_polled_during_a_commit_is_sent_after_it_in_one_transaction() {
    let play = Play::begin(&[Poll::Gives("one"), Poll::Gives("two"), Poll::Gives("three")]);
    play.stage.until("poll", 4).await;
    play.stage.answer(Ok(()));
    play.stage.until("commit", 2).await;
    let then = [
        "poll", "poll", "answered", "told", "begin", "two", "three", "offsets", "commit",
    ];
    let journal = play.stage.journal();
    assert_eq!(journal[..16], [&FIRST[..], &then].concat());
    // The poll that waits for ever is given up for the commit.
    play.stage.answer(Ok(()));
    play.stage.until("told", 2).await;
    assert!(play.handle.stopped(PATIENCE).await);
}

/// What fails must not take along what came before it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_polled_before_a_failure_has_a_transaction_of_its_own() {
    for bad in [Poll::GivesBad, Poll::Fails] {
        let mut play = Play::begin(&[Poll::Gives("one"), Poll::Gives("two"), bad]);
        play.stage.until("poll", 3).await;
        play.stage.answer(Ok(()));
        play.stage.until("commit", 2).await;
        play.stage.answer(Ok(()));
        play.failed().await;
        let then = [
            "poll", "answered", "told", "begin", "two", "offsets", "commit", "answered", "told",
        ];
        let journal = play.stage.journal();
        assert_eq!(journal, [&FIRST[..], &then].concat(), "{bad:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_polled_during_a_commit_than_memory_is_meant_for() {
    let large: &str = "x".repeat(3 * 1024 * 1024).leak();
    let play = Play::begin(
        &[Poll::Gives("one"), Poll::Gives(large), Poll::Gives(large)]
            .into_iter()
            .chain([Poll::Gives(large); 5])
            .collect::<Vec<_>>(),
    );
    play.stage.until("poll", 4).await;
    // Three of them are more than eight megabytes.
    play.stage.answer(Ok(()));
    play.stage.until("commit", 2).await;
    let sent = play
        .stage
        .journal()
        .iter()
        .filter(|one| one.len() > 1000)
        .count();
    assert_eq!(sent, 3);
    play.stage.answer(Ok(()));
    play.stage.until("commit", 3).await;
    play.stage.answer(Ok(()));
    assert!(play.handle.stopped(PATIENCE).await);
}

/// Its end is not begun before all of it is written, and is one for both.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_transaction_takes_what_comes_while_it_is_written() {
    let large: &str = "x".repeat(300 * 1024).leak();
    // It does so for a tenth of a second, which a busy machine may miss.
    let mut journal = Vec::new();
    for _ in 0..10 {
        let play = Play::begin_written(&[Poll::Gives(large), Poll::Gives("two")], false);
        play.stage.until("poll", 2).await;
        let took = async {
            play.stage.until("two", 1).await;
            play.stage.until("poll", 3).await;
        };
        let took = tokio::time::timeout(Duration::from_secs(1), took).await;
        *play.stage.unwritten.lock().unwrap() = false;
        play.stage.written.notify_one();
        play.stage.until("commit", 1).await;
        play.stage.answer(Ok(()));
        play.stage.until("told", 1).await;
        journal = play.stage.journal();
        play.stage.answer(Ok(()));
        assert!(play.handle.stopped(PATIENCE).await);
        if took.is_ok() {
            break;
        }
    }
    let wanted = [
        "init", "poll", "begin", large, "flush", "poll", "two", "flush", "poll", "offsets",
        "commit", "answered", "told",
    ];
    let short = |text: &str| text.chars().take(10).collect::<String>();
    let journal = journal.iter().take(wanted.len());
    let journal: Vec<String> = journal.map(|one| short(one)).collect();
    assert_eq!(journal, wanted.map(short));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_transaction_waits_for_nothing_before_its_end() {
    let play = Play::begin_written(&[Poll::Gives("one")], false);
    play.stage.until("commit", 1).await;
    play.stage.answer(Ok(()));
    play.stage.until("told", 1).await;
    let flushed = play.stage.journal().iter().any(|one| one == "flush");
    assert!(!flushed);
    assert!(play.handle.stopped(PATIENCE).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_fails_during_a_commit_fails_the_task_after_it() {
    let mut play = Play::begin(&[Poll::Gives("one"), Poll::Fails]);
    play.stage.until("poll", 2).await;
    play.stage.answer(Ok(()));
    let trace = play.failed().await;
    assert!(trace.contains("boom"), "{trace}");
    let then = ["answered", "told"];
    assert_eq!(play.stage.journal(), [&FIRST[..], &then].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_converted_during_a_commit_fails_the_task_after_it() {
    let mut play = Play::begin(&[Poll::Gives("one"), Poll::GivesBad]);
    play.stage.until("poll", 2).await;
    play.stage.answer(Ok(()));
    let trace = play.failed().await;
    assert!(trace.contains("Tolerance exceeded"), "{trace}");
    let then = ["answered", "told"];
    assert_eq!(play.stage.journal(), [&FIRST[..], &then].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_fenced_goes_before_what_came_of_the_poll() {
    for ahead in [Poll::Gives("two"), Poll::Fails, Poll::Hangs] {
        let mut play = Play::begin(&[Poll::Gives("one"), ahead]);
        let fenced = Err(CommitError::Fenced(error()));
        play.stage.answer_behind(ahead, fenced).await;
        let trace = play.failed().await;
        assert!(trace.contains("a newer instance"), "{ahead:?}: {trace}");
        let all = [&until_answered(ahead)[..], &["abort"]].concat();
        assert_eq!(play.stage.journal(), all);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_unknown_outcome_all_begins_anew_whatever_came_of_the_poll() {
    for ahead in [Poll::Gives("two"), Poll::Fails] {
        let behind = matches!(ahead, Poll::Gives(_)).then_some(Poll::Hangs);
        let mut polls = vec![Poll::Gives("one"), ahead];
        polls.extend(behind);
        polls.push(Poll::Gives("again"));
        let play = Play::begin(&polls);
        let unknown = Err(CommitError::Unknown(error()));
        play.stage.answer_behind(ahead, unknown).await;
        play.stage.until("commit", 2).await;
        let then = ["init", "poll", "begin", "again", "offsets", "commit"];
        let all = [&until_answered(ahead)[..], &then].concat();
        let journal = play.stage.journal();
        assert_eq!(journal[..all.len()], all, "{ahead:?}");
        play.stage.answer(Ok(()));
        play.stage.until("told", 1).await;
        assert!(play.handle.stopped(PATIENCE).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_polled_ahead_is_left_by_a_stop() {
    for ahead in [Poll::Gives("two"), Poll::Fails, Poll::Hangs] {
        let play = Play::begin(&[Poll::Gives("one"), ahead]);
        let all = [&until_answered(ahead)[..], &["told"]].concat();
        let polls = all.iter().filter(|one| **one == "poll").count();
        play.stage.until("poll", polls).await;
        play.handle.begin_stop();
        play.stage.answer(Ok(()));
        assert!(play.handle.stopped(PATIENCE).await);
        let journal = play.stage.journal();
        let (begin, end) = journal.split_at(all.len());
        assert_eq!(begin, all);
        assert!(end.iter().all(|one| one == "told"), "{journal:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_polled_ahead_is_sent_after_a_pause() {
    let two = Poll::Gives("two");
    let mut play = Play::begin(&[Poll::Gives("one"), two]);
    play.stage.until("poll", 3).await;
    play.handle.set_target(TaskTarget::Paused);
    play.stage.answer(Ok(()));
    play.reported(|event| matches!(event, TaskEvent::Paused))
        .await;
    let all = [&until_answered(two)[..], &["told"]].concat();
    let journal = play.stage.journal();
    let (begin, end) = journal.split_at(all.len());
    assert_eq!(begin, all);
    assert!(end.iter().all(|one| one == "told"), "{journal:?}");
    play.handle.set_target(TaskTarget::Started);
    play.stage.until("two", 1).await;
    play.stage.until("commit", 2).await;
    play.stage.answer(Ok(()));
    assert!(play.handle.stopped(PATIENCE).await);
    let twice = play
        .stage
        .journal()
        .iter()
        .filter(|one| *one == "two")
        .count();
    assert_eq!(twice, 1);
}
