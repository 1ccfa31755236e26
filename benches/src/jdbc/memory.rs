//! The memory of fresh workers, each with one task that has a lot to do: a table of narrow rows, rows of ten columns, a sink.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{Bench, TEN};

/// How long memory is watched.
const WATCH_MAX: Duration = Duration::from_secs(120);
/// Between two looks at the memory.
const LOOK: Duration = Duration::from_millis(100);
/// Rows with their schemas that the sink gets at most: a record of them has a kilobyte.
const SINK_ROWS_MAX: u64 = 1_000_000;

/// Reads `rows` narrow rows, then as many of ten columns, then writes some.
pub(crate) fn measure(bench: &Bench, rows: u64) -> Result<()> {
    let factor = rows.div_ceil(bench.rows);
    let sink = rows.min(SINK_ROWS_MAX);
    bench.sql(&format!(
        "create table large(id bigint not null, name text, amount numeric(12,2)); \
         insert into large select n,'name '||n,n/7.0 from generate_series(1,{rows}) n; \
         create table memory_sink{TEN}"
    ))?;
    let ten = |rows: u64| {
        format!("select s.* from generate_series(1,{factor}) g cross join source s limit {rows}")
    };
    let narrow = ("table.whitelist", "large");
    read(bench, "narrow", "large", rows, narrow, "false")?;
    read(bench, "ten", "", rows, ("query", &ten(rows)), "false")?;
    let with_schemas = ("query", &*ten(sink));
    read(bench, "schemas", "", sink, with_schemas, "true")?;
    let url = bench.url();
    let config = [
        (
            "connector.class",
            "io.confluent.connect.jdbc.JdbcSinkConnector",
        ),
        ("connection.url", &*url),
        ("topics", "schemas-"),
        ("table.name.format", "memory_sink"),
        ("insert.mode", "insert"),
        ("pk.mode", "none"),
        ("batch.size", &bench.batch),
        ("consumer.override.max.poll.records", &bench.poll),
    ];
    let count = || bench.watch.count("memory_sink").unwrap_or(0);
    watched(bench, "sink", sink, &config, count)
}

/// One task that reads so many rows.
fn read(
    bench: &Bench,
    name: &str,
    topic: &str,
    rows: u64,
    what: (&str, &str),
    schemas: &str,
) -> Result<()> {
    let (url, topics) = (bench.url(), format!("{name}-"));
    let config = bench.bulk(&url, &topics, what, schemas);
    let topic = format!("{name}-{topic}");
    let end = || bench.watch.end(&topic).unwrap_or(0);
    watched(bench, name, rows, &config, end)
}

/// A fresh worker with one connector, until it has done so much.
fn watched(
    bench: &Bench,
    name: &str,
    rows: u64,
    config: &[(&str, &str)],
    done: impl Fn() -> u64,
) -> Result<()> {
    let worker = bench.worker(&format!("memory-{name}"))?;
    let before = worker.rss_mib()?;
    bench.create(&worker.url, name, config)?;
    let begun = Instant::now();
    let (mut most, mut early, mut now) = (before, before, 0);
    while now < rows && begun.elapsed() < WATCH_MAX {
        now = done();
        most = most.max(worker.rss_mib()?);
        if now <= rows / 2 {
            early = most;
        }
        std::thread::park_timeout(LOOK);
    }
    println!(
        "milena: memory, {name}: {most:.1} MiB at most, {early:.1} MiB in the first half, {before:.1} MiB before; {now} of {rows} rows in {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    worker.terminate()
}
