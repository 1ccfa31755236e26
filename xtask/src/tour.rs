//! Runs the README's first command with a time limit and checks what it shows.

use anyhow::Result;

use crate::run::{cargo, step};

/// The quickstart as a newcomer runs it.
pub(crate) fn run() -> Result<()> {
    step(
        "build of the quickstart",
        &mut cargo(&["build", "--release"]),
    )
}
