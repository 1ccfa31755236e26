//! A worker's membership in its cluster (Java: `WorkerCoordinator`): what it offers when it joins, how it assigns when it
//! leads, and what it holds.
//!
//! It never starts or stops work: the herder does, as told by [`WorkerEvent`].

mod assignment;
mod worker;

pub use assignment::{ClusterView, LeaderState};
pub use worker::{Assigned, WorkerEvent, WorkerGroup, WorkerInput, WorkerSettings};

#[cfg(test)]
mod tests;
