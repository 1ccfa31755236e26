//! Executes the network effects of a group membership: requests to the coordinator, each answered by one
//! input. Used by the worker (type `connect`) and by sink tasks (type `consumer`).
//!
//! It decides nothing: what to send when, and what an answer means, is `core::group::membership`'s.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use milena_core::group::{
    GenerationId, MemberId,
    consumer::TopicPartition,
    membership::{
        Effect, ErrorCode, FetchedOffset, Input, JoinAnswer, JoinRequest, MemberMetadata, Node,
        OffsetToCommit, RequestFailure,
    },
};
use milena_kafka::ports::{self, GroupChannel, GroupOffset, KafkaError, KafkaErrorKind};
use tokio::{sync::mpsc, task::AbortHandle};

/// The network side of one membership.
#[derive(Clone)]
pub struct GroupNet {
    channel: Arc<dyn GroupChannel>,
    protocol_type: &'static str,
    /// `group.instance.id` (KIP-345).
    instance: Option<String>,
    inputs: mpsc::Sender<Input>,
    /// The JoinGroup or SyncGroup under way. A newer JoinGroup ends it, its connection with it, so that
    /// the coordinator never sees an older one after it.
    waiting: Arc<Mutex<Option<AbortHandle>>>,
}

impl GroupNet {
    /// Answers go to `inputs`.
    #[must_use]
    pub fn new(
        channel: Arc<dyn GroupChannel>,
        protocol_type: &'static str,
        inputs: mpsc::Sender<Input>,
    ) -> Self {
        Self {
            channel,
            protocol_type,
            instance: None,
            inputs,
            waiting: Arc::default(),
        }
    }

    /// A static member: it keeps its place when it goes and comes back within the session timeout.
    #[must_use]
    pub fn with_instance(self, instance: Option<String>) -> Self {
        Self { instance, ..self }
    }

    /// Begins a network effect and answers it later by one input; an effect that is the owner's comes back.
    #[must_use]
    pub fn execute(&self, effect: Effect) -> Option<Effect> {
        let net = self.clone();
        let request = match effect {
            Effect::FindCoordinator { .. }
            | Effect::Join { .. }
            | Effect::Sync { .. }
            | Effect::Heartbeat { .. }
            | Effect::Leave { .. }
            | Effect::Commit { .. }
            | Effect::Fetch { .. } => effect,
            owners => return Some(owners),
        };
        let waits = matches!(request, Effect::Join { .. } | Effect::Sync { .. });
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waits && let Some(older) = waiting.take() {
            older.abort();
        }
        let task = tokio::spawn(async move {
            if let Some(input) = net.answer(request).await {
                // A membership that is gone needs no answer.
                let _ = net.inputs.send(input).await;
            }
        });
        if waits {
            *waiting = Some(task.abort_handle());
        }
        drop(waiting);
        None
    }

    async fn answer(&self, effect: Effect) -> Option<Input> {
        Some(match effect {
            Effect::FindCoordinator { token } => {
                let result = find(&*self.channel).await;
                Input::CoordinatorFound { token, result }
            }
            Effect::Join { token, request, .. } => Input::Joined {
                token,
                result: self.join(request).await,
            },
            Effect::Sync {
                token,
                generation,
                member,
                protocol,
                assignments,
                ..
            } => {
                let request = ports::SyncRequest {
                    generation: generation.0,
                    member_id: member.as_str().to_owned(),
                    instance_id: self.instance.clone(),
                    protocol_type: self.protocol_type.to_owned(),
                    protocol,
                    assignments: assignments
                        .into_iter()
                        .map(|(member, bytes)| (member.as_str().to_owned(), Bytes::from(bytes)))
                        .collect(),
                };
                let result = match self.channel.sync(request).await {
                    Ok((0, bytes)) => Ok(bytes.to_vec()),
                    Ok((code, _)) => Err(RequestFailure::Code(ErrorCode(code))),
                    Err(error) => Err(failure(&error)),
                };
                Input::Synced { token, result }
            }
            Effect::Heartbeat {
                token,
                generation,
                member,
                ..
            } => {
                let beat = self
                    .channel
                    .heartbeat(generation.0, member.as_str(), self.instance.as_deref())
                    .await;
                Input::HeartbeatAnswered {
                    token,
                    result: coded(beat),
                }
            }
            Effect::Leave {
                token,
                member,
                reason,
                ..
            } => {
                let result = match self.instance {
                    // As Java's: the place of a static member is kept until the session ends.
                    Some(_) => Ok(()),
                    None => coded(self.channel.leave(member.as_str(), &reason).await),
                };
                Input::LeaveAnswered { token, result }
            }
            Effect::Commit {
                token,
                generation,
                member,
                offsets,
                ..
            } => {
                let of = (member.as_str(), self.instance.as_deref());
                let result = commit(&*self.channel, generation, of, offsets).await;
                Input::CommitAnswered { token, result }
            }
            Effect::Fetch {
                token, partitions, ..
            } => Input::FetchAnswered {
                token,
                result: fetch(&*self.channel, partitions, None).await,
            },
            _ => return None,
        })
    }

