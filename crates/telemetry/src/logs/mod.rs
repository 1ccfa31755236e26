//! Log lines: which connector and task a line is about, as text for people and as JSON for machines.
//!
//! Answers to `LoggingContext` and the pattern `%X{connector.context}` of Java's worker (KIP-449). Control characters
//! are escaped, so that no record and no request can forge a line.

mod context;
mod json;
mod text;

pub use context::{ContextLayer, connector_span, task_span};
pub use json::JsonLines;
pub use text::TextLines;
