//! Kafka's error codes that a group member tells apart, and how a request can fail.

use std::fmt;

use thiserror::Error;

/// An error code of the Kafka protocol.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorCode(pub i16);

impl ErrorCode {
    /// No error.
    pub const NONE: Self = Self(0);
    /// The topic or partition is not there (yet).
    pub const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    /// The broker ran out of time.
    pub const REQUEST_TIMED_OUT: Self = Self(7);
    /// The metadata of a commit is too long.
    pub const OFFSET_METADATA_TOO_LARGE: Self = Self(12);
    /// The coordinator still reads its log.
    pub const COORDINATOR_LOAD_IN_PROGRESS: Self = Self(14);
    /// There is no coordinator at the moment.
    pub const COORDINATOR_NOT_AVAILABLE: Self = Self(15);
    /// This broker is not the coordinator.
    pub const NOT_COORDINATOR: Self = Self(16);
    /// The generation is not the group's.
    pub const ILLEGAL_GENERATION: Self = Self(22);
    /// No protocol in common with the group.
    pub const INCONSISTENT_GROUP_PROTOCOL: Self = Self(23);
    /// The group id is not allowed.
    pub const INVALID_GROUP_ID: Self = Self(24);
    /// The group does not know this member.
    pub const UNKNOWN_MEMBER_ID: Self = Self(25);
    /// The session timeout is outside of the broker's range.
    pub const INVALID_SESSION_TIMEOUT: Self = Self(26);
    /// The group is rebalancing: join again.
    pub const REBALANCE_IN_PROGRESS: Self = Self(27);
    /// The commit is too large.
    pub const INVALID_COMMIT_OFFSET_SIZE: Self = Self(28);
    /// The topic may not be used.
    pub const TOPIC_AUTHORIZATION_FAILED: Self = Self(29);
    /// The group may not be used.
    pub const GROUP_AUTHORIZATION_FAILED: Self = Self(30);
    /// The broker does not speak this version.
    pub const UNSUPPORTED_VERSION: Self = Self(35);
    /// The request makes no sense to the broker.
    pub const INVALID_REQUEST: Self = Self(42);
    /// There is no such group (any more).
    pub const GROUP_ID_NOT_FOUND: Self = Self(69);
    /// Join again with the id the answer carries.
    pub const MEMBER_ID_REQUIRED: Self = Self(79);
    /// The group is full.
    pub const GROUP_MAX_SIZE_REACHED: Self = Self(81);
    /// Another process uses this instance id.
    pub const FENCED_INSTANCE_ID: Self = Self(82);
    /// A transaction has not decided on the offset yet.
    pub const UNSTABLE_OFFSET_COMMIT: Self = Self(88);
    /// The member must give up everything and join again (KIP-848).
    pub const FENCED_MEMBER_EPOCH: Self = Self(110);
    /// Another member of the group still holds this instance id (KIP-848).
    pub const UNRELEASED_INSTANCE_ID: Self = Self(111);
    /// The broker does not have this assignor (KIP-848).
    pub const UNSUPPORTED_ASSIGNOR: Self = Self(112);
    /// The member is in a newer epoch already (KIP-848).
    pub const STALE_MEMBER_EPOCH: Self = Self(113);
    /// The broker does not understand the pattern (KIP-848).
    pub const INVALID_REGULAR_EXPRESSION: Self = Self(128);

    /// Kafka's name of the code, "UNKNOWN" for one that no member tells apart.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NONE => "NONE",
            Self::UNKNOWN_TOPIC_OR_PARTITION => "UNKNOWN_TOPIC_OR_PARTITION",
            Self::REQUEST_TIMED_OUT => "REQUEST_TIMED_OUT",
            Self::OFFSET_METADATA_TOO_LARGE => "OFFSET_METADATA_TOO_LARGE",
            Self::COORDINATOR_LOAD_IN_PROGRESS => "COORDINATOR_LOAD_IN_PROGRESS",
            Self::COORDINATOR_NOT_AVAILABLE => "COORDINATOR_NOT_AVAILABLE",
            Self::NOT_COORDINATOR => "NOT_COORDINATOR",
            Self::ILLEGAL_GENERATION => "ILLEGAL_GENERATION",
            Self::INCONSISTENT_GROUP_PROTOCOL => "INCONSISTENT_GROUP_PROTOCOL",
            Self::INVALID_GROUP_ID => "INVALID_GROUP_ID",
            Self::UNKNOWN_MEMBER_ID => "UNKNOWN_MEMBER_ID",
            Self::INVALID_SESSION_TIMEOUT => "INVALID_SESSION_TIMEOUT",
            Self::REBALANCE_IN_PROGRESS => "REBALANCE_IN_PROGRESS",
            Self::INVALID_COMMIT_OFFSET_SIZE => "INVALID_COMMIT_OFFSET_SIZE",
            Self::TOPIC_AUTHORIZATION_FAILED => "TOPIC_AUTHORIZATION_FAILED",
            Self::GROUP_AUTHORIZATION_FAILED => "GROUP_AUTHORIZATION_FAILED",
            Self::UNSUPPORTED_VERSION => "UNSUPPORTED_VERSION",
            Self::GROUP_ID_NOT_FOUND => "GROUP_ID_NOT_FOUND",
            Self::MEMBER_ID_REQUIRED => "MEMBER_ID_REQUIRED",
            Self::GROUP_MAX_SIZE_REACHED => "GROUP_MAX_SIZE_REACHED",
            Self::FENCED_INSTANCE_ID => "FENCED_INSTANCE_ID",
            Self::UNSTABLE_OFFSET_COMMIT => "UNSTABLE_OFFSET_COMMIT",
            Self::FENCED_MEMBER_EPOCH => "FENCED_MEMBER_EPOCH",
            Self::UNRELEASED_INSTANCE_ID => "UNRELEASED_INSTANCE_ID",
            Self::UNSUPPORTED_ASSIGNOR => "UNSUPPORTED_ASSIGNOR",
            Self::STALE_MEMBER_EPOCH => "STALE_MEMBER_EPOCH",
            Self::INVALID_REQUEST => "INVALID_REQUEST",
            Self::INVALID_REGULAR_EXPRESSION => "INVALID_REGULAR_EXPRESSION",
            Self(_) => "UNKNOWN",
        }
    }

    /// Whether the group cannot be used until somebody changes something outside of this process.
    #[must_use]
    pub const fn is_fatal_for_member(self) -> bool {
        matches!(
            self,
            Self::INCONSISTENT_GROUP_PROTOCOL
                | Self::INVALID_GROUP_ID
                | Self::INVALID_SESSION_TIMEOUT
                | Self::GROUP_AUTHORIZATION_FAILED
                | Self::UNSUPPORTED_VERSION
                | Self::GROUP_MAX_SIZE_REACHED
                | Self::FENCED_INSTANCE_ID
        )
    }

    /// Whether the coordinator must be looked up anew.
    #[must_use]
    pub const fn means_other_coordinator(self) -> bool {
        matches!(
            self,
            Self::COORDINATOR_NOT_AVAILABLE | Self::NOT_COORDINATOR
        )
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Why a request to the coordinator brought no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RequestFailure {
    /// The broker refused.
    #[error("the broker answered {0}")]
    Code(ErrorCode),
    /// It was never sent: no connection.
    #[error("the broker cannot be reached")]
    Unreachable,
    /// It was sent and no answer came: it may or may not have been carried out.
    #[error("no answer came in time; the outcome is unknown")]
    Unknown,
}
