//! How long a broker takes to start where much lies: after it was ended, and after it was killed.

use std::{
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    client::{Client, batch},
    process::Broker,
};

/// Partitions of a topic.
const EACH: i32 = 100;
/// Records of a batch, and the bytes of one: 16 of them make a megabyte.
const RECORDS: i32 = 62;
const RECORD: usize = 1_000;
/// Batches that are written to a partition before the next one's turn, at most.
const BATCHES: usize = 16;

/// Writes so many megabytes into so many partitions and starts a broker on them.
pub(crate) fn measure(binary: &Path, partitions: i32, megabytes: usize) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let dir = tempfile::tempdir()?;
    let of = |partition: i32| (format!("large-{}", partition / EACH), partition % EACH);
    let broker = Broker::milena_on(binary, dir.path())?;
    let mut client = Client::connect(&broker.bootstrap)?;
    for first in (0..partitions).step_by(EACH as usize) {
        client.create(&of(first).0, EACH.min(partitions - first))?;
    }
    // A request carries one batch to a partition: as producers send them.
    let one = batch((-1, -1), RECORDS, RECORD)?;
    let begun = Instant::now();
    let mut written = 0_usize;
    let wanted = megabytes * 1_000_000;
    // Little data is spread over all partitions too.
    let share = wanted / (one.len() * usize::try_from(partitions)?);
    'all: for _ in 0.. {
        for partition in 0..partitions {
            for _ in 0..share.clamp(1, BATCHES) {
                let (topic, number) = of(partition);
                client.write(&topic, number, &one)?;
                written += one.len();
            }
            if written >= wanted {
                break 'all;
            }
        }
    }
    let wall = begun.elapsed();
    writeln!(
        out,
        "{partitions} partitions, {:.2} GB, written in {wall:.1?}",
        written as f64 / 1e9
    )?;
    let middle = of(partitions / 2);
    let last = i64::from(RECORDS);
    drop(client);
    // Killed: what was open is looked at again.
    drop(broker);
    let mut broker = started(
        &mut out,
        "after kill -9",
        binary,
        dir.path(),
        &middle.0,
        last,
    )?;
    for _ in 0..3 {
        let took = broker.stop()?;
        writeln!(out, "ended in {took:.1?}")?;
        broker = started(
            &mut out,
            "after an end",
            binary,
            dir.path(),
            &middle.0,
            last,
        )?;
    }
    Ok(())
}

fn started(
    out: &mut impl std::io::Write,
    what: &str,
    binary: &Path,
    dir: &Path,
    topic: &str,
    records: i64,
) -> Result<Broker> {
    let begun = Instant::now();
    let broker = Broker::milena_on(binary, dir)?;
    let usage = broker.usage()?;
    let mut client = Client::connect(&broker.bootstrap)?;
    anyhow::ensure!(client.fetch(topic, 0)? >= records, "records are lost");
    let read: Duration = begun.elapsed();
    writeln!(
        out,
        "start {what}: first answer {:.0?}, first records {read:.0?}, of it {:.0?} processor time; {:.1} MiB",
        broker.start,
        usage.cpu,
        usage.rss_kb as f64 / 1024.0
    )?;
    Ok(broker)
}
