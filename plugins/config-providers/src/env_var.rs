//! `EnvVarConfigProvider`: environment variables are the keys, there is no path (KIP-887).

use async_trait::async_trait;
use milena_api::{ConfigProvider, ConnectError, ProvidedConfig};
use milena_config::{Props, Secret};
use milena_java_text::JavaRegex;

/// Values from the environment.
#[derive(Default)]
pub(crate) struct EnvVar {
    /// `allowlist.pattern`; `None`: all names.
    allowed: Option<JavaRegex>,
}

impl EnvVar {
    fn allows(&self, name: &str) -> bool {
        match &self.allowed {
            None => true,
            // A pattern that does not come to an end allows nothing.
            Some(pattern) => pattern.matches(name).unwrap_or(false),
        }
    }
}

#[async_trait]
impl ConfigProvider for EnvVar {
    fn configure(&mut self, config: &Props) -> Result<(), ConnectError> {
        self.allowed = match config.get("allowlist.pattern") {
            None => None,
            Some(pattern) => Some(JavaRegex::new(pattern).map_err(|error| {
                ConnectError::config(format!("invalid allowlist.pattern: {error}"))
            })?),
        };
        Ok(())
    }

    async fn get(
        &self,
        path: &str,
        keys: Option<&[String]>,
    ) -> Result<ProvidedConfig, ConnectError> {
        if !path.is_empty() {
            return Err(ConnectError::config(format!(
                "Path is not supported for EnvVarConfigProvider, invalid value '{path}'"
            )));
        }
        let wanted = |name: &String| keys.is_none_or(|keys| keys.contains(name));
        Ok(ProvidedConfig {
            values: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .filter(|(name, _)| wanted(name) && self.allows(name))
                .map(|(name, value)| (name, Secret::new(value)))
                .collect(),
            ttl: None,
        })
    }
}
