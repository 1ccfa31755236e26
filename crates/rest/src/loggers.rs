//! The loggers of a worker under their Java names (spec 5.24, 5.25, oracle "Loggers"), and what they mean for ours.
//!
//! It only keeps levels; whoever writes log lines is told by a function that takes the directives.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use milena_rest_model::{LoggerError, LoggerLevel, LoggerPort};

const LEVELS: &[&str] = &[
    "OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "ALL",
];
const ROOT: &str = "root";

/// Java's names for our modules; the longest name that a logger begins with counts.
const MODULES: &[(&str, &[&str])] = &[
    (
        "org.apache.kafka.clients",
        &["milena_kafka", "confluent_kafka"],
    ),
    (
        "org.apache.kafka.common",
        &["milena_kafka", "confluent_kafka"],
    ),
    (
        "org.apache.kafka.connect",
        &[
            "milena",
            "milena_core",
            "milena_rest",
            "milena_runtime",
            "milena_validation",
        ],
    ),
    (
        "org.apache.kafka.connect.converters",
        &["milena_converters"],
    ),
    ("org.apache.kafka.connect.file", &["milena_file"]),
    ("org.apache.kafka.connect.json", &["milena_converters"]),
    (
        "org.apache.kafka.connect.runtime",
        &["milena_core", "milena_runtime"],
    ),
    (
        "org.apache.kafka.connect.runtime.distributed",
        &["milena_core::herder", "milena_runtime::worker"],
    ),
    ("org.apache.kafka.connect.runtime.rest", &["milena_rest"]),
    (
        "org.apache.kafka.connect.runtime.rest.RestServer",
        &["milena_rest::access"],
    ),
    (
        "org.apache.kafka.connect.storage",
        &["milena_runtime::worker"],
    ),
    (
        "org.apache.kafka.connect.transforms",
        &["milena_transforms", "milena_predicates"],
    ),
];

/// What the logger of one connector begins with; the connector's name follows.
const CONNECTOR: &str = "milena.connectors.";
/// How many loggers are kept; clients may name any, and none is ever forgotten.
const MAX_LOGGERS: usize = 4096;

type Apply = dyn Fn(&str) + Send + Sync;

/// The levels of the loggers of a worker.
pub struct Loggers {
    levels: Mutex<BTreeMap<String, LoggerLevel>>,
    apply: Box<Apply>,
}

