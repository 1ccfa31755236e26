//! Log lines on standard error, as text or JSON.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use milena_telemetry::{ContextLayer, JsonLines, TextLines};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt};

use crate::{exit::Exit, loggers};

/// How log lines look.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// What is logged when nothing else is said; the quickstart's display needs the terminal for itself.
const DEFAULT: &str = "info,confluent_kafka=warn";
const QUIET: &str = "warn,confluent_kafka=error";

/// Starts logging for the whole process.
pub(crate) fn start(format: LogFormat, filter: Option<&str>, quiet: bool) -> Result<(), Exit> {
    let text = filter.unwrap_or(if quiet { QUIET } else { DEFAULT });
    let filter = EnvFilter::try_new(text).map_err(|error| {
        Exit::cannot_start(format!("cannot understand --log {text:?}: {error}"))
    })?;
    let (filter, handle) = reload::Layer::new(filter);
    let lines = tracing_subscriber::registry()
        .with(filter)
        .with(ContextLayer);
    match format {
        LogFormat::Text => {
            let text = fmt::layer()
                .event_format(TextLines)
                .with_writer(io::stderr)
                .with_ansi(io::stderr().is_terminal());
            lines.with(text).init();
        }
        LogFormat::Json => {
            let json = fmt::layer().event_format(JsonLines).with_writer(io::stderr);
            lines.with(json).init();
        }
    }
    // A display keeps the terminal for itself also when REST sets the level of some logger.
    let root = if quiet { "WARN" } else { "INFO" };
    loggers::on_change(root, move |directives| {
        // Libraries below ours stay as quiet as they were.
        if let Ok(filter) =
            EnvFilter::try_new(format!("{directives},confluent_kafka=warn,hyper=warn"))
        {
            let _ = handle.reload(filter);
        }
    });
    Ok(())
}
