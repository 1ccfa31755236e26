//! How the REST layer reaches the loggers of this worker (spec 5.24, 5.25).

use std::collections::BTreeMap;

use crate::LoggerLevel;

/// A level that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoggerError {
    /// No such level.
    #[error("invalid log level '{0}'.")]
    InvalidLevel(String),
}

/// The loggers of this worker, under their Java names.
pub trait LoggerPort: Send + Sync {
    /// All loggers with a level of their own, and `root`.
    fn levels(&self) -> BTreeMap<String, LoggerLevel>;

    /// The effective level of a known logger.
    fn level(&self, logger: &str) -> Option<LoggerLevel>;

    /// Sets the level of a logger and of all whose name begins with it; answers those that changed, sorted.
    ///
    /// # Errors
    /// The level is none of ALL, TRACE, DEBUG, INFO, WARN, ERROR, FATAL, OFF (any case).
    fn set_level(&self, logger: &str, level: &str) -> Result<Vec<String>, LoggerError>;
}