impl Loggers {
    /// Loggers of a root level; `apply` is told the directives of all levels, `target=level` separated by
    /// commas, whenever one changes.
    pub fn new(root: &str, apply: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let unset = |level: &str| LoggerLevel {
            level: level.to_owned(),
            last_modified: None,
        };
        let mut levels = BTreeMap::from([(ROOT.to_owned(), unset(root))]);
        for (name, _) in MODULES {
            levels.insert((*name).to_owned(), unset(root));
        }
        Self {
            levels: Mutex::new(levels),
            apply: Box::new(apply),
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, LoggerLevel>> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The level of a logger, or of the nearest one above it.
fn effective(levels: &BTreeMap<String, LoggerLevel>, logger: &str) -> Option<LoggerLevel> {
    let mut name = logger;
    loop {
        if let Some(level) = levels.get(name) {
            return Some(level.clone());
        }
        match name.rsplit_once('.') {
            Some((above, _)) => name = above,
            None => return levels.get(ROOT).cloned(),
        }
    }
}

/// What the levels mean for our modules.
fn directives(levels: &BTreeMap<String, LoggerLevel>) -> String {
    let ours = |level: &str| match level {
        "OFF" => "off",
        "FATAL" | "ERROR" => "error",
        "WARN" => "warn",
        "INFO" => "info",
        "DEBUG" => "debug",
        _ => "trace",
    };
    let root = levels
        .get(ROOT)
        .map_or("INFO", |level| level.level.as_str());
    let mut text = ours(root).to_owned();
    for (name, level) in levels.iter().filter(|(name, _)| *name != ROOT) {
        let known = MODULES.iter().find(|(java, _)| java == name);
        let targets: Vec<&str> = match known {
            Some((_, targets)) => targets.to_vec(),
            // The lines of one connector and its tasks, whichever module writes them.
            None if name.starts_with(CONNECTOR) => {
                let connector = name.strip_prefix(CONNECTOR).unwrap_or_default();
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
                if !connector.is_empty() && connector.chars().all(plain) {
                    text.push_str(&format!(
                        ",[work{{connector={connector}}}]={}",
                        ours(&level.level)
                    ));
                }
                continue;
            }
            // A module of ours may be named as it is; nothing else here writes lines.
            None if name.starts_with("milena") || name.starts_with("confluent_kafka") => vec![name],
            None => Vec::new(),
        };
        for target in targets {
            text.push_str(&format!(",{target}={}", ours(&level.level)));
        }
    }
    text
}

impl LoggerPort for Loggers {
    fn levels(&self) -> BTreeMap<String, LoggerLevel> {
        self.held().clone()
    }

    fn level(&self, logger: &str) -> Option<LoggerLevel> {
        let levels = self.held();
        let name = if logger.eq_ignore_ascii_case(ROOT) {
            ROOT
        } else {
            logger
        };
        levels.get(name).cloned()
    }

    fn set_level(&self, logger: &str, level: &str) -> Result<Vec<String>, LoggerError> {
        let wanted = level.trim().to_ascii_uppercase();
        if !LEVELS.contains(&wanted.as_str()) {
            return Err(LoggerError::InvalidLevel(level.to_owned()));
        }
        let is_root = logger.eq_ignore_ascii_case(ROOT);
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let stamp = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        let mut levels = self.held();
        // A new logger has the level of those above it until it is told otherwise.
        let logger = if is_root { ROOT } else { logger };
        if levels.len() < MAX_LOGGERS
            && !levels.contains_key(logger)
            && let Some(inherited) = effective(&levels, logger)
        {
            levels.insert(
                logger.to_owned(),
                LoggerLevel {
                    last_modified: None,
                    ..inherited
                },
            );
        }
        let mut changed = Vec::new();
        for (name, held) in levels.iter_mut() {
            if (is_root || name.starts_with(logger)) && held.level != wanted {
                *held = LoggerLevel {
                    level: wanted.clone(),
                    last_modified: Some(stamp),
                };
                changed.push(name.clone());
            }
        }
        if !changed.is_empty() {
            (self.apply)(&directives(&levels));
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use milena_rest_model::LoggerPort;

    use super::Loggers;

    #[test]
    fn a_level_reaches_all_loggers_whose_name_begins_so() {
        let told = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&told);
        let loggers = Loggers::new("INFO", move |text| *heard.lock().unwrap() = text.to_owned());
        let changed = loggers
            .set_level("org.apache.kafka.connect.runtime", "debug")
            .unwrap();
        assert_eq!(changed.len(), 4);
        assert!(told.lock().unwrap().contains(",milena_runtime=debug"));
        assert!(told.lock().unwrap().contains(",milena_rest=debug"));
        // The same again changes nothing; a child that inherits the level comes to be, unchanged.
        assert!(
            loggers
                .set_level("org.apache.kafka.connect.runtime", "DEBUG")
                .unwrap()
                .is_empty()
        );
        assert!(
            loggers
                .set_level("org.apache.kafka.connect.runtime.x", "DEBUG")
                .unwrap()
                .is_empty()
        );
        let level = loggers.level("org.apache.kafka.connect.runtime.x").unwrap();
        assert_eq!((level.level.as_str(), level.last_modified), ("DEBUG", None));
        assert!(loggers.level("does.not.exist").is_none());
        assert!(
            loggers
                .set_level("root", "WARN")
                .unwrap()
                .contains(&"root".to_owned())
        );
        assert!(loggers.set_level("root", "bogus").is_err());
    }

    #[test]
    fn a_connector_has_a_logger_of_its_own() {
        let told = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&told);
        let loggers = Loggers::new("INFO", move |text| *heard.lock().unwrap() = text.to_owned());
        loggers
            .set_level("milena.connectors.my-sink", "TRACE")
            .unwrap();
        assert!(
            told.lock()
                .unwrap()
                .contains(",[work{connector=my-sink}]=trace")
        );
        // A name that the filter's language would take for something else changes nothing.
        loggers
            .set_level("milena.connectors.a}]=x,b", "TRACE")
            .unwrap();
        assert!(!told.lock().unwrap().contains("=x"));
    }
}
