//! The source and sink engines beside the Java worker, in one run on one Apache Kafka.
//!
//! `cargo build --release -p milena && cargo run --release -p milena-benches --bin engines -- --records 2000000`
//!
//! Each case is run once to warm up and then `--runs` times (3), Milena and Java in turns, on workers with the same
//! settings. The clock runs from the moment the first records are at their destination to the moment the last is there,
//! and what came in between is counted: the start of a connector, which a client alone does not have, is no part of a
//! rate. CPU is that of the whole worker process from the connector's creation on, by all records. Before that: the data
//! clients alone (our own, and the library's) with the same bytes, which warms up the broker. After it: our engine alone
//! with a client that does nothing, how long a record is on its way at a thousand a second, and the memory of a worker
//! whose sink does not move.
//!
//! `--case NAME,NAME` runs the cases with one of the names in theirs (`client`, `transactions`,
//! `engine`, `latency` and `stalled` are the others), `--no-java` leaves Java out, `--milena PATH` names another binary,
//! `--client library` its data client. Cases of dear records take a half or a quarter of `--records`.

mod alone;
mod cases;
mod input;
mod latency;
mod null;
mod stalled;
mod worker;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail};
use milena_kafka::DataClient;
use milena_testing_kafka::{BrokerOptions, KafkaBroker, scripts_machine};

use crate::{
    cases::{CASES, Case},
    worker::Bench,
};

/// One measured run.
#[derive(Clone, Copy, Debug)]
struct Figure {
    records: u64,
    /// Those that came while the clock ran.
    timed: u64,
    took: Duration,
    cpu: Duration,
}

impl Figure {
    fn per_second(&self) -> f64 {
        self.timed as f64 / self.took.as_secs_f64()
    }

    fn micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.records as f64
    }
}

struct Options {
    records: u64,
    runs: usize,
    only: Option<String>,
    java: bool,
    milena: PathBuf,
    /// `milena.kafka.client` of the worker.
    client: String,
}

/// The data clients that are measured alone.
const CLIENTS: [(DataClient, &str); 2] = [
    (DataClient::Native, "native"),
    (DataClient::Library, "library"),
];

impl Options {
    fn parse() -> Result<Self> {
        let beside = std::env::current_exe()?.with_file_name("milena");
        let mut options = Self {
            records: 2_000_000,
            runs: 3,
            only: None,
            java: true,
            milena: beside,
            client: "native".to_owned(),
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--records" => options.records = value()?.parse()?,
                "--runs" => options.runs = value()?.parse()?,
                "--case" => options.only = Some(value()?),
                "--milena" => options.milena = value()?.into(),
                "--client" => options.client = value()?,
                "--no-java" => options.java = false,
                other => bail!("unknown argument {other}"),
            }
        }
        if !options.milena.exists() {
            bail!("{} is missing: build it first", options.milena.display());
        }
        Ok(options)
    }

    fn takes(&self, name: &str) -> bool {
        let only = self.only.as_deref();
        only.is_none_or(|only| only.split(',').any(|only| name.contains(only)))
    }
}

fn main() -> Result<()> {
    let options = Options::parse()?;
    // The engine alone needs no broker.
    if options.only.as_deref() == Some("engine") {
        print_head(&options);
        return engine(&tokio::runtime::Runtime::new()?, &options);
    }
    let kafka = KafkaBroker::start_with(&BrokerOptions {
        jvm: Some(scripts_machine("1g", "1g")),
        ..BrokerOptions::default()
    })?;
    let runtime = tokio::runtime::Runtime::new()?;
    print_head(&options);
    if options.takes("client") {
        for (client, name) in CLIENTS {
            let (produced, fetched) = runtime.block_on(alone::run(
                &kafka.bootstrap(),
                client,
                options.records,
                options.runs,
            ))?;
            show("client alone, produce", name, &produced);
            show("client alone, fetch", name, &fetched);
        }
    }
    for exactly_once in [false, true] {
        let cases: Vec<&Case> = CASES
            .iter()
            .filter(|case| case.exactly_once == exactly_once && options.takes(case.name))
            .collect();
        if cases.is_empty() {
            continue;
        }
        let mut bench = Bench::start(&kafka.bootstrap(), &options, exactly_once)?;
        for case in cases {
            for (worker, figures) in
                bench.run(&runtime, case, options.records / case.part, options.runs)?
            {
                show(case.name, worker, &figures);
            }
        }
    }
    if options.takes("transactions") {
        let rests = [0, 1, 3, 6, 12].map(Duration::from_millis);
        let records = options.records / 4;
        let bootstrap = kafka.bootstrap();
        for (client, worker) in CLIENTS {
            let of = alone::transactions(&bootstrap, client, records, &rests);
            for (rest, figure) in runtime.block_on(of)? {
                let name = format!("transactions, rest {rest:?}");
                show(&name, worker, &[figure]);
            }
        }
    }
    if options.takes("latency") || options.takes("stalled") {
        let mut bench = Bench::start(&kafka.bootstrap(), &options, false)?;
        if options.takes("latency") {
            let broker = kafka.pid().context("the broker is gone")?;
            latency::run(&runtime, &mut bench, broker, options.runs)?;
        }
        if options.takes("stalled") {
            stalled::run(&runtime, &mut bench, options.records)?;
        }
    }
    drop(kafka);
    if options.takes("engine") {
        engine(&runtime, &options)?;
    }
    Ok(())
}

fn print_head(options: &Options) {
    println!(
        "{} records, {} runs after one to warm up; medians, least to most in brackets",
        options.records, options.runs
    );
    println!(
        "{:<24} {:<8} {:>28} {:>26}",
        "case", "worker", "records/s", "CPU µs per record"
    );
}

fn engine(runtime: &tokio::runtime::Runtime, options: &Options) -> Result<()> {
    let (source, sink) = runtime.block_on(null::run(options.records, options.runs))?;
    show("engine alone, source", "milena", &source);
    show("engine alone, sink", "milena", &sink);
    Ok(())
}

fn show(case: &str, worker: &str, figures: &[Figure]) {
    let spread = |of: fn(&Figure) -> f64, digits: usize| {
        let mut values: Vec<f64> = figures.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        format!(
            "{:.digits$} ({:.digits$}–{:.digits$})",
            at(values.len() / 2),
            at(0),
            at(values.len().saturating_sub(1))
        )
    };
    println!(
        "{case:<24} {worker:<8} {:>28} {:>26}",
        spread(Figure::per_second, 0),
        spread(Figure::micros, 2)
    );
}
