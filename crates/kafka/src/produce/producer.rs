//! The producer port over the own client.

use std::{sync::Mutex, time::Duration};
use std::{
    sync::{Arc, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use tokio::{task::JoinHandle, time::Instant};

use super::{
    append::{Appended, Now},
    errors,
    metrics::Call,
    sender::Sender,
    settings::ProduceSettings,
    shared::Shared,
    state::{Phase, TxnPhase},
};
use crate::{
    measure::{Measures, Registry},
    ports::{AckSink, ClientProps, CommitError, KafkaError, KafkaErrorKind, OutRecord, Producer},
    wire::{Cluster, Of, Traffics},
};

/// How long the sender may take to end after it was told to.
const ENDING: Duration = Duration::from_secs(5);

/// A producer.
pub(crate) struct NativeProducer {
    shared: Arc<Shared>,
    sender: Mutex<Option<JoinHandle<()>>>,
}

impl NativeProducer {
    /// Makes a producer; nothing is connected to yet.
    ///
    /// # Errors
    /// The configuration does not fit, in Java's words.
    pub(crate) fn new(
        props: &ClientProps,
        sink: AckSink,
        traffics: &Traffics,
        registry: &Registry,
    ) -> Result<Self, KafkaError> {
        let settings = ProduceSettings::from_props(props)?;
        let cluster = Cluster::new(props).map_err(|error| {
            let text = format!("Failed to construct kafka producer: {}", error.message);
            KafkaError::new(KafkaErrorKind::Config, text)
        })?;
        let cluster = cluster.counted(traffics, Of::Producer);
        let shared = Shared::new(settings, cluster, sink);
        let measures: Arc<dyn Measures> = Arc::clone(&shared) as _;
        registry.add(&measures);
        let sender = tokio::spawn(Sender::new(Arc::clone(&shared)).run());
        Ok(Self {
            shared,
            sender: Mutex::new(Some(sender)),
        })
    }

    /// Takes records as far as possible.
    fn append(
        &self,
        batch: &[OutRecord],
        next: &mut usize,
    ) -> Result<Appended, (usize, KafkaError)> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = Now {
            instant: Instant::now(),
            millis: since.map_or(0, |since| {
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }),
        };
        let mut wake = false;
        let shared = &self.shared;
        let outcome = shared
            .lock()
            .append(&shared.settings, batch, next, now, &mut wake);
        if wake {
            shared.work.notify_one();
        }
        outcome.map_err(|error| (*next, error))
    }

    /// The next record has waited for as long as it may.
    fn give_up(&self, record: &OutRecord, waits: Appended) {
        let settings = &self.shared.settings;
        let mut state = self.shared.lock();
        state.blocked = false;
        let block = settings.max_block;
        let error = match waits {
            Appended::NeedsRoom(size) => {
                let left = settings.buffer_memory.saturating_sub(state.used);
                errors::exhausted(size, block, settings.buffer_memory, left)
            }
            _ => {
                let place = state.topics.place(&record.topic, Instant::now());
                let known = state.topics.get_mut(place).and_then(|topic| topic.known);
                match (known, record.partition) {
                    (Some((count, _)), Some(wanted)) => {
                        errors::no_partition(&record.topic, wanted, count, block)
                    }
                    _ => errors::no_topic(&record.topic, block),
                }
            }
        };
        state.refuse(record, error);
        drop(state);
        self.shared.work.notify_one();
    }

    async fn send_all(&self, batch: &[OutRecord]) -> Result<(), (usize, KafkaError)> {
        let mut next = 0;
        if self.append(batch, &mut next)? == Appended::All {
            return Ok(());
        }
        let mut waits_since: Option<(usize, Instant)> = None;
        loop {
            let progress = self.shared.progress.notified();
            tokio::pin!(progress);
            progress.as_mut().enable();
            let waits = self.append(batch, &mut next)?;
            if waits == Appended::All {
                return Ok(());
            }
            let since = match waits_since {
                Some((at, since)) if at == next => since,
                _ => Instant::now(),
            };
            waits_since = Some((next, since));
            let left = self
                .shared
                .settings
                .max_block
                .saturating_sub(since.elapsed());
            let waiting = Waiting::begin(&self.shared, waits);
            let in_vain = tokio::time::timeout(left, progress).await.is_err();
            waiting.end(in_vain);
            if in_vain && let Some(record) = batch.get(next) {
                self.give_up(record, waits);
                next += 1;
            }
        }
    }

    fn abandon_now(&self) {
        self.shared.abandon();
    }
}

/// A caller that waits; counted until it does not.
struct Waiting<'a> {
    shared: &'a Shared,
    begun: Instant,
    for_room: bool,
    in_vain: bool,
}

