//! Rebalances of a sink task: what it gives back, what it gets, and in which order the task hears of it
//! (spec `distributed.md` 5.5).

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use milena_api::{ConnectError, TopicPartition as ApiPartition};
use milena_core::group::{
    MemberId,
    consumer::TopicPartition,
    membership::{Effect, FetchFailure, FetchedOffset, Input, MemberMetadata, RequestId},
};
use milena_kafka::ports::StartAt;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    super::{consumer, delivery::Delivery},
    Engine, FETCH_AGAIN, METADATA_AGE, MISSING_TOPICS, api_partition, kafka_error, unrecoverable,
};

impl Engine {
    /// An event of the group.
    pub(super) async fn take(&mut self, event: Effect) -> Result<(), ConnectError> {
        match event {
            Effect::Prepare {
                token, generation, ..
            } => {
                self.release(generation.is_some()).await?;
                let protocols = consumer::offer(&self.topics);
                self.group
                    .tell(Input::Prepared {
                        token,
                        protocols,
                        holding: false,
                    })
                    .await;
            }
            Effect::Assign { token, members, .. } => {
                let assignments = self.assign(&members).await;
                self.group
                    .tell(Input::Computed { token, assignments })
                    .await;
            }
            Effect::Assigned {
                generation,
                member,
                leader,
                assignment,
                ..
            } => {
                self.generation.store(generation.0, Ordering::Release);
                if member != leader {
                    self.assigned_counts = None;
                }
                let partitions = consumer::taken(&assignment);
                info!(task = %self.running.spec.id, generation = generation.0, ?partitions, "partitions assigned");
                self.begin_open(partitions).await?;
            }
            Effect::FetchDone { request, result } => self.opened(request, result).await?,
            Effect::CommitDone { request, result } => self.commit_done(request, result),
            Effect::Lost { token, reason } => {
                warn!(task = %self.running.spec.id, ?reason, "partitions lost");
                self.release(false).await?;
                self.group.tell(Input::Stopped { token }).await;
            }
            Effect::Failed { error } => {
                return Err(ConnectError::of(
                    "org.apache.kafka.common.KafkaException",
                    format!("the consumer group cannot be used: {error}"),
                ));
            }
            _ => {}
        }
        Ok(())
    }

    /// Gives all partitions back: with a commit when they are still ours, without when they are lost.
    pub(super) async fn release(&mut self, ours: bool) -> Result<(), ConnectError> {
        self.opening = None;
        let current = self.book.current();
        if current.is_empty() {
            return Ok(());
        }
        let partitions: Vec<ApiPartition> = current.keys().map(api_partition).collect();
        let confirmed = if ours {
            self.confirmed(&current).await?
        } else {
            None
        };
        self.task.close(&partitions).await?;
        if let Some(offsets) = confirmed.filter(|offsets| !offsets.is_empty()) {
            let committing = self.send_commit(offsets).await;
            self.await_commit(committing).await;
        }
        for partition in current.keys() {
            self.book.remove(partition);
        }
        self.delivery = Delivery::default();
        self.held.clear();
        self.fetcher.assign(Vec::new()).await.map_err(kafka_error)
    }

    pub(super) async fn begin_open(
        &mut self,
        partitions: Vec<TopicPartition>,
    ) -> Result<(), ConnectError> {
        if partitions.is_empty() {
            self.next_metadata = Instant::now() + MISSING_TOPICS;
            return Ok(());
        }
        let request = self.request();
        self.group
            .tell(Input::Fetch {
                request,
                partitions: partitions.clone(),
            })
            .await;
        self.opening = Some((request, partitions));
        Ok(())
    }

    pub(super) async fn opened(
        &mut self,
        request: RequestId,
        result: Result<Vec<(TopicPartition, FetchedOffset)>, FetchFailure>,
    ) -> Result<(), ConnectError> {
        let Some((_, partitions)) = self.opening.take_if(|(wanted, _)| *wanted == request) else {
            return Ok(());
        };
        let offsets = match result {
            Ok(offsets) => offsets,
            Err(FetchFailure::Retriable(_)) => {
                tokio::time::sleep(FETCH_AGAIN).await;
                return self.begin_open(partitions).await;
            }
            Err(error) => {
                return Err(ConnectError::of(
                    "org.apache.kafka.common.KafkaException",
                    error.to_string(),
                ));
            }
        };
        let start = |offset: &FetchedOffset| offset.offset.map_or(self.reset, StartAt::Offset);
        let assign = offsets
            .iter()
            .map(|(tp, at)| (Arc::clone(&tp.topic), tp.partition, Some(start(at))));
        self.fetcher
            .assign(assign.collect())
            .await
            .map_err(kafka_error)?;
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
        self.task.open(&opened).await.map_err(unrecoverable)?;
        self.take_requests().await
    }

    pub(super) async fn assign(
        &mut self,
        members: &[MemberMetadata],
    ) -> Option<Vec<(MemberId, Vec<u8>)>> {
        let topics: Vec<String> = consumer::wanted(members).into_keys().collect();
        match self.admin.describe_topics(&topics).await {
            Ok(found) => {
                let partitions: BTreeMap<String, Vec<i32>> = found
                    .into_iter()
                    .map(|topic| (topic.name, topic.partitions))
                    .collect();
                let missing = topics.iter().any(|topic| !partitions.contains_key(topic));
                let age = if missing {
                    MISSING_TOPICS
                } else {
                    METADATA_AGE
                };
                self.next_metadata = Instant::now() + age;
                self.assigned_counts = Some(
                    partitions
                        .iter()
                        .map(|(t, p)| (t.clone(), p.len()))
                        .collect(),
                );
                Some(consumer::assign(members, &partitions))
            }
            Err(error) => {
                warn!(task = %self.running.spec.id, %error, "cannot look up the topics to assign");
                None
            }
        }
    }

    /// Looks for topics and partitions that came or went; asks for a new round when they did.
    pub(super) async fn refresh_topics(&mut self) -> Result<(), ConnectError> {
        self.next_metadata = Instant::now() + METADATA_AGE;
        if self.match_topics().await? {
            let reason = "the topics that match the subscription have changed".to_owned();
            self.group.tell(Input::Rejoin { reason }).await;
            return Ok(());
        }
        let Some(counts) = &self.assigned_counts else {
            return Ok(());
        };
        let Ok(found) = self.admin.describe_topics(&self.topics).await else {
            return Ok(());
        };
        let seen = |topic: &milena_kafka::ports::TopicInfo| {
            counts.get(&topic.name) == Some(&topic.partitions.len())
        };
        if found.iter().any(|topic| !seen(topic)) {
            let reason = "partitions have been added".to_owned();
            self.group.tell(Input::Rejoin { reason }).await;
        } else if found.len() < self.topics.len() {
            self.next_metadata = Instant::now() + MISSING_TOPICS;
        }
        Ok(())
    }

    /// The topics that match `topics.regex`; answers whether they changed.
    pub(super) async fn match_topics(&mut self) -> Result<bool, ConnectError> {
        let Some(regex) = &self.regex else {
            return Ok(false);
        };
        let all = self.admin.list_topics().await.map_err(kafka_error)?;
        let names = all.into_iter().map(|topic| topic.name);
        let matching: Vec<String> = names
            .filter(|name| regex.matches(name).unwrap_or(false))
            .collect();
        let changed = matching != self.topics;
        self.topics = matching;
        Ok(changed)
    }
}
