//! `FileStreamSource`: follows a growing file (or standard input) and gives each line as a record.

use std::{
    fs::File,
    io::{self, Seek as _, SeekFrom},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use milena_api::{
    ConnectError, Connector, ConnectorContext, ConnectorInstance, ConnectorOffset, ConnectorPlugin,
    ExactlyOnceSupport, PluginInfo, SourceConnector, SourceTask, SourceTaskContext, TaskInstance,
};
use milena_config::{
    ConfigDef, ConfigKey, ConfigType, ConfigValue, Importance, ParsedConfig, Props, Validator,
};
use milena_data::{
    Record, Schema, SchemaAndValue, SourceMap, SourceOffset, SourceRecord, Text, Value,
};
use tokio::io::AsyncReadExt;
use tracing::warn;

use crate::{
    BATCH_SIZE, FILE, TOPIC, VERSION,
    lines::{Line, LineBuffer},
};

const CLASS: &str = "org.apache.kafka.connect.file.FileStreamSourceConnector";
const FILENAME: &str = "filename";
const POSITION: &str = "position";
/// How much of the file one read takes: large enough that reading costs little per line, small enough
/// that many tasks fit in memory.
const READ_BYTES: usize = 256 * 1024;
/// How many such reads a poll makes at most to fill its batch.
const READS_MAX: usize = 16;
/// How long an idle poll waits before it looks at the file again, the first time; twice as long each time after. A file that
/// grows all the time is read soon, one that rests costs little.
const IDLE_MIN: Duration = Duration::from_millis(1);
/// The longest such wait.
const IDLE_MAX: Duration = Duration::from_millis(20);
/// How many idle looks a poll makes before it answers "nothing now".
const IDLE_LOOKS: u32 = 40;
/// How long to wait for a file that is not there, as Java does.
const MISSING: Duration = Duration::from_secs(1);

/// The descriptor of the source.
pub struct FileStreamSourcePlugin;

impl PluginInfo for FileStreamSourcePlugin {
    fn class(&self) -> &str {
        CLASS
    }
    fn version(&self) -> &str {
        VERSION
    }
}

impl ConnectorPlugin for FileStreamSourcePlugin {
    fn is_source(&self) -> bool {
        true
    }
    fn config_def(&self) -> ConfigDef {
        config_def()
    }
    fn connector(&self) -> Result<ConnectorInstance, ConnectError> {
        Ok(ConnectorInstance::Source(Box::new(FileStreamSource {
            config: Props::new(),
        })))
    }
    fn task(&self) -> Result<TaskInstance, ConnectError> {
        Ok(TaskInstance::Source(Box::new(
            FileStreamSourceTask::default(),
        )))
    }
}

fn config_def() -> ConfigDef {
    ConfigDef::new()
        .define(
            ConfigKey::new(FILE, ConfigType::String)
                .default(ConfigValue::Null)
                .importance(Importance::High)
                .doc("Source filename. If not specified, the standard input will be used"),
        )
        .define(
            ConfigKey::new(TOPIC, ConfigType::String)
                .validator(Validator::non_empty())
                .importance(Importance::High)
                .doc("The topic to publish data to"),
        )
        .define(
            ConfigKey::new(BATCH_SIZE, ConfigType::Int)
                .default(ConfigValue::Int(2000))
                .importance(Importance::Low)
                .doc("The maximum number of records the source task can read from the file each time it is polled"),
        )
}

struct FileStreamSource {
    config: Props,
}

#[async_trait]
impl Connector for FileStreamSource {
    fn config_def(&self) -> ConfigDef {
        config_def()
    }

    async fn start(
        &mut self,
        _context: ConnectorContext,
        config: Props,
    ) -> Result<(), ConnectError> {
        config_def().parse(&config)?;
        self.config = config;
        Ok(())
    }

    async fn task_configs(&mut self, _tasks_max: usize) -> Result<Vec<Props>, ConnectError> {
        Ok(vec![self.config.clone()])
    }

    async fn stop(&mut self) {}
}

#[async_trait]
impl SourceConnector for FileStreamSource {
    fn exactly_once_support(&self, config: &Props) -> ExactlyOnceSupport {
        match config.get(FILE) {
            Some(file) if !file.is_empty() => ExactlyOnceSupport::Supported,
            _ => ExactlyOnceSupport::Unsupported,
        }
    }

    async fn alter_offsets(
        &mut self,
        config: &Props,
        offsets: &[ConnectorOffset],
    ) -> Result<bool, ConnectError> {
        if config.get(FILE).is_none_or(String::is_empty) {
            return Err(ConnectError::connect(
                "Offsets cannot be modified if the 'file' configuration is unspecified. This is \
                 because stdin is used for input and offsets are not tracked.",
            ));
        }
        for entry in offsets {
            // A partition that is reset may be anything: it could be left over from a typo.
            let Some(offset) = &entry.offset else {
                continue;
            };
            let position = offset.get(POSITION).ok_or_else(|| {
                ConnectError::connect(
                    "Offset objects should either be null or contain the key 'position'",
                )
            })?;
            match position {
                Value::Int64(n) if *n >= 0 => {}
                Value::Int64(_) => {
                    return Err(ConnectError::connect(
                        "The value for the 'position' key in the offset should be a non-negative value",
                    ));
                }
                _ => {
                    return Err(ConnectError::connect(
                        "The value for the 'position' key in the offset is expected to be a Long value",
                    ));
                }
            }
            let Some(partition) = &entry.partition else {
                return Err(ConnectError::connect("Partition objects cannot be null"));
            };
            if !partition.contains_key(FILENAME) {
                return Err(ConnectError::connect(
                    "Partition objects should contain the key 'filename'",
                ));
            }
        }
        Ok(true)
    }
}

/// Where the lines come from.
enum Input {
    File(File),
    Stdin(tokio::io::Stdin),
}

#[derive(Default)]
struct FileStreamSourceTask {
    file: Option<String>,
    topic: Text,
    batch_size: usize,
    partition: Option<Arc<SourceMap>>,
    input: Option<Input>,
    lines: LineBuffer,
    /// The byte position after the last line given (file only).
    position: u64,
    ended: bool,
    /// The next wait for the file to grow.
    idle: Duration,
}

impl FileStreamSourceTask {
    /// Opens the input when it is not open; answers whether it is.
    async fn open(&mut self) -> Result<bool, ConnectError> {
        if self.input.is_some() {
            return Ok(true);
        }
        let Some(path) = &self.file else {
            self.input = Some(Input::Stdin(tokio::io::stdin()));
            return Ok(true);
        };
        match File::open(path) {
            Ok(mut file) => {
                // What has no place to go to is read from where it is.
                if self.position > 0 {
                    let sought = file.seek(SeekFrom::Start(self.position));
                    sought.map_err(|error| {
                        ConnectError::connect(format!("cannot seek in file {path}: {error}"))
                    })?;
                }
                self.input = Some(Input::File(file));
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                warn!(file = %path, "couldn't find the file for FileStreamSourceTask, waiting for it to be created");
                Ok(false)
            }
            Err(error) => Err(ConnectError::connect(format!(
                "cannot open file {path}: {error}"
            ))),
        }
    }

    /// Reads once; answers how many bytes came.
    async fn read(&mut self) -> Result<usize, ConnectError> {
        let failed =
            |error: io::Error| ConnectError::connect(format!("cannot read the input: {error}"));
        match &mut self.input {
            Some(Input::File(_)) => self.read_on().map_err(failed),
            Some(Input::Stdin(stdin)) => {
                let mut block = vec![0; READ_BYTES];
                let read = stdin.read(&mut block).await.map_err(failed)?;
                self.lines.extend(block.get(..read).unwrap_or_default());
                self.ended = read == 0;
                Ok(read)
            }
            None => Ok(0),
        }
    }

    /// Reads on in a file: without an await, so that lines in hand are not lost with a poll that is dropped.
    fn read_on(&mut self) -> io::Result<usize> {
        let Some(Input::File(file)) = &self.input else {
            return Ok(0);
        };
        // A task has a thread of its own: it waits for its file there, and nobody with it.
        self.lines.read_from(file, READ_BYTES)
    }

    /// The lines that have come, as records, at most a batch of them.
    fn taken(&mut self) -> Vec<SourceRecord> {
        let mut records = Vec::with_capacity(self.lines.finished(self.batch_size));
        let mut place = self.place();
        let lines = &mut self.lines;
        lines.take(self.batch_size, |line| records.push(place.record(line)));
        self.position = place.position;
        records
    }

    /// The last line of an input that is over, if it lacks its end.
    fn taken_rest(&mut self) -> Option<SourceRecord> {
        let line = self.lines.take_rest()?;
        let mut place = self.place();
        let record = place.record(line);
        self.position = place.position;
        Some(record)
    }

    fn place(&self) -> Place {
        Place {
            position: self.position,
            has_offsets: self.file.is_some(),
            now: now_ms(),
            topic: self.topic.clone(),
            partition: self.partition.clone(),
        }
    }
}

/// What the records of a poll have in common, and where the next begins.
struct Place {
    position: u64,
    has_offsets: bool,
    now: i64,
    topic: Text,
    partition: Option<Arc<SourceMap>>,
}

impl Place {
    fn record(&mut self, line: Line) -> SourceRecord {
        self.position += line.taken;
        let position = i64::try_from(self.position).unwrap_or(i64::MAX);
        SourceRecord {
            record: Record {
                topic: self.topic.clone(),
                value: SchemaAndValue {
                    schema: Some(Schema::string()),
                    value: Value::String(line.text),
                },
                timestamp: Some(self.now),
                ..Record::default()
            },
            source_partition: self.partition.clone(),
            source_offset: self
                .has_offsets
                .then(|| SourceOffset::number(POSITION, position)),
        }
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[async_trait]
impl SourceTask for FileStreamSourceTask {
    async fn start(
        &mut self,
        context: SourceTaskContext,
        config: Props,
    ) -> Result<(), ConnectError> {
        let parsed: ParsedConfig = config_def().parse(&config)?;
        self.file = parsed
            .string(FILE)
            .filter(|file| !file.is_empty())
            .map(str::to_owned);
        self.topic = parsed.string(TOPIC).unwrap_or_default().into();
        self.batch_size = usize::try_from(parsed.integer(BATCH_SIZE).unwrap_or(2000))
            .unwrap_or(1)
            .max(1);
        let Some(file) = &self.file else {
            return Ok(());
        };
        let partition = SourceMap::of(Text::from_static(FILENAME), Value::from(file.as_str()));
        let stored = context
            .offsets
            .offsets(std::slice::from_ref(&partition))
            .await?;
        self.partition = Some(Arc::new(partition));
        if let Some(offset) = stored.into_iter().flatten().next() {
            self.position = match offset.get(POSITION) {
                Some(Value::Int64(n)) => u64::try_from(*n).unwrap_or(0),
                Some(_) => {
                    return Err(ConnectError::connect(
                        "Offset position is the incorrect type",
                    ));
                }
                None => 0,
            };
        }
        Ok(())
    }

    async fn poll(&mut self) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        if !self.open().await? {
            tokio::time::sleep(MISSING).await;
            return Ok(None);
        }
        let mut looks = 0;
        while self.lines.finished(1) == 0 {
            if self.ended {
                // Standard input is over: its last line may lack an end. Nothing more will come.
                match self.taken_rest() {
                    Some(record) => return Ok(Some(vec![record])),
                    None => std::future::pending::<()>().await,
                }
            }
            if self.read().await? == 0 && !self.ended {
                looks += 1;
                if looks > IDLE_LOOKS {
                    return Ok(None);
                }
                // A task begins with nothing.
                self.idle = self.idle.max(IDLE_MIN);
                tokio::time::sleep(self.idle).await;
                self.idle = (self.idle * 2).min(IDLE_MAX);
            }
        }
        self.idle = IDLE_MIN;
        // A batch is a transaction in the end: it has as many lines as it may, if they are there.
        for _ in 0..READS_MAX {
            // What cannot be read now is found again by the next poll, which has no lines to lose.
            if self.lines.finished(self.batch_size) >= self.batch_size
                || !matches!(self.read_on(), Ok(1..))
            {
                break;
            }
        }
        Ok(Some(self.taken()))
    }

    async fn stop(&mut self) {
        self.input = None;
    }
}
