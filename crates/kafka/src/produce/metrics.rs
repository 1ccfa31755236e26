//! What a producer measures of itself, under Java's names (`producer-metrics`, `producer-topic-metrics`).
//!
//! Answers to `SenderMetricsRegistry` and the sensors of `BufferPool` and `KafkaProducer`. Counted by batch, never by record.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::shared::Shared;
use crate::{
    measure::{Counted, Measures, number},
    ports::ClientMetric,
};

const DOMAIN: &str = "kafka.producer";

/// Of a topic.
#[derive(Default)]
struct OfTopic {
    sent: Counted,
    bytes: Counted,
    retried: Counted,
    failed: Counted,
    compression: Counted,
}

/// All that is counted.
#[derive(Default)]
pub(super) struct Metrics {
    topics: BTreeMap<Arc<str>, OfTopic>,
    /// Records.
    sent: Counted,
    retried: Counted,
    failed: Counted,
    /// Bytes of batches, compressed.
    batches: Counted,
    halved: Counted,
    compression: Counted,
    /// The largest and the mean record of each batch, in bytes.
    records: Counted,
    /// Milliseconds that batches waited.
    queued: Counted,
    /// Milliseconds until answers came.
    latency: Counted,
    throttled: Counted,
    /// Records of each request.
    requests: Counted,
    in_flight: f64,
    exhausted: Counted,
    /// Nanoseconds that callers waited for room, for topics, and in calls.
    waited: Counted,
    waiting: f64,
    metadata_waited: f64,
    flush: f64,
    init: f64,
    begin: f64,
    commit: f64,
    abort: f64,
    metadata: Option<Instant>,
}

/// A call whose time is summed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Flush,
    Init,
    Begin,
    Commit,
    Abort,
    Metadata,
}

fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

#[expect(clippy::cast_precision_loss, reason = "pages of metrics show doubles")]
const fn size(bytes: usize) -> f64 {
    bytes as f64
}

impl Metrics {
    fn of(&mut self, topic: &Arc<str>) -> &mut OfTopic {
        self.topics.entry(Arc::clone(topic)).or_default()
    }

    /// A batch goes out.
    pub(super) fn sends(
        &mut self,
        now: Instant,
        topic: &Arc<str>,
        (records, bytes): (i32, usize),
        (queued, again): (Duration, bool),
        ratio: Option<f32>,
    ) {
        let (count, bytes) = (f64::from(records), size(bytes));
        self.batches.add(now, bytes);
        self.queued.add(now, queued.as_secs_f64() * 1000.0);
        self.records.add(now, bytes / count.max(1.0));
        let ratio = f64::from(ratio.unwrap_or(1.0));
        self.compression.add(now, ratio);
        self.sent.add(now, count);
        if again {
            self.retried.add(now, count);
        }
        let of = self.of(topic);
        of.sent.add(now, count);
        of.bytes.add(now, bytes);
        of.compression.add(now, ratio);
        if again {
            of.retried.add(now, count);
        }
    }

    /// A request goes out.
    pub(super) fn requested(&mut self, now: Instant, records: i32) {
        self.requests.add(now, f64::from(records));
        self.in_flight += 1.0;
    }

    /// It is answered, or never will be.
    pub(super) fn answered(&mut self, now: Instant, after: Duration, throttle: Duration) {
        self.in_flight = (self.in_flight - 1.0).max(0.0);
        self.latency.add(now, after.as_secs_f64() * 1000.0);
        self.throttled.add(now, throttle.as_secs_f64() * 1000.0);
    }

    /// Records failed.
    pub(super) fn fails(&mut self, now: Instant, topic: &Arc<str>, records: i32) {
        let count = f64::from(records);
        self.failed.add(now, count);
        self.of(topic).failed.add(now, count);
    }

    pub(super) fn halves(&mut self, now: Instant) {
        self.halved.add(now, 1.0);
    }

    /// A caller waits for room.
    pub(super) fn waits(&mut self) {
        self.waiting += 1.0;
    }

    /// It has waited so long, in vain or not.
    pub(super) fn waited(&mut self, now: Instant, time: Duration, in_vain: bool) {
        self.waiting = (self.waiting - 1.0).max(0.0);
        self.waited.add(now, nanos(time));
        if in_vain {
            self.exhausted.add(now, 1.0);
        }
    }

