//! The port over it all: the caller's side, where records are decoded.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use tokio::{task::JoinHandle, time::Instant};

use super::{
    errors::{corrupt, no_offset, no_position, not_assigned},
    keeper::keep,
    partition::Partition,
    settings::{FetchSettings, Reset},
    state::{Key, Shared, State, shown},
};
use crate::{
    fetch::{errors::Failure, metrics::Delivered},
    measure::{Measures, Registry},
    ports::{ClientProps, Fetcher, InRecord, KafkaError, KafkaErrorKind, PartitionBatch, StartAt},
    records::{completed::Completed, read::HeaderKeys},
    wire::{Cluster, Of, Traffics},
};

/// What stands for a wait that has no end.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Reads assigned partitions over the wire client.
pub(crate) struct NativeFetcher {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
    keys: HeaderKeys,
}

impl Drop for NativeFetcher {
    fn drop(&mut self) {
        self.keeper.abort();
        self.shared.cluster.close();
    }
}

/// A partition's part of a poll, being read.
struct Turn {
    key: Key,
    completed: Completed,
    generation: u64,
    position: i64,
}

impl NativeFetcher {
    /// Makes a fetcher; nothing is read yet. To be called within a runtime.
    pub(crate) fn new(
        props: &ClientProps,
        counted: (&Registry, &Traffics),
    ) -> Result<Self, KafkaError> {
        let failed = |error: KafkaError| {
            KafkaError::new(
                KafkaErrorKind::Config,
                format!("Failed to construct kafka consumer: {error}"),
            )
        };
        let settings = FetchSettings::from_props(props).map_err(failed)?;
        let cluster = Cluster::new(props).map_err(failed)?;
        let cluster = cluster.counted(counted.1, Of::Consumer);
        let shared = Arc::new(Shared::new(cluster, settings));
        let counters: Arc<dyn Measures> = Arc::clone(&shared.counters) as _;
        counted.0.add(&counters);
        Ok(Self {
            keeper: tokio::spawn(keep(Arc::clone(&shared))),
            shared,
            keys: HeaderKeys::default(),
        })
    }

    fn with<T>(
        &self,
        topic: &str,
        partition: i32,
        act: impl FnOnce(&mut Partition, u64) -> T,
    ) -> Result<T, KafkaError> {
        let key: Key = (topic.into(), partition);
        let mut state = self.shared.lock();
        let generation = state.generation();
        match state.partitions.get_mut(&key) {
            Some(partition) => Ok(act(partition, generation)),
            None => Err(not_assigned(&shown(&key))),
        }
    }

    /// What is there for a poll; nothing is awaited in here, so that a poll that is dropped has taken nothing.
    fn take(&mut self) -> Result<Vec<PartitionBatch>, KafkaError> {
        let mut batches: Vec<PartitionBatch> = Vec::new();
        let mut left = self.shared.settings.poll_records;
        let mut hungry = false;
        while left > 0 {
            let turn = match self.turn(batches.is_empty())? {
                Some(turn) => turn,
                None => break,
            };
            let (key, position, generation) = (turn.key, turn.position, turn.generation);
            let mut completed = turn.completed;
            let mut records: Vec<InRecord> = Vec::new();
            let before = completed.is_done();
            let taken = completed.take(position, left, &mut self.keys, &mut records);
            left -= records.len().min(left);
            let done = before || completed.is_done();
            let mut state = self.shared.lock();
            let mut delivered = None;
            if let Some(partition) = state.still(&key, generation) {
                partition.position = taken.position;
                delivered = Some(Delivered {
                    records: records.len(),
                    position: taken.position,
                    end: match self.shared.settings.rules.committed {
                        true => partition.last_stable,
                        false => partition.high_watermark,
                    },
                    begin: partition.log_start,
                    replica: partition.replica.map(|(replica, _)| replica),
                });
                if taken.leader_epoch.is_some() {
                    partition.position_epoch = taken.leader_epoch.filter(|epoch| *epoch >= 0);
                }
                let enough = self.shared.enough();
                let full = partition.buffered >= enough;
                partition.buffered = partition.buffered.saturating_sub(taken.bytes);
                hungry |= full && partition.buffered < enough;
                if let Some(fault) = &taken.fault {
                    let error = corrupt(&shown(&key), taken.position, fault);
                    partition.failure = Some(Failure::for_good(error));
                    partition.completed.clear();
                    partition.buffered = 0;
                } else if !done {
                    partition.completed.push_front(completed);
                }
                if partition.completed.is_empty() {
                    hungry = true;
                    // What lies between was not there; what is asked for next is what comes next.
                    partition.fetch_at = partition.fetch_at.max(partition.position);
                }
                if !partition.completed.is_empty() || partition.failure.is_some() {
                    state.queue(&key);
                }
            }
            drop(state);
            if let Some(delivered) = delivered {
                self.shared.counters.delivered(&key, delivered);
            }
            if !records.is_empty() || taken.position > position {
                add(&mut batches, key, records, taken.position);
            }
        }
        if hungry {
            self.shared.work.notify_waiters();
        }
        Ok(batches)
    }

