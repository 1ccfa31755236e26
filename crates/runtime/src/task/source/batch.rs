//! Turns a polled batch into records to produce.

use std::sync::Arc;

use milena_api::{CommittedRecord, ConnectError, RawHeader, TopicPartition};
use milena_data::{Record, SourceMap, SourceRecord, Text};
use milena_kafka::ports::{Acked, Header, OutRecord};

use super::in_flight::Answered;
use crate::task::{
    failing::ErrorPolicy,
    pipeline::{Made, Pipeline},
    start::Running,
    topics::{TopicCreation, has_rules},
};

/// A batch as far as it could be converted; nothing of it is on its way.
#[derive(Default)]
pub(super) struct Prepared {
    /// What is sent.
    pub(super) out: Vec<OutRecord>,
    /// The ticket of the first that is sent; the others have those that follow.
    pub(super) first: u64,
    /// What records in a row have in common: in most batches all.
    pub(super) rows: Vec<Row>,
    /// The index of the first record that could not be converted now.
    pub(super) retry_from: Option<usize>,
    /// What the task fails with after the rest.
    pub(super) fatal: Option<ConnectError>,
}

/// Records in a row that are alike.
pub(super) struct Row {
    pub(super) count: usize,
    /// Where they are sent; `None`: they were dropped, by a filter or by tolerance.
    pub(super) topic: Option<Arc<str>>,
    /// Their source partition, if they have one and an offset.
    pub(super) partition: Option<Arc<SourceMap>>,
}

impl Prepared {
    /// All of it is converted.
    pub(super) fn is_whole(&self) -> bool {
        self.retry_from.is_none() && self.fatal.is_none()
    }

    /// How many bytes the keys and values have that are sent.
    pub(super) fn bytes(&self) -> usize {
        let both = |record: &OutRecord| {
            let both = [&record.key, &record.value].into_iter().flatten();
            both.map(|bytes| bytes.len()).sum::<usize>()
        };
        self.out.iter().map(both).sum()
    }

    fn note(&mut self, record: &SourceRecord, topic: Option<&Arc<str>>) {
        let partition = record.source_partition.as_ref();
        let partition = partition.filter(|_| record.source_offset.is_some());
        if let Some(row) = self.rows.last_mut()
            && same(row.topic.as_ref(), topic)
            && same(row.partition.as_ref(), partition)
        {
            row.count += 1;
            return;
        }
        self.rows.push(Row {
            count: 1,
            topic: topic.cloned(),
            partition: partition.cloned(),
        });
    }
}

fn same<T: ?Sized>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

/// The index in its batch of a record that is sent, by its place among those that are sent: of each row, how many it has
/// and whether it is sent.
pub(super) fn origin(rows: &[(usize, bool)], sent: usize) -> usize {
    let (mut index, mut left) = (0, sent);
    for (count, is_sent) in rows {
        if *is_sent {
            if left < *count {
                return index + left;
            }
            left -= count;
        }
        index += count;
    }
    index + left
}

/// Prepares records one by one.
pub(super) struct Preparation {
    pipeline: Pipeline,
    pub(super) policy: ErrorPolicy,
    creation: Option<TopicCreation>,
    /// The last topic's shared name: most batches have one topic.
    topic: Arc<str>,
    /// It is known to be there.
    is_there: bool,
    made: Made,
    /// Tickets count up; those of records that were not sent after all are never used.
    next_ticket: u64,
}

impl Preparation {
    pub(super) async fn new(running: &Running, policy: ErrorPolicy) -> Result<Self, ConnectError> {
        let spec = &running.spec;
        let pipeline = Pipeline::new(
            &spec.world.registry,
            &spec.connector_config,
            &spec.world.worker_props,
            &policy,
        )?;
        let creation = if spec.world.topic_creation && has_rules(&spec.connector_config) {
            let props = crate::task::clients::admin(&spec.world, &spec.id, &spec.connector_config);
            let admin = spec.world.clients.admin(&props).await;
            let admin = admin.map_err(|error| ConnectError::connect(error.to_string()))?;
            Some(TopicCreation::new(&spec.connector_config, admin)?)
        } else {
            None
        };
        Ok(Self {
            pipeline,
            policy,
            creation,
            topic: "".into(),
            is_there: false,
            made: Made::default(),
            next_ticket: 0,
        })
    }

