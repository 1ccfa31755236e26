//! The group channel: one group's requests to its coordinator, over two connections.
//!
//! Answers are handed on as they come. Only one thing is kept: which broker is the coordinator; it is
//! forgotten when the connection fails or a broker says that it is not.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI32, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use kafka_protocol::{
    messages::{
        GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest,
        OffsetFetchRequest, SyncGroupRequest, TopicName,
        join_group_request::JoinGroupRequestProtocol,
        leave_group_request::MemberIdentity,
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_fetch_request::{
            OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
        },
        sync_group_request::SyncGroupRequestAssignment,
    },
    protocol::{Request, StrBytes},
};

use super::{
    cluster::{Cluster, Lane},
    codes,
    consumer_heartbeat::{heartbeat_answer, heartbeat_request, not_supported},
    lookup::CoordinatorOf,
};
use crate::ports::{
    ConsumerHeartbeat, ConsumerHeartbeatAnswer, GroupChannel, GroupCoordinator, GroupErrorCode,
    GroupMember, GroupOffset, JoinRequest, JoinResponse, KafkaError, SyncRequest, TopicUuid,
};

/// What a join may take beyond the rebalance timeout (as Java's coordinator client allows).
const JOIN_LAPSE: Duration = Duration::from_secs(5);
const NO_COORDINATOR: i32 = i32::MIN;

/// A channel to the coordinator of one group.
pub(crate) struct WireGroup {
    cluster: Arc<Cluster>,
    group: String,
    coordinator: AtomicI32,
    /// From the last join: a sync waits for the same rebalance.
    rebalance_millis: AtomicU64,
}

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

impl WireGroup {
    /// A channel; the coordinator is not known yet.
    pub(crate) fn new(cluster: Arc<Cluster>, group: &str) -> Self {
        Self {
            cluster,
            group: group.to_owned(),
            coordinator: AtomicI32::new(NO_COORDINATOR),
            rebalance_millis: AtomicU64::new(0),
        }
    }

    fn id(&self) -> GroupId {
        GroupId(text(&self.group))
    }

    fn request_timeout(&self) -> Duration {
        self.cluster.settings().request_timeout
    }

    fn waiting_timeout(&self) -> Duration {
        let rebalance = Duration::from_millis(self.rebalance_millis.load(Ordering::Relaxed));
        self.request_timeout()
            .max(rebalance.saturating_add(JOIN_LAPSE))
    }

    async fn call<R: Request>(
        &self,
        lane: Lane,
        timeout: Duration,
        make: impl FnOnce(i16) -> R,
    ) -> Result<R::Response, KafkaError> {
        let coordinator = self.coordinator.load(Ordering::Acquire);
        if coordinator == NO_COORDINATOR {
            let what = format!("group {}", self.group);
            return Err(codes::error(
                codes::COORDINATOR_NOT_AVAILABLE,
                &what,
                Some("the coordinator is not known"),
            ));
        }
        let answer = self.cluster.call(coordinator, lane, make, timeout).await;
        if answer.is_err() {
            self.forget(coordinator);
        }
        answer
    }

    fn forget(&self, coordinator: i32) {
        // Another call may have found a new one meanwhile.
        let _ = self.coordinator.compare_exchange(
            coordinator,
            NO_COORDINATOR,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
    }

    fn note(&self, error: GroupErrorCode) -> GroupErrorCode {
        if matches!(
            error,
            codes::NOT_COORDINATOR | codes::COORDINATOR_NOT_AVAILABLE
        ) {
            self.coordinator.store(NO_COORDINATOR, Ordering::Release);
        }
        error
    }
}

#[async_trait]
impl GroupChannel for WireGroup {
    async fn find_coordinator(&self) -> Result<GroupCoordinator, KafkaError> {
        let of = CoordinatorOf::Group(&self.group);
        let found = self.cluster.find_coordinator(of).await?;
        self.coordinator.store(found.id, Ordering::Release);
        Ok(found)
    }

