//! `cargo xtask ci`: what continuous integration runs, in order of how soon it can fail.

use std::time::Instant;

use anyhow::Result;

use crate::{
    directions,
    run::{cargo, say, step},
    sizes, test, tour,
};

/// Format, lints, directions, sizes.
pub(crate) fn check() -> Result<()> {
    step("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    say("--- dependency directions");
    directions::check()?;
    say("--- file sizes");
    sizes::check()?;
    step(
        "lints",
        &mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]),
    )
}

/// All of it.
pub(crate) fn run() -> Result<()> {
    let begun = Instant::now();
    check()?;
    // The README's first command with a time limit, its output checked; then the commands of its tour.
    tour::run()?;
    // Histories of a cluster under faults; the tests of the simulator play only a few.
    step(
        "simulator",
        &mut cargo(&[
            "run",
            "--release",
            "--quiet",
            "--package",
            "milena-sim",
            "--",
            "--seeds",
            "1000",
            "--minutes",
            "10",
        ]),
    )?;
    // The README's second command.
    let tested = test::run(false);
    say(&format!(
        "--- all in {:.1} min",
        begun.elapsed().as_secs_f64() / 60.0
    ));
    tested
}
