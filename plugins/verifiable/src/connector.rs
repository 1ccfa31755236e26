//! The connectors: the mock ones have a single task with their configuration, the others as many as they may, each with its
//! number as `id`.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use milena_api::{
    ConnectError, Connector, ConnectorContext, ConnectorInstance, ConnectorPlugin, PluginInfo,
    SinkConnector, SourceConnector, TaskInstance,
};
use milena_config::{ConfigDef, Props};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    mock::{self, MockTask},
    schema_source::SchemaSourceTask,
    verifiable_sink::VerifiableSinkTask,
    verifiable_source::VerifiableSourceTask,
};

/// The version that these connectors report: that of the Kafka whose connectors they stand for.
pub const VERSION: &str = "4.3.1";

/// The key of a task's number.
pub(crate) const ID: &str = "id";

struct Plugin {
    class: &'static str,
    is_source: bool,
    task: fn() -> TaskInstance,
}

static PLUGINS: [Plugin; 5] = [
    Plugin {
        class: "org.apache.kafka.connect.tools.MockSinkConnector",
        is_source: false,
        task: || TaskInstance::Sink(Box::new(MockTask::default())),
    },
    Plugin {
        class: "org.apache.kafka.connect.tools.MockSourceConnector",
        is_source: true,
        task: || TaskInstance::Source(Box::new(MockTask::default())),
    },
    Plugin {
        class: "org.apache.kafka.connect.tools.SchemaSourceConnector",
        is_source: true,
        task: || TaskInstance::Source(Box::new(SchemaSourceTask::default())),
    },
    Plugin {
        class: "org.apache.kafka.connect.tools.VerifiableSinkConnector",
        is_source: false,
        task: || TaskInstance::Sink(Box::new(VerifiableSinkTask::default())),
    },
    Plugin {
        class: "org.apache.kafka.connect.tools.VerifiableSourceConnector",
        is_source: true,
        task: || TaskInstance::Source(Box::new(VerifiableSourceTask::default())),
    },
];

pub(crate) fn connectors() -> Vec<Arc<dyn ConnectorPlugin>> {
    PLUGINS
        .iter()
        .map(|plugin| Arc::new(plugin) as Arc<dyn ConnectorPlugin>)
        .collect()
}

impl PluginInfo for &'static Plugin {
    fn class(&self) -> &str {
        self.class
    }

    fn version(&self) -> &str {
        VERSION
    }
}

impl ConnectorPlugin for &'static Plugin {
    fn is_source(&self) -> bool {
        self.is_source
    }

    fn config_def(&self) -> ConfigDef {
        // As in Java: the tasks read their keys without a definition.
        ConfigDef::new()
    }

    fn connector(&self) -> Result<ConnectorInstance, ConnectError> {
        let connector = TestConnector {
            mock: self.class.contains(".Mock"),
            config: Props::new(),
            failing: None,
        };
        Ok(if self.is_source {
            ConnectorInstance::Source(Box::new(connector))
        } else {
            ConnectorInstance::Sink(Box::new(connector))
        })
    }

    fn task(&self) -> Result<TaskInstance, ConnectError> {
        Ok((self.task)())
    }
}

struct TestConnector {
    mock: bool,
    config: Props,
    /// Ends the wait for a failure that is to come.
    failing: Option<DropGuard>,
}

#[async_trait]
impl Connector for TestConnector {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }

    async fn start(
        &mut self,
        context: ConnectorContext,
        config: Props,
    ) -> Result<(), ConnectError> {
        if self.mock && mock::mode(&config) == Some("connector-failure") {
            let delay: Duration = mock::delay(&config)?;
            let stopped = CancellationToken::new();
            self.failing = Some(stopped.clone().drop_guard());
            tokio::spawn(async move {
                tokio::select! {
                    () = stopped.cancelled() => {}
                    () = tokio::time::sleep(delay) => context.raise_error(mock::failure()),
                }
            });
        }
        self.config = config;
        Ok(())
    }

    async fn task_configs(&mut self, tasks_max: usize) -> Result<Vec<Props>, ConnectError> {
        if self.mock {
            return Ok(vec![self.config.clone()]);
        }
        let one = |number: usize| {
            let mut config = self.config.clone();
            config.insert(ID.to_owned(), number.to_string());
            config
        };
        Ok((0..tasks_max).map(one).collect())
    }

    async fn stop(&mut self) {
        self.failing = None;
    }
}

#[async_trait]
impl SourceConnector for TestConnector {}

#[async_trait]
impl SinkConnector for TestConnector {}
