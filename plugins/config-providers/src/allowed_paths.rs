//! `allowed.paths` of the file and directory providers (`AllowedPaths`, KIP-993).
//!
//! Unlike Java, links are followed before paths are compared, so that a link cannot lead out of an allowed
//! directory.

use std::path::{Path, PathBuf};

use milena_api::ConnectError;
use milena_config::Props;
use tracing::warn;

/// The paths under which a provider may read.
#[derive(Default)]
pub(crate) struct AllowedPaths {
    /// `None`: everywhere.
    allowed: Option<Vec<PathBuf>>,
}

impl AllowedPaths {
    /// Takes `allowed.paths`.
    pub(crate) fn new(config: &Props) -> Result<Self, ConnectError> {
        let Some(text) = config
            .get("allowed.paths")
            .filter(|text| !text.trim().is_empty())
        else {
            return Ok(Self::default());
        };
        let mut allowed = Vec::new();
        for one in text.split(',').map(str::trim) {
            if !Path::new(one).is_absolute() {
                return Err(ConnectError::config(format!("Path {one} is not absolute")));
            }
            let real = std::fs::canonicalize(one);
            allowed.push(
                real.map_err(|_| ConnectError::config(format!("Path {one} does not exist")))?,
            );
        }
        Ok(Self {
            allowed: Some(allowed),
        })
    }

    /// The path to read, when it is allowed.
    pub(crate) fn real(&self, path: &Path) -> Option<PathBuf> {
        let Some(allowed) = &self.allowed else {
            return Some(path.to_owned());
        };
        let real = std::fs::canonicalize(path).ok();
        let inside = real.filter(|real| allowed.iter().any(|one| real.starts_with(one)));
        if inside.is_none() {
            warn!(path = %path.display(), "a config provider may not read this path: it is outside of allowed.paths, or not there");
        }
        inside
    }
}
