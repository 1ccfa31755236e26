//! The producer port over the library's `KafkaProducer`.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
    time::Duration,
};

use async_trait::async_trait;
use confluent_kafka::{
    common::{
        Error,
        header::{RecordHeader, RecordHeaders},
        serialization::ByteArraySerializer,
    },
    producer::{
        Callback, KafkaProducer, Producer as _, ProducerConfig, ProducerRecord,
        ProducerRecordOptionsBuilder, RecordMetadata,
    },
};
use tokio::sync::Notify;

use super::{
    errors::port_error,
    measured::{Alive, Measured},
    props::library_props,
};
use crate::ports::{
    Ack, AckSink, Acked, ClientProps, CommitError, KafkaError, KafkaErrorKind, OutRecord, Producer,
};

/// Collects acknowledgements on the library's thread; a task hands them on in batches.
#[derive(Default)]
struct AckBuffer {
    acks: Mutex<Vec<Ack>>,
    arrived: Notify,
    /// Held while acknowledgements are handed on: none is on its way when another hand finds the buffer empty.
    handing: Mutex<()>,
    /// A record failed since the producer was made.
    failed: AtomicBool,
}

impl AckBuffer {
    fn push(&self, ack: Ack) {
        let mut acks = self.acks.lock().unwrap_or_else(PoisonError::into_inner);
        // Most records are written in a row.
        let ack = match acks.last_mut() {
            Some(last) => last.extended(ack),
            None => Some(ack),
        };
        let Some(ack) = ack else { return };
        acks.push(ack);
        if acks.len() == 1 {
            self.arrived.notify_one();
        }
    }

    fn hand_on(&self, sink: &AckSink) {
        let _handing = self.handing.lock().unwrap_or_else(PoisonError::into_inner);
        let acks = std::mem::take(&mut *self.acks.lock().unwrap_or_else(PoisonError::into_inner));
        if !acks.is_empty() {
            sink(acks);
        }
    }
}

/// The acknowledgements of one batch. Each record holds it, and not the buffer itself: counting holders on two threads at
/// once, one handing records over and one answering for others, costs more than all else.
struct OfBatch {
    buffer: Arc<AckBuffer>,
}

struct OnAck {
    ticket: u64,
    batch: Arc<OfBatch>,
}

impl Callback for OnAck {
    fn on_completion(self: Box<Self>, metadata: Option<&RecordMetadata>, error: Option<&Error>) {
        let outcome = match (error, metadata) {
            (Some(error), _) => Err(port_error(error)),
            (None, Some(at)) => Ok(Acked {
                partition: at.partition(),
                offset: if at.has_offset() { at.offset() } else { -1 },
            }),
            (None, None) => Ok(Acked {
                partition: -1,
                offset: -1,
            }),
        };
        let failed = outcome.is_err();
        let buffer = &self.batch.buffer;
        buffer.push(Ack::of(self.ticket, outcome));
        if failed {
            buffer.failed.store(true, Ordering::Release);
        }
    }
}

/// A producer of the library.
pub(crate) struct ConfluentProducer {
    producer: KafkaProducer<Vec<u8>, Vec<u8>>,
    buffer: Arc<AckBuffer>,
    sink: AckSink,
    forward: tokio::task::JoinHandle<()>,
    stops_at_failure: AtomicBool,
    /// What is measured of it is shown as long as it lives.
    _alive: Alive,
}

impl ConfluentProducer {
    /// Makes a producer; nothing is sent yet.
    pub(crate) fn new(
        props: &ClientProps,
        sink: AckSink,
        measured: &Measured,
    ) -> Result<Self, KafkaError> {
        let failed = |error: &Error| {
            let cause = error
                .source()
                .map_or_else(|| error.message(), |cause| cause.message());
            KafkaError::new(
                KafkaErrorKind::Config,
                format!("Failed to construct kafka producer: {cause}"),
            )
        };
        let mut props = library_props(props)?;
        // Java's hash of keys; the library's own default is another one, and one key would be in two partitions.
        props.insert(
            ProducerConfig::PARTITIONER_TYPE_CONFIG.to_owned(),
            ProducerConfig::MURMUR2_RANDOM_PARTITIONER.to_owned(),
        );
        let config = ProducerConfig::new(&props).map_err(|error| failed(&error))?;
        let raw = ByteArraySerializer::new;
        let producer = KafkaProducer::new(config, raw(), raw()).map_err(|error| failed(&error))?;
        let buffer = Arc::new(AckBuffer::default());
        let (source, target) = (Arc::clone(&buffer), Arc::clone(&sink));
        let forward = tokio::spawn(async move {
            loop {
                source.arrived.notified().await;
                source.hand_on(&target);
            }
        });
        let alive = measured.add("kafka.producer", producer.metrics());
        Ok(Self {
            producer,
            buffer,
            sink,
            forward,
            stops_at_failure: AtomicBool::new(false),
            _alive: alive,
        })
    }

