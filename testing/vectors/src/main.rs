//! `milena-vectors FILE…`: runs the files, prints `area passed/total` and every failing id.

use std::{fs, process::ExitCode};

use anyhow::{Context, Result};
use milena_vectors::run_text;

fn main() -> Result<ExitCode> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() {
        anyhow::bail!("usage: milena-vectors FILE…");
    }
    let mut text = String::new();
    for file in &files {
        text.push_str(&fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?);
        text.push('\n');
    }
    let report = run_text(&text)?;
    let failed = report.failed();
    let rendered = report.render();
    std::io::Write::write_all(&mut std::io::stdout(), rendered.as_bytes())?;
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
