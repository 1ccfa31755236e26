//! A sink that writes down what it is told, and does what its configuration says.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use milena_api::{
    ConnectError, Connector, ConnectorContext, ConnectorInstance, ConnectorPlugin,
    PartitionOffsets, PluginInfo, SinkConnector, SinkTask, SinkTaskContext, SinkTaskRequest,
    TaskInstance, TopicPartition,
};
use milena_config::{ConfigDef, Props};
use milena_data::SinkRecord;

/// What a task was told, with the connector's name and the task's number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Open(BTreeSet<(String, i32)>),
    Put(Vec<(String, i32, i64)>),
    PreCommit(BTreeSet<(String, i32)>),
    Close(BTreeSet<(String, i32)>),
    Stop,
}

static JOURNAL: Mutex<Vec<(String, Told)>> = Mutex::new(Vec::new());

/// All that the tasks of a connector were told; empty puts left out.
pub(crate) fn journal(connector: &str) -> Vec<Told> {
    let journal = JOURNAL.lock().unwrap();
    let own = journal.iter().filter(|(name, _)| name == connector);
    own.map(|(_, told)| told.clone()).collect()
}

/// The records that a connector's tasks were given, in order.
pub(crate) fn given(connector: &str) -> Vec<(String, i32, i64)> {
    let puts = journal(connector)
        .into_iter()
        .filter_map(|told| match told {
            Told::Put(records) => Some(records),
            _ => None,
        });
    puts.flatten().collect()
}

/// `test.RecordingSink`.
pub(crate) struct RecordingPlugin;

impl PluginInfo for RecordingPlugin {
    fn class(&self) -> &str {
        "test.RecordingSink"
    }
    fn version(&self) -> &str {
        "1"
    }
}

impl ConnectorPlugin for RecordingPlugin {
    fn is_source(&self) -> bool {
        false
    }
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    fn connector(&self) -> Result<ConnectorInstance, ConnectError> {
        Ok(ConnectorInstance::Sink(Box::new(Recording::default())))
    }
    fn task(&self) -> Result<TaskInstance, ConnectError> {
        Ok(TaskInstance::Sink(Box::new(RecordingTask::default())))
    }
}

#[derive(Default)]
struct Recording(Props);

#[async_trait]
impl Connector for Recording {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    async fn start(&mut self, _: ConnectorContext, config: Props) -> Result<(), ConnectError> {
        self.0 = config;
        Ok(())
    }
    async fn task_configs(&mut self, max: usize) -> Result<Vec<Props>, ConnectError> {
        Ok(vec![self.0.clone(); max])
    }
    async fn stop(&mut self) {}
}

impl SinkConnector for Recording {}

#[derive(Default)]
struct RecordingTask {
    context: Option<SinkTaskContext>,
    /// Puts to refuse as retriable (`refuse.puts`).
    refuse: usize,
    /// Rewinds to the beginning once, when this many records have been taken (`rewind.after`).
    rewind_after: Option<usize>,
    /// Pauses a partition for the first so many puts (`pause.first`).
    pause_first: Option<i32>,
    /// Asks for a commit after every put with records (`request.commit`).
    request_commit: bool,
    /// How many calls of `pre_commit` fail (`fail.flushes`).
    fail_flushes: usize,
    /// Claims offsets that were never delivered (`lie`).
    lie: bool,
    taken: usize,
    /// Offsets of records that are bad (`bad.offsets`); batches with one are refused as a record's failure, and not noted.
    bad: Vec<i64>,
    /// Refuses every so manieth put with good records once (`refuse.every`).
    refuse_every: usize,
    puts: usize,
}

fn names(partitions: &[TopicPartition]) -> BTreeSet<(String, i32)> {
    let name = |tp: &TopicPartition| (tp.topic.to_string(), tp.partition);
    partitions.iter().map(name).collect()
}

impl RecordingTask {
    fn note(&self, told: Told) {
        let connector = self.context.as_ref().unwrap().connector.to_string();
        JOURNAL.lock().unwrap().push((connector, told));
    }

    fn ask(&self, request: SinkTaskRequest) {
        (self.context.as_ref().unwrap().requests)(request);
    }
}

