//! Offsets that leaders know: of start positions, of ends, and where a log was cut (KIP-320). Java's `OffsetFetcher` and
//! `OffsetsForLeaderEpochClient`.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use kafka_protocol::{
    messages::{
        BrokerId, ListOffsetsRequest, OffsetForLeaderEpochRequest, TopicName,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
        offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic},
    },
    protocol::StrBytes,
};

use super::{
    errors::{Failure, is_about_the_leader, not_authorized, truncated},
    settings::{Reset, ResetTo},
    state::{Key, Shared, shown},
};
use crate::{
    ports::{KafkaError, KafkaErrorKind},
    wire::{Lane, Retry, codes},
};

/// Of ListOffsets: the end and the beginning.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
/// The last version of ListOffsets whose answers mean what is meant here.
const LIST_OFFSETS_MAX: i16 = 7;
/// OffsetForLeaderEpoch before this needs rights of a broker.
const FOR_CONSUMERS: i16 = 3;

/// A start position to look up.
#[derive(Clone, Debug)]
pub(super) struct Lookup {
    pub(super) key: Key,
    pub(super) generation: u64,
    pub(super) leader_epoch: i32,
    pub(super) to: ResetTo,
}

/// A position to check against the log of a new leader.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) key: Key,
    pub(super) generation: u64,
    pub(super) leader_epoch: i32,
    pub(super) position_epoch: i32,
}

fn timestamp(to: ResetTo) -> i64 {
    match to {
        ResetTo::Earliest => EARLIEST,
        ResetTo::Latest => LATEST,
        ResetTo::Since(age) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let then = now.unwrap_or_default().saturating_sub(age);
            i64::try_from(then.as_millis()).unwrap_or(i64::MAX)
        }
    }
}

impl Shared {
    async fn list(
        &self,
        broker: i32,
        wanted: impl Iterator<Item = (Key, i32, i64)> + Send,
    ) -> Result<Vec<(Key, i16, i64)>, KafkaError> {
        let mut topics: BTreeMap<Arc<str>, Vec<(i32, i32, i64)>> = BTreeMap::new();
        for ((topic, partition), epoch, at) in wanted {
            let list = topics.entry(topic).or_default();
            list.push((partition, epoch, at));
        }
        let make = |version: i16| {
            let one = |(partition, epoch, at): &(i32, i32, i64)| {
                let one = ListOffsetsPartition::default()
                    .with_partition_index(*partition)
                    .with_timestamp(*at);
                match version >= 4 {
                    true => one.with_current_leader_epoch(*epoch),
                    false => one,
                }
            };
            let topics = topics.iter().map(|(name, list)| {
                ListOffsetsTopic::default()
                    .with_name(TopicName(StrBytes::from_string(name.to_string())))
                    .with_partitions(list.iter().map(one).collect())
            });
            let request = ListOffsetsRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_topics(topics.collect());
            match version >= 2 {
                true => request.with_isolation_level(self.settings.rules.committed.into()),
                false => request,
            }
        };
        let timeout = self.cluster.settings().request_timeout;
        let to = (broker, Lane::Prompt);
        let answer = self
            .cluster
            .call_up_to(to, LIST_OFFSETS_MAX, make, timeout)
            .await?;
        let mut found = Vec::new();
        for topic in &answer.topics {
            for one in &topic.partitions {
                let name: Arc<str> = topic.name.as_str().into();
                found.push(((name, one.partition_index), one.error_code, one.offset));
            }
        }
        Ok(found)
    }

    /// Looks up start positions at their leader.
    pub(super) async fn look_up(&self, broker: i32, lookups: Vec<Lookup>) {
        let wanted = lookups
            .iter()
            .map(|one| (one.key.clone(), one.leader_epoch, timestamp(one.to)));
        let mut answer = self.list(broker, wanted).await;
        if let Ok(found) = &mut answer {
            // Nothing is so young: after the newest.
            let none: Vec<Key> = found
                .iter()
                .filter(|(_, code, offset)| *code == 0 && *offset < 0)
                .map(|(key, ..)| key.clone())
                .collect();
            if !none.is_empty() {
                found.retain(|(key, ..)| !none.contains(key));
                let again = lookups.iter().filter(|one| none.contains(&one.key));
                let again: Vec<_> = again
                    .map(|one| (one.key.clone(), one.leader_epoch, LATEST))
                    .collect();
                if let Ok(more) = self.list(broker, again.into_iter()).await {
                    found.extend(more);
                }
            }
        }
        let mut state = self.lock();
        if let Err(error) = &answer
            && !error.is_retriable()
        {
            state.failure = Some(error.clone());
        }
        let found = answer.unwrap_or_default();
        let mut told = Vec::new();
        for one in &lookups {
            let Some(partition) = state.still(&one.key, one.generation) else {
                continue;
            };
            partition.looking = false;
            match found.iter().find(|(key, ..)| *key == one.key) {
                Some((_, 0, offset)) if *offset >= 0 => {
                    let generation = partition.generation;
                    partition.go_to(*offset, generation);
                }
                Some((_, codes::TOPIC_AUTHORIZATION_FAILED, _)) => {
                    partition.failure = Some(Failure::once(not_authorized(&one.key.0)));
                    told.push(one.key.clone());
                    self.back_off(partition);
                }
                Some((_, code, _)) if *code > 0 && !is_about_the_leader(*code) => {
                    let error = codes::error(*code, &shown(&one.key), None);
                    if !error.is_retriable() {
                        partition.failure = Some(Failure::once(error));
                        told.push(one.key.clone());
                    }
                    self.back_off(partition);
                }
                _ => {
                    partition.stale = true;
                    self.back_off(partition);
                }
            }
        }
        self.tell(state, &told);
    }

