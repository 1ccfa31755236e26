//! The group channel port: raw requests to the coordinator of a group. No policy: the state machine in
//! `milena-core` decides what to send when, and what an answer means.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::KafkaError;

/// Kafka's numeric error code of a group response; 0 is none.
pub type GroupErrorCode = i16;

/// The broker that coordinates a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupCoordinator {
    /// The broker's number.
    pub id: i32,
    /// Its host name.
    pub host: String,
    /// Its port.
    pub port: i32,
}

/// JoinGroup.
#[derive(Clone, Debug)]
pub struct JoinRequest {
    /// `session.timeout.ms`.
    pub session_timeout: Duration,
    /// `rebalance.timeout.ms`.
    pub rebalance_timeout: Duration,
    /// "" at first.
    pub member_id: String,
    /// `group.instance.id`.
    pub instance_id: Option<String>,
    /// `connect` or `consumer`.
    pub protocol_type: String,
    /// Protocol name and metadata, preferred first.
    pub protocols: Vec<(String, Bytes)>,
    /// Why it joins, for the broker's log.
    pub reason: Option<String>,
}

/// The answer to JoinGroup.
#[derive(Clone, Debug)]
pub struct JoinResponse {
    /// The error.
    pub error: GroupErrorCode,
    /// The generation.
    pub generation: i32,
    /// The chosen protocol.
    pub protocol: String,
    /// The leader's member id.
    pub leader: String,
    /// Our member id (also with MEMBER_ID_REQUIRED).
    pub member_id: String,
    /// Whether the broker asks the leader to skip the assignment (static members that came back).
    pub skip_assignment: bool,
    /// All members with their metadata; empty unless we lead.
    pub members: Vec<GroupMember>,
}

/// A member as the leader sees it.
#[derive(Clone, Debug)]
pub struct GroupMember {
    /// The member id.
    pub id: String,
    /// The static id.
    pub instance_id: Option<String>,
    /// Its metadata for the chosen protocol.
    pub metadata: Bytes,
}

/// SyncGroup.
#[derive(Clone, Debug)]
pub struct SyncRequest {
    /// The generation.
    pub generation: i32,
    /// Our member id.
    pub member_id: String,
    /// The static id.
    pub instance_id: Option<String>,
    /// `connect` or `consumer`.
    pub protocol_type: String,
    /// The chosen protocol.
    pub protocol: String,
    /// The leader's assignments by member id; empty for followers.
    pub assignments: Vec<(String, Bytes)>,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset; -1 when nothing is committed.
    pub offset: i64,
    /// The metadata text.
    pub metadata: Option<String>,
    /// The partition's error.
    pub error: GroupErrorCode,
}

/// ConsumerGroupHeartbeat (KIP-848). `None`: as the coordinator knows it.
#[derive(Clone, Debug)]
pub struct ConsumerHeartbeat {
    /// Our member id.
    pub member_id: String,
    /// 0 joins, -1 leaves, -2 leaves and comes back under the same instance id.
    pub epoch: i32,
    /// `group.instance.id`.
    pub instance_id: Option<String>,
    /// `client.rack`.
    pub rack: Option<String>,
    /// How long the coordinator waits for what is revoked.
    pub rebalance_timeout: Option<Duration>,
    /// The topics.
    pub topics: Option<Vec<String>>,
    /// The assignor of the broker's.
    pub assignor: Option<String>,
    /// What we hold, by topic id.
    pub owned: Option<Vec<(TopicUuid, Vec<i32>)>>,
}

/// A topic's id.
pub type TopicUuid = [u8; 16];

/// The answer to ConsumerGroupHeartbeat.
#[derive(Clone, Debug)]
pub struct ConsumerHeartbeatAnswer {
    /// The error.
    pub error: GroupErrorCode,
    /// The broker's sentence about it.
    pub said: Option<String>,
    /// Our member id.
    pub member_id: Option<String>,
    /// Our epoch.
    pub epoch: i32,
    /// When the next heartbeat is due.
    pub interval: Duration,
    /// What we should hold; `None`: as before.
    pub assignment: Option<Vec<(TopicUuid, Vec<i32>)>>,
}

/// Talks to the coordinator of one group. Errors of kind [`super::KafkaErrorKind::Unknown`] mean that the
/// request may have arrived. Calls may run at the same time (heartbeats during a join).
#[async_trait]
pub trait GroupChannel: Send + Sync {
    /// Finds the coordinator anew; the other calls go to the one found last, and fail as retriable until
    /// one was found.
    async fn find_coordinator(&self) -> Result<GroupCoordinator, KafkaError>;
    /// Joins; waits as long as the rebalance takes.
    async fn join(&self, request: JoinRequest) -> Result<JoinResponse, KafkaError>;
    /// Syncs; answers the error and our assignment.
    async fn sync(&self, request: SyncRequest) -> Result<(GroupErrorCode, Bytes), KafkaError>;
    /// Heartbeats.
    async fn heartbeat(
        &self,
        generation: i32,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<GroupErrorCode, KafkaError>;
    /// Leaves.
    async fn leave(&self, member_id: &str, reason: &str) -> Result<GroupErrorCode, KafkaError>;
    /// Commits offsets of a member; generation -1 and "" commit for a group without members. Answers one
    /// entry per partition with its error.
    async fn commit_offsets(
        &self,
        generation: i32,
        member_id: &str,
        instance_id: Option<&str>,
        offsets: Vec<GroupOffset>,
    ) -> Result<Vec<GroupOffset>, KafkaError>;
    /// The committed offsets of the partitions; `stable`: wait out open transactions
    /// (UNSTABLE_OFFSET_COMMIT is retriable); `member`: id and epoch, where partitions are assigned by the broker.
    /// That the member is not known, or not in this epoch, is answered as each partition's error.
    async fn fetch_offsets(
        &self,
        partitions: Vec<(String, i32)>,
        stable: bool,
        member: Option<(&str, i32)>,
    ) -> Result<Vec<GroupOffset>, KafkaError>;
    /// ConsumerGroupHeartbeat. A broker that does not know it is answered for with UNSUPPORTED_VERSION.
    async fn consumer_heartbeat(
        &self,
        request: ConsumerHeartbeat,
    ) -> Result<ConsumerHeartbeatAnswer, KafkaError>;
    /// The ids of these topics, as far as they exist; asked of any broker.
    async fn topic_ids(&self, topics: Vec<String>) -> Result<Vec<(String, TopicUuid)>, KafkaError>;
}