    /// Converts a batch as far as it can be converted now.
    pub(super) async fn convert(&mut self, batch: &[SourceRecord]) -> Prepared {
        // The name is shared by the records of one batch only: those of the last are still in other hands, and to count
        // holders on two threads is slow.
        self.topic = self.topic.as_ref().into();
        let mut prepared = Prepared {
            out: Vec::with_capacity(batch.len()),
            first: self.next_ticket,
            ..Prepared::default()
        };
        for (index, record) in batch.iter().enumerate() {
            let encoded = self
                .pipeline
                .encode_at_once(record, &mut self.made, &self.policy);
            let encoded = match encoded {
                Some(encoded) => encoded,
                None => {
                    let encoded = self.pipeline.encode(record, &mut self.made, &self.policy);
                    encoded.await
                }
            };
            let mut outcome = encoded.and_then(|kept| Ok(kept && self.take_topic(record)?));
            if let Ok(true) = outcome
                && let Some(creation) = &mut self.creation
                && !self.is_there
            {
                let there = creation.ensure(&self.topic).await;
                self.is_there = there.is_ok();
                outcome = there.map(|()| true);
            }
            match outcome {
                Ok(true) => {
                    let out = self.out(record);
                    prepared.out.push(out);
                    prepared.note(record, Some(&self.topic));
                }
                Ok(false) => prepared.note(record, None),
                Err(error) if error.is_retriable() => {
                    self.policy.will_be_sent_again(&error);
                    prepared.retry_from = Some(index);
                    break;
                }
                Err(error) => {
                    prepared.fatal = Some(error);
                    break;
                }
            }
        }
        prepared
    }

    /// What was made of a source record.
    fn made<'a>(&'a self, source: &'a SourceRecord) -> &'a Record {
        self.made.changed.as_ref().unwrap_or(&source.record)
    }

    /// Looks at where a record goes: always `true`.
    fn take_topic(&mut self, source: &SourceRecord) -> Result<bool, ConnectError> {
        let record = self.made.changed.as_ref().unwrap_or(&source.record);
        if let Some(timestamp) = record.timestamp
            && timestamp < -1
        {
            return Err(ConnectError::of(
                "org.apache.kafka.common.InvalidRecordException",
                format!("Invalid record timestamp {timestamp}"),
            ));
        }
        if *self.topic != *record.topic {
            self.topic = (&*record.topic).into();
            self.is_there = false;
        }
        Ok(true)
    }

    /// What is sent of a record, without a ticket.
    fn out(&mut self, source: &SourceRecord) -> OutRecord {
        let record = self.made(source);
        let (partition, timestamp) = (record.partition, record.timestamp);
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let encoded = &mut self.made.encoded;
        let headers = match encoded.headers.is_empty() {
            true => Vec::new(),
            false => headers(std::mem::take(&mut encoded.headers)),
        };
        OutRecord {
            topic: Arc::clone(&self.topic),
            partition,
            timestamp: timestamp.filter(|timestamp| *timestamp != -1),
            key: encoded.key.take(),
            value: encoded.value.take(),
            headers,
            ticket,
        }
    }
}

fn headers(raw: Vec<RawHeader>) -> Vec<Header> {
    let header = |header: RawHeader| Header {
        key: (&*header.key).into(),
        value: header.value,
    };
    raw.into_iter().map(header).collect()
}

/// Where a record was written, for `commit_records`.
fn written(topic: &Arc<str>, at: &Acked, behind: u64) -> (TopicPartition, i64) {
    (
        TopicPartition {
            topic: Text::from(topic.as_ref()),
            partition: at.partition,
        },
        at.behind(behind),
    )
}

/// What is told of records that were answered.
pub(super) fn told(
    answered: Answered,
    at: Option<&Acked>,
) -> impl Iterator<Item = CommittedRecord> {
    let topic = answered.topic;
    let records = (0..).zip(answered.records);
    records.map(move |(behind, record)| CommittedRecord {
        record,
        written: at.map(|at| written(&topic, at, behind)),
    })
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn the_origin_of_what_is_sent_is_found() {
        let origins = |rows: &[(usize, bool)]| {
            let all = (0..4).map(|sent| origin(rows, sent));
            all.collect::<Vec<_>>()
        };
        assert_eq!(origins(&[(4, true)]), [0, 1, 2, 3]);
        let rows = [(2, false), (2, true), (1, false), (9, true)];
        assert_eq!(origins(&rows), [2, 3, 5, 6]);
        assert_eq!(origins(&[(2, true), (1, true), (1, false)]), [0, 1, 2, 4]);
    }
}