    /// Checks positions against the log of their leader.
    pub(super) async fn validate(&self, broker: i32, checks: Vec<Check>) {
        let mut topics: BTreeMap<Arc<str>, Vec<&Check>> = BTreeMap::new();
        for check in &checks {
            let list = topics.entry(Arc::clone(&check.key.0)).or_default();
            list.push(check);
        }
        let make = |version: i16| {
            let one = |check: &&Check| {
                OffsetForLeaderPartition::default()
                    .with_partition(check.key.1)
                    .with_current_leader_epoch(check.leader_epoch)
                    .with_leader_epoch(check.position_epoch)
            };
            let topics = topics.iter().map(|(name, list)| {
                OffsetForLeaderTopic::default()
                    .with_topic(TopicName(StrBytes::from_string(name.to_string())))
                    .with_partitions(list.iter().map(one).collect())
            });
            let request = OffsetForLeaderEpochRequest::default().with_topics(topics.collect());
            match version >= FOR_CONSUMERS {
                true => request.with_replica_id(BrokerId(-1)),
                false => request,
            }
        };
        let timeout = self.cluster.settings().request_timeout;
        let to = (broker, Lane::Prompt);
        let answer = self.cluster.call_up_to(to, i16::MAX, make, timeout).await;
        // A broker that has no such request cannot be asked: as without it.
        let unknown = answer
            .as_ref()
            .is_err_and(|error| error.class == codes::class(codes::UNSUPPORTED_VERSION));
        let answer = answer.ok();
        let mut state = self.lock();
        let mut told = Vec::new();
        for check in &checks {
            let generation = state.generation();
            let Some(partition) = state.still(&check.key, check.generation) else {
                continue;
            };
            partition.validating = false;
            if unknown {
                partition.validated = check.leader_epoch;
                continue;
            }
            let found = answer.as_ref().and_then(|answer| {
                let topic = answer
                    .topics
                    .iter()
                    .find(|topic| topic.topic.as_str() == &*check.key.0)?;
                topic.partitions.iter().find(|p| p.partition == check.key.1)
            });
            match found {
                Some(found) if found.error_code == 0 => {
                    partition.validated = check.leader_epoch;
                    let undefined = found.end_offset < 0 || found.leader_epoch < 0;
                    if !undefined && found.end_offset >= partition.position {
                        continue;
                    }
                    let name = shown(&check.key);
                    let (at, position) = (found.end_offset, partition.position);
                    tracing::warn!(partition = name, position, at, "the log was cut");
                    match self.settings.reset {
                        Reset::None => {
                            let at = (!undefined).then_some(at);
                            let error = truncated(&name, position, at);
                            partition.failure = Some(Failure::for_good(error));
                            told.push(check.key.clone());
                        }
                        Reset::To(place) if undefined => partition.go_to_place(place, generation),
                        Reset::To(_) => partition.go_to(at, generation),
                    }
                }
                Some(found) if found.error_code == codes::TOPIC_AUTHORIZATION_FAILED => {
                    partition.failure = Some(Failure::once(not_authorized(&check.key.0)));
                    told.push(check.key.clone());
                    self.back_off(partition);
                }
                _ => {
                    partition.stale = true;
                    self.back_off(partition);
                }
            }
        }
        self.tell(state, &told);
    }

    /// The ends of partitions: of what is committed, for readers of that.
    pub(super) async fn ends(&self, partitions: &[Key]) -> Result<BTreeMap<Key, i64>, KafkaError> {
        let within = self.cluster.settings().api_timeout;
        let mut retry = Retry::new(self.cluster.settings(), "endOffsets", within);
        loop {
            match self.ends_once(partitions).await {
                Ok(ends) => return Ok(ends),
                Err(error) => {
                    self.cluster.forget_leaders(partitions);
                    retry.again(error).await?;
                }
            }
        }
    }

    async fn ends_once(&self, partitions: &[Key]) -> Result<BTreeMap<Key, i64>, KafkaError> {
        let mut ends = BTreeMap::new();
        for (leader, list) in self.cluster.leaders(partitions).await? {
            let wanted = list.iter().map(|key| (key.clone(), -1, LATEST));
            let wanted: Vec<_> = wanted.collect();
            for (key, code, offset) in self.list(leader, wanted.into_iter()).await? {
                if code == codes::TOPIC_AUTHORIZATION_FAILED {
                    return Err(not_authorized(&key.0));
                }
                codes::check(code, &shown(&key), None)?;
                ends.insert(key, offset);
            }
        }
        match partitions.iter().find(|key| !ends.contains_key(*key)) {
            None => Ok(ends),
            Some(missing) => Err(KafkaError::new(
                KafkaErrorKind::Retriable,
                format!("the end of {} was not told", shown(missing)),
            )),
        }
    }
}
