//! `transaction.boundary=poll`: the next batch is polled while a transaction is committed, and sent when that was answered.
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
            source_offset: Some(map("position")),
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
        let stage = Arc::new(Stage {
            polls: Mutex::new(polls.iter().copied().collect()),
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

const FIRST: [&str; 7] = ["init", "poll", "begin", "one", "offsets", "commit", "poll"];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_polled_during_a_commit_is_sent_after_it() {
    let play = Play::begin(&[Poll::Gives("one"), Poll::Gives("two"), Poll::Gives("three")]);
    play.stage.until("poll", 2).await;
    play.stage.answer(Ok(()));
    play.stage.until("poll", 3).await;
    play.stage.answer(Ok(()));
    play.stage.until("commit", 3).await;
    let then = [
        "answered", "told", "begin", "two", "offsets", "commit", "poll",
    ];
    let last = ["answered", "told", "begin", "three", "offsets", "commit"];
    let journal = play.stage.journal();
    assert_eq!(journal[..20], [&FIRST[..], &then, &last].concat());
    // The poll that waits for ever is given up for the commit.
    play.stage.answer(Ok(()));
    play.stage.until("told", 3).await;
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
        play.stage.until("poll", 2).await;
        play.stage.answer(Err(CommitError::Fenced(error())));
        let trace = play.failed().await;
        assert!(trace.contains("a newer instance"), "{ahead:?}: {trace}");
        let then = ["answered", "abort"];
        assert_eq!(play.stage.journal(), [&FIRST[..], &then].concat());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_unknown_outcome_all_begins_anew_whatever_came_of_the_poll() {
    for ahead in [Poll::Gives("two"), Poll::Fails] {
        let play = Play::begin(&[Poll::Gives("one"), ahead, Poll::Gives("again")]);
        play.stage.until("poll", 2).await;
        play.stage.answer(Err(CommitError::Unknown(error())));
        play.stage.until("commit", 2).await;
        let then = [
            "answered", "init", "poll", "begin", "again", "offsets", "commit",
        ];
        let journal = play.stage.journal();
        assert_eq!(journal[..14], [&FIRST[..], &then].concat(), "{ahead:?}");
        play.stage.answer(Ok(()));
        play.stage.until("told", 1).await;
        assert!(play.handle.stopped(PATIENCE).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_polled_ahead_is_left_by_a_stop() {
    for ahead in [Poll::Gives("two"), Poll::Fails, Poll::Hangs] {
        let play = Play::begin(&[Poll::Gives("one"), ahead]);
        play.stage.until("poll", 2).await;
        play.handle.begin_stop();
        play.stage.answer(Ok(()));
        assert!(play.handle.stopped(PATIENCE).await);
        let journal = play.stage.journal();
        assert_eq!(journal[..9], [&FIRST[..], &["answered", "told"]].concat());
        assert!(journal[9..].iter().all(|one| one == "told"), "{journal:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_polled_ahead_is_sent_after_a_pause() {
    let mut play = Play::begin(&[Poll::Gives("one"), Poll::Gives("two")]);
    play.stage.until("poll", 2).await;
    play.handle.set_target(TaskTarget::Paused);
    play.stage.answer(Ok(()));
    play.reported(|event| matches!(event, TaskEvent::Paused))
        .await;
    let journal = play.stage.journal();
    assert_eq!(journal[..9], [&FIRST[..], &["answered", "told"]].concat());
    assert!(journal[9..].iter().all(|one| one == "told"), "{journal:?}");
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
