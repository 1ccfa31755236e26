//! What goes into a membership and what comes out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use super::super::{TaskEvent, TaskInput, TopicPartition};
use crate::{
    effect::Token,
    group::{
        MemberId,
        membership::{ErrorCode, FetchAnswer, Node, OffsetToCommit, RequestFailure},
    },
};

/// The id of a topic, which another topic of the same name does not share.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub [u8; 16]);

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Partitions by topic.
pub type TopicPartitions = BTreeMap<TopicId, BTreeSet<i32>>;

/// How a sink task takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAssignedSettings {
    /// Our id, made by ourselves; kept for the whole life.
    pub member: MemberId,
    /// `group.instance.id`.
    pub instance: Option<String>,
    /// `client.rack`.
    pub rack: Option<String>,
    /// `group.remote.assignor`; `None`: the broker's first.
    pub assignor: Option<String>,
    /// `max.poll.interval.ms`: how long the task may go without polling, and how long the coordinator waits for what
    /// is revoked.
    pub rebalance_timeout: Duration,
    /// `retry.backoff.ms`: the first pause before a retry; doubles.
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`.
    pub retry_backoff_max: Duration,
}

/// What a ConsumerGroupHeartbeat says; `None`: as the last one that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatContent {
    /// 0 joins, -1 leaves, -2 leaves and comes back under the same instance id.
    pub epoch: i32,
    /// See [`BrokerAssignedSettings::instance`].
    pub instance: Option<String>,
    /// See [`BrokerAssignedSettings::rack`].
    pub rack: Option<String>,
    /// See [`BrokerAssignedSettings::rebalance_timeout`].
    pub rebalance_timeout: Option<Duration>,
    /// The topics.
    pub topics: Option<BTreeSet<String>>,
    /// See [`BrokerAssignedSettings::assignor`].
    pub assignor: Option<String>,
    /// What we hold.
    pub owned: Option<TopicPartitions>,
}

/// The answer to a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatAnswer {
    /// Our id, if the broker names one.
    pub member: Option<MemberId>,
    /// The epoch we are in.
    pub epoch: i32,
    /// When the next heartbeat is due.
    pub interval: Duration,
    /// What we should hold; `None`: what it was before.
    pub assignment: Option<TopicPartitions>,
}

/// Why a heartbeat brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatRefusal {
    /// What happened.
    pub failure: RequestFailure,
    /// The broker's own words.
    pub said: Option<String>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberInput {
    /// To the task. Answers to requests of the classic protocol only are ignored.
    Task(TaskInput),
    /// To a request of ours.
    Answer(GroupAnswer),
}

/// The answer to a [`GroupRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupAnswer {
    /// To [`GroupRequest::FindCoordinator`].
    Coordinator {
        /// The request's.
        token: Token,
        /// The coordinator.
        result: Result<Node, RequestFailure>,
    },
    /// To [`GroupRequest::Heartbeat`].
    Heartbeat {
        /// The request's.
        token: Token,
        /// What the coordinator says.
        result: Result<HeartbeatAnswer, HeartbeatRefusal>,
    },
    /// To [`GroupRequest::NameTopics`].
    Topics {
        /// The request's.
        token: Token,
        /// The names of topics by id, as far as they exist; `None`: they cannot be had now.
        names: Option<BTreeMap<TopicId, String>>,
    },
    /// To [`GroupRequest::Commit`].
    Committed {
        /// The request's.
        token: Token,
        /// The code of each partition.
        result: Result<Vec<(TopicPartition, ErrorCode)>, RequestFailure>,
    },
    /// To [`GroupRequest::Fetch`].
    Fetched {
        /// The request's.
        token: Token,
        /// Each partition's offset or code.
        result: Result<Vec<FetchAnswer>, RequestFailure>,
    },
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberOutput {
    /// For the task; never [`TaskEvent::Network`] or [`TaskEvent::CountPartitions`].
    Task(TaskEvent),
    /// For a broker.
    Request(GroupRequest),
}

/// A request, answered by one [`GroupAnswer`] with the same token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupRequest {
    /// Ask any broker for the group's coordinator.
    FindCoordinator {
        /// For the answer.
        token: Token,
    },
    /// Send ConsumerGroupHeartbeat to the coordinator.
    Heartbeat {
        /// For the answer.
        token: Token,
        /// We.
        member: MemberId,
        /// What it says.
        content: HeartbeatContent,
    },
    /// Ask any broker for the ids of these topics.
    NameTopics {
        /// For the answer.
        token: Token,
        /// The topics' names.
        topics: BTreeSet<String>,
    },
    /// Send OffsetCommit to the coordinator.
    Commit {
        /// For the answer.
        token: Token,
        /// Our epoch.
        epoch: i32,
        /// We.
        member: MemberId,
        /// The offsets.
        offsets: Vec<OffsetToCommit>,
    },
    /// Send OffsetFetch to the coordinator, asking for stable offsets only.
    Fetch {
        /// For the answer.
        token: Token,
        /// Our epoch.
        epoch: i32,
        /// We.
        member: MemberId,
        /// Of these partitions.
        partitions: Vec<TopicPartition>,
    },
}
