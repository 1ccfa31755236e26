//! Converts consumed records under the error policy; what fails is reported and skipped, or fails the
//! task.

use std::sync::Arc;

use milena_api::{ConnectError, RawHeader};
use milena_chain::RawRecord;
use milena_data::{Headers, Record, SchemaAndValue, SinkOrigin, SinkRecord, Text, TimestampType};
use milena_kafka::ports::{self, InRecord};

use super::{
    batch::Batch,
    dead_letters::{DeadLetters, Original},
};
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

    /// The records that follow are of a batch from this topic. Its name is shared by the records of one batch only, and of
    /// those that it takes the places of: others are in the hands of the task, and to count holders on two threads is slow.
    pub(super) fn begin_batch(&mut self, topic: &str, spare: Option<&SinkRecord>) {
        let origin = spare.and_then(|record| record.origin.as_ref());
        self.topic = match origin {
            Some(origin) if origin.topic == topic => origin.topic.clone(),
            _ => topic.into(),
        };
    }

    /// Adds the record to the batch and converts it there, as far as nothing is waited for: most records are done then
    /// ([`Begun::is_done`]). All others must be [finished](Self::finish).
    pub(super) fn begin(
        &mut self,
        partition: i32,
        consumed: &InRecord,
        batch: &mut Batch,
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
        batch.add();
        let headers = raw_headers(consumed);
        Begun(Ok(batch.last_mut().and_then(|record| {
            self.set_out(record, partition, timestamp, consumed);
            let raw = raw(consumed, &headers);
            self.pipeline.decode_at_once(record, raw)
        })))
    }

    /// Makes a record that is not converted yet out of another; of its key and value only the memory is left.
    fn set_out(
        &self,
        record: &mut SinkRecord,
        partition: i32,
        timestamp: Option<i64>,
        consumed: &InRecord,
    ) {
        // All of it: nothing of the other may be left.
        let Record {
            topic,
            partition: number,
            key,
            value,
            timestamp: time,
            headers,
            origin,
        } = record;
        share(&self.topic, topic);
        *number = Some(partition);
        *time = timestamp;
        if !headers.is_empty() {
            *headers = Headers::default();
        }
        if !self.pipeline.works_at_once() {
            *key = SchemaAndValue::default();
            *value = SchemaAndValue::default();
        }
        let timestamp_type = match consumed.timestamp_type {
            ports::TimestampType::CreateTime => TimestampType::CreateTime,
            ports::TimestampType::LogAppendTime => TimestampType::LogAppendTime,
            ports::TimestampType::None => TimestampType::None,
        };
        let origin = origin.get_or_insert_with(|| SinkOrigin {
            topic: Text::default(),
            partition,
            offset: 0,
            timestamp_type,
        });
        share(&self.topic, &mut origin.topic);
        origin.partition = partition;
        origin.offset = consumed.offset;
        origin.timestamp_type = timestamp_type;
    }

    /// Ends what was begun. What is filtered, or skipped by tolerance and (when configured) on its way to the dead letter
    /// queue, is in the batch no more.
    pub(super) async fn finish(
        &mut self,
        begun: Begun,
        topic: &str,
        partition: i32,
        consumed: &InRecord,
        batch: &mut Batch,
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
            batch.drop_last();
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

/// Puts a text in a place where it mostly is: its holders are not counted then.
fn share(text: &Text, place: &mut Text) {
    if !std::ptr::eq(text.as_bytes(), place.as_bytes()) {
        *place = text.clone();
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
