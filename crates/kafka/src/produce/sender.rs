//! The task that sends: it takes what may be sent, makes requests of it and takes up the answers.
//!
//! Answers to `org.apache.kafka.clients.producer.internals.Sender`. It holds no decision of its own, and it never waits for one
//! broker while another could be written to.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use kafka_protocol::messages::{
    InitProducerIdRequest, MetadataResponse, ProduceRequest, ProduceResponse, ProducerId as WireId,
};
use tokio::{task::JoinSet, time::Instant};

use super::{
    drain::{Outgoing, Plan, Sent},
    errors,
    nodes::Nodes,
    partition::ProducerId,
    request,
    settle::Outcome,
    shared::Shared,
    state::{Identity, Phase, TxnPhase},
    topics::At,
};
use crate::{
    ports::{KafkaError, KafkaErrorKind},
    wire::{Lane, codes, connection::Connection},
};

/// Looked at again after this at the latest, for what no event tells.
const LOOK: Duration = Duration::from_secs(3600);

/// What a task of the sender's came to.
enum Done {
    Connected(i32, Result<Arc<Connection>, KafkaError>),
    Answered(Answered),
    Metadata(Box<Result<MetadataResponse, KafkaError>>),
    Identity(Result<ProducerId, KafkaError>),
    Added(Vec<At>, Result<(), KafkaError>),
}

struct Answered {
    broker: i32,
    begun: Instant,
    batches: Vec<Sent>,
    /// `None`: it is written, and the broker does not answer.
    result: Result<Option<ProduceResponse>, KafkaError>,
}

/// When the topics are asked for.
#[derive(Default)]
struct Asking {
    running: bool,
    failures: u32,
    not_before: Option<Instant>,
}

/// The sender.
pub(super) struct Sender {
    shared: Arc<Shared>,
    nodes: Nodes,
    tasks: JoinSet<Done>,
    /// Requests under way.
    requests: usize,
    asking: Asking,
}

