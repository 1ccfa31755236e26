//! Rebalances of a sink task: what it gives back, what it gets, and in which order the task hears of it
//! (spec `distributed.md` 5.5). Which partitions move when is `core::group::consumer`'s.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
};

use milena_api::{ConnectError, TopicPartition as ApiPartition};
use milena_core::{
    group::{
        consumer::{TaskEvent as GroupEvent, TaskInput, TopicPartition, Topics},
        membership::{FetchFailure, FetchedOffset, Input, RequestId},
    },
    task::SinkPartition,
};
use milena_kafka::ports::StartAt;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    super::membership::unusable, Engine, FETCH_AGAIN, MISSING_TOPICS, api_partition, kafka_error,
    matching, unrecoverable,
};

fn sink_partitions(list: BTreeSet<TopicPartition>) -> BTreeSet<SinkPartition> {
    list.into_iter()
        .map(|tp| (tp.topic, tp.partition))
        .collect()
}

impl Engine {
    /// An event of the group.
    pub(super) async fn take(&mut self, event: GroupEvent) -> Result<(), ConnectError> {
        let id = &self.running.spec.id;
        match event {
            GroupEvent::Revoked {
                token,
                partitions,
                leaving,
            } => {
                info!(task = %id, ?partitions, "partitions revoked");
                self.release(sink_partitions(partitions), true).await?;
                let answer = match leaving {
                    true => TaskInput::Stopped { token },
                    false => TaskInput::Revoked { token },
                };
                self.group.tell(answer).await;
            }
            GroupEvent::Lost {
                token,
                reason,
                partitions,
            } => {
                warn!(task = %id, ?reason, ?partitions, "partitions lost");
                self.release(sink_partitions(partitions), false).await?;
                self.group.lost();
                if let Some(token) = token {
                    self.group.tell(TaskInput::Stopped { token }).await;
                }
            }
            GroupEvent::CountPartitions { token, topics } => {
                let counted = self.count(&topics).await;
                self.group_topics = Some(topics);
                self.group
                    .tell(TaskInput::Counted {
                        token,
                        topics: counted,
                    })
                    .await;
            }
            GroupEvent::Assigned {
                generation,
                added,
                all,
            } => {
                info!(task = %id, generation = generation.0, ?added, ?all, "partitions assigned");
                self.generation.store(generation.0, Ordering::Release);
                self.begin_open(added.into_iter().collect()).await;
            }
            GroupEvent::FetchDone { request, result } => self.opened(request, result).await?,
            GroupEvent::CommitDone { request, result } => self.commit_done(request, result),
            GroupEvent::Failed { error, said } => {
                return Err(unusable(self.group.id(), error, said));
            }
            GroupEvent::Left | GroupEvent::Network(_) => {}
        }
        Ok(())
    }

    /// Gives partitions back: with a commit when they are still ours, without when they are lost. The task hears
    /// `pre_commit`, then `close`; the commit follows.
    pub(super) async fn release(
        &mut self,
        partitions: BTreeSet<SinkPartition>,
        ours: bool,
    ) -> Result<(), ConnectError> {
        if let Some((request, opening)) = self.opening.take() {
            // What was not opened yet needs no closing.
            let stays =
                |tp: &TopicPartition| !partitions.contains(&(Arc::clone(&tp.topic), tp.partition));
            let rest: Vec<TopicPartition> = opening.into_iter().filter(stays).collect();
            if !rest.is_empty() {
                self.opening = Some((request, rest));
            }
        }
        let mut current = self.book.current();
        current.retain(|partition, _| partitions.contains(partition));
        if current.is_empty() {
            return Ok(());
        }
        // What is on its way commits first: a commit in the same generation must not be overtaken by it.
        if let Some(committing) = self.committing.take() {
            self.await_commit(committing).await;
        }
        let names: Vec<ApiPartition> = current.keys().map(api_partition).collect();
        let ours = ours && !self.group.fenced();
        let confirmed = if ours {
            self.confirmed(&current).await?
        } else {
            None
        };
        self.task.close(&names).await.map_err(unrecoverable)?;
        if let Some(mut offsets) = confirmed {
            offsets.retain(|partition, _| current.contains_key(partition));
            if !offsets.is_empty() {
                let committing = self.send_commit(offsets).await;
                self.await_commit(committing).await;
            }
        }
        for partition in current.keys() {
            self.book.remove(partition);
            self.held.remove(partition);
        }
        self.running.metrics.partitions(&self.book.current());
        let gone = |topic: &str, number| {
            let mut all = current.keys();
            all.any(|(name, partition)| **name == *topic && *partition == number)
        };
        self.delivery.forget(&gone);
        self.conversion.forget(&gone).await;
        let rest = self.book.assigned();
        let rest = rest.map(|(topic, partition)| (Arc::clone(topic), *partition, None));
        self.fetcher
            .assign(rest.collect())
            .await
            .map_err(kafka_error)
    }

