//! A worker of its own (`StandaloneConfig`, spec 8.6).

use std::path::PathBuf;

use super::{
    WorkerConfig, common_def,
    keys::{High, Required, String as Str, key},
};
use crate::{ConfigDef, ConfigError, Props};

/// The settings of a standalone worker.
#[derive(Clone, Debug)]
pub struct StandaloneConfig {
    /// What both modes have.
    pub worker: WorkerConfig,
    /// `offset.storage.file.filename`: where offsets of sources are kept.
    pub offset_file: PathBuf,
    /// Keys that nobody defines, in order; to be logged by name, never by value.
    pub unknown: Vec<String>,
}

/// The keys of a standalone worker.
#[must_use]
pub fn standalone_def() -> ConfigDef {
    common_def().define(key(
        "offset.storage.file.filename",
        Str,
        Required,
        High,
        "The file that keeps the offsets of sources.",
    ))
}

impl StandaloneConfig {
    /// Parses a worker's file whose variables have been resolved.
    ///
    /// # Errors
    /// The first violated rule, with Java's text.
    pub fn parse(props: &Props) -> Result<Self, ConfigError> {
        let def = standalone_def();
        let config = def.parse(props)?;
        let worker = WorkerConfig::from_parsed(&config, props)?;
        let unknown = super::common_unknown(&def, props);
        Ok(Self {
            worker,
            offset_file: PathBuf::from(config.text("offset.storage.file.filename")),
            unknown,
        })
    }
}
