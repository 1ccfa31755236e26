//! A member of a classic consumer group: finding the coordinator, joining, heartbeats, leaving, and fencing
//! itself before the coordinator can give its work to somebody else.
//!
//! Answers to `AbstractCoordinator` (classic protocol, KIP-62, KIP-394). It differs where Java is unsafe: a member
//! whose last confirmed heartbeat was *sent* two thirds of the session ago stops everything it runs, whatever else
//! it is doing, and a member that woke from a pause learns so before it does anything else.
//! It never starts, stops or assigns work itself: it asks its owner, by effects.
//!
//! The order of one join, with what the owner answers:
//! [`Effect::Prepare`] → [`Input::Prepared`] → [`Effect::Join`] → (as leader [`Effect::Assign`] →
//! [`Input::Computed`]) → [`Effect::Sync`] → [`Effect::Assigned`].

mod error;
mod machine;
mod offsets;
mod session;
mod types;

pub use error::{ErrorCode, RequestFailure};
pub use machine::Membership;
pub use offsets::{
    CommitFailure, FetchAnswer, FetchFailure, FetchedOffset, OffsetToCommit, classify_commit,
    classify_fetch,
};
pub use types::{
    Effect, Input, JoinAnswer, JoinRequest, LossReason, MemberMetadata, Node, OfferedProtocol,
    RequestId, Settings,
};

#[cfg(test)]
mod tests;
