//! What goes into a membership and what comes out.

use std::time::Duration;

use super::{
    CommitFailure, ErrorCode, FetchAnswer, FetchFailure, FetchedOffset, OffsetToCommit,
    RequestFailure,
};
use crate::{
    effect::Token,
    group::{GenerationId, MemberId, consumer::TopicPartition},
};

/// The times of a membership, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `connect` for workers, `consumer` for sink tasks.
    pub protocol_type: &'static str,
    /// `session.timeout.ms`: after this long without heartbeat the coordinator drops the member.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// `rebalance.timeout.ms` or `max.poll.interval.ms`: how long the owner may go without [`Input::Polled`], and
    /// how long the coordinator waits for members to join.
    pub rebalance_timeout: Duration,
    /// `retry.backoff.ms`: the first pause before a retry; doubles.
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`.
    pub retry_backoff_max: Duration,
}

impl Settings {
    /// A worker's defaults (spec distributed 0.1).
    #[must_use]
    pub const fn connect() -> Self {
        Self {
            protocol_type: "connect",
            session_timeout: Duration::from_secs(10),
            heartbeat_interval: Duration::from_secs(3),
            rebalance_timeout: Duration::from_secs(60),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
        }
    }

    /// A consumer's defaults.
    #[must_use]
    pub const fn consumer() -> Self {
        Self {
            protocol_type: "consumer",
            session_timeout: Duration::from_secs(45),
            rebalance_timeout: Duration::from_secs(300),
            ..Self::connect()
        }
    }

    /// How long after sending the last confirmed heartbeat everything must have been told to stop: two thirds of
    /// the session, so that a third is left for stopping.
    #[must_use]
    pub fn fence_after(&self) -> Duration {
        self.session_timeout * 2 / 3
    }

    /// How long after the group was last known to be settled everything must have been told to stop if the round that
    /// has begun since is not over: the rebalance timeout, less a third of a session for stopping.
    #[must_use]
    pub fn round_fence_after(&self) -> Duration {
        self.rebalance_timeout
            .saturating_sub(self.session_timeout / 3)
    }
}

/// A broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its number.
    pub id: i32,
    /// Its host name.
    pub host: String,
    /// Its port.
    pub port: i32,
}

/// A protocol a member offers, in order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedProtocol {
    /// Its name.
    pub name: String,
    /// What the member says about itself in it.
    pub metadata: Vec<u8>,
}

/// What the leader learns about a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberMetadata {
    /// The member.
    pub member: MemberId,
    /// Its `group.instance.id`, if it has one.
    pub instance: Option<String>,
    /// What it said, in the protocol chosen.
    pub metadata: Vec<u8>,
}

/// The content of a JoinGroup request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequest {
    /// The member; `None` when it has no id yet.
    pub member: Option<MemberId>,
    /// See [`Settings::protocol_type`].
    pub protocol_type: &'static str,
    /// See [`Settings::session_timeout`].
    pub session_timeout: Duration,
    /// See [`Settings::rebalance_timeout`]. The request may take this long and five seconds more.
    pub rebalance_timeout: Duration,
    /// What it offers.
    pub protocols: Vec<OfferedProtocol>,
    /// Why it joins; for the broker's log (KIP-800).
    pub reason: String,
}

/// The answer to a JoinGroup request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinAnswer {
    /// A new generation began.
    Joined {
        /// Its number.
        generation: GenerationId,
        /// The name of the protocol chosen.
        protocol: String,
        /// The leader.
        leader: MemberId,
        /// Our id.
        member: MemberId,
        /// All members, if we are the leader; else empty.
        members: Vec<MemberMetadata>,
    },
    /// MEMBER_ID_REQUIRED: join again with this id.
    MemberIdRequired(MemberId),
}

/// Why everything must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossReason {
    /// No heartbeat that was sent within two thirds of the session has been confirmed.
    SessionLapsed,
    /// The coordinator does not know us any more: our work may already run elsewhere.
    Dropped,
    /// The owner has not polled for the rebalance timeout.
    PollTimeout,
    /// The owner asked to leave.
    Leaving,
    /// The group cannot be used.
    Fatal(ErrorCode),
}

/// Names a request of the owner's, chosen by the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing but time.
    Tick,
    /// The owner wants to be a member.
    Join,
    /// The owner is alive and went through its loop.
    Polled,
    /// The owner wants a new round; no effect while one is under way.
    Rejoin {
        /// For the broker's log.
        reason: String,
    },
    /// The owner wants out.
    Leave {
        /// For the broker's log.
        reason: String,
    },
    /// The owner is ready to join.
    Prepared {
        /// Of [`Effect::Prepare`].
        token: Token,
        /// What to offer.
        protocols: Vec<OfferedProtocol>,
        /// Whether the owner still runs anything.
        holding: bool,
    },
    /// The owner, as leader, has assigned; `None` if it could not: join again.
    Computed {
        /// Of [`Effect::Assign`].
        token: Token,
        /// The bytes for each member.
        assignments: Option<Vec<(MemberId, Vec<u8>)>>,
    },
    /// Everything the owner ran has stopped.
    Stopped {
        /// Of [`Effect::Lost`].
        token: Token,
    },
    /// The answer to [`Effect::FindCoordinator`].
    CoordinatorFound {
        /// The effect's.
        token: Token,
        /// The coordinator.
        result: Result<Node, RequestFailure>,
    },
    /// The answer to [`Effect::Join`].
    Joined {
        /// The effect's.
        token: Token,
        /// The broker's answer.
        result: Result<JoinAnswer, RequestFailure>,
    },
    /// The answer to [`Effect::Sync`].
    Synced {
        /// The effect's.
        token: Token,
        /// Our assignment.
        result: Result<Vec<u8>, RequestFailure>,
    },
    /// The answer to [`Effect::Heartbeat`].
    HeartbeatAnswered {
        /// The effect's.
        token: Token,
        /// Whether it was accepted.
        result: Result<(), RequestFailure>,
    },
    /// The answer to [`Effect::Leave`].
    LeaveAnswered {
        /// The effect's.
        token: Token,
        /// Whether it was accepted.
        result: Result<(), RequestFailure>,
    },
    /// The owner wants offsets committed in the current generation.
    Commit {
        /// For the answer.
        request: RequestId,
        /// The offsets.
        offsets: Vec<OffsetToCommit>,
    },
    /// The answer to [`Effect::Commit`].
    CommitAnswered {
        /// The effect's.
        token: Token,
        /// The code of each partition.
        result: Result<Vec<(TopicPartition, ErrorCode)>, RequestFailure>,
    },
    /// The owner wants the group's committed offsets.
    Fetch {
        /// For the answer.
        request: RequestId,
        /// Of these partitions.
        partitions: Vec<TopicPartition>,
    },
    /// The answer to [`Effect::Fetch`].
    FetchAnswered {
        /// The effect's.
        token: Token,
        /// Each partition's offset or code.
        result: Result<Vec<FetchAnswer>, RequestFailure>,
    },
}

/// What to do. Everything with a token is answered by one input with the same token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask any broker for the group's coordinator.
    FindCoordinator {
        /// For the answer.
        token: Token,
    },
    /// Send JoinGroup. **Not on the connection that carries heartbeats**: the broker answers a connection's
    /// requests in order, this one may take minutes, and heartbeats go on meanwhile.
    ///
    /// **A later one replaces an earlier one**: the shell closes the connection of an unanswered JoinGroup before it
    /// sends the next. If the earlier one reached the coordinator last, the leader would believe what this member ran
    /// then, and give away what it runs now.
    Join {
        /// For the answer.
        token: Token,
        /// The coordinator.
        to: Node,
        /// The content.
        request: JoinRequest,
    },
    /// Send SyncGroup; as [`Self::Join`], not on the connection of the heartbeats.
    Sync {
        /// For the answer.
        token: Token,
        /// The coordinator.
        to: Node,
        /// The generation.
        generation: GenerationId,
        /// We.
        member: MemberId,
        /// The protocol chosen.
        protocol: String,
        /// As leader the assignment of each member, else empty.
        assignments: Vec<(MemberId, Vec<u8>)>,
    },
    /// Send Heartbeat.
    Heartbeat {
        /// For the answer.
        token: Token,
        /// The coordinator.
        to: Node,
        /// The generation.
        generation: GenerationId,
        /// We.
        member: MemberId,
    },
    /// Send LeaveGroup.
    Leave {
        /// For the answer.
        token: Token,
        /// The coordinator.
        to: Node,
        /// We.
        member: MemberId,
        /// For the broker's log.
        reason: String,
    },
    /// Owner: a round begins. Revoke what the protocol in force wants revoked first, and say what to offer.
    /// May come again before [`Self::Assigned`] does: then the round failed and begins anew, and what was revoked
    /// stays revoked.
    Prepare {
        /// For [`Input::Prepared`].
        token: Token,
        /// The generation that ends; `None` if we have lost it: what a consumer holds is then lost, not revoked.
        generation: Option<GenerationId>,
        /// Our id.
        member: Option<MemberId>,
    },
    /// Owner: we lead. Say who gets what.
    Assign {
        /// For [`Input::Computed`].
        token: Token,
        /// The generation that began.
        generation: GenerationId,
        /// We.
        member: MemberId,
        /// The protocol chosen.
        protocol: String,
        /// All members, we among them.
        members: Vec<MemberMetadata>,
    },
    /// Owner: this is what you got.
    Assigned {
        /// The generation.
        generation: GenerationId,
        /// We.
        member: MemberId,
        /// The leader.
        leader: MemberId,
        /// The protocol chosen.
        protocol: String,
        /// The leader's bytes.
        assignment: Vec<u8>,
    },
    /// Owner: stop everything **now**, before any other effect of this or a later step begins; forget the
    /// assignment; report when all has stopped. Nothing may be committed any more unless the reason is
    /// [`LossReason::Leaving`].
    Lost {
        /// For [`Input::Stopped`].
        token: Token,
        /// Why.
        reason: LossReason,
    },
    /// Owner: we are out, as asked.
    Left,
    /// Owner: the group cannot be used; [`Input::Join`] tries again.
    Failed {
        /// The broker's word.
        error: ErrorCode,
    },
    /// Send OffsetCommit.
    Commit {
        /// For the answer.
        token: Token,
        /// The coordinator.
        to: Node,
        /// The generation.
        generation: GenerationId,
        /// We.
        member: MemberId,
        /// The offsets.
        offsets: Vec<OffsetToCommit>,
    },
    /// Owner: a commit is done.
    CommitDone {
        /// The owner's.
        request: RequestId,
        /// What became of it.
        result: Result<(), CommitFailure>,
    },
    /// Send OffsetFetch, asking for stable offsets only.
    Fetch {
        /// For the answer.
        token: Token,
        /// The coordinator.
        to: Node,
        /// Of these partitions.
        partitions: Vec<TopicPartition>,
    },
    /// Owner: the committed offsets.
    FetchDone {
        /// The owner's.
        request: RequestId,
        /// Each partition's offset.
        result: Result<Vec<(TopicPartition, FetchedOffset)>, FetchFailure>,
    },
}