    /// The next partition's part to read.
    fn turn(&self, first: bool) -> Result<Option<Turn>, KafkaError> {
        let mut state = self.shared.lock();
        if first && let Some(error) = state.failure.take() {
            return Err(error);
        }
        for _ in 0..state.ready.len() {
            let Some(key) = state.ready.pop_front() else {
                break;
            };
            let Some(partition) = state.partitions.get_mut(&key) else {
                continue;
            };
            if partition.paused {
                // Stays in line: it is found when it is resumed.
                state.ready.push_back(key);
                continue;
            }
            partition.queued = false;
            if let Some(completed) = partition.completed.pop_front() {
                return Ok(Some(Turn {
                    generation: partition.generation,
                    position: partition.position,
                    completed,
                    key,
                }));
            }
            if let Some(failure) = partition.failure.take() {
                if failure.stays {
                    partition.failure = Some(failure.clone());
                }
                let stays = failure.stays || !first;
                if !first {
                    // What was read before is delivered first.
                    partition.failure = Some(failure.clone());
                }
                if stays {
                    state.queue(&key);
                }
                return match first {
                    true => Err(failure.error),
                    false => Ok(None),
                };
            }
        }
        Ok(None)
    }
}

fn add(batches: &mut Vec<PartitionBatch>, key: Key, records: Vec<InRecord>, next_offset: i64) {
    let (topic, partition) = key;
    let same = |batch: &&mut PartitionBatch| batch.partition == partition && batch.topic == topic;
    match batches.iter_mut().find(same) {
        Some(batch) => {
            batch.records.extend(records);
            batch.next_offset = next_offset;
        }
        None => batches.push(PartitionBatch {
            topic,
            partition,
            records,
            next_offset,
        }),
    }
}

fn assign(state: &mut State, wanted: Vec<(Arc<str>, i32, Option<StartAt>)>, reset: Reset) {
    let keep: HashSet<Key> = wanted.iter().map(|(t, p, _)| (Arc::clone(t), *p)).collect();
    state.partitions.retain(|key, _| keep.contains(key));
    state.ready.retain(|key| keep.contains(key));
    // Leaders of other partitions of a topic are asked for anyway: new ones wait for no more than their own.
    for (topic, number, start) in wanted {
        let key: Key = (topic, number);
        let known = state.partitions.contains_key(&key);
        let generation = state.generation();
        let partition = state
            .partitions
            .entry(key.clone())
            .or_insert_with(Partition::begun);
        match start {
            Some(start) => partition.begin(start, generation),
            None if known => {}
            None => {
                let name = shown(&key);
                state.reset(&key, reset, || no_offset(&name));
                state.queue(&key);
            }
        }
    }
}

