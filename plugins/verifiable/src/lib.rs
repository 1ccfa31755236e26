//! The connectors that Apache Kafka tests Connect with, under the same class names and keys: sources of
//! numbered records, a sink that says what it was given, and connectors that fail on purpose.
//!
//! Answers to `org.apache.kafka.connect.tools` of the artifact `connect-test-plugins`.

mod connector;
mod json_line;
mod mock;
mod numbered;
mod schema_source;
mod throttle;
mod verifiable_sink;
mod verifiable_source;

use std::sync::Arc;

pub use connector::VERSION;
use milena_api::ConnectorPlugin;

/// All of them, by class name.
#[must_use]
pub fn connectors() -> Vec<Arc<dyn ConnectorPlugin>> {
    connector::connectors()
}
