//! `DirectoryConfigProvider`: a directory is the path, its files are the keys (KIP-421).

use std::path::Path;

use async_trait::async_trait;
use milena_api::{ConfigProvider, ConnectError, ProvidedConfig};
use milena_config::{MAX_FILE_BYTES, Props, Secret};
use tracing::warn;

use crate::allowed_paths::AllowedPaths;

/// Values from the files of a directory.
#[derive(Default)]
pub(crate) struct Directory {
    allowed: AllowedPaths,
}

#[async_trait]
impl ConfigProvider for Directory {
    fn configure(&mut self, config: &Props) -> Result<(), ConnectError> {
        self.allowed = AllowedPaths::new(config)?;
        Ok(())
    }

    async fn get(
        &self,
        path: &str,
        keys: Option<&[String]>,
    ) -> Result<ProvidedConfig, ConnectError> {
        let mut found = ProvidedConfig::default();
        if path.is_empty() {
            return Ok(found);
        }
        let Some(real) = self.allowed.real(Path::new(path)) else {
            return Ok(found);
        };
        if !real.is_dir() {
            warn!(
                path,
                "a config provider cannot read this path: it is no directory"
            );
            return Ok(found);
        }
        let listed = std::fs::read_dir(&real).map_err(|error| {
            ConnectError::config(format!("Could not list directory {path}: {error}"))
        })?;
        // The files are listed, never composed from a key: no key leads out of the directory.
        for entry in listed.flatten() {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if keys.is_some_and(|keys| !keys.contains(&name)) || !entry.path().is_file() {
                continue;
            }
            let Some(file) = self.allowed.real(&entry.path()) else {
                continue;
            };
            let failed = || {
                ConnectError::config(format!(
                    "Could not read file {path}/{name} for property {name}"
                ))
            };
            let size = std::fs::metadata(&file).map_err(|_| failed())?.len();
            if size > MAX_FILE_BYTES {
                return Err(failed());
            }
            let text = std::fs::read_to_string(&file).map_err(|_| failed())?;
            found.values.insert(name, Secret::new(text));
        }
        Ok(found)
    }
}
