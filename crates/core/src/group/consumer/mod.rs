//! A sink task's membership in its connector's consumer group (Java: `ConsumerCoordinator`, `ConsumerPartitionAssignor`).
//!
//! It decides which partitions the task holds and in which order they are revoked, lost and assigned; it never
//! reads a record.

mod topic_partition;

pub use topic_partition::TopicPartition;
