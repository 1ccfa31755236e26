//! The world and what can happen in it.

mod clients;
mod engine;
mod faults;
mod host;
mod instances;
mod network;
mod oracle;
mod scenarios;
mod topics;

pub use engine::{Options, Report, run};
pub use oracle::Violation;
pub use scenarios::Scenario;