    /// Asks where these partitions begin; with what is being opened already, in one request.
    pub(super) async fn begin_open(&mut self, mut partitions: Vec<TopicPartition>) {
        if let Some((_, earlier)) = self.opening.take() {
            partitions.extend(earlier);
        }
        if partitions.is_empty() {
            return;
        }
        let request = self.request();
        let fetch = Input::Fetch {
            request,
            partitions: partitions.clone(),
        };
        self.group.tell(TaskInput::Membership(fetch)).await;
        self.opening = Some((request, partitions));
    }

    pub(super) async fn opened(
        &mut self,
        request: RequestId,
        result: Result<Vec<(TopicPartition, FetchedOffset)>, FetchFailure>,
    ) -> Result<(), ConnectError> {
        let Some((_, partitions)) = self.opening.take_if(|(wanted, _)| *wanted == request) else {
            return Ok(());
        };
        let mut offsets = match result {
            Ok(offsets) => offsets,
            Err(FetchFailure::Retriable(_)) => {
                tokio::time::sleep(FETCH_AGAIN).await;
                self.begin_open(partitions).await;
                return Ok(());
            }
            Err(error) => {
                return Err(ConnectError::of(
                    "org.apache.kafka.common.KafkaException",
                    error.to_string(),
                ));
            }
        };
        // Some may have been revoked since.
        offsets.retain(|(partition, _)| partitions.contains(partition));
        let mut assign: Vec<(Arc<str>, i32, Option<StartAt>)> = self
            .book
            .assigned()
            .map(|(topic, partition)| (Arc::clone(topic), *partition, None))
            .collect();
        for (partition, at) in &offsets {
            let start = at.offset.map(StartAt::Offset).or(self.reset);
            let Some(start) = start else {
                return Err(ConnectError::of(
                    "org.apache.kafka.clients.consumer.NoOffsetForPartitionException",
                    format!("Undefined offset with no reset policy for partitions: [{partition}]"),
                ));
            };
            assign.push((
                Arc::clone(&partition.topic),
                partition.partition,
                Some(start),
            ));
        }
        self.fetcher.assign(assign).await.map_err(kafka_error)?;
        let mut opened = Vec::new();
        for (partition, offset) in offsets {
            let position = match offset.offset {
                Some(offset) => offset,
                None => self
                    .fetcher
                    .position(&partition.topic, partition.partition)
                    .await
                    .map_err(kafka_error)?,
            };
            let partition = (partition.topic, partition.partition);
            opened.push(api_partition(&partition));
            self.book.assign(partition, position);
        }
        self.running.metrics.partitions(&self.book.current());
        if !opened.is_empty() {
            self.task.open(&opened).await.map_err(unrecoverable)?;
        }
        self.take_requests().await
    }

    /// How many partitions the topics have, as far as they exist; `None`: it cannot be had now.
    async fn count(&mut self, topics: &BTreeSet<String>) -> Option<Topics> {
        let names: Vec<String> = topics.iter().cloned().collect();
        match self.admin.describe_topics(&names).await {
            Ok(found) => {
                let age = match found.len() < names.len() {
                    true => MISSING_TOPICS,
                    false => self.metadata_age,
                };
                self.next_metadata = Instant::now() + age;
                let count = |partitions: &[i32]| i32::try_from(partitions.len()).unwrap_or(0);
                let counts: BTreeMap<Arc<str>, i32> = found
                    .into_iter()
                    .map(|topic| (topic.name.into(), count(&topic.partitions)))
                    .collect();
                Some(counts)
            }
            Err(error) => {
                warn!(task = %self.running.spec.id, %error, "the topics of the group cannot be looked up");
                None
            }
        }
    }

    /// Looks for topics and partitions that came or went; the group rebalances when they did.
    pub(super) async fn refresh_topics(&mut self) -> Result<(), ConnectError> {
        self.next_metadata = Instant::now() + self.metadata_age;
        if let Some(regex) = &self.regex {
            // A broker that does not answer now does at the next look.
            if let Ok(topics) = matching(&*self.admin, regex).await
                && topics != self.topics
            {
                self.topics = topics.clone();
                self.group.tell(TaskInput::Subscribe { topics }).await;
                return Ok(());
            }
        }
        if let Some(topics) = self.group_topics.clone()
            && let Some(topics) = self.count(&topics).await
        {
            self.group.tell(TaskInput::Metadata { topics }).await;
        }
        Ok(())
    }
}
