//! What a worker measures of its coordinator: joins, syncs, heartbeats (`AbstractCoordinator`'s and
//! `WorkerCoordinator`'s sensors, spec `data.md` 6.2).
//!
//! It stands between the membership and the channel, passes everything on as it is, and decides nothing.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use milena_kafka::ports::{
    ConsumerHeartbeat, ConsumerHeartbeatAnswer, GroupChannel, GroupCoordinator, GroupErrorCode,
    GroupOffset, JoinRequest, JoinResponse, KafkaError, SyncRequest, TopicUuid,
};
use milena_telemetry::metrics::{Average, Bean, Maximum, Meter, Windows};

/// The windows are seconds, the metric is per hour.
const HOUR: f64 = 3600.0;

/// One kind of request: how many, how often, how long.
struct Requests {
    meter: Meter,
    average: Average,
    maximum: Maximum,
}

impl Requests {
    fn new(windows: Windows) -> Self {
        Self {
            meter: Meter::new(windows),
            average: Average::new(windows),
            maximum: Maximum::new(windows),
        }
    }

    fn note(&mut self, took: Duration) {
        let now = Instant::now();
        self.meter.add(now, 1);
        self.average.record(now, millis(took));
        self.maximum.record(now, millis(took));
    }

    /// Average and maximum, rate and total.
    fn show(&self, bean: &mut Bean, now: Instant, names: [&'static str; 4]) {
        let [average, maximum, rate, total] = names;
        bean.number(average, self.average.value(now));
        bean.number(maximum, self.maximum.value(now));
        bean.number(rate, self.meter.rate(now));
        bean.number(total, self.meter.total());
    }
}

struct State {
    heartbeats: Requests,
    joins: Requests,
    syncs: Requests,
    rounds: Requests,
    /// The time of all rounds.
    in_rounds: Duration,
    failed: Meter,
    /// The first join of the round under way.
    begun: Option<Instant>,
    last_heartbeat: Option<Instant>,
    last_round: Option<Instant>,
}

/// One per worker.
pub(super) struct CoordinatorMetrics(Mutex<State>);

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

impl CoordinatorMetrics {
    pub(super) fn new(windows: Windows) -> Self {
        Self(Mutex::new(State {
            heartbeats: Requests::new(windows),
            joins: Requests::new(windows),
            syncs: Requests::new(windows),
            rounds: Requests::new(windows),
            in_rounds: Duration::ZERO,
            failed: Meter::new(windows),
            begun: None,
            last_heartbeat: None,
            last_round: None,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what was measured to the bean of the coordinator.
    pub(super) fn show(&self, bean: &mut Bean, now: Instant) {
        let state = self.state();
        let (beats, rounds) = (&state.heartbeats, &state.rounds);
        bean.number("heartbeat-response-time-max", beats.maximum.value(now));
        bean.number("heartbeat-rate", beats.meter.rate(now));
        bean.number("heartbeat-total", beats.meter.total());
        let joins = ["join-time-avg", "join-time-max", "join-rate", "join-total"];
        state.joins.show(bean, now, joins);
        let syncs = ["sync-time-avg", "sync-time-max", "sync-rate", "sync-total"];
        state.syncs.show(bean, now, syncs);
        bean.number("rebalance-latency-avg", rounds.average.value(now));
        bean.number("rebalance-latency-max", rounds.maximum.value(now));
        bean.number("rebalance-latency-total", millis(state.in_rounds));
        bean.number("rebalance-total", rounds.meter.total());
        bean.number("rebalance-rate-per-hour", rounds.meter.rate(now) * HOUR);
        bean.number("failed-rebalance-total", state.failed.total());
        bean.number(
            "failed-rebalance-rate-per-hour",
            state.failed.rate(now) * HOUR,
        );
        let ago = |at: Option<Instant>| match at {
            Some(at) => now.saturating_duration_since(at).as_secs_f64().floor(),
            None => -1.0,
        };
        bean.number("last-rebalance-seconds-ago", ago(state.last_round));
        bean.number("last-heartbeat-seconds-ago", ago(state.last_heartbeat));
    }
}

/// A channel that is measured.
pub(super) struct MeasuredGroup {
    pub(super) channel: Arc<dyn GroupChannel>,
    pub(super) metrics: Arc<CoordinatorMetrics>,
}

#[async_trait]
impl GroupChannel for MeasuredGroup {
    async fn find_coordinator(&self) -> Result<GroupCoordinator, KafkaError> {
        self.channel.find_coordinator().await
    }

    async fn join(&self, request: JoinRequest) -> Result<JoinResponse, KafkaError> {
        let begun = Instant::now();
        self.metrics.state().begun.get_or_insert(begun);
        let answer = self.channel.join(request).await;
        let mut state = self.metrics.state();
        match &answer {
            Ok(joined) if joined.error == 0 => state.joins.note(begun.elapsed()),
            _ => state.failed.add(Instant::now(), 1),
        }
        drop(state);
        answer
    }

    async fn sync(&self, request: SyncRequest) -> Result<(GroupErrorCode, Bytes), KafkaError> {
        let sent = Instant::now();
        let answer = self.channel.sync(request).await;
        let mut state = self.metrics.state();
        match &answer {
            Ok((0, _)) => {
                state.syncs.note(sent.elapsed());
                let round = state.begun.take().unwrap_or(sent).elapsed();
                state.rounds.note(round);
                state.in_rounds += round;
                state.last_round = Some(Instant::now());
            }
            _ => state.failed.add(Instant::now(), 1),
        }
        drop(state);
        answer
    }

    async fn heartbeat(
        &self,
        generation: i32,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<GroupErrorCode, KafkaError> {
        let sent = Instant::now();
        self.metrics.state().last_heartbeat = Some(sent);
        let answer = self
            .channel
            .heartbeat(generation, member_id, instance_id)
            .await;
        if answer.is_ok() {
            self.metrics.state().heartbeats.note(sent.elapsed());
        }
        answer
    }

    async fn leave(&self, member_id: &str, reason: &str) -> Result<GroupErrorCode, KafkaError> {
        self.channel.leave(member_id, reason).await
    }

    async fn commit_offsets(
        &self,
        generation: i32,
        member_id: &str,
        instance_id: Option<&str>,
        offsets: Vec<GroupOffset>,
    ) -> Result<Vec<GroupOffset>, KafkaError> {
        self.channel
            .commit_offsets(generation, member_id, instance_id, offsets)
            .await
    }

    async fn fetch_offsets(
        &self,
        partitions: Vec<(String, i32)>,
        stable: bool,
        member: Option<(&str, i32)>,
    ) -> Result<Vec<GroupOffset>, KafkaError> {
        self.channel.fetch_offsets(partitions, stable, member).await
    }

    async fn consumer_heartbeat(
        &self,
        request: ConsumerHeartbeat,
    ) -> Result<ConsumerHeartbeatAnswer, KafkaError> {
        self.channel.consumer_heartbeat(request).await
    }

    async fn topic_ids(&self, topics: Vec<String>) -> Result<Vec<(String, TopicUuid)>, KafkaError> {
        self.channel.topic_ids(topics).await
    }
}
