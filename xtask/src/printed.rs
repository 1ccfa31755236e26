//! The README's ```` ```console ```` blocks: each `$` command is run, and what it prints is what stands below it.
//!
//! Only the address of the worker and the width of columns may differ, and what stands as `…`: a word, or any
//! number of lines.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::run::{root, say, target_dir};

/// The address that stands in the README.
const ADDRESS: &str = "127.0.0.1:8083";

/// A command and what it prints.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    command: String,
    output: Vec<String>,
}

/// Runs the commands against the worker at this URL, whose demo writes to this directory, and compares.
pub(crate) fn check(readme: &str, url: &str, dir: &Path) -> Result<()> {
    let shown = blocks(readme);
    if shown.is_empty() {
        bail!("README.md shows no command with its output");
    }
    let address = url.trim_start_matches("http://");
    for one in &shown {
        let printed = run(&one.command, url, dir)?;
        let printed: Vec<String> = printed
            .lines()
            .map(|line| plain(&line.replace(address, ADDRESS)))
            .filter(|line| !line.is_empty())
            .collect();
        let expected: Vec<String> = one
            .output
            .iter()
            .map(|line| plain(line))
            .filter(|line| !line.is_empty())
            .collect();
        if !same(&expected, &printed) {
            bail!(
                "README.md shows another output of `{}` than it prints:\n{}",
                one.command,
                printed.join("\n")
            );
        }
        say(&format!("  {} prints what README.md shows", one.command));
    }
    Ok(())
}

/// What changes from run to run, in the README.
const ANY: &str = "…";

/// Whether the lines are what is expected.
fn same(expected: &[String], printed: &[String]) -> bool {
    match (expected.split_first(), printed.split_first()) {
        (None, _) => printed.is_empty(),
        (Some((line, rest)), _) if line == ANY => (0..=printed.len())
            .any(|skipped| same(rest, printed.get(skipped..).unwrap_or_default())),
        (Some(_), None) => false,
        (Some((line, expected)), Some((other, printed))) => {
            let (words, others) = (line.split(' '), other.split(' '));
            words.clone().count() == others.clone().count()
                && words
                    .zip(others)
                    .all(|(word, other)| word == ANY || word == other)
                && same(expected, printed)
        }
    }
}

/// Without the spaces that only align.
fn plain(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn run(command: &str, url: &str, dir: &Path) -> Result<String> {
    let mut words = command.split_whitespace();
    if words.next() != Some("milena") {
        bail!("README.md: `{command}` is no command of milena");
    }
    let program: PathBuf = target_dir().join("release").join("milena");
    let out = Command::new(&program)
        .args(words)
        .current_dir(root())
        .env("MILENA_URL", url)
        .env("MILENA_QUICKSTART_DIR", dir)
        .env_remove("COLUMNS")
        .output()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let mut text = String::from_utf8_lossy(&out.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&out.stderr));
    Ok(text)
}

/// The commands of all console blocks, in order.
fn blocks(readme: &str) -> Vec<Shown> {
    let (mut shown, mut inside): (Vec<Shown>, bool) = (Vec::new(), false);
    for line in readme.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if inside && let Some(command) = line.strip_prefix("$ ") {
            shown.push(Shown {
                command: command.to_owned(),
                output: Vec::new(),
            });
        } else if inside && let Some(last) = shown.last_mut() {
            last.output.push(line.to_owned());
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{Shown, blocks, same};

    #[test]
    fn what_changes_may_stand_as_dots() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let expected = lines("a: … b\n…\nend");
        assert!(same(&expected, &lines("a: 1 b\nend")));
        assert!(same(&expected, &lines("a: 2 b\nx\ny\nend")));
        assert!(!same(&expected, &lines("a: 2 c\nx\ny\nend")));
        assert!(!same(&expected, &lines("a: 2 b\nx\ny")));
    }

    #[test]
    fn commands_are_read_with_their_output() {
        let readme = "a\n```console\n$ milena x\none\n\ntwo\n$ milena y\n```\nb\n```\n$ no\n```\n";
        let shown = |command: &str, output: &[&str]| Shown {
            command: command.to_owned(),
            output: output.iter().map(|line| (*line).to_owned()).collect(),
        };
        assert_eq!(
            blocks(readme),
            [
                shown("milena x", &["one", "", "two"]),
                shown("milena y", &[])
            ]
        );
    }
}
