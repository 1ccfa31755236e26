//! Every decision of a worker, as state machines without I/O, clock, randomness, async or unordered
//! collections (`design.md`): `step(now, input, &mut effects)` and `deadline()`.
//!
//! Answers to the deciding parts of `DistributedHerder`, `StandaloneHerder`, `WorkerCoordinator`, the
//! assignors, `KafkaConfigBackingStore` and `KafkaStatusBackingStore`. It never knows a plugin, a socket or a file.

pub mod assign;
pub mod cluster;
pub mod effect;
pub mod failure;
pub mod group;
pub mod herder;
mod ids;
mod json;
pub mod offsets;
pub mod status;
pub mod task;
pub mod time;

pub use effect::{Effects, Token};
pub use ids::{ConnectorName, TaskId};
pub use time::{Now, WallClock};
