//! The config topic: its records, and what a worker knows after reading them.
//!
//! Answers to `KafkaConfigBackingStore` and `ClusterConfigState` (spec `distributed.md` 1.4). The fold accepts
//! any order that compaction can leave, garbage, and keys it does not know; it never reads or writes a topic.

mod change;
mod codec;
mod record;
mod snapshot;

#[cfg(test)]
mod tests;

pub use change::ClusterChange;
pub use codec::{ConfigDecodeError, KeyValue, session_key_topic_key};
pub use record::{ConfigRecord, RawProps, RestartRequest, SessionKey, TargetState};
pub use snapshot::{ClusterSnapshot, FencingNeed};
