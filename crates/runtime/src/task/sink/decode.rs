//! Converts consumed records under the error policy; what fails is reported and skipped, or fails the
//! task.

use std::sync::Arc;

use milena_api::{ConnectError, RawHeader};
use milena_chain::RawRecord;
use milena_data::{Record, SinkOrigin, SinkRecord, Text, TimestampType};
use milena_kafka::ports::{self, InRecord};

use super::dead_letters::{DeadLetters, Original};
use crate::task::{
    failing::{ErrorPolicy, StageFailure},
    pipeline::Pipeline,
};

/// The converting end of a sink task.
pub(super) struct Decoder {
    pub(super) pipeline: Pipeline,
    pub(super) policy: Arc<ErrorPolicy>,
    pub(super) dead_letters: Option<Arc<DeadLetters>>,
    /// The topic of the batch as the records' shared text.
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

    /// The records that follow are of a batch from this topic. Its name is shared by the records of one batch only: those of
    /// the last are in the hands of the task, and to count holders on two threads is slow.
    pub(super) fn begin_batch(&mut self, topic: &str) {
        self.topic = topic.into();
    }

    /// Adds the record to the batch and converts it there, as far as nothing is waited for: most records are done then
    /// ([`Begun::is_done`]). All others must be [finished](Self::finish).
    pub(super) fn begin(
        &mut self,
        partition: i32,
        consumed: &InRecord,
        batch: &mut Vec<SinkRecord>,
    ) -> Begun {
        let timestamp = match consumed.timestamp {
            -1 => None,
            negative if negative < 0 => {
                return Begun(Err(ConnectError::of(
                    "org.apache.kafka.common.InvalidRecordException",
                    format!("Invalid record timestamp {negative}"),
                )));
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
        let headers = raw_headers(consumed);
        Begun(Ok(batch.last_mut().and_then(|record| {
            let raw = raw(consumed, &headers);
            self.pipeline.decode_at_once(record, raw)
        })))
    }

    /// Ends what was begun. What is filtered, or skipped by tolerance and (when configured) on its way to the dead letter
    /// queue, is in the batch no more.
    pub(super) async fn finish(
        &mut self,
        begun: Begun,
        topic: &str,
        partition: i32,
        consumed: &InRecord,
        batch: &mut Vec<SinkRecord>,
    ) -> Result<(), ConnectError> {
        let decoded = match (begun.0?, batch.last_mut()) {
            (Some(decoded), _) => decoded,
            (None, Some(record)) => {
                let headers = raw_headers(consumed);
                let raw = raw(consumed, &headers);
                self.pipeline.decode(record, raw, &self.policy).await
            }
            (None, None) => return Ok(()),
        };
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

/// A record that was begun. Nothing was added to the batch: the error. Nothing was converted: `None`.
pub(super) struct Begun(Result<Option<Result<bool, StageFailure>>, ConnectError>);

impl Begun {
    /// It is in the batch, and nothing is left to do.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.0, Ok(Some(Ok(true))))
    }
}

fn raw_headers(consumed: &InRecord) -> Vec<RawHeader> {
    if consumed.headers.is_empty() {
        return Vec::new();
    }
    let headers = consumed.headers.iter().map(|header| RawHeader {
        key: header.key.as_ref().into(),
        value: header.value.clone(),
    });
    headers.collect()
}

fn raw<'a>(consumed: &'a InRecord, headers: &'a [RawHeader]) -> RawRecord<'a> {
    RawRecord {
        key: consumed.key.as_ref(),
        value: consumed.value.as_ref(),
        headers,
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
