//! What a fetcher measures of itself, under Java's names: `consumer-fetch-manager-metrics`, in all, by topic and by
//! partition, and the polls of `consumer-metrics`. Nothing is counted per record. Java's `FetchMetricsManager` and
//! `KafkaConsumerMetrics`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kafka_protocol::messages::FetchResponse;
use tokio::time::Instant;

use super::state::Key;
use crate::{
    measure::{Counted, Measures, number},
    ports::ClientMetric,
};

const DOMAIN: &str = "kafka.consumer";
const FETCHES: &str = "consumer-fetch-manager-metrics";

/// What came of something.
#[derive(Debug, Default)]
struct Flow {
    /// Bytes, each answer one event.
    bytes: Counted,
    /// Records, each part of a poll one event.
    records: Counted,
}

/// How far behind the end, and beyond the beginning, a partition is read.
#[derive(Debug, Default)]
struct Distance {
    lag: f64,
    lags: Counted,
    lead: f64,
    leads: Counted,
    /// The leads below zero, whose largest is the smallest lead.
    below: Counted,
    replica: i32,
}

#[derive(Debug, Default)]
struct Counts {
    all: Flow,
    topics: BTreeMap<Arc<str>, Flow>,
    partitions: BTreeMap<Key, Distance>,
    /// Each one.
    fetches: Counted,
    /// In milliseconds.
    latency: Counted,
    throttle: Counted,
    polled: Option<Instant>,
    between: Counted,
}

/// What a fetcher counts.
#[derive(Debug)]
pub(super) struct Counters {
    client_id: String,
    counts: Mutex<Counts>,
}

/// What a poll took of a partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivered {
    pub(super) records: usize,
    pub(super) position: i64,
    pub(super) end: i64,
    pub(super) begin: i64,
    pub(super) replica: Option<i32>,
}

#[expect(clippy::cast_precision_loss, reason = "pages of metrics show doubles")]
const fn double(value: usize) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "pages of metrics show doubles")]
const fn signed(value: i64) -> f64 {
    value as f64
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

impl Counters {
    pub(super) fn new(client_id: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            counts: Mutex::default(),
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fetch was answered.
    pub(super) fn answered(&self, answer: &FetchResponse, after: Duration) {
        let now = Instant::now();
        let mut counts = self.counts();
        counts.fetches.add(now, 1.0);
        counts.latency.add(now, millis(after));
        counts.throttle.add(now, f64::from(answer.throttle_time_ms));
        let mut all = 0;
        for topic in &answer.responses {
            let of = |partition: &kafka_protocol::messages::fetch_response::PartitionData| {
                partition.records.as_ref().map_or(0, |bytes| bytes.len())
            };
            let bytes: usize = topic.partitions.iter().map(of).sum();
            all += bytes;
            if bytes > 0 {
                let name = topic.topic.as_str();
                if !counts.topics.contains_key(name) {
                    counts.topics.insert(name.into(), Flow::default());
                }
                if let Some(flow) = counts.topics.get_mut(name) {
                    flow.bytes.add(now, double(bytes));
                }
            }
        }
        counts.all.bytes.add(now, double(all));
    }

    /// Somebody polls.
    pub(super) fn polled(&self) {
        let now = Instant::now();
        let mut counts = self.counts();
        let before = counts.polled.replace(now);
        if let Some(before) = before {
            counts.between.add(now, millis(now.duration_since(before)));
        }
    }

    /// A poll took this of a partition.
    pub(super) fn delivered(&self, key: &Key, what: Delivered) {
        let now = Instant::now();
        let mut counts = self.counts();
        if what.records > 0 {
            let records = double(what.records);
            counts.all.records.add(now, records);
            let topic = counts.topics.entry(Arc::clone(&key.0)).or_default();
            topic.records.add(now, records);
        }
        if !counts.partitions.contains_key(key) {
            counts.partitions.insert(key.clone(), Distance::default());
        }
        let Some(partition) = counts.partitions.get_mut(key) else {
            return;
        };
        partition.replica = what.replica.unwrap_or(-1);
        if what.end >= 0 {
            partition.lag = signed(what.end.saturating_sub(what.position).max(0));
            partition.lags.add(now, partition.lag);
        }
        if what.begin >= 0 {
            partition.lead = signed(what.position.saturating_sub(what.begin).max(0));
            partition.leads.add(now, partition.lead);
            partition.below.add(now, -partition.lead);
        }
    }

    /// Only these are still assigned.
    pub(super) fn keep(&self, keeps: impl Fn(&Key) -> bool) {
        self.counts().partitions.retain(|key, _| keeps(key));
    }
}

fn flow(of: &Flow, now: Instant) -> [(&'static str, f64); 7] {
    [
        ("bytes-consumed-rate", of.bytes.rate(now)),
        ("bytes-consumed-total", of.bytes.total),
        ("fetch-size-avg", of.bytes.average(now)),
        ("fetch-size-max", of.bytes.max(now)),
        ("records-consumed-rate", of.records.rate(now)),
        ("records-consumed-total", of.records.total),
        ("records-per-request-avg", of.records.average(now)),
    ]
}

impl Measures for Counters {
    fn who(&self) -> (&'static str, &str) {
        (DOMAIN, &self.client_id)
    }

    fn read(&self, now: Instant, into: &mut Vec<ClientMetric>) {
        let counts = self.counts();
        let id = ("client-id", self.client_id.as_str());
        let mut show = |group: &str, tags: &[(&str, &str)], list: &[(&str, f64)]| {
            let one = |(name, value): &(&str, f64)| number(DOMAIN, group, tags, name, *value);
            into.extend(list.iter().map(one));
        };
        let partitions = || counts.partitions.values();
        let most = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::NAN, f64::max);
        let (fetches, latency) = (&counts.fetches, &counts.latency);
        let mut list = flow(&counts.all, now).to_vec();
        list.extend([
            ("fetch-latency-avg", latency.average(now)),
            ("fetch-latency-max", latency.max(now)),
            ("fetch-rate", latency.events_rate(now)),
            ("fetch-total", fetches.total),
            ("fetch-throttle-time-avg", counts.throttle.average(now)),
            ("fetch-throttle-time-max", counts.throttle.max(now)),
            (
                "records-lag-max",
                most(&mut partitions().map(|one| one.lags.max(now))),
            ),
            (
                "records-lead-min",
                -most(&mut partitions().map(|one| one.below.max(now))),
            ),
        ]);
        show(FETCHES, &[id], &list);
        for (topic, of) in &counts.topics {
            show(FETCHES, &[id, ("topic", topic)], &flow(of, now));
        }
        for ((topic, partition), of) in &counts.partitions {
            let partition = partition.to_string();
            let tags = [id, ("topic", topic), ("partition", &*partition)];
            let list = [
                ("preferred-read-replica", f64::from(of.replica)),
                ("records-lag", of.lag),
                ("records-lag-avg", of.lags.average(now)),
                ("records-lag-max", of.lags.max(now)),
                ("records-lead", of.lead),
                ("records-lead-avg", of.leads.average(now)),
                ("records-lead-min", -of.below.max(now)),
            ];
            show(FETCHES, &tags, &list);
        }
        let ago = counts.polled.map_or(-1.0, |polled| {
            now.saturating_duration_since(polled).as_secs_f64().floor()
        });
        let polls = [
            ("last-poll-seconds-ago", ago),
            ("time-between-poll-avg", counts.between.average(now)),
            ("time-between-poll-max", counts.between.max(now)),
        ];
        show("consumer-metrics", &[id], &polls);
    }
}
