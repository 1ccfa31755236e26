//! The descriptors: one source and one sink, under the class names of each vendor.

use milena_api::{ConnectError, ConnectorInstance, ConnectorPlugin, PluginInfo, TaskInstance};
use milena_config::ConfigDef;

use crate::{VERSION, sink, source};

/// Whose keys and defaults a class name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// `io.aiven.connect.jdbc`.
    Aiven,
    /// `io.confluent.connect.jdbc`.
    Confluent,
}

/// The source.
pub struct JdbcSourcePlugin(pub Vendor);

/// The sink.
pub struct JdbcSinkPlugin(pub Vendor);

impl PluginInfo for JdbcSourcePlugin {
    fn class(&self) -> &str {
        match self.0 {
            Vendor::Aiven => "io.aiven.connect.jdbc.JdbcSourceConnector",
            Vendor::Confluent => "io.confluent.connect.jdbc.JdbcSourceConnector",
        }
    }
    fn version(&self) -> &str {
        VERSION
    }
}

impl ConnectorPlugin for JdbcSourcePlugin {
    fn is_source(&self) -> bool {
        true
    }
    fn config_def(&self) -> ConfigDef {
        source::config_def(self.0)
    }
    fn connector(&self) -> Result<ConnectorInstance, ConnectError> {
        Ok(ConnectorInstance::Source(Box::new(
            source::JdbcSource::new(self.0),
        )))
    }
    fn task(&self) -> Result<TaskInstance, ConnectError> {
        Ok(TaskInstance::Source(Box::new(source::JdbcSourceTask::new(
            self.0,
        ))))
    }
}

impl PluginInfo for JdbcSinkPlugin {
    fn class(&self) -> &str {
        match self.0 {
            Vendor::Aiven => "io.aiven.connect.jdbc.JdbcSinkConnector",
            Vendor::Confluent => "io.confluent.connect.jdbc.JdbcSinkConnector",
        }
    }
    fn version(&self) -> &str {
        VERSION
    }
}

impl ConnectorPlugin for JdbcSinkPlugin {
    fn is_source(&self) -> bool {
        false
    }
    fn config_def(&self) -> ConfigDef {
        sink::config_def(self.0)
    }
    fn connector(&self) -> Result<ConnectorInstance, ConnectError> {
        Ok(ConnectorInstance::Sink(Box::new(sink::JdbcSink::new(
            self.0,
        ))))
    }
    fn task(&self) -> Result<TaskInstance, ConnectError> {
        Ok(TaskInstance::Sink(Box::new(sink::JdbcSinkTask::new(
            self.0,
        ))))
    }
}