#[async_trait]
impl SinkTask for RecordingTask {
    async fn start(&mut self, context: SinkTaskContext, config: Props) -> Result<(), ConnectError> {
        let number = |key: &str| config.get(key).map(|text| text.parse::<usize>().unwrap());
        self.context = Some(context);
        self.refuse = number("refuse.puts").unwrap_or(0);
        self.rewind_after = number("rewind.after");
        self.fail_flushes = number("fail.flushes").unwrap_or(0);
        self.request_commit = config.contains_key("request.commit");
        self.pause_first = number("pause.first").map(|n| i32::try_from(n).unwrap());
        self.lie = config.contains_key("lie");
        let bad = config.get("bad.offsets").map(String::as_str);
        let bad = bad.unwrap_or_default().split(',');
        self.bad = bad.filter_map(|offset| offset.parse().ok()).collect();
        self.refuse_every = number("refuse.every").unwrap_or(usize::MAX);
        Ok(())
    }

    async fn open(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        self.note(Told::Open(names(partitions)));
        if let Some(partition) = self.pause_first {
            let held = partitions.iter().filter(|tp| tp.partition == partition);
            self.ask(SinkTaskRequest::Pause(held.cloned().collect()));
        }
        Ok(())
    }

    async fn put(&mut self, records: &[SinkRecord]) -> Result<(), ConnectError> {
        if records.is_empty() {
            return Ok(());
        }
        let at = |record: &SinkRecord| {
            let at = record.origin.as_ref().unwrap();
            (at.topic.to_string(), at.partition, at.offset)
        };
        let offset = |record: &SinkRecord| record.origin.as_ref().unwrap().offset;
        let mut offsets = records.iter().map(offset);
        if let Some(bad) = offsets.find(|offset| self.bad.contains(offset)) {
            return Err(ConnectError::data(format!("{bad} is bad")).of_a_record());
        }
        self.puts += 1;
        if self.puts.is_multiple_of(self.refuse_every) {
            self.ask(SinkTaskRequest::RetryAfter(Duration::from_millis(20)));
            return Err(ConnectError::retriable("away"));
        }
        self.note(Told::Put(records.iter().map(at).collect()));
        if self.refuse > 0 {
            self.refuse -= 1;
            self.ask(SinkTaskRequest::RetryAfter(Duration::from_millis(20)));
            return Err(ConnectError::retriable("not now"));
        }
        self.taken += records.len();
        if self
            .rewind_after
            .take_if(|after| self.taken >= *after)
            .is_some()
        {
            let first = records.iter().map(|record| {
                let at = record.origin.as_ref().unwrap();
                let partition = TopicPartition {
                    topic: at.topic.clone(),
                    partition: at.partition,
                };
                (partition, 0)
            });
            self.ask(SinkTaskRequest::Rewind(first.collect()));
        }
        if let Some(partition) = self.pause_first.take() {
            let at = records.first().unwrap().origin.clone().unwrap();
            self.ask(SinkTaskRequest::Resume(vec![TopicPartition {
                topic: at.topic,
                partition,
            }]));
        }
        if self.request_commit {
            self.ask(SinkTaskRequest::Commit);
        }
        Ok(())
    }

    async fn pre_commit(
        &mut self,
        offsets: PartitionOffsets,
    ) -> Result<PartitionOffsets, ConnectError> {
        let list: Vec<TopicPartition> = offsets.keys().cloned().collect();
        self.note(Told::PreCommit(names(&list)));
        if self.fail_flushes > 0 && self.taken > 0 {
            self.fail_flushes -= 1;
            return Err(ConnectError::connect("the target is full"));
        }
        match self.lie {
            true => Ok(offsets
                .into_iter()
                .map(|(tp, at)| (tp, at + 1000))
                .collect()),
            false => Ok(offsets),
        }
    }

    async fn close(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        self.note(Told::Close(names(partitions)));
        Ok(())
    }

    async fn stop(&mut self) {
        if self.context.is_some() {
            self.note(Told::Stop);
        }
    }
}

/// What `RecordingPlugin` is registered as.
pub(crate) fn plugin() -> Arc<dyn ConnectorPlugin> {
    Arc::new(RecordingPlugin)
}
