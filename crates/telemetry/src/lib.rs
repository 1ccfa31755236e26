//! Names of metrics and logs, and what they must never show.

mod mbean;
pub mod metrics;

pub use mbean::mbean_name;
