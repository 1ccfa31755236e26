//! How the REST layer reaches plugins and validation (spec 5.21 to 5.23). Needs no network.

use async_trait::async_trait;

use crate::{ConfigInfos, ConfigKeyInfo, HerderError, PluginInfo, RawProps};

/// The plugins of this worker.
#[async_trait]
pub trait PluginPort: Send + Sync {
    /// The plugins in Java's order; only connectors when asked.
    fn plugins(&self, connectors_only: bool) -> Vec<PluginInfo>;

    /// The keys of a plugin, in order; `version` is a Maven version range.
    ///
    /// # Errors
    /// The plugin is unknown (404), not a plugin or not there in this version (400).
    fn plugin_config(
        &self,
        plugin: &str,
        version: Option<&str>,
    ) -> Result<Vec<ConfigKeyInfo>, HerderError>;

    /// Validates a connector's configuration, all errors at once.
    ///
    /// # Errors
    /// The connector class is missing or unknown, or a check itself failed.
    async fn validate(&self, config: &RawProps) -> Result<ConfigInfos, HerderError>;
}
