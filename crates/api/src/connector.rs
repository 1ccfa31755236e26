//! Connectors: they watch the outside system and split the work into task configurations.

use std::sync::Arc;

use async_trait::async_trait;
use milena_config::{ConfigDef, Props};

use crate::{ConnectError, ConnectorOffset, ExactlyOnceSupport, TransactionBoundaries};

/// What a connector may ask of the worker while it runs. A cheap handle; calls never block.
#[derive(Clone)]
pub struct ConnectorContext {
    requests: Arc<dyn Fn(ConnectorRequest) + Send + Sync>,
}

/// A request of a running connector.
#[derive(Clone, Debug)]
pub enum ConnectorRequest {
    /// The task configurations have changed: call `task_configs` again.
    Reconfigure,
    /// The connector cannot go on: it becomes FAILED with this error.
    Fail(ConnectError),
}

impl ConnectorContext {
    /// A context that hands requests to the given function.
    pub fn new(requests: impl Fn(ConnectorRequest) + Send + Sync + 'static) -> Self {
        Self {
            requests: Arc::new(requests),
        }
    }

    /// Asks for `task_configs` to be called again.
    pub fn request_task_reconfiguration(&self) {
        (self.requests)(ConnectorRequest::Reconfigure);
    }

    /// Fails the connector.
    pub fn raise_error(&self, error: ConnectError) {
        (self.requests)(ConnectorRequest::Fail(error));
    }
}

/// The part common to sources and sinks.
///
/// Order of calls: `start`, then any number of `task_configs`, then `stop`; no two calls at once.
/// `validate` may be called on an instance that was never started. A call that does not return before
/// its deadline is dropped, the instance with it, and the connector is FAILED.
#[async_trait]
pub trait Connector: Send + Sync {
    /// The definition of the connector's own keys (the worker adds the framework's).
    fn config_def(&self) -> ConfigDef;

    /// Further checks of a configuration that passed [`Self::config_def`], for example that tables
    /// exist. Answers (key, message) pairs. The default has none. Must not need the network unless the
    /// connector's documentation says so.
    async fn validate(&self, _config: &Props) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Starts watching. An error makes the connector FAILED.
    async fn start(&mut self, context: ConnectorContext, config: Props)
    -> Result<(), ConnectError>;

    /// The configurations of at most `tasks_max` tasks. Fewer is fine, more makes the connector FAILED
    /// unless `tasks.max.enforce=false`.
    async fn task_configs(&mut self, tasks_max: usize) -> Result<Vec<Props>, ConnectError>;

    /// Stops watching and frees what `start` took. Called also after a failed `start`.
    async fn stop(&mut self);
}

/// A connector whose tasks are sources.
#[async_trait]
pub trait SourceConnector: Connector {
    /// Whether it is exactly-once with this configuration (KIP-618).
    fn exactly_once_support(&self, _config: &Props) -> ExactlyOnceSupport {
        ExactlyOnceSupport::Unknown
    }

    /// Whether it can define transaction boundaries with this configuration (KIP-618).
    fn transaction_boundaries(&self, _config: &Props) -> TransactionBoundaries {
        TransactionBoundaries::Unsupported
    }

    /// Asked before offsets are altered or reset while the connector is STOPPED (KIP-875). `Ok(true)`:
    /// the connector manages them and has done its part; `Ok(false)`: it does not care; an error vetoes.
    async fn alter_offsets(
        &mut self,
        _config: &Props,
        _offsets: &[ConnectorOffset],
    ) -> Result<bool, ConnectError> {
        Ok(false)
    }
}

/// A connector whose tasks are sinks.
#[async_trait]
pub trait SinkConnector: Connector {
    /// As [`SourceConnector::alter_offsets`], for consumer offsets: `None` resets a partition.
    async fn alter_offsets(
        &mut self,
        _config: &Props,
        _offsets: &[(crate::TopicPartition, Option<i64>)],
    ) -> Result<bool, ConnectError> {
        Ok(false)
    }
}
