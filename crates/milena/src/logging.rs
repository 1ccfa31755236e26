//! Log lines on standard error, as text or JSON.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::exit::Exit;

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
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().init(),
    }
    Ok(())
}