    fn hand_on(&self) {
        self.buffer.hand_on(&self.sink);
    }
}

impl Drop for ConfluentProducer {
    /// A task that was cancelled drops its producer as it is.
    fn drop(&mut self) {
        self.forward.abort();
        self.abandon();
    }
}

/// A record of the library, which borrows the bytes: they are copied once, into the batch.
fn library_record(record: &OutRecord) -> Result<ProducerRecord<&[u8], &[u8]>, KafkaError> {
    let headers = (!record.headers.is_empty()).then(|| {
        let one = |header: &crate::ports::Header| {
            RecordHeader::new(
                header.key.as_ref().to_owned(),
                header.value.as_ref().map(|value| value.to_vec()),
            )
        };
        RecordHeaders::with_header_iter(record.headers.iter().map(one))
    });
    let options = ProducerRecordOptionsBuilder::new()
        .set_topic(record.topic.as_ref().to_owned())
        .set_partition(record.partition)
        .set_timestamp(record.timestamp)
        .set_key(record.key.as_deref())
        .set_value(record.value.as_deref())
        .set_headers(headers)
        .build()
        .map_err(|error| port_error(&error))?;
    let invalid = |text: &str| {
        KafkaError::new(KafkaErrorKind::Fatal, text).class("java.lang.IllegalArgumentException")
    };
    ProducerRecord::with_options(options).map_err(|error| invalid(error.message()))
}

fn commit_error(error: &Error) -> CommitError {
    let port = port_error(error);
    match port.kind {
        KafkaErrorKind::Fenced => CommitError::Fenced(port),
        // A retriable error comes when the answer to EndTxn was lost or late: it may have taken effect.
        KafkaErrorKind::Unknown | KafkaErrorKind::Retriable => CommitError::Unknown(port),
        _ => CommitError::Aborted(port),
    }
}

#[async_trait]
impl Producer for ConfluentProducer {
    async fn send(&self, batch: Vec<OutRecord>) -> Result<(), (usize, KafkaError)> {
        let stops = self.stops_at_failure.load(Ordering::Relaxed);
        let of_batch = Arc::new(OfBatch {
            buffer: Arc::clone(&self.buffer),
        });
        for (index, record) in batch.iter().enumerate() {
            // What the client refuses by itself (a record too large) has failed when its call returns.
            if stops && self.buffer.failed.load(Ordering::Acquire) {
                self.hand_on();
                let text = "a record before this one was not written";
                return Err((index, KafkaError::new(KafkaErrorKind::Fatal, text)));
            }
            let callback = OnAck {
                ticket: record.ticket,
                batch: Arc::clone(&of_batch),
            };
            let record = library_record(record).map_err(|error| (index, error))?;
            let sent = self.producer.send(record, Some(Box::new(callback))).await;
            sent.map_err(|error| (index, port_error(&error)))?;
        }
        Ok(())
    }

    fn stop_at_failure(&self) {
        self.stops_at_failure.store(true, Ordering::Relaxed);
    }

    async fn flush(&self) -> Result<(), KafkaError> {
        self.producer
            .flush()
            .await
            .map_err(|error| port_error(&error))?;
        self.hand_on();
        Ok(())
    }

    async fn init_transactions(&self) -> Result<(), KafkaError> {
        self.producer
            .init_transactions()
            .await
            .map_err(|error| port_error(&error))
    }

    async fn begin(&self) -> Result<(), KafkaError> {
        self.producer
            .begin_transaction()
            .map_err(|error| port_error(&error))
    }

    async fn commit(&self) -> Result<(), CommitError> {
        let outcome = self.producer.commit_transaction().await;
        self.hand_on();
        outcome.map_err(|error| commit_error(&error))
    }

    async fn abort(&self) -> Result<(), KafkaError> {
        let outcome = self.producer.abort_transaction().await;
        self.hand_on();
        outcome.map_err(|error| port_error(&error))
    }

    /// Left alone, the library would go on to send what it holds, for as long as the delivery timeout lets it: for a task for
    /// ever, beside the one that took its place.
    fn abandon(&self) {
        let mut close = pin!(self.producer.close_with_timeout(Duration::ZERO));
        // The first step throws away what is unsent and ends the library's thread; nobody needs to hear of the rest.
        let _ = close
            .as_mut()
            .poll(&mut std::task::Context::from_waker(Waker::noop()));
    }

    async fn close(&self, within: Duration) {
        // What was not acknowledged by now is answered with an error through the callbacks.
        let _ = self.producer.close_with_timeout(within).await;
        self.hand_on();
    }
}
