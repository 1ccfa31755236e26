//! A sink task in a group whose partitions the broker assigns: the consumer group protocol of KIP-848
//! (`group.protocol=consumer`; Java: `ConsumerMembershipManager`, `AbstractHeartbeatRequestManager`,
//! `CommitRequestManager`).
//!
//! One request does it all: each heartbeat says what changed on our side, each answer what changed on the
//! coordinator's. What is revoked is flushed, committed and closed before the coordinator hears that it is free; a
//! member that is not known any more closes without commit and joins anew. It never reads a record.
//!
//! The task sees what it sees of the classic protocol, [`super::TaskInput`] and [`super::TaskEvent`], in the same
//! order. It differs from Java where Java is unsafe: a member that has not been confirmed for most of a session stops
//! by itself ([`BrokerAssigned::fence_at`]).

mod machine;
mod offsets;
mod reconcile;
mod session;
mod types;

pub use machine::BrokerAssigned;
pub use types::{
    BrokerAssignedSettings, GroupAnswer, GroupRequest, HeartbeatAnswer, HeartbeatContent,
    HeartbeatRefusal, MemberInput, MemberOutput, TopicId, TopicPartitions,
};

#[cfg(test)]
mod tests;