impl Sender {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            nodes: Nodes::default(),
            tasks: JoinSet::new(),
            requests: 0,
            asking: Asking::default(),
        }
    }

    /// Sends until the producer is given up.
    pub(super) async fn run(mut self) {
        while let Some(next) = self.send_all() {
            self.shared.hand_on();
            self.shared.progress.notify_waiters();
            let next = next.unwrap_or_else(|| Instant::now() + LOOK);
            let shared = Arc::clone(&self.shared);
            tokio::select! {
                biased;
                Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    if let Ok(done) = done {
                        self.take_up(done);
                    }
                    while let Some(Ok(done)) = self.tasks.try_join_next() {
                        self.take_up(done);
                    }
                }
                () = shared.work.notified() => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
        self.end().await;
    }

    /// The connections are closed, so what is under way ends at once.
    async fn end(mut self) {
        while self.requests > 0
            && let Some(done) = self.tasks.join_next().await
        {
            if let Ok(done @ Done::Answered(_)) = done {
                self.take_up(done);
            }
        }
        self.shared.lock().fail_queued(&errors::closed_forcefully());
        self.shared.hand_on();
        self.shared.progress.notify_waiters();
    }

    /// Sends all that may be sent; answers when to look again. `None`: the producer is given up.
    fn send_all(&mut self) -> Option<Option<Instant>> {
        loop {
            let now = Instant::now();
            let mut plan = {
                let mut state = self.shared.lock();
                if state.phase == Phase::Abandoned {
                    return None;
                }
                let most = self.shared.settings.in_flight;
                let nodes = &mut self.nodes;
                let mut reach = |broker| nodes.reach(broker, most, now);
                state.drain(&self.shared.settings, now, &mut reach)
            };
            let more = !plan.requests.is_empty();
            for request in std::mem::take(&mut plan.requests) {
                self.dispatch(request);
            }
            self.begin_others(&mut plan, now);
            if !more {
                return Some(plan.next);
            }
        }
    }

    fn begin_others(&mut self, plan: &mut Plan, now: Instant) {
        for broker in plan.connect.drain(..) {
            self.nodes.connecting(broker);
            let shared = Arc::clone(&self.shared);
            self.tasks.spawn(async move {
                let connected = shared.cluster.broker(broker, Lane::Prompt).await;
                Done::Connected(broker, connected)
            });
        }
        if plan.identity {
            let shared = Arc::clone(&self.shared);
            self.tasks
                .spawn(async move { Done::Identity(identity(&shared).await) });
        }
        if !plan.add.is_empty() {
            let (shared, add) = (Arc::clone(&self.shared), std::mem::take(&mut plan.add));
            self.tasks.spawn(async move {
                let added = shared.add_partitions(&add).await;
                Done::Added(add, added)
            });
        }
        self.ask_for_topics(plan, now);
    }

    fn ask_for_topics(&mut self, plan: &mut Plan, now: Instant) {
        if self.asking.running {
            return;
        }
        let wanted = {
            let mut state = self.shared.lock();
            if !state.wants_metadata {
                return;
            }
            if let Some(at) = self.asking.not_before.filter(|at| *at > now) {
                plan.not_before(at);
                return;
            }
            state.wants_metadata = false;
            state.topics.wanted(self.shared.settings.metadata_idle, now)
        };
        if wanted.is_empty() {
            return;
        }
        self.asking.running = true;
        let shared = Arc::clone(&self.shared);
        self.tasks.spawn(async move {
            let said = shared.cluster.metadata_for_writing(&wanted).await;
            Done::Metadata(Box::new(said))
        });
    }

    /// Makes a request of batches and posts it.
    fn dispatch(&mut self, outgoing: Outgoing) {
        let Outgoing {
            broker,
            mut batches,
            v2,
        } = outgoing;
        let settings = &self.shared.settings;
        let connection = self.nodes.connection(broker);
        let version = connection
            .as_ref()
            .and_then(|connection| connection.version::<ProduceRequest>(i16::MAX));
        let (Some(connection), Some(version)) = (connection, version) else {
            return self.settle_all(batches, &Outcome::Unsent);
        };
        let version = request::version(version, v2);
        let (mut records, mut ratios) = (Vec::with_capacity(batches.len()), Vec::new());
        let mut broken = None;
        for sent in &mut batches {
            match sent.batch.wire(settings.compression) {
                Ok((bytes, ratio)) => {
                    ratios.push(ratio);
                    records.push(bytes);
                }
                Err(error) => broken = Some(error),
            }
        }
        if let Some(error) = broken {
            let text = format!("records cannot be compressed: {error}");
            let error = KafkaError::new(KafkaErrorKind::Fatal, text);
            return self.settle_all(batches, &Outcome::Broken(error));
        }
        let now = Instant::now();
        {
            let mut state = self.shared.lock();
            for ((sent, bytes), ratio) in batches.iter().zip(&records).zip(ratios) {
                if let (Some(ratio), Some(topic)) = (ratio, state.topics.get_mut(sent.at.topic)) {
                    topic.compressed(ratio);
                }
                let batch = &sent.batch;
                let queued = now.saturating_duration_since(batch.created);
                let (sizes, waits) = ((batch.count, bytes.len()), (queued, batch.attempts > 1));
                state.metrics.sends(now, &sent.topic, sizes, waits, ratio);
            }
            let count = batches.iter().map(|sent| sent.batch.count).sum();
            state.metrics.requested(now, count);
        }
        let left = batches.iter().map(|sent| {
            let age = now.saturating_duration_since(sent.batch.created);
            settings.delivery_timeout.saturating_sub(age)
        });
        let left = left.min().unwrap_or(settings.request_timeout);
        let timeout = settings.request_timeout.min(left);
        let parts = request::body(settings, version, &batches, records);
        let header = request::header(version);
        let answered = settings.acks != 0;
        let posted = match connection.post(request::KEY, version, header, parts, answered) {
            Ok(posted) => posted,
            Err(error) => {
                tracing::debug!(broker, %error, "records were not sent");
                let none = Duration::ZERO;
                self.shared.lock().metrics.answered(now, none, none);
                return self.settle_all(batches, &Outcome::Unsent);
            }
        };
        self.nodes.sent(broker);
        self.requests += 1;
        self.tasks.spawn(async move {
            let answer = connection.answer(posted, timeout).await;
            let read = |bytes: Bytes| match answered {
                true => connection
                    .decode::<ProduceRequest>(bytes, version)
                    .map(Some),
                false => Ok(None),
            };
            let result = answer.and_then(read);
            Done::Answered(Answered {
                broker,
                begun: now,
                batches,
                result,
            })
        });
    }

    fn settle_all(&self, batches: Vec<Sent>, outcome: &Outcome) {
        let now = Instant::now();
        let mut state = self.shared.lock();
        for sent in batches {
            state.settle(&self.shared.settings, sent, outcome.clone(), now);
        }
    }

    fn take_up(&mut self, done: Done) {
        let now = Instant::now();
        match done {
            Done::Connected(broker, Ok(connection)) => self.nodes.connected(broker, connection),
            Done::Connected(broker, Err(error)) => {
                tracing::warn!(broker, %error, "a broker cannot be reached");
                self.nodes.unreachable(broker, &self.shared.settings, now);
                self.shared.lock().wants_metadata = true;
            }
            Done::Answered(answered) => self.answered(answered, now),
            Done::Metadata(said) => self.learn(*said, now),
            Done::Identity(Ok(id)) => self.shared.lock().identity = Identity::Known(id),
            Done::Identity(Err(error)) => {
                self.shared.lock().identity = Identity::Refused(error);
            }
            Done::Added(add, outcome) => self.added(&add, outcome),
        }
    }

    fn answered(&mut self, answered: Answered, now: Instant) {
        let Answered {
            broker,
            begun,
            batches,
            result,
        } = answered;
        self.requests = self.requests.saturating_sub(1);
        let throttle = match &result {
            Ok(Some(answer)) => u64::try_from(answer.throttle_time_ms).unwrap_or(0),
            _ => 0,
        };
        let throttle = Duration::from_millis(throttle);
        self.nodes.answered(broker, throttle, now);
        let settings = &self.shared.settings;
        let mut state = self.shared.lock();
        state.metrics.answered(now, now - begun, throttle);
        for sent in batches {
            let outcome = match &result {
                Ok(Some(answer)) => request::outcome(answer, &sent),
                Ok(None) => Outcome::Written(-1),
                Err(error) => match error.kind {
                    KafkaErrorKind::Retriable => Outcome::Unsent,
                    KafkaErrorKind::Unknown => Outcome::Lost,
                    _ => Outcome::Broken(error.clone()),
                },
            };
            if !matches!(outcome, Outcome::Written(_)) {
                let (topic, partition) = (&sent.topic, sent.at.partition);
                tracing::debug!(%topic, partition, broker, ?outcome, "a batch was not acknowledged");
            }
            state.settle(settings, sent, outcome, now);
        }
    }

    fn learn(&mut self, said: Result<MetadataResponse, KafkaError>, now: Instant) {
        self.asking.running = false;
        let settings = &self.shared.settings;
        let mut state = self.shared.lock();
        let settled = match said {
            Ok(answer) => {
                state.topics.learn(&answer, now);
                state.metrics.learned(now);
                state.refused = None;
                answer.topics.iter().all(|topic| {
                    topic.error_code == 0 && topic.partitions.iter().all(|one| one.leader_id.0 >= 0)
                })
            }
            Err(error) => {
                tracing::debug!(%error, "the topics are not known");
                state.wants_metadata = true;
                if !error.is_retriable() {
                    state.refused = Some((error, now));
                }
                false
            }
        };
        if settled {
            self.asking.failures = 0;
            self.asking.not_before = None;
        } else {
            let wait = settings.backoff.after(self.asking.failures);
            self.asking.failures = self.asking.failures.saturating_add(1);
            self.asking.not_before = Some(now + wait);
        }
    }

    fn added(&self, add: &[At], outcome: Result<(), KafkaError>) {
        let mut state = self.shared.lock();
        state.txn.adding = false;
        for at in add {
            state.txn.to_add.remove(at);
        }
        match outcome {
            Ok(()) => state.txn.added.extend(add),
            Err(error) => {
                state.note_failure(&error);
                if let TxnPhase::Open | TxnPhase::Committing = state.txn.phase {
                    state.txn.phase = TxnPhase::Failed(error);
                }
            }
        }
    }
}

/// Asks for an id without a transactional id, for as long as it takes.
async fn identity(shared: &Shared) -> Result<ProducerId, KafkaError> {
    let settings = &shared.settings;
    let mut attempts = 0;
    loop {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(i32::MAX)
            .with_producer_id(WireId(-1))
            .with_producer_epoch(-1);
        let asked = async {
            let answer = shared.cluster.call_any(|_| request).await?;
            codes::check(answer.error_code, "initProducerId", None)?;
            Ok::<_, KafkaError>(ProducerId {
                id: answer.producer_id.0,
                epoch: answer.producer_epoch,
            })
        };
        match asked.await {
            Err(error) if error.is_retriable() => {
                tracing::debug!(%error, "no producer id yet");
                let wait = settings.backoff.after(attempts);
                attempts += 1;
                tokio::time::sleep(wait).await;
            }
            outcome => return outcome,
        }
    }
}
