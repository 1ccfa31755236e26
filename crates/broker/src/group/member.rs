//! A member of a group, what it asks and what it is answered.

use std::time::Duration;

use bytes::Bytes;
use tokio::{sync::oneshot, time::Instant};

/// What a member asks when it joins.
pub(crate) struct Join {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocol_type: String,
    pub(crate) protocols: Vec<(String, Bytes)>,
    /// Whether the client can take MEMBER_ID_REQUIRED (JoinGroup v4 and later).
    pub(crate) requires_known_id: bool,
    /// Whether the client can be told to assign nothing (JoinGroup v9 and later).
    pub(crate) skips_assignment: bool,
    /// The id to give when the member has none.
    pub(crate) fresh_id: String,
}

/// The answer to a join.
#[derive(Clone, Debug, Default)]
pub(crate) struct JoinAnswer {
    pub(crate) error: i16,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) leader: String,
    /// The leader is to assign nothing: what was assigned stays (KIP-814).
    pub(crate) skip_assignment: bool,
    pub(crate) member_id: String,
    pub(crate) members: Vec<(String, Option<String>, Bytes)>,
}

/// The answer to a sync.
#[derive(Clone, Debug, Default)]
pub(crate) struct SyncAnswer {
    pub(crate) error: i16,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) assignment: Bytes,
}

/// A member.
pub(super) struct Member {
    pub(super) instance_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) protocols: Vec<(String, Bytes)>,
    pub(super) expires: Instant,
    pub(super) joining: Option<oneshot::Sender<JoinAnswer>>,
    pub(super) syncing: Option<oneshot::Sender<SyncAnswer>>,
    pub(super) assignment: Bytes,
}

/// A member for DescribeGroups.
pub(crate) struct MemberDescription {
    pub(crate) id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) metadata: Bytes,
    pub(crate) assignment: Bytes,
}

impl Member {
    pub(super) fn offers(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| name == protocol);
        found
            .map(|(_, metadata)| metadata.clone())
            .unwrap_or_default()
    }
}

/// Answers a join with an error.
pub(super) fn refuse(answer: oneshot::Sender<JoinAnswer>, error: i16, member_id: &str) {
    // A member whose connection is gone does not need the answer.
    let _ = answer.send(JoinAnswer {
        error,
        generation: -1,
        member_id: member_id.to_owned(),
        ..JoinAnswer::default()
    });
}
