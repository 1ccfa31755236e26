//! The loggers of this process: levels that REST sets reach the log lines at once.

use std::sync::{Arc, OnceLock};

use milena_rest::Loggers;
use milena_rest_model::LoggerPort;
use milena_runtime::worker::LoggerLevels;
use tracing::warn;

/// Takes the directives of all levels.
type Apply = Box<dyn Fn(&str) + Send + Sync>;

static APPLY: OnceLock<Apply> = OnceLock::new();
static LOGGERS: OnceLock<Arc<Loggers>> = OnceLock::new();
static ROOT: OnceLock<&'static str> = OnceLock::new();

/// Remembers how the log's filter is changed, and the level that the root logger begins with.
pub(crate) fn on_change(root: &'static str, apply: impl Fn(&str) + Send + Sync + 'static) {
    let _ = ROOT.set(root);
    let _ = APPLY.set(Box::new(apply));
}

/// The loggers as REST sees them; one set for the whole process.
pub(crate) fn port() -> Arc<Loggers> {
    let make = || {
        let root = ROOT.get().copied().unwrap_or("INFO");
        Arc::new(Loggers::new(root, |directives| {
            if let Some(apply) = APPLY.get() {
                apply(directives);
            }
        }))
    };
    Arc::clone(LOGGERS.get_or_init(make))
}

/// Levels that were set for the whole cluster.
pub(crate) struct ClusterLevels;

impl LoggerLevels for ClusterLevels {
    fn set_level(&self, namespace: &str, level: &str) {
        if let Err(error) = port().set_level(namespace, level) {
            warn!(%error, "a logger level of the cluster is not understood");
        }
    }
}
