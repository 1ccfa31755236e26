//! The `milena` binary: wiring only. It parses the command line, puts the parts together and ends with a
//! documented exit code (`docs/exit-codes.md`). It decides nothing that a worker decides.

mod basic_auth;
mod broker_file;
mod cli;
mod exit;
mod loggers;
mod logging;
mod modes;
mod plugins;
mod properties;
mod providers;
mod quickstart;
mod signals;
mod verbs;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os()).unwrap_or_else(exit::report)
}
