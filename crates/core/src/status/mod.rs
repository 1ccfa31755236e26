//! The status topic: what connectors and tasks last said of themselves, and which topics they use.
//!
//! Answers to `KafkaStatusBackingStore` (spec `distributed.md` 1.7). A status becomes visible only when it
//! was read back from the topic; nothing here writes.

mod codec;
mod record;
mod store;

#[cfg(test)]
mod tests;

pub use record::{StatusRecord, StatusState, StatusValue, TopicUse};
pub use store::StatusSnapshot;
