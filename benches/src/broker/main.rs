//! The embedded broker beside Apache Kafka: the same client, the same bytes, in one run.
//! `cargo run --release -p milena-benches --bin broker -- target/release/milena [RECORDS [ROUNDS]]`, or
//! `… -- target/release/milena large [PARTITIONS [MEGABYTES]]` for the start on much data.
//!
//! Both brokers run all the time and are measured in turn, after one round that counts for nothing. Processor
//! time is that of the broker's process; Apache Kafka runs with the Java options of its own start script.
#![allow(clippy::indexing_slicing, reason = "a benchmark may fail by panicking")]

mod client;
mod large;
mod process;

use std::{
    collections::VecDeque,
    env,
    io::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use client::Client;
use process::Broker;

const RECORD: usize = 200;
/// Records of a batch: as many as fit the default `batch.size` of a producer, 16 KiB.
const BATCH: i32 = 76;
/// `max.in.flight.requests.per.connection`.
const IN_FLIGHT: usize = 5;
/// Single produces whose latency is taken in a round.
const SINGLES: usize = 2_000;

/// A line of the table and where its figures are.
type Row = (&'static str, fn(&Figures) -> &Vec<f64>);

#[derive(Default)]
struct Figures {
    produced: Vec<f64>,
    produced_wall: Vec<f64>,
    consumed: Vec<f64>,
    consumed_wall: Vec<f64>,
    median: Vec<f64>,
    p99: Vec<f64>,
}

fn main() -> Result<()> {
    let mut args = env::args().skip(1);
    let usage = "usage: broker MILENA [RECORDS [ROUNDS]] | broker MILENA large [PARTITIONS [MB]]";
    let binary = PathBuf::from(args.next().context(usage)?);
    let first = args.next();
    if first.as_deref() == Some("large") {
        let partitions = args.next().map_or(Ok(10_000), |text| text.parse())?;
        let megabytes = args.next().map_or(Ok(10_000), |text| text.parse())?;
        return large::measure(&binary, partitions, megabytes);
    }
    let records: i64 = first.map_or(Ok(1_000_000), |text| text.parse())?;
    let rounds: usize = args.next().map_or(Ok(3), |text| text.parse())?;

    let mut starts: Vec<f64> = Vec::new();
    for _ in 0..9 {
        starts.push(Broker::milena(&binary)?.start.as_secs_f64() * 1000.0);
    }
    let brokers = [Broker::milena(&binary)?, Broker::kafka()?];
    std::thread::park_timeout(Duration::from_secs(3));
    let idle = [brokers[0].usage()?, brokers[1].usage()?];
    let mut figures = [Figures::default(), Figures::default()];
    for round in 0..=rounds {
        for (broker, figures) in brokers.iter().zip(&mut figures) {
            let topic = format!("bench-{round}");
            // The first round warms up.
            let mut none = Figures::default();
            let figures = if round == 0 { &mut none } else { figures };
            measure(broker, &topic, records, figures)?;
        }
    }
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{records} records of {RECORD} bytes, {rounds} rounds, medians"
    )?;
    writeln!(
        out,
        "{:<44}{:>14}{:>14}",
        "",
        brokers[0].name(),
        brokers[1].name()
    )?;
    let rows: [Row; 6] = [
        ("produced records per CPU second of the broker", |f| {
            &f.produced
        }),
        ("produced records per second", |f| &f.produced_wall),
        ("consumed records per CPU second of the broker", |f| {
            &f.consumed
        }),
        ("consumed records per second", |f| &f.consumed_wall),
        ("one acknowledged record, median, us", |f| &f.median),
        ("one acknowledged record, p99, us", |f| &f.p99),
    ];
    for (name, pick) in rows {
        let [ours, theirs] = [median(pick(&figures[0])), median(pick(&figures[1]))];
        writeln!(
            out,
            "{name:<46}{ours:>14.0}{theirs:>14.0}   x{:.2}",
            ours / theirs
        )?;
    }
    let last = [brokers[0].usage()?, brokers[1].usage()?];
    let mb = |kb: u64| kb as f64 / 1024.0;
    for (name, values) in [
        ("memory idle, MiB", [idle[0].rss_kb, idle[1].rss_kb]),
        (
            "memory after the load, MiB",
            [last[0].rss_kb, last[1].rss_kb],
        ),
        (
            "memory at most, MiB",
            [last[0].rss_most_kb, last[1].rss_most_kb],
        ),
    ] {
        writeln!(
            out,
            "{name:<46}{:>14.1}{:>14.1}",
            mb(values[0]),
            mb(values[1])
        )?;
    }
    let kafka = brokers[1].start.as_secs_f64() * 1000.0;
    writeln!(
        out,
        "{:<46}{:>14.1}{kafka:>14.0}",
        "start to the first answer, ms",
        median(&starts)
    )?;
    let least = starts.iter().copied().fold(f64::INFINITY, f64::min);
    writeln!(out, "{:<46}{least:>14.1}", "  the soonest of nine")?;
    Ok(())
}

fn measure(broker: &Broker, topic: &str, records: i64, figures: &mut Figures) -> Result<()> {
    let mut client = Client::connect(&broker.bootstrap)?;
    client.create(topic, 1)?;
    let mut produce = client.producer(topic, BATCH, RECORD)?;
    let batches = records / i64::from(BATCH);
    let (before, begun) = (broker.usage()?, Instant::now());
    let mut flying = 0;
    for _ in 0..batches {
        if flying == IN_FLIGHT {
            client.acknowledged()?;
            flying -= 1;
        }
        client.send(&mut produce)?;
        flying += 1;
    }
    for _ in 0..flying {
        client.acknowledged()?;
    }
    let (after, wall) = (broker.usage()?, begun.elapsed());
    let count = (batches * i64::from(BATCH)) as f64;
    figures
        .produced
        .push(count / (after.cpu - before.cpu).as_secs_f64());
    figures.produced_wall.push(count / wall.as_secs_f64());

    let (before, begun) = (broker.usage()?, Instant::now());
    // Once is over too soon for the clock of processor time.
    const TIMES: usize = 4;
    for _ in 0..TIMES {
        let mut next = 0;
        while next < batches * i64::from(BATCH) {
            next = client.fetch(topic, next)?;
        }
    }
    let (after, wall) = (broker.usage()?, begun.elapsed());
    let count = count * TIMES as f64;
    figures
        .consumed
        .push(count / (after.cpu - before.cpu).as_secs_f64());
    figures.consumed_wall.push(count / wall.as_secs_f64());

    let mut single = client.producer(topic, 1, RECORD)?;
    let mut taken: VecDeque<f64> = VecDeque::with_capacity(SINGLES);
    for _ in 0..SINGLES {
        let begun = Instant::now();
        client.send(&mut single)?;
        client.acknowledged()?;
        taken.push_back(begun.elapsed().as_secs_f64() * 1e6);
    }
    let mut taken: Vec<f64> = taken.into();
    taken.sort_by(f64::total_cmp);
    figures.median.push(taken[SINGLES / 2]);
    figures.p99.push(taken[SINGLES * 99 / 100]);
    Ok(())
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
