//! Names of metrics and logs, and what they must never show.

mod logs;
mod mbean;
pub mod metrics;

pub use logs::{ContextLayer, JsonLines, TextLines, connector_span, task_span};
pub use mbean::mbean_name;
