//! The loggers of this worker as REST sees them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use milena_rest_model::{LoggerError, LoggerLevel, LoggerPort};

const LEVELS: [&str; 8] = [
    "OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "ALL",
];

/// The levels that were set.
pub(crate) struct Loggers(Mutex<BTreeMap<String, LoggerLevel>>);

impl Default for Loggers {
    fn default() -> Self {
        let root = LoggerLevel {
            level: "INFO".to_owned(),
            last_modified: None,
        };
        Self(Mutex::new(BTreeMap::from([("root".to_owned(), root)])))
    }
}

impl LoggerPort for Loggers {
    fn levels(&self) -> BTreeMap<String, LoggerLevel> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn level(&self, logger: &str) -> Option<LoggerLevel> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(logger)
            .cloned()
    }

    fn set_level(&self, logger: &str, level: &str) -> Result<Vec<String>, LoggerError> {
        let wanted = level.trim().to_ascii_uppercase();
        if !LEVELS.contains(&wanted.as_str()) {
            return Err(LoggerError::InvalidLevel(level.to_owned()));
        }
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut levels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let below = format!("{logger}.");
        let covered = |name: &str| logger == "root" || name == logger || name.starts_with(&below);
        let mut names: Vec<String> = levels
            .keys()
            .filter(|name| covered(name))
            .cloned()
            .collect();
        if !names.iter().any(|name| name == logger) {
            names.push(logger.to_owned());
        }
        let mut changed = Vec::new();
        for name in names {
            let stamp = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
            let new = LoggerLevel {
                level: wanted.clone(),
                last_modified: Some(stamp),
            };
            if levels.get(&name).is_none_or(|old| old.level != wanted) {
                levels.insert(name.clone(), new);
                changed.push(name);
            }
        }
        changed.sort();
        Ok(changed)
    }
}
