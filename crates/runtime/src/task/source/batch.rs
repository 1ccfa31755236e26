//! Turns a polled batch into records to produce, and keeps what is in flight.

use std::{collections::VecDeque, sync::Arc};

use milena_api::{ConnectError, TopicPartition};
use milena_data::{SourceRecord, Text};
use milena_kafka::ports::{Acked, Header, OutRecord};

use crate::task::{
    failing::ErrorPolicy,
    pipeline::{Made, Pipeline},
    start::Running,
    topics::{TopicCreation, has_rules},
};

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
        })
    }

    /// The topic's name is shared by the records of one batch only: those of the last are still in other hands, and to
    /// count holders on two threads is slow.
    pub(super) fn begin_batch(&mut self) {
        self.topic = self.topic.as_ref().into();
    }

    /// Transforms, converts, makes sure of the topic, and adds the record to what is sent, without a ticket. `false`: dropped
    /// by a filter or by tolerance. A retriable error: nothing was done, try again.
    pub(super) async fn prepare(
        &mut self,
        source: &SourceRecord,
        out: &mut Vec<OutRecord>,
    ) -> Result<bool, ConnectError> {
        let encoded = self.pipeline.encode(source, &mut self.made, &self.policy);
        if !encoded.await? {
            return Ok(false);
        }
        let record = self.made.changed.as_ref().unwrap_or(&source.record);
        let timestamp = match record.timestamp {
            Some(-1) | None => None,
            Some(timestamp) if timestamp < 0 => {
                return Err(ConnectError::of(
                    "org.apache.kafka.common.InvalidRecordException",
                    format!("Invalid record timestamp {timestamp}"),
                ));
            }
            timestamp => timestamp,
        };
        if *self.topic != *record.topic {
            self.topic = (&*record.topic).into();
            self.is_there = false;
        }
        if let Some(creation) = &mut self.creation
            && !self.is_there
        {
            creation.ensure(&self.topic).await?;
            self.is_there = true;
        }
        let encoded = &mut self.made.encoded;
        let headers = std::mem::take(&mut encoded.headers);
        let headers = headers.into_iter().map(|header| Header {
            key: (&*header.key).into(),
            value: header.value,
        });
        out.push(OutRecord {
            topic: Arc::clone(&self.topic),
            partition: record.partition,
            timestamp,
            key: encoded.key.take(),
            value: encoded.value.take(),
            headers: headers.collect(),
            ticket: 0,
        });
        Ok(true)
    }
}

/// Records that were handed to the producer and are not answered, by ticket. Tickets count up.
pub(super) struct InFlight<T> {
    first: u64,
    waiting: VecDeque<Option<T>>,
    unanswered: usize,
}

impl<T> Default for InFlight<T> {
    fn default() -> Self {
        Self {
            first: 0,
            waiting: VecDeque::new(),
            unanswered: 0,
        }
    }
}

impl<T> InFlight<T> {
    /// The ticket that [`Self::add`] will give next.
    pub(super) fn next_ticket(&self) -> u64 {
        self.first + self.waiting.len() as u64
    }

    /// Adds a record under the next ticket.
    pub(super) fn add(&mut self, item: T) {
        self.waiting.push_back(Some(item));
        self.unanswered += 1;
    }

    /// Takes an answered record; `None` when it is unknown or was taken.
    pub(super) fn answer(&mut self, ticket: u64) -> Option<T> {
        let at = usize::try_from(ticket.checked_sub(self.first)?).ok()?;
        let item = self.waiting.get_mut(at)?.take()?;
        self.unanswered -= 1;
        while matches!(self.waiting.front(), Some(None)) {
            self.waiting.pop_front();
            self.first += 1;
        }
        Some(item)
    }

    /// Takes back the newest record, which was not sent after all.
    pub(super) fn take_back(&mut self) -> Option<T> {
        let item = self.waiting.pop_back()??;
        self.unanswered -= 1;
        Some(item)
    }

    pub(super) fn len(&self) -> usize {
        self.unanswered
    }
}

/// Where a record was written, for `commit_records`.
pub(super) fn written(topic: &Arc<str>, at: &Acked) -> (TopicPartition, i64) {
    (
        TopicPartition {
            topic: Text::from(topic.as_ref()),
            partition: at.partition,
        },
        at.offset,
    )
}

/// What stays of a record until it is answered.
pub(super) struct Sent {
    pub(super) topic: Arc<str>,
    /// Kept only for tasks that want it back; behind a pointer, for the tens of thousands that do not.
    pub(super) record: Option<Box<SourceRecord>>,
}
