//! `FileStreamSink`: appends the text of each record's value to a file (or standard output).

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
};

use async_trait::async_trait;
use milena_api::{
    ConnectError, Connector, ConnectorContext, ConnectorInstance, ConnectorPlugin,
    PartitionOffsets, PluginInfo, SinkConnector, SinkTask, SinkTaskContext, TaskInstance,
    TopicPartition,
};
use milena_config::{ConfigDef, ConfigKey, ConfigType, ConfigValue, Importance, Props};
use milena_data::{SinkRecord, Value, push_text};

use crate::{FILE, VERSION};

const CLASS: &str = "org.apache.kafka.connect.file.FileStreamSinkConnector";

/// A buffer that grew beyond this is not kept for the next batch.
const TEXT_KEPT_MAX: usize = 16 << 20;

/// The descriptor of the sink.
pub struct FileStreamSinkPlugin;

impl PluginInfo for FileStreamSinkPlugin {
    fn class(&self) -> &str {
        CLASS
    }
    fn version(&self) -> &str {
        VERSION
    }
}

impl ConnectorPlugin for FileStreamSinkPlugin {
    fn is_source(&self) -> bool {
        false
    }
    fn config_def(&self) -> ConfigDef {
        config_def()
    }
    fn connector(&self) -> Result<ConnectorInstance, ConnectError> {
        Ok(ConnectorInstance::Sink(Box::new(FileStreamSink {
            config: Props::new(),
        })))
    }
    fn task(&self) -> Result<TaskInstance, ConnectError> {
        Ok(TaskInstance::Sink(Box::new(FileStreamSinkTask::default())))
    }
}

fn config_def() -> ConfigDef {
    ConfigDef::new().define(
        ConfigKey::new(FILE, ConfigType::String)
            .default(ConfigValue::Null)
            .importance(Importance::High)
            .doc("Destination filename. If not specified, the standard output will be used"),
    )
}

struct FileStreamSink {
    config: Props,
}

#[async_trait]
impl Connector for FileStreamSink {
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

    async fn task_configs(&mut self, tasks_max: usize) -> Result<Vec<Props>, ConnectError> {
        Ok(vec![self.config.clone(); tasks_max])
    }

    async fn stop(&mut self) {}
}

#[async_trait]
impl SinkConnector for FileStreamSink {
    async fn alter_offsets(
        &mut self,
        _config: &Props,
        _offsets: &[(TopicPartition, Option<i64>)],
    ) -> Result<bool, ConnectError> {
        // The file takes whatever comes: any offset will do.
        Ok(true)
    }
}

#[derive(Default)]
struct FileStreamSinkTask {
    file: Option<File>,
    path: Option<String>,
    /// What the last batch was written from, for the next.
    text: String,
}

impl FileStreamSinkTask {
    /// A task has a thread of its own: it waits for its file there, and nobody with it.
    fn write(&self) -> io::Result<()> {
        match &self.file {
            Some(file) => {
                let mut file: &File = file;
                file.write_all(self.text.as_bytes())
            }
            None => {
                let mut out = io::stdout().lock();
                out.write_all(self.text.as_bytes())?;
                out.flush()
            }
        }
    }

    fn failed(&self, error: &io::Error) -> ConnectError {
        let path = self.path.as_deref().unwrap_or("stdout");
        ConnectError::connect(format!("cannot write to {path}: {error}"))
    }
}

#[async_trait]
impl SinkTask for FileStreamSinkTask {
    async fn start(
        &mut self,
        _context: SinkTaskContext,
        config: Props,
    ) -> Result<(), ConnectError> {
        self.path = config.get(FILE).filter(|file| !file.is_empty()).cloned();
        if let Some(path) = &self.path {
            let opened = OpenOptions::new().create(true).append(true).open(path);
            let file = opened.map_err(|error| {
                let text = format!("Couldn't find or create file '{path}' for FileStreamSinkTask");
                ConnectError::connect(text)
                    .caused_by(ConnectError::of("java.io.IOException", error.to_string()))
            })?;
            self.file = Some(file);
        }
        Ok(())
    }

    async fn put(&mut self, records: &[SinkRecord]) -> Result<(), ConnectError> {
        if records.is_empty() {
            return Ok(());
        }
        self.text.clear();
        for record in records {
            match &record.value.value {
                Value::String(line) => self.text.push_str(line),
                other => push_text(&mut self.text, other),
            }
            self.text.push('\n');
        }
        // One write per batch: lines of several tasks on one file do not mix within a batch.
        self.write().map_err(|error| self.failed(&error))?;
        if self.text.capacity() > TEXT_KEPT_MAX {
            self.text = String::new();
        }
        Ok(())
    }

    async fn flush(&mut self, _offsets: &PartitionOffsets) -> Result<(), ConnectError> {
        // Durable before the offsets are committed, also across a power failure.
        match self.file.as_ref().map_or(Ok(()), File::sync_data) {
            // Pipes and devices keep nothing.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced.map_err(|error| self.failed(&error)),
        }
    }

    async fn stop(&mut self) {
        self.file = None;
    }
}
