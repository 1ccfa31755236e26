//! `parity [--cases N] [--seed S] [--only TEXT]`: generated cases on both sides, ours and Java's.

use std::process::ExitCode;

use anyhow::{Context, Result};
use milena_vectors::parity::{cases, compare};

fn option(name: &str) -> Option<String> {
    let mut args = std::env::args();
    args.find(|arg| arg == name)?;
    args.next()
}

fn main() -> Result<ExitCode> {
    let count: usize = option("--cases")
        .map_or(Ok(100_000), |n| n.parse())
        .context("--cases")?;
    let seed: u64 = option("--seed")
        .map_or(Ok(1), |n| n.parse())
        .context("--seed")?;
    let only = option("--only").unwrap_or_default();
    let mut different = 0;
    for kind in cases::kinds()?
        .into_iter()
        .filter(|kind| kind.name.contains(&only))
    {
        let summary = compare(kind, count, seed)?;
        different += summary.different;
        println!(
            "{}: {} cases, {} different, {} of them in more than an error's text (seed {seed})",
            summary.name, summary.cases, summary.different, summary.outcomes
        );
        for (line, ours, java) in summary.shown {
            println!("  case {line}\n  ours {ours}\n  java {java}");
        }
    }
    Ok(if different == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
