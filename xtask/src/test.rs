//! `cargo xtask test`: every test, with what it needs, and a count that hides nothing.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
};

use anyhow::{Context, Result, bail};

use crate::{
    clients,
    provision::{kafka_libs, provision, scratch},
    run::{cargo, root, say},
};

/// Runs every test. A test that cannot run for a missing prerequisite writes its name to the file that
/// `MILENA_SKIP_LOG` names; with `all` that is a failure.
pub(crate) fn run(all: bool) -> Result<()> {
    let missing = provision()?;
    let skip_log = scratch("test")?.join("skipped");
    fs::write(&skip_log, "")?;
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.current_dir(root()).stdout(Stdio::piped());
    command
        .env("MILENA_SKIP_LOG", &skip_log)
        .env("MILENA_KAFKA_LIBS", kafka_libs())
        .env("MILENA_CLIENTS", clients::folder());
    for (variable, reason) in &missing.0 {
        command.env(variable, reason);
    }
    let mut child = command.spawn().context("cannot run cargo test")?;
    let stdout = child.stdout.take().context("no output of cargo test")?;
    let mut counts = Counts::default();
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        counts.read(&line);
        say(&line);
    }
    let status = child.wait()?;
    let skipped: Vec<String> = fs::read_to_string(&skip_log)?
        .lines()
        .map(str::to_owned)
        .collect();
    for line in missing.lines() {
        say(&line);
    }
    for name in &skipped {
        say(&format!("skipped: {name}"));
    }
    // A skipped test returns early and is counted as passed by the test harness.
    let passed = counts.passed.saturating_sub(skipped.len() as u64);
    let failed = counts.failed + u64::from(!status.success() && counts.failed == 0);
    say(&format!(
        "{passed} passed, {failed} failed, {} skipped",
        skipped.len()
    ));
    if !status.success() {
        bail!("tests failed");
    }
    if all && !skipped.is_empty() {
        bail!(
            "{} tests were skipped and --all was asked for",
            skipped.len()
        );
    }
    Ok(())
}

#[derive(Default)]
struct Counts {
    passed: u64,
    failed: u64,
}

impl Counts {
    /// Adds up lines of the form `test result: ok. 3 passed; 0 failed; …`.
    fn read(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else {
            return;
        };
        let words: Vec<&str> = rest.split_whitespace().collect();
        for pair in words.windows(2) {
            let [number, what] = pair else { continue };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match *what {
                "passed;" => self.passed += number,
                "failed;" => self.failed += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn the_closing_lines_add_up() {
        let mut counts = Counts::default();
        counts.read("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        counts.read("test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured");
        assert_eq!((counts.passed, counts.failed), (5, 4));
    }
}