    pub(super) fn took(&mut self, call: Call, time: Duration) {
        let sum = match call {
            Call::Flush => &mut self.flush,
            Call::Init => &mut self.init,
            Call::Begin => &mut self.begin,
            Call::Commit => &mut self.commit,
            Call::Abort => &mut self.abort,
            Call::Metadata => &mut self.metadata_waited,
        };
        *sum += nanos(time);
    }

    /// Metadata came.
    pub(super) fn learned(&mut self, now: Instant) {
        self.metadata = Some(now);
    }

    fn list(&self, now: Instant) -> Vec<(&'static str, f64)> {
        let age = self.metadata.map(|at| now.duration_since(at).as_secs_f64());
        vec![
            ("batch-size-avg", self.batches.average(now)),
            ("batch-size-max", self.batches.max(now)),
            ("batch-split-rate", self.halved.rate(now)),
            ("batch-split-total", self.halved.total),
            ("buffer-exhausted-rate", self.exhausted.rate(now)),
            ("buffer-exhausted-total", self.exhausted.total),
            ("bufferpool-wait-ratio", self.waited.rate(now) / 1e9),
            ("bufferpool-wait-time-ns-total", self.waited.total),
            ("compression-rate-avg", self.compression.average(now)),
            ("flush-time-ns-total", self.flush),
            ("metadata-age", age.unwrap_or(0.0)),
            ("metadata-wait-time-ns-total", self.metadata_waited),
            ("produce-throttle-time-avg", self.throttled.average(now)),
            ("produce-throttle-time-max", self.throttled.max(now)),
            ("record-error-rate", self.failed.rate(now)),
            ("record-error-total", self.failed.total),
            ("record-queue-time-avg", self.queued.average(now)),
            ("record-queue-time-max", self.queued.max(now)),
            ("record-retry-rate", self.retried.rate(now)),
            ("record-retry-total", self.retried.total),
            ("record-send-rate", self.sent.rate(now)),
            ("record-send-total", self.sent.total),
            ("record-size-avg", self.records.average(now)),
            ("record-size-max", self.records.max(now)),
            ("records-per-request-avg", self.requests.average(now)),
            ("request-latency-avg", self.latency.average(now)),
            ("request-latency-max", self.latency.max(now)),
            ("requests-in-flight", self.in_flight),
            ("txn-abort-time-ns-total", self.abort),
            ("txn-begin-time-ns-total", self.begin),
            ("txn-commit-time-ns-total", self.commit),
            ("txn-init-time-ns-total", self.init),
            ("txn-send-offsets-time-ns-total", 0.0),
            ("waiting-threads", self.waiting),
        ]
    }
}

impl Measures for Shared {
    fn who(&self) -> (&'static str, &str) {
        (DOMAIN, &self.cluster.settings().client_id)
    }

    fn read(&self, now: Instant, into: &mut Vec<ClientMetric>) {
        let state = self.lock();
        let client = ("client-id", self.cluster.settings().client_id.as_str());
        let mut list = state.metrics.list(now);
        let total = self.settings.buffer_memory;
        list.push(("buffer-total-bytes", size(total)));
        let left = total.saturating_sub(state.used);
        list.push(("buffer-available-bytes", size(left)));
        let own = list.into_iter();
        into.extend(
            own.map(|(name, value)| number(DOMAIN, "producer-metrics", &[client], name, value)),
        );
        for (topic, of) in &state.metrics.topics {
            let tags = [client, ("topic", &**topic)];
            let list = [
                ("byte-rate", of.bytes.rate(now)),
                ("byte-total", of.bytes.total),
                ("compression-rate", of.compression.average(now)),
                ("record-error-rate", of.failed.rate(now)),
                ("record-error-total", of.failed.total),
                ("record-retry-rate", of.retried.rate(now)),
                ("record-retry-total", of.retried.total),
                ("record-send-rate", of.sent.rate(now)),
                ("record-send-total", of.sent.total),
            ];
            let list = list.into_iter();
            into.extend(
                list.map(|(name, value)| {
                    number(DOMAIN, "producer-topic-metrics", &tags, name, value)
                }),
            );
        }
    }
}