#[async_trait]
impl Fetcher for NativeFetcher {
    async fn assign(
        &mut self,
        wanted: Vec<(Arc<str>, i32, Option<StartAt>)>,
    ) -> Result<(), KafkaError> {
        let reset = self.shared.settings.reset;
        let mut state = self.shared.lock();
        assign(&mut state, wanted, reset);
        let keeps = |key: &Key| state.partitions.contains_key(key);
        self.shared.counters.keep(keeps);
        drop(state);
        self.shared.work.notify_waiters();
        Ok(())
    }

    async fn seek(&mut self, topic: &str, partition: i32, offset: i64) -> Result<(), KafkaError> {
        if offset < 0 {
            return Err(KafkaError::new(
                KafkaErrorKind::Fatal,
                "seek offset must not be a negative number",
            )
            .class("java.lang.IllegalArgumentException"));
        }
        self.with(topic, partition, |partition, generation| {
            partition.go_to(offset, generation);
        })?;
        self.shared.work.notify_waiters();
        Ok(())
    }

    async fn pause(&mut self, list: &[(Arc<str>, i32)]) -> Result<(), KafkaError> {
        for (topic, partition) in list {
            self.with(topic, *partition, |partition, _| partition.paused = true)?;
        }
        Ok(())
    }

    async fn resume(&mut self, list: &[(Arc<str>, i32)]) -> Result<(), KafkaError> {
        for (topic, partition) in list {
            self.with(topic, *partition, |partition, _| partition.paused = false)?;
        }
        self.shared.work.notify_waiters();
        Ok(())
    }

    async fn position(&mut self, topic: &str, partition: i32) -> Result<i64, KafkaError> {
        let within = self.shared.cluster.settings().api_timeout;
        let deadline = Instant::now() + within;
        let shared = Arc::clone(&self.shared);
        loop {
            let news = shared.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            if let Some(error) = shared.lock().failure.take() {
                return Err(error);
            }
            let known = self.with(topic, partition, |partition, _| {
                if partition.reset.is_none() && partition.failure.is_none() {
                    return Ok(Some(partition.position));
                }
                match partition.failure.take() {
                    Some(failure) => {
                        if failure.stays {
                            partition.failure = Some(failure.clone());
                        }
                        // A position that is known is told whatever is wrong with what lies there.
                        match partition.reset.is_none() && !is_without_position(&failure.error) {
                            true => Ok(Some(partition.position)),
                            false => Err(failure.error),
                        }
                    }
                    None => Ok(None),
                }
            })??;
            if let Some(position) = known {
                return Ok(position);
            }
            if tokio::time::timeout_at(deadline, news).await.is_err() {
                let name = format!("{topic}-{partition}");
                return Err(no_position(&name, within));
            }
        }
    }

    async fn poll(&mut self, max_wait: Duration) -> Result<Vec<PartitionBatch>, KafkaError> {
        let now = Instant::now();
        let deadline = now.checked_add(max_wait).unwrap_or(now + FOR_EVER);
        let shared = Arc::clone(&self.shared);
        shared.counters.polled();
        loop {
            let news = shared.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            let batches = self.take()?;
            if !batches.is_empty() || Instant::now() >= deadline {
                return Ok(batches);
            }
            if tokio::time::timeout_at(deadline, news).await.is_err() {
                return self.take();
            }
        }
    }

    async fn end_offsets(
        &mut self,
        list: &[(Arc<str>, i32)],
    ) -> Result<BTreeMap<(Arc<str>, i32), i64>, KafkaError> {
        self.shared.ends(list).await
    }

    async fn close(&mut self) {
        self.keeper.abort();
        self.shared.cluster.close();
        let mut state = self.shared.lock();
        state.partitions = HashMap::new();
        state.ready.clear();
    }
}

/// Whether the error says that there is no position.
fn is_without_position(error: &KafkaError) -> bool {
    error.class.ends_with("NoOffsetForPartitionException")
}
