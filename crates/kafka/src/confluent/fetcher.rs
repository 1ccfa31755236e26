//! The fetcher port over the library's `KafkaConsumer` in `assign` mode, without a group.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use confluent_kafka::{
    common::{
        Error, TopicPartition,
        header::{Header as _, Headers as _},
        record::TimestampType as LibraryTimestampType,
        serialization::BytesDeserializer,
    },
    consumer::{CloseOptions, Consumer as _, ConsumerConfig, ConsumerRecord, KafkaConsumer},
};

use super::{
    errors::port_error,
    measured::{Alive, Measured},
    props::library_props,
};
use crate::ports::{
    ClientProps, Fetcher, Header, InRecord, KafkaError, KafkaErrorKind, PartitionBatch, StartAt,
    TimestampType,
};

/// How long a position or an end offset may take.
const LOOKUP: Duration = Duration::from_secs(60);
/// How long closing may take: there is no group to leave.
const CLOSE: Duration = Duration::from_secs(1);

/// A consumer of the library.
pub(crate) struct ConfluentFetcher {
    consumer: KafkaConsumer<Bytes, Bytes>,
    /// What is measured of it is shown as long as it lives.
    _alive: Alive,
}

impl ConfluentFetcher {
    /// Makes a fetcher; nothing is read yet.
    pub(crate) fn new(props: &ClientProps, measured: &Measured) -> Result<Self, KafkaError> {
        let failed = |error: &Error| {
            let cause = error
                .source()
                .map_or_else(|| error.message(), |cause| cause.message());
            KafkaError::new(
                KafkaErrorKind::Config,
                format!("Failed to construct kafka consumer: {cause}"),
            )
        };
        let mut props = library_props(props)?;
        // Membership is ours: the library never joins a group, and has no classic protocol to offer.
        props.remove("partition.assignment.strategy");
        for ours in ["session.timeout.ms", "heartbeat.interval.ms"] {
            props.remove(ours);
        }
        // Java's default; the library's own is read_committed.
        props
            .entry("isolation.level".to_owned())
            .or_insert_with(|| "read_uncommitted".to_owned());
        props.insert("group.protocol".to_owned(), "consumer".to_owned());
        props.insert("enable.auto.commit".to_owned(), "false".to_owned());
        let config = ConsumerConfig::new(&props).map_err(|error| failed(&error))?;
        let consumer =
            KafkaConsumer::new(config, BytesDeserializer::new(), BytesDeserializer::new())
                .map_err(|error| failed(&error))?;
        let alive = measured.add("kafka.consumer", consumer.metrics());
        Ok(Self {
            consumer,
            _alive: alive,
        })
    }
}

fn partitions(list: &[(Arc<str>, i32)]) -> Vec<TopicPartition> {
    list.iter()
        .map(|(topic, partition)| TopicPartition::new(Arc::clone(topic), *partition))
        .collect()
}

/// Values up to this many bytes are copied out of the buffer that they were fetched in.
const COPIED_MAX: usize = 4096;

/// The records of a batch with their values in a buffer of the batch's own. The client goes on counting holders of the
/// buffer that it fetched: to count them for the records in hand on another thread would cost more than the copy, and a
/// record that is kept would keep the megabytes of a whole fetch.
fn in_records(list: &[ConsumerRecord<Bytes, Bytes>]) -> Vec<InRecord> {
    let small = |bytes: &&Bytes| bytes.len() <= COPIED_MAX;
    let both = |record: &ConsumerRecord<Bytes, Bytes>| {
        let both = [record.key(), record.value()].into_iter().flatten();
        both.filter(small).map(Bytes::len).sum::<usize>()
    };
    let mut own = BytesMut::with_capacity(list.iter().map(both).sum());
    for record in list {
        for bytes in [record.key(), record.value()].into_iter().flatten() {
            if small(&bytes) {
                own.extend_from_slice(bytes);
            }
        }
    }
    let mut own = own.freeze();
    let mut take = |bytes: Option<&Bytes>| {
        bytes.map(|bytes| match small(&bytes) {
            true => own.split_to(bytes.len()),
            false => bytes.clone(),
        })
    };
    let header = |header: &confluent_kafka::common::header::RecordHeader| Header {
        key: header.key().into(),
        value: header.value().map(Bytes::copy_from_slice),
    };
    list.iter()
        .map(|record| InRecord {
            offset: record.offset(),
            timestamp: record.timestamp(),
            timestamp_type: match record.timestamp_type() {
                LibraryTimestampType::CreateTime => TimestampType::CreateTime,
                LibraryTimestampType::LogAppendTime => TimestampType::LogAppendTime,
                _ => TimestampType::None,
            },
            key: take(record.key()),
            value: take(record.value()),
            headers: record.headers().iter().map(header).collect(),
        })
        .collect()
}

