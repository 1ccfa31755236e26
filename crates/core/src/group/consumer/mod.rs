//! A sink task's membership in its connector's consumer group (Java: `ConsumerCoordinator`, `ConsumerPartitionAssignor`).
//!
//! It decides which partitions the task holds and in which order they are revoked, lost and assigned; it never
//! reads a record.

mod assignor;
mod broker_assigned;
mod range;
mod round_robin;
mod sticky;
mod task_group;
mod topic_partition;

pub use assignor::{Assignor, GroupMember, Members, RebalanceProtocol, Shares, Topics};
pub use broker_assigned::{
    BrokerAssigned, BrokerAssignedSettings, GroupAnswer, GroupRequest, HeartbeatAnswer,
    HeartbeatContent, HeartbeatRefusal, MemberInput, MemberOutput, TopicId, TopicPartitions,
};
pub use task_group::{TaskEvent, TaskGroup, TaskGroupSettings, TaskInput};
pub use topic_partition::TopicPartition;
