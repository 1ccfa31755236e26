//! Every seed that ever failed, for ever; and a few that never did.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use milena_sim::{
    Options,
    data::{Careless, DataOptions, SourceScenario, run_sink, run_source},
    run,
};

/// One seed a line, then the minutes, then what it once broke and which commit mended it.
const SEEDS: &str = include_str!("../seeds/failed.txt");

fn keeps_promises(seed: u64, minutes: u64) -> milena_sim::Report {
    let report = run(Options {
        seed,
        minutes,
        clocks: false,
        overtaken_joins: false,
        words: false,
    });
    if let Some(violation) = &report.violation {
        panic!(
            "seed {seed}: {} at {} ms: {}\nsee it with: cargo run --release -p milena-sim -- --seed {seed} --minutes {minutes}",
            violation.name, violation.at, violation.text
        );
    }
    let data = DataOptions {
        seed,
        minutes,
        careless: Careless::No,
    };
    for report in [
        run_source(SourceScenario::of_seed(seed), data),
        run_sink(data),
    ] {
        if let Some((name, at, text)) = report.violation {
            panic!("seed {seed}, data plane: {name} at {at} ms: {text}");
        }
    }
    report
}

#[test]
fn seeds_that_once_failed_keep_every_promise() {
    let lines = SEEDS
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    for line in lines {
        let mut words = line.split_whitespace();
        let mut number = || words.next().unwrap().parse::<u64>().unwrap();
        keeps_promises(number(), number());
    }
}

#[test]
fn other_seeds_keep_every_promise_and_see_what_a_run_should_see() {
    let mut sometimes = std::collections::BTreeMap::new();
    for seed in 10_000..10_040 {
        for (what, times) in keeps_promises(seed, 5).sometimes {
            *sometimes.entry(what).or_insert(0) += times;
        }
    }
    // A run in which nothing happened is a failed run.
    for what in [
        "answers lost",
        "clean stops",
        "config mismatches",
        "connectors deleted",
        "coordinator away",
        "cuts",
        "delays",
        "freezes",
        "kills",
        "outcomes unknown",
        "requests lost",
        "revocations",
        "sessions expired",
    ] {
        assert!(
            sometimes.get(what).is_some_and(|times| *times > 0),
            "never happened: {what}"
        );
    }
}

#[test]
fn a_seed_is_one_history() {
    let options = Options {
        seed: 7,
        minutes: 5,
        clocks: false,
        overtaken_joins: false,
        words: false,
    };
    assert_eq!(run(options).hash, run(options).hash);
    assert_ne!(run(options).hash, run(Options { seed: 8, ..options }).hash);
}

#[test]
fn wall_clocks_that_jump_by_hours_break_nothing() {
    let mut jumps = 0;
    for seed in 20_000..20_012 {
        let report = run(Options {
            seed,
            minutes: 5,
            clocks: true,
            overtaken_joins: false,
            words: false,
        });
        assert!(
            report.violation.is_none(),
            "seed {seed}: {:?}",
            report.violation
        );
        jumps += report.sometimes.get("clocks jumped").copied().unwrap_or(0);
    }
    assert!(jumps > 0, "no clock jumped");
}
