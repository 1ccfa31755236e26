//! How long after its commit a changed row is seen by a reader of the topic.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use milena_kafka::ports::{ClientProps, StartAt};

use crate::{Bench, process::Worker};

const POLL: Duration = Duration::from_millis(100);
const UPDATES: usize = 100;

/// Updates one row again and again; prints the latencies.
pub(crate) fn measure(bench: &Bench, worker: &Worker) -> Result<()> {
    bench.sql(
        "create table changing(id bigint primary key, at timestamp(3) not null); insert into changing values(1,now() at time zone 'UTC')",
    )?;
    let url = bench.url();
    let config = [
        (
            "connector.class",
            "io.confluent.connect.jdbc.JdbcSourceConnector",
        ),
        ("connection.url", &*url),
        ("mode", "timestamp+incrementing"),
        ("incrementing.column.name", "id"),
        ("timestamp.column.name", "at"),
        ("table.whitelist", "changing"),
        ("topic.prefix", "latency-"),
        ("poll.interval.ms", "100"),
        ("topic.creation.default.partitions", "1"),
        ("topic.creation.default.replication.factor", "1"),
    ];
    bench.create(&worker.url, "latency", &config)?;
    let key = "bootstrap.servers".to_owned();
    let props = ClientProps::from([(key, bench.kafka.bootstrap())]);
    crate::process::until("the first record", || {
        bench.watch.end("latency-changing").unwrap_or(0) > 0
    })?;
    let mut latencies = tokio::runtime::Runtime::new()?.block_on(async {
        let mut fetcher = milena_kafka::clients().fetcher(&props).await?;
        let start = ("latency-changing".into(), 0, Some(StartAt::Offset(1)));
        fetcher.assign(vec![start]).await?;
        let mut latencies = Vec::with_capacity(UPDATES + 1);
        for _ in 0..=UPDATES {
            let sql = "update changing set at=clock_timestamp() at time zone 'UTC' where id=1; \
                       select (extract(epoch from clock_timestamp())*1000000)::bigint";
            let committed: u128 = bench.sql(sql)?.concat().parse()?;
            loop {
                let batches = fetcher.poll(Duration::from_secs(10)).await?;
                if batches.is_empty() {
                    bail!("an update does not arrive");
                }
                if batches.iter().any(|batch| !batch.records.is_empty()) {
                    break;
                }
            }
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
            latencies.push(now.saturating_sub(committed) as f64 / 1000.0);
        }
        fetcher.close().await;
        Ok(latencies)
    })?;
    // The first one finds the reader still looking for the topic: that is not the worker's.
    let first = latencies.remove(0);
    let longest = (1..)
        .zip(&latencies)
        .max_by(|one, other| one.1.total_cmp(other.1))
        .map_or(0, |(number, _)| number);
    latencies.sort_by(f64::total_cmp);
    let at = |part: usize| {
        latencies
            .get(latencies.len() * part / 100)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "milena: an update is visible in Kafka (poll interval {} ms, {UPDATES} updates): p50 {:.0} ms, p99 {:.0} ms, the longest {:.0} ms (number {longest}); the first one, behind the reader's start, {first:.0} ms",
        POLL.as_millis(),
        at(50),
        at(99),
        latencies.last().copied().unwrap_or_default()
    );
    Ok(())
}
