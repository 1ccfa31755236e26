//! `milena completions`: the words of the command line for shells.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{failure::Failure, output};
use crate::cli::Cli;

/// Arguments of `milena completions`.
#[derive(Args)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Writes the script.
pub(crate) fn run(options: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(options.shell, &mut Cli::command(), "milena", &mut script);
    let _ = output::say(&String::from_utf8_lossy(&script));
    Ok(())
}
