//! What the fetcher, its keeper and its brokers' tasks share: one lock, never held across an await, and two bells.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{
    errors::Failure,
    metrics::Counters,
    partition::Partition,
    settings::{FetchSettings, Reset},
};
use crate::{ports::KafkaError, wire::Cluster};

/// A topic and a partition's number.
pub(super) type Key = (Arc<str>, i32);

/// While a partition has enough, the others of its broker are asked for this often at most, and without waiting: the
/// next request for it must not wait behind theirs.
const BESIDE_FULL: Duration = Duration::from_millis(100);

/// `topic-partition`.
pub(super) fn shown(key: &Key) -> String {
    format!("{}-{}", key.0, key.1)
}

/// What is shared.
pub(super) struct Shared {
    /// Where the brokers are.
    pub(super) cluster: Cluster,
    /// How to fetch.
    pub(super) settings: FetchSettings,
    /// What is measured.
    pub(super) counters: Arc<Counters>,
    state: Mutex<State>,
    /// Rung for the keeper and the brokers' tasks: something may be to do.
    pub(super) work: Notify,
    /// Rung for the caller: something is to be delivered or told.
    pub(super) news: Notify,
}

/// The partitions.
#[derive(Default)]
pub(super) struct State {
    pub(super) partitions: HashMap<Key, Partition>,
    /// Those that have something to deliver, in turn.
    pub(super) ready: VecDeque<Key>,
    /// Brokers that a task reads from.
    pub(super) brokers: HashSet<i32>,
    /// What the next poll is told, of no partition: a login that was refused.
    pub(super) failure: Option<KafkaError>,
    generations: u64,
    answers: u64,
}

/// One partition of a request.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) key: Key,
    pub(super) generation: u64,
    pub(super) offset: i64,
    pub(super) leader_epoch: i32,
    served: u64,
}

/// What a broker's task does next.
pub(super) enum Next {
    /// Asks for these; with this much patience.
    Fetch(Vec<Asked>, Duration),
    /// Waits for the bell, or until then.
    Wait(Option<Instant>),
    /// Nothing is read from the broker.
    End,
}

impl Shared {
    pub(super) fn new(cluster: Cluster, settings: FetchSettings) -> Self {
        Self {
            counters: Arc::new(Counters::new(&cluster.settings().client_id)),
            cluster,
            settings,
            state: Mutex::default(),
            work: Notify::new(),
            news: Notify::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes of a partition from which on no more is asked for.
    pub(super) fn enough(&self) -> usize {
        usize::try_from(self.settings.partition_bytes).map_or(1, |bytes| bytes.max(1))
    }

    /// Gives the state back after a change: these partitions have something to say, and everybody looks again.
    pub(super) fn tell(&self, mut state: MutexGuard<'_, State>, told: &[Key]) {
        for key in told {
            state.queue(key);
        }
        drop(state);
        self.news.notify_waiters();
        self.work.notify_waiters();
    }

    /// Makes a partition wait after a failure, as `retry.backoff.ms` says.
    pub(super) fn back_off(&self, partition: &mut Partition) {
        let settings = self.cluster.settings();
        partition.wait(&settings.backoff);
    }

    /// What the task of a broker is to do.
    pub(super) fn next_fetch(&self, broker: i32, last: Option<Instant>) -> Next {
        let now = Instant::now();
        let mut state = self.lock();
        let enough = self.enough();
        let total_max = usize::try_from(self.settings.max_bytes).map_or(1, |bytes| bytes.max(1));
        let live = |partition: &&Partition| !partition.paused;
        let buffered = state.partitions.values().filter(live);
        let total: usize = buffered.map(|partition| partition.buffered).sum();
        let (mut asked, mut full, mut mine) = (Vec::new(), false, false);
        let mut until: Option<Instant> = None;
        for (key, partition) in &state.partitions {
            if partition.source(now) != Some(broker) {
                continue;
            }
            mine = true;
            if partition.paused
                || partition.reset.is_some()
                || partition.stale
                || partition.needs_validation()
                || partition
                    .failure
                    .as_ref()
                    .is_some_and(|failure| failure.stays)
            {
                continue;
            }
            if let Some(then) = partition.waits(now) {
                until = Some(until.map_or(then, |until| until.min(then)));
                continue;
            }
            if partition.buffered >= enough
                || total >= total_max
                || (partition.cautious && partition.position != partition.fetch_at)
            {
                full = true;
                continue;
            }
            asked.push(Asked {
                key: key.clone(),
                generation: partition.generation,
                offset: partition.fetch_at,
                leader_epoch: partition.leader_epoch(),
                served: partition.served,
            });
        }
        if !mine {
            state.brokers.remove(&broker);
            return Next::End;
        }
        drop(state);
        if asked.is_empty() || total >= total_max {
            return Next::Wait(until);
        }
        asked.sort_by(|a, b| (a.served, &a.key).cmp(&(b.served, &b.key)));
        if !full {
            return Next::Fetch(asked, self.settings.max_wait);
        }
        match last
            .map(|last| last + BESIDE_FULL)
            .filter(|then| now < *then)
        {
            Some(then) => Next::Wait(Some(until.map_or(then, |until| until.min(then)))),
            None => Next::Fetch(asked, Duration::ZERO),
        }
    }
}

impl State {
    /// A number for what is asked from now on.
    pub(super) fn generation(&mut self) -> u64 {
        self.generations += 1;
        self.generations
    }

    /// A number for an answer.
    pub(super) fn answer(&mut self) -> u64 {
        self.answers += 1;
        self.answers
    }

    /// The partition that was asked for, if nothing was changed since.
    pub(super) fn still(&mut self, key: &Key, generation: u64) -> Option<&mut Partition> {
        let partition = self.partitions.get_mut(key)?;
        (partition.generation == generation).then_some(partition)
    }

    /// A partition without a position begins where the settings say.
    pub(super) fn reset(&mut self, key: &Key, reset: Reset, error: impl FnOnce() -> KafkaError) {
        let generation = self.generation();
        let Some(partition) = self.partitions.get_mut(key) else {
            return;
        };
        match reset {
            Reset::To(place) => partition.go_to_place(place, generation),
            Reset::None => {
                partition.generation = generation;
                partition.failure = Some(Failure::for_good(error()));
            }
        }
    }

    /// Puts a partition in line for delivery.
    pub(super) fn queue(&mut self, key: &Key) {
        if let Some(partition) = self.partitions.get_mut(key)
            && !partition.queued
        {
            partition.queued = true;
            self.ready.push_back(key.clone());
        }
    }
}
