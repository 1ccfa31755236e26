//! Names of metrics and logs, and what they must never show.

mod mbean;

pub use mbean::mbean_name;
