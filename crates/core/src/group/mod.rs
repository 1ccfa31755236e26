//! Membership in Kafka's classic consumer groups, decided without I/O: one state machine, used twice.
//!
//! * [`protocol`]: the bytes members and leader exchange through the coordinator;
//! * [`membership`]: joining, heartbeats, leaving, and fencing oneself in time (Java: `AbstractCoordinator`);
//! * [`connect`]: a worker's use of it (Java: `WorkerCoordinator`);
//! * [`consumer`]: a sink task's use of it (Java: `ConsumerCoordinator` and its assignors).
//!
//! Nothing here opens a connection, reads a clock or starts work: the shell executes effects and reports back.

pub mod connect;
pub mod consumer;
mod member;
pub mod membership;
pub mod protocol;

pub use member::{GenerationId, MemberId};