    async fn join(&self, request: JoinRequest) -> Result<JoinResponse, KafkaError> {
        let rebalance = request.rebalance_timeout;
        let stored = u64::try_from(rebalance.as_millis()).unwrap_or(u64::MAX);
        self.rebalance_millis.store(stored, Ordering::Relaxed);
        let make = |version: i16| {
            let protocols = request.protocols.into_iter().map(|(name, metadata)| {
                JoinGroupRequestProtocol::default()
                    .with_name(StrBytes::from_string(name))
                    .with_metadata(metadata)
            });
            let mut join = JoinGroupRequest::default()
                .with_group_id(self.id())
                .with_session_timeout_ms(millis(request.session_timeout))
                .with_rebalance_timeout_ms(millis(rebalance))
                .with_member_id(StrBytes::from_string(request.member_id))
                .with_protocol_type(StrBytes::from_string(request.protocol_type))
                .with_protocols(protocols.collect());
            if version >= 5 {
                join.group_instance_id = request.instance_id.map(StrBytes::from_string);
            }
            if version >= 8 {
                join.reason = request.reason.map(StrBytes::from_string);
            }
            join
        };
        let answer = self
            .call(Lane::Waiting, self.waiting_timeout(), make)
            .await?;
        let members = answer.members.into_iter().map(|member| GroupMember {
            id: member.member_id.to_string(),
            instance_id: member.group_instance_id.map(|id| id.to_string()),
            metadata: member.metadata,
        });
        Ok(JoinResponse {
            error: self.note(answer.error_code),
            generation: answer.generation_id,
            protocol: answer
                .protocol_name
                .map_or_else(String::new, |name| name.to_string()),
            leader: answer.leader.to_string(),
            member_id: answer.member_id.to_string(),
            skip_assignment: answer.skip_assignment,
            members: members.collect(),
        })
    }

    async fn sync(&self, request: SyncRequest) -> Result<(GroupErrorCode, Bytes), KafkaError> {
        let make = |version: i16| {
            let assignments = request.assignments.into_iter().map(|(member, bytes)| {
                SyncGroupRequestAssignment::default()
                    .with_member_id(StrBytes::from_string(member))
                    .with_assignment(bytes)
            });
            let mut sync = SyncGroupRequest::default()
                .with_group_id(self.id())
                .with_generation_id(request.generation)
                .with_member_id(StrBytes::from_string(request.member_id))
                .with_assignments(assignments.collect());
            if version >= 3 {
                sync.group_instance_id = request.instance_id.map(StrBytes::from_string);
            }
            if version >= 5 {
                sync.protocol_type = Some(StrBytes::from_string(request.protocol_type));
                sync.protocol_name = Some(StrBytes::from_string(request.protocol));
            }
            sync
        };
        let answer = self
            .call(Lane::Waiting, self.waiting_timeout(), make)
            .await?;
        Ok((self.note(answer.error_code), answer.assignment))
    }

