//! The simulated world: real herders, memberships and assignors; a modelled coordinator, log, network, and plugins;
//! every fault the design names; an oracle that looks after every step.
//!
//! One seed is one history. It never reads a clock, and two runs of a seed have the same trace hash.

pub mod cleaner;
pub mod coordinator;
pub mod data;
pub mod rng;
pub mod trace;
mod world;

pub use world::{Options, Report, Scenario, Violation, run};
