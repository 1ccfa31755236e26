//! Converts consumed records under the error policy; what fails is reported and skipped, or fails the
//! task.

use std::sync::Arc;

use milena_api::{ConnectError, RawHeader};
use milena_chain::RawRecord;
use milena_data::{Record, SinkOrigin, SinkRecord, Text, TimestampType};
use milena_kafka::ports::{self, InRecord};

use super::dead_letters::{DeadLetters, Original};
use crate::task::{failing::ErrorPolicy, pipeline::Pipeline};

/// The converting end of a sink task.
pub(super) struct Decoder {
    pub(super) pipeline: Pipeline,
    pub(super) policy: Arc<ErrorPolicy>,
    pub(super) dead_letters: Option<Arc<DeadLetters>>,
    /// The last topic as the records' shared text.
    topic: Text,
}

impl Decoder {
    pub(super) fn new(
        pipeline: Pipeline,
        policy: Arc<ErrorPolicy>,
        dead_letters: Option<Arc<DeadLetters>>,
    ) -> Self {
        Self {
            pipeline,
            policy,
            dead_letters,
            topic: Text::default(),
        }
    }

    /// Adds the record to the batch, unless it is filtered, or skipped by tolerance and (when configured) on its way to
    /// the dead letter queue.
    pub(super) async fn decode(
        &mut self,
        topic: &str,
        partition: i32,
        consumed: &InRecord,
        batch: &mut Vec<SinkRecord>,
    ) -> Result<(), ConnectError> {
        if *self.topic != *topic {
            self.topic = topic.into();
        }
        let timestamp = match consumed.timestamp {
            -1 => None,
            negative if negative < 0 => {
                return Err(ConnectError::of(
                    "org.apache.kafka.common.InvalidRecordException",
                    format!("Invalid record timestamp {negative}"),
                ));
            }
            timestamp => Some(timestamp),
        };
        batch.push(Record {
            topic: self.topic.clone(),
            partition: Some(partition),
            timestamp,
            origin: Some(SinkOrigin {
                topic: self.topic.clone(),
                partition,
                offset: consumed.offset,
                timestamp_type: match consumed.timestamp_type {
                    ports::TimestampType::CreateTime => TimestampType::CreateTime,
                    ports::TimestampType::LogAppendTime => TimestampType::LogAppendTime,
                    ports::TimestampType::None => TimestampType::None,
                },
            }),
            ..Record::default()
        });
        let Some(record) = batch.last_mut() else {
            return Ok(());
        };
        let raw: Vec<RawHeader> = consumed
            .headers
            .iter()
            .map(|header| RawHeader {
                key: header.key.as_ref().into(),
                value: header.value.clone(),
            })
            .collect();
        let given = RawRecord {
            key: consumed.key.as_ref(),
            value: consumed.value.as_ref(),
            headers: &raw,
        };
        let decoded = self.pipeline.decode(record, given, &self.policy).await;
        if !matches!(decoded, Ok(true)) {
            batch.pop();
        }
        let Err(failure) = decoded else {
            return Ok(());
        };
        // Reporters run also when the record fails the task: the queue gets what killed it.
        if let Some(dead_letters) = &self.dead_letters {
            let original = Original {
                topic,
                partition,
                record: consumed,
            };
            dead_letters.send(&original, &failure).await?;
        }
        self.policy
            .judge(&failure, || describe(topic, partition, consumed))
    }
}

/// Java's description of a consumed record in a log line.
pub(super) fn describe(topic: &str, partition: i32, consumed: &InRecord) -> String {
    let mut text = format!(
        ", where consumed record is {{topic='{topic}', partition={partition}, offset={}",
        consumed.offset
    );
    let kind = match consumed.timestamp_type {
        ports::TimestampType::CreateTime => Some("CreateTime"),
        ports::TimestampType::LogAppendTime => Some("LogAppendTime"),
        ports::TimestampType::None => None,
    };
    if let Some(kind) = kind {
        text.push_str(&format!(
            ", timestamp={}, timestampType={kind}",
            consumed.timestamp
        ));
    }
    text.push('}');
    text
}