    async fn heartbeat(
        &self,
        generation: i32,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<GroupErrorCode, KafkaError> {
        let make = |version: i16| {
            let mut heartbeat = HeartbeatRequest::default()
                .with_group_id(self.id())
                .with_generation_id(generation)
                .with_member_id(text(member_id));
            if version >= 3 {
                heartbeat.group_instance_id = instance_id.map(text);
            }
            heartbeat
        };
        let answer = self
            .call(Lane::Prompt, self.request_timeout(), make)
            .await?;
        Ok(self.note(answer.error_code))
    }

    async fn leave(&self, member_id: &str, reason: &str) -> Result<GroupErrorCode, KafkaError> {
        let make = |version: i16| {
            let leave = LeaveGroupRequest::default().with_group_id(self.id());
            if version < 3 {
                return leave.with_member_id(text(member_id));
            }
            let mut member = MemberIdentity::default().with_member_id(text(member_id));
            if version >= 5 {
                member.reason = Some(text(reason));
            }
            leave.with_members(vec![member])
        };
        let answer = self
            .call(Lane::Prompt, self.request_timeout(), make)
            .await?;
        let member = answer.members.first().map_or(0, |member| member.error_code);
        let error = if answer.error_code == 0 {
            member
        } else {
            answer.error_code
        };
        Ok(self.note(error))
    }

    async fn commit_offsets(
        &self,
        generation: i32,
        member_id: &str,
        instance_id: Option<&str>,
        offsets: Vec<GroupOffset>,
    ) -> Result<Vec<GroupOffset>, KafkaError> {
        let make = |version: i16| {
            let mut commit = commit_request(self.id(), generation, member_id, &offsets);
            if version >= 7 {
                commit.group_instance_id = instance_id.map(text);
            }
            commit
        };
        let answer = self
            .call(Lane::Prompt, self.request_timeout(), make)
            .await?;
        let mut errors = BTreeMap::new();
        for topic in &answer.topics {
            for partition in &topic.partitions {
                let key = (topic.name.to_string(), partition.partition_index);
                errors.insert(key, self.note(partition.error_code));
            }
        }
        let mut result = offsets;
        for offset in &mut result {
            let key = (offset.topic.clone(), offset.partition);
            // No answer for a partition is no proof that it was committed.
            offset.error = errors.get(&key).copied().unwrap_or(-1);
        }
        Ok(result)
    }

    async fn fetch_offsets(
        &self,
        partitions: Vec<(String, i32)>,
        stable: bool,
        member: Option<(&str, i32)>,
    ) -> Result<Vec<GroupOffset>, KafkaError> {
        let make = |version| {
            let mut request = fetch_request(self.id(), Some(&partitions), stable, version);
            if let (Some((id, epoch)), Some(group), 9..) =
                (member, request.groups.first_mut(), version)
            {
                group.member_id = Some(text(id));
                group.member_epoch = epoch;
            }
            request
        };
        let answer = self
            .call(Lane::Prompt, self.request_timeout(), make)
            .await?;
        let (error, offsets) = fetched(&answer);
        if member.is_some() && codes::OF_MEMBERS.contains(&error) {
            let of = |(topic, partition)| GroupOffset {
                topic,
                partition,
                offset: -1,
                metadata: None,
                error,
            };
            return Ok(partitions.into_iter().map(of).collect());
        }
        if self.note(error) != 0 {
            return Err(codes::error(
                error,
                &format!("offsets of group {}", self.group),
                None,
            ));
        }
        for offset in &offsets {
            self.note(offset.error);
        }
        Ok(offsets)
    }

    async fn consumer_heartbeat(
        &self,
        request: ConsumerHeartbeat,
    ) -> Result<ConsumerHeartbeatAnswer, KafkaError> {
        let timeout = self.request_timeout();
        let make = |_| heartbeat_request(self.id(), request);
        match self.call(Lane::Prompt, timeout, make).await {
            Ok(answer) => {
                self.note(answer.error_code);
                Ok(heartbeat_answer(answer))
            }
            Err(error) => not_supported(error),
        }
    }

    async fn topic_ids(&self, topics: Vec<String>) -> Result<Vec<(String, TopicUuid)>, KafkaError> {
        let answer = self.cluster.metadata(Some(&topics)).await?;
        let known = answer.topics.into_iter().filter(|t| t.error_code == 0);
        let known = known.filter_map(|t| Some((t.name?.to_string(), *t.topic_id.as_bytes())));
        Ok(known.collect())
    }
}

/// OffsetCommit; without members: generation -1 and "".
pub(super) fn commit_request(
    group: GroupId,
    generation: i32,
    member_id: &str,
    offsets: &[GroupOffset],
) -> OffsetCommitRequest {
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for offset in offsets {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(offset.partition)
            .with_committed_offset(offset.offset)
            .with_committed_metadata(Some(text(offset.metadata.as_deref().unwrap_or_default())));
        topics.entry(&offset.topic).or_default().push(partition);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        OffsetCommitRequestTopic::default()
            .with_name(TopicName(text(name)))
            .with_partitions(partitions)
    });
    OffsetCommitRequest::default()
        .with_group_id(group)
        .with_generation_id_or_member_epoch(generation)
        .with_member_id(text(member_id))
        .with_topics(topics.collect())
}

/// OffsetFetch of these partitions, or of all that have an offset.
pub(super) fn fetch_request(
    group: GroupId,
    partitions: Option<&[(String, i32)]>,
    stable: bool,
    version: i16,
) -> OffsetFetchRequest {
    let topics = partitions.map(|list| {
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in list {
            topics.entry(topic).or_default().push(*partition);
        }
        topics
    });
    let request = OffsetFetchRequest::default().with_require_stable(stable && version >= 7);
    if version >= 8 {
        let topics = topics.map(|topics| {
            let one = |(name, list)| {
                OffsetFetchRequestTopics::default()
                    .with_name(TopicName(text(name)))
                    .with_partition_indexes(list)
            };
            topics.into_iter().map(one).collect()
        });
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(group)
            .with_topics(topics);
        return request.with_groups(vec![group]);
    }
    let topics = topics.map(|topics| {
        let one = |(name, list)| {
            OffsetFetchRequestTopic::default()
                .with_name(TopicName(text(name)))
                .with_partition_indexes(list)
        };
        topics.into_iter().map(one).collect()
    });
    request.with_group_id(group).with_topics(topics)
}

/// The group's error and its offsets, from either form of the answer.
pub(super) fn fetched(
    answer: &kafka_protocol::messages::OffsetFetchResponse,
) -> (GroupErrorCode, Vec<GroupOffset>) {
    let mut error = answer.error_code;
    let mut offsets = Vec::new();
    let metadata = |text: &Option<StrBytes>| text.as_ref().map(|text| text.to_string());
    for group in &answer.groups {
        error = group.error_code;
        for topic in &group.topics {
            offsets.extend(topic.partitions.iter().map(|p| GroupOffset {
                topic: topic.name.to_string(),
                partition: p.partition_index,
                offset: p.committed_offset,
                metadata: metadata(&p.metadata),
                error: p.error_code,
            }));
        }
    }
    for topic in &answer.topics {
        offsets.extend(topic.partitions.iter().map(|p| GroupOffset {
            topic: topic.name.to_string(),
            partition: p.partition_index,
            offset: p.committed_offset,
            metadata: metadata(&p.metadata),
            error: p.error_code,
        }));
    }
    (error, offsets)
}
