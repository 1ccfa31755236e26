//! `milena-sim`: runs seeds, and shows the trace of the first that breaks a promise.

use std::{collections::BTreeMap, time::Instant};

use clap::Parser;
use milena_sim::{
    Options,
    data::{Careless, DataOptions, SourceScenario, run_sink, run_source},
    run,
};

/// Simulated clusters under faults; every seed is one history.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// Simulated minutes with faults, per seed; healing and settling come on top.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Only this seed, with its trace.
    #[arg(long)]
    seed: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Lines of the trace to show.
    #[arg(long, default_value_t = 200)]
    lines: usize,
}

/// The wall clocks of one seed in three jump.
const fn jumps(seed: u64) -> bool {
    seed.is_multiple_of(3)
}

/// The JoinGroups of one seed in five come out of order.
const fn overtakes(seed: u64) -> bool {
    seed % 5 == 4
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let seeds = match arguments.seed {
        Some(seed) => seed..seed + 1,
        None => arguments.from..arguments.from + arguments.seeds,
    };
    let begun = Instant::now();
    let mut sometimes: BTreeMap<&'static str, u64> = BTreeMap::new();
    let (mut steps, mut failed) = (0, Vec::new());
    for seed in seeds.clone() {
        let options = Options {
            seed,
            minutes: arguments.minutes,
            clocks: jumps(seed),
            overtaken_joins: overtakes(seed),
            words: false,
        };
        let report = run(options);
        // One seed in a hundred is played twice: a history must not depend on anything but its seed.
        if seed % 100 == 1 && run(options).hash != report.hash {
            anyhow::bail!("seed {seed} has two different histories");
        }
        steps += report.steps;
        for (what, times) in report.sometimes {
            *sometimes.entry(what).or_default() += times;
        }
        // The data plane of the same seed: a source task and a group of sink tasks.
        let data = DataOptions {
            seed,
            minutes: arguments.minutes,
            careless: Careless::No,
        };
        for report in [
            run_source(SourceScenario::of_seed(seed), data),
            run_sink(data),
        ] {
            steps += report.steps;
            for (what, times) in report.sometimes {
                *sometimes.entry(what).or_default() += times;
            }
            if let Some((name, at, text)) = report.violation {
                println!("seed {seed}, data plane: {name} at {at} ms: {text}");
                failed.push(seed);
            }
        }
        if let Some(violation) = report.violation {
            println!(
                "seed {seed}: {} at {} ms: {}",
                violation.name, violation.at, violation.text
            );
            failed.push(seed);
        }
    }
    if let Some(seed) = arguments.seed.or(failed.first().copied()) {
        let report = run(Options {
            seed,
            minutes: arguments.minutes,
            clocks: jumps(seed),
            overtaken_joins: overtakes(seed),
            words: true,
        });
        let skip = report.trace.len().saturating_sub(arguments.lines);
        for line in report.trace.iter().skip(skip) {
            println!("{line}");
        }
        println!("seed {seed}: trace hash {:016x}", report.hash);
    }
    let seconds = begun.elapsed().as_secs_f64();
    for (what, times) in &sometimes {
        println!("{times:>10} {what}");
    }
    let count = seeds.end - seeds.start;
    println!(
        "{count} seeds, {:.1} simulated hours with faults, {steps} steps in {seconds:.1} s ({:.0}/s), {} failed",
        (count * arguments.minutes) as f64 / 60.0,
        steps as f64 / seconds,
        failed.len(),
    );
    anyhow::ensure!(failed.is_empty(), "failed seeds: {failed:?}");
    Ok(())
}