    async fn join(&self, request: JoinRequest) -> Result<JoinAnswer, RequestFailure> {
        let wire = ports::JoinRequest {
            session_timeout: request.session_timeout,
            rebalance_timeout: request.rebalance_timeout,
            member_id: request
                .member
                .map(|id| id.as_str().to_owned())
                .unwrap_or_default(),
            instance_id: self.instance.clone(),
            protocol_type: self.protocol_type.to_owned(),
            protocols: request
                .protocols
                .into_iter()
                .map(|offered| (offered.name, Bytes::from(offered.metadata)))
                .collect(),
            reason: Some(request.reason),
        };
        let answer = self
            .channel
            .join(wire)
            .await
            .map_err(|error| failure(&error))?;
        match ErrorCode(answer.error) {
            ErrorCode::NONE => Ok(JoinAnswer::Joined {
                generation: GenerationId(answer.generation),
                protocol: answer.protocol,
                leader: MemberId::from(answer.leader),
                member: MemberId::from(answer.member_id),
                members: answer
                    .members
                    .into_iter()
                    .map(|member| MemberMetadata {
                        member: MemberId::from(member.id),
                        instance: member.instance_id,
                        metadata: member.metadata.to_vec(),
                    })
                    .collect(),
            }),
            ErrorCode::MEMBER_ID_REQUIRED => Ok(JoinAnswer::MemberIdRequired(MemberId::from(
                answer.member_id,
            ))),
            code => Err(RequestFailure::Code(code)),
        }
    }
}

/// Finds the coordinator.
pub(crate) async fn find(channel: &dyn GroupChannel) -> Result<Node, RequestFailure> {
    let found = channel.find_coordinator().await;
    let node = |at: ports::GroupCoordinator| Node {
        id: at.id,
        host: at.host,
        port: at.port,
    };
    found.map(node).map_err(|error| failure(&error))
}

/// Commits offsets in a generation, or in a member's epoch.
pub(crate) async fn commit(
    channel: &dyn GroupChannel,
    generation: GenerationId,
    (member, instance): (&str, Option<&str>),
    offsets: Vec<OffsetToCommit>,
) -> Result<Vec<(TopicPartition, ErrorCode)>, RequestFailure> {
    let wire = offsets.into_iter().map(|offset| GroupOffset {
        topic: offset.partition.topic.as_ref().to_owned(),
        partition: offset.partition.partition,
        offset: offset.offset,
        metadata: Some(offset.metadata),
        error: 0,
    });
    let answers = channel
        .commit_offsets(generation.0, member, instance, wire.collect())
        .await;
    let one = |answer: GroupOffset| {
        (
            TopicPartition::new(answer.topic, answer.partition),
            ErrorCode(answer.error),
        )
    };
    Ok(answers
        .map_err(|error| failure(&error))?
        .into_iter()
        .map(one)
        .collect())
}

/// Fetches committed offsets; `member`: id and epoch, where partitions are assigned by the broker.
pub(crate) async fn fetch(
    channel: &dyn GroupChannel,
    partitions: Vec<TopicPartition>,
    member: Option<(&str, i32)>,
) -> Result<Vec<milena_core::group::membership::FetchAnswer>, RequestFailure> {
    let wanted: Vec<(String, i32)> = partitions
        .iter()
        .map(|tp| (tp.topic.as_ref().to_owned(), tp.partition))
        .collect();
    let answers = channel
        .fetch_offsets(wanted, true, member)
        .await
        .map_err(|error| failure(&error))?;
    let mut found: BTreeMap<TopicPartition, Result<FetchedOffset, ErrorCode>> = BTreeMap::new();
    for answer in answers {
        let partition = TopicPartition::new(answer.topic, answer.partition);
        let outcome = match answer.error {
            0 => Ok(FetchedOffset {
                offset: (answer.offset >= 0).then_some(answer.offset),
                leader_epoch: None,
                metadata: answer.metadata.unwrap_or_default(),
            }),
            code => Err(ErrorCode(code)),
        };
        found.insert(partition, outcome);
    }
    // A partition that the broker does not speak of has no committed offset.
    let complete = |tp: TopicPartition| {
        let outcome = found
            .remove(&tp)
            .unwrap_or_else(|| Ok(FetchedOffset::default()));
        (tp, outcome)
    };
    Ok(partitions.into_iter().map(complete).collect())
}

/// What a failed request is to a membership.
pub(crate) fn failure(error: &KafkaError) -> RequestFailure {
    match error.kind {
        KafkaErrorKind::Unknown => RequestFailure::Unknown,
        KafkaErrorKind::Unauthorized => RequestFailure::Code(ErrorCode::GROUP_AUTHORIZATION_FAILED),
        _ => RequestFailure::Unreachable,
    }
}

fn coded(answer: Result<i16, KafkaError>) -> Result<(), RequestFailure> {
    match answer {
        Ok(0) => Ok(()),
        Ok(code) => Err(RequestFailure::Code(ErrorCode(code))),
        Err(error) => Err(failure(&error)),
    }
}
