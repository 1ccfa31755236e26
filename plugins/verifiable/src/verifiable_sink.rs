//! `VerifiableSinkConnector`: tells each record on standard output when it is put and when it is flushed.

use std::collections::BTreeMap;

use async_trait::async_trait;
use milena_api::{ConnectError, PartitionOffsets, SinkTask, SinkTaskContext, TopicPartition};
use milena_config::Props;
use milena_data::{SinkRecord, Value};

use crate::{
    connector::ID,
    json_line::{JsonLine, now},
    numbered::number,
};

#[derive(Default)]
pub(crate) struct VerifiableSinkTask {
    name: String,
    id: i32,
    /// Lines without their time, of records that were put and not flushed.
    unflushed: BTreeMap<TopicPartition, Vec<JsonLine>>,
}

#[async_trait]
impl SinkTask for VerifiableSinkTask {
    async fn start(
        &mut self,
        _context: SinkTaskContext,
        config: Props,
    ) -> Result<(), ConnectError> {
        // The class that Java names is indeed the source's.
        let invalid = |cause| {
            ConnectError::connect("Invalid VerifiableSourceTask configuration").caused_by(cause)
        };
        self.name = config.get("name").cloned().unwrap_or_default();
        let id = number(&config, ID).map_err(invalid)?;
        self.id = i32::try_from(id).unwrap_or_default();
        Ok(())
    }

    async fn put(&mut self, records: &[SinkRecord]) -> Result<(), ConnectError> {
        let time = now();
        for record in records {
            let Some(origin) = &record.origin else {
                continue;
            };
            let line = JsonLine::default()
                .with("sinkTask", &Value::Int32(self.id))
                .with("task", &record.key.value)
                .with("seqno", &record.value.value)
                .with("name", &Value::from(self.name.as_str()))
                .with("topic", &Value::String(record.topic.clone()))
                .with("offset", &Value::Int64(origin.offset));
            line.clone().with("time_ms", &Value::Int64(time)).print();
            let place = TopicPartition {
                topic: record.topic.clone(),
                partition: record.partition.unwrap_or(origin.partition),
            };
            self.unflushed.entry(place).or_default().push(line);
        }
        Ok(())
    }

    async fn flush(&mut self, offsets: &PartitionOffsets) -> Result<(), ConnectError> {
        let time = now();
        for place in offsets.keys() {
            for line in self.unflushed.remove(place).unwrap_or_default() {
                line.with("time_ms", &Value::Int64(time))
                    .with("flushed", &Value::Boolean(true))
                    .print();
            }
        }
        Ok(())
    }

    async fn stop(&mut self) {
        self.unflushed.clear();
    }
}
