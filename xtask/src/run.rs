//! Runs commands in the workspace and says what it does.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::Command,
    time::Instant,
};

use anyhow::{Context, Result, bail};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map(PathBuf::from).unwrap_or(manifest)
}

/// Where builds go.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Prints one line, flushed, so that it stands before the output of what runs next.
pub(crate) fn say(text: &str) {
    let mut out = io::stdout().lock();
    // Nobody is left to be told when standard output is gone.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Runs a command to its end and fails when it fails.
pub(crate) fn step(name: &str, command: &mut Command) -> Result<()> {
    say(&format!("--- {name}"));
    let begun = Instant::now();
    let status = command
        .current_dir(root())
        .status()
        .with_context(|| format!("{name}: cannot run {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    say(&format!(
        "--- {name}: ok in {:.0} s",
        begun.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// A cargo command.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

/// Whether a program answers on this machine.
pub(crate) fn answers(program: &str, arg: &str) -> bool {
    Command::new(program)
        .arg(arg)
        .output()
        .is_ok_and(|out| out.status.success())
}