#[async_trait]
impl Fetcher for ConfluentFetcher {
    async fn assign(
        &mut self,
        wanted: Vec<(Arc<str>, i32, Option<StartAt>)>,
    ) -> Result<(), KafkaError> {
        let failed = |error: Error| port_error(&error);
        let all = wanted
            .iter()
            .map(|(topic, p, _)| TopicPartition::new(Arc::clone(topic), *p))
            .collect();
        self.consumer.assign(all).await.map_err(failed)?;
        let (mut first, mut last) = (Vec::new(), Vec::new());
        for (topic, partition, start) in wanted {
            let partition = TopicPartition::new(topic, partition);
            match start {
                Some(StartAt::Offset(offset)) => {
                    self.consumer
                        .seek_with_offset(partition, offset)
                        .await
                        .map_err(failed)?;
                }
                Some(StartAt::Earliest) => first.push(partition),
                Some(StartAt::Latest) => last.push(partition),
                None => {}
            }
        }
        if !first.is_empty() {
            self.consumer
                .seek_to_beginning(&first)
                .await
                .map_err(failed)?;
        }
        if !last.is_empty() {
            self.consumer.seek_to_end(&last).await.map_err(failed)?;
        }
        Ok(())
    }

    async fn seek(&mut self, topic: &str, partition: i32, offset: i64) -> Result<(), KafkaError> {
        let partition = TopicPartition::new(topic, partition);
        self.consumer
            .seek_with_offset(partition, offset)
            .await
            .map_err(|error| port_error(&error))
    }

    async fn pause(&mut self, list: &[(Arc<str>, i32)]) -> Result<(), KafkaError> {
        self.consumer
            .pause(&partitions(list))
            .await
            .map_err(|error| port_error(&error))
    }

    async fn resume(&mut self, list: &[(Arc<str>, i32)]) -> Result<(), KafkaError> {
        self.consumer
            .resume(&partitions(list))
            .await
            .map_err(|error| port_error(&error))
    }

    async fn position(&mut self, topic: &str, partition: i32) -> Result<i64, KafkaError> {
        let partition = TopicPartition::new(topic, partition);
        let found = self
            .consumer
            .position_with_timeout(&partition, LOOKUP)
            .await;
        found.map_err(|error| port_error(&error))
    }

    async fn poll(&mut self, max_wait: Duration) -> Result<Vec<PartitionBatch>, KafkaError> {
        // May be dropped while it waits: the library moves a position only when it collects records, and with a
        // deserializer that never waits it returns what it collected without an await in between.
        let records = self
            .consumer
            .poll(max_wait)
            .await
            .map_err(|error| port_error(&error))?;
        let mut batches = Vec::new();
        for (partition, next) in records.next_offsets() {
            let list = records.records_with_partition(partition);
            batches.push(PartitionBatch {
                topic: partition.topic().into(),
                partition: partition.partition(),
                records: in_records(list),
                next_offset: next.offset(),
            });
        }
        Ok(batches)
    }

    async fn end_offsets(
        &mut self,
        list: &[(Arc<str>, i32)],
    ) -> Result<BTreeMap<(Arc<str>, i32), i64>, KafkaError> {
        let found = self
            .consumer
            .end_offsets_with_timeout(&partitions(list), LOOKUP)
            .await;
        let found = found.map_err(|error| port_error(&error))?;
        Ok(found
            .into_iter()
            .map(|(tp, offset)| ((tp.topic().into(), tp.partition()), offset))
            .collect())
    }

    async fn close(&mut self) {
        // There is no group and nothing buffered that matters: a failure to close leaves nothing behind.
        let _ = tokio::time::timeout(
            CLOSE,
            self.consumer.close_with_options(CloseOptions::default()),
        )
        .await;
    }
}
