//! Config providers: they resolve `${provider:path:key}` (KIP-297, KIP-421).

use std::time::Duration;

use async_trait::async_trait;
use milena_config::{Props, Secret};

use crate::ConnectError;

/// What a provider answers: values that cannot be printed, and how long they hold.
#[derive(Clone, Debug, Default)]
pub struct ProvidedConfig {
    /// The values by key.
    pub values: std::collections::BTreeMap<String, Secret<String>>,
    /// After this long the connector is restarted (`config.action.reload`); `None`: they hold for ever.
    pub ttl: Option<Duration>,
}

/// A source of configuration values, configured in the worker's file only.
#[async_trait]
pub trait ConfigProvider: Send + Sync {
    /// Takes the provider's own keys (`config.providers.<name>.param.` removed).
    ///
    /// # Errors
    /// The keys do not fit; the worker does not start.
    fn configure(&mut self, config: &Props) -> Result<(), ConnectError>;

    /// The values of the given keys at a path; all keys when `keys` is `None`.
    async fn get(
        &self,
        path: &str,
        keys: Option<&[String]>,
    ) -> Result<ProvidedConfig, ConnectError>;
}