impl<'a> Waiting<'a> {
    fn begin(shared: &'a Shared, waits: Appended) -> Self {
        let for_room = matches!(waits, Appended::NeedsRoom(_));
        if for_room {
            shared.lock().metrics.waits();
        }
        Self {
            shared,
            begun: Instant::now(),
            for_room,
            in_vain: false,
        }
    }

    fn end(mut self, in_vain: bool) {
        self.in_vain = in_vain;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let (now, time) = (Instant::now(), self.begun.elapsed());
        let metrics = &mut self.shared.lock().metrics;
        match self.for_room {
            true => metrics.waited(now, time, self.in_vain),
            false => metrics.took(Call::Metadata, time),
        }
    }
}

impl NativeProducer {
    /// A call whose time is summed.
    async fn timed<T>(&self, call: Call, done: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let outcome = done.await;
        let time = begun.elapsed();
        self.shared.lock().metrics.took(call, time);
        outcome
    }
}

impl Drop for NativeProducer {
    /// A task that was cancelled drops its producer as it is: nothing may be sent any more.
    fn drop(&mut self) {
        self.abandon_now();
    }
}

#[async_trait]
impl Producer for NativeProducer {
    async fn send(&self, batch: Vec<OutRecord>) -> Result<(), (usize, KafkaError)> {
        let outcome = self.send_all(&batch).await;
        if outcome.is_err() {
            // Whoever hears of the error has heard of those before it.
            self.shared.hand_on();
        }
        outcome
    }

    fn stop_at_failure(&self) {
        self.shared.lock().stops_at_failure = true;
    }

    async fn flush(&self) -> Result<(), KafkaError> {
        self.timed(Call::Flush, self.shared.settled()).await;
        Ok(())
    }

    async fn init_transactions(&self) -> Result<(), KafkaError> {
        let init = self.shared.init_transactions();
        self.timed(Call::Init, init).await
    }

    async fn begin(&self) -> Result<(), KafkaError> {
        self.timed(Call::Begin, async { self.shared.begin() }).await
    }

    async fn commit(&self) -> Result<(), CommitError> {
        let outcome = self.timed(Call::Commit, self.shared.commit()).await;
        self.shared.hand_on();
        outcome
    }

    async fn abort(&self) -> Result<(), KafkaError> {
        let outcome = self.timed(Call::Abort, self.shared.abort()).await;
        self.shared.hand_on();
        outcome
    }

    fn abandon(&self) {
        self.abandon_now();
    }

    async fn close(&self, within: Duration) {
        let open = {
            let mut state = self.shared.lock();
            if state.phase == Phase::Open {
                state.phase = Phase::Closing;
            }
            matches!(state.txn.phase, TxnPhase::Open | TxnPhase::Failed(_))
        };
        if !within.is_zero() {
            let ended = async {
                // Readers would wait for the transaction until it times out.
                if open && let Err(error) = self.shared.abort().await {
                    tracing::debug!(%error, "an open transaction was not aborted");
                }
                self.shared.settled().await;
            };
            let _ = tokio::time::timeout(within, ended).await;
        }
        self.abandon_now();
        let sender = self
            .sender
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(sender) = sender {
            let _ = tokio::time::timeout(ENDING, sender).await;
        }
        self.shared.hand_on();
    }
}
