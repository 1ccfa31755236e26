//! Plugin descriptors: what a registry lists. A foreign plugin host makes its own.

use milena_config::{ConfigDef, Props};

use crate::{
    ConfigProvider, ConnectError, ConverterInstance, ConverterUse, HeaderConverter, OverridePolicy,
    Predicate, SinkConnector, SinkTask, SourceConnector, SourceTask, TransformInstance,
};

/// What every plugin says of itself.
pub trait PluginInfo: Send + Sync {
    /// The full Java class name under which configurations name it.
    fn class(&self) -> &str;
    /// The version, as REST shows it.
    fn version(&self) -> &str;
}

/// A connector instance of either kind.
pub enum ConnectorInstance {
    /// A source.
    Source(Box<dyn SourceConnector>),
    /// A sink.
    Sink(Box<dyn SinkConnector>),
}

/// A task instance of either kind.
pub enum TaskInstance {
    /// A source task.
    Source(Box<dyn SourceTask>),
    /// A sink task.
    Sink(Box<dyn SinkTask>),
}

/// A connector plugin.
pub trait ConnectorPlugin: PluginInfo {
    /// Whether it is a source (else a sink).
    fn is_source(&self) -> bool;
    /// The definition of its own keys.
    fn config_def(&self) -> ConfigDef;
    /// A new, unstarted connector.
    ///
    /// # Errors
    /// It cannot be made (a foreign host is gone).
    fn connector(&self) -> Result<ConnectorInstance, ConnectError>;
    /// A new, unstarted task.
    ///
    /// # Errors
    /// It cannot be made (a foreign host is gone).
    fn task(&self) -> Result<TaskInstance, ConnectError>;
}

/// A converter plugin.
pub trait ConverterPlugin: PluginInfo {
    /// The definition of its keys.
    fn config_def(&self) -> ConfigDef;
    /// A configured instance.
    ///
    /// # Errors
    /// The configuration does not fit.
    fn converter(
        &self,
        config: &Props,
        usage: ConverterUse,
    ) -> Result<ConverterInstance, ConnectError>;
}

/// A header converter plugin.
pub trait HeaderConverterPlugin: PluginInfo {
    /// The definition of its keys.
    fn config_def(&self) -> ConfigDef;
    /// A configured instance.
    ///
    /// # Errors
    /// The configuration does not fit.
    fn header_converter(&self, config: &Props) -> Result<Box<dyn HeaderConverter>, ConnectError>;
}

/// A transform plugin.
pub trait TransformPlugin: PluginInfo {
    /// The definition of its keys.
    fn config_def(&self) -> ConfigDef;
    /// A configured instance.
    ///
    /// # Errors
    /// The configuration does not fit.
    fn transform(&self, config: &Props) -> Result<TransformInstance, ConnectError>;
}

/// A predicate plugin.
pub trait PredicatePlugin: PluginInfo {
    /// The definition of its keys.
    fn config_def(&self) -> ConfigDef;
    /// A configured instance.
    ///
    /// # Errors
    /// The configuration does not fit.
    fn predicate(&self, config: &Props) -> Result<Box<dyn Predicate>, ConnectError>;
}

/// A config provider plugin.
pub trait ProviderPlugin: PluginInfo {
    /// A new, unconfigured provider.
    fn provider(&self) -> Box<dyn ConfigProvider>;
}

/// An override policy plugin.
pub trait PolicyPlugin: PluginInfo {
    /// A new, unconfigured policy.
    fn policy(&self) -> Box<dyn OverridePolicy>;
}
