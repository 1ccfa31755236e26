//! `FileConfigProvider`: a property file is the path, its keys are the keys.

use std::path::Path;

use async_trait::async_trait;
use milena_api::{ConfigProvider, ConnectError, ProvidedConfig};
use milena_config::{Charset, MAX_FILE_BYTES, Props, Secret, parse_properties};

use crate::allowed_paths::AllowedPaths;

/// Values from property files.
#[derive(Default)]
pub(crate) struct File {
    allowed: AllowedPaths,
}

#[async_trait]
impl ConfigProvider for File {
    fn configure(&mut self, config: &Props) -> Result<(), ConnectError> {
        self.allowed = AllowedPaths::new(config)?;
        Ok(())
    }

    async fn get(
        &self,
        path: &str,
        keys: Option<&[String]>,
    ) -> Result<ProvidedConfig, ConnectError> {
        if path.is_empty() {
            return Ok(ProvidedConfig::default());
        }
        let Some(real) = self.allowed.real(Path::new(path)) else {
            return Ok(ProvidedConfig::default());
        };
        let failed = || ConnectError::config(format!("Could not read properties from file {path}"));
        let size = std::fs::metadata(&real).map_err(|_| failed())?.len();
        if size > MAX_FILE_BYTES {
            return Err(failed());
        }
        let bytes = std::fs::read(&real).map_err(|_| failed())?;
        let entries = parse_properties(&bytes, Charset::Utf8).map_err(|_| failed())?;
        let wanted = |key: &String| keys.is_none_or(|keys| keys.contains(key));
        Ok(ProvidedConfig {
            values: entries
                .into_iter()
                .filter(|(key, _)| wanted(key))
                .map(|(key, value)| (key, Secret::new(value)))
                .collect(),
            ttl: None,
        })
    }
}
