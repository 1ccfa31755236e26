//! The project's own commands: `cargo xtask test [--all]`, `cargo xtask ci`, `cargo xtask provision`.
//!
//! It never downloads a tool by itself: what the tests need comes through the system's package manager
//! and the ordinary clients of the package registries, and it says so before it acts.

mod ci;
mod clients;
mod databases;
mod directions;
mod printed;
mod provision;
mod run;
mod sizes;
mod test;
mod tour;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND

  test [--all]   run every test; installs what they need where it can, and counts what was skipped
                 (--all: a skipped test is a failure)
  ci             what continuous integration runs: format, lints, directions, sizes, the README's
                 two commands, the tour
  tour           the README's first command and every command that it shows, compared with what is printed
  provision      install what the tests need, and say what is missing
  check          format, lints, directions and sizes only";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["test"] => test::run(false),
        ["test", "--all"] => test::run(true),
        ["ci"] => ci::run(),
        ["check"] => ci::check(),
        ["tour"] => tour::run(),
        ["provision"] => provision::provision().map(|missing| {
            for line in missing.lines() {
                run::say(&line);
            }
        }),
        _ => {
            run::say(USAGE);
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            run::say(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
