//! The herder: every decision about what runs on a worker and what a request may do.
//!
//! Answers to `DistributedHerder` and `StandaloneHerder` (spec `distributed.md` 2.7 to 2.12, 6;
//! `rest-and-config.md` 13). It never blocks: what takes time is an effect with a token, and its outcome an input.

mod changes;
mod distributed;
mod error;
mod events;
mod fencing;
mod group;
mod healing;
mod io;
mod local;
mod ops;
mod privilege;
mod rebalance;
mod reconfigure;
mod request;
mod requests;
mod restart;
mod session;
mod settings;
mod statuses;
#[cfg(test)]
mod tests;

pub use distributed::DistributedHerder;
pub use error::RequestError;
pub use group::GroupView;
pub use healing::TaskHealing;
pub use io::{ConnectorEvent, HerderEffect, HerderInput, Outcome, TaskEvent, TopicRecord};
pub use local::{Incarnation, InstanceEffect};
pub use request::{
    Answer, ConnectorDescription, ConnectorHealing, ConnectorStatus, Reply, Request, RequestId,
    SignatureCheck,
};
pub use settings::{ExactlyOnceMode, HerderSettings, TaskRestarts};

/// Where a herder puts its effects.
pub type Sink = crate::effect::Effects<HerderEffect>;
