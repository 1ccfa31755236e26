//! What is left to reach on this machine: the same bytes sent by the data client alone, and while PostgreSQL streams
//! the rows that they are made of, with nothing in between.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures_util::StreamExt as _;
use milena_kafka::ports::{ClientProps, Fetcher, OutRecord, Producer, StartAt};

use crate::{Bench, cpu::Cpu};

/// Records that are sent again and again.
const SAMPLE: usize = 20_000;
/// How many records warm up the broker, of what size, and how long that may take: after some million its Java machine
/// spends little on compiling any more.
const WARM_RECORDS: usize = 8_000_000;
const WARM_BYTES: usize = 177;
const WARM: Duration = Duration::from_secs(30);
/// Small requests behind them, of how many records: what the broker does once a request is compiled by the count of requests,
/// of which the large ones have few.
const WARM_REQUESTS: usize = 30_000;
const WARM_FEW: usize = 20;
/// A broker that uses less of a processor than this has compiled what there was.
const RESTS: f64 = 0.1;
/// Records of one call, as many as a poll of the source gives.
const BATCH: usize = 2000;

/// Sends the records of a topic to another one.
pub(crate) fn measure(bench: &Bench, from: &str) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let sample = runtime.block_on(sample(bench, from))?;
    let bytes: usize = sample.iter().map(Bytes::len).sum();
    println!(
        "bounds: {} bytes a record on the average",
        bytes / sample.len().max(1)
    );
    for (what, rows, send) in [
        (
            "PostgreSQL streams the rows, nobody looks at them",
            true,
            false,
        ),
        ("the data client alone sends the same bytes", false, true),
        ("both at once", true, true),
    ] {
        let own = std::process::id();
        let before = bench.cpu(own)?;
        let begun = Instant::now();
        runtime.block_on(async {
            let reading = tokio::spawn({
                let port = bench.db.port;
                async move {
                    match rows {
                        true => stream(port).await,
                        false => Ok(()),
                    }
                }
            });
            if send {
                produce(bench, &sample, "bounds").await?;
            }
            reading.await?
        })?;
        let seconds = begun.elapsed().as_secs_f64();
        let used: Cpu = bench.cpu(own)? - before;
        println!(
            "bounds: {what}: {:.0} rows/s; {}",
            bench.rows as f64 / seconds,
            used.shown(bench.rows as f64)
        );
    }
    Ok(())
}

/// Lets the broker's Java machine compile what it runs, as that of a broker in use has: in a run of two minutes on a fresh
/// one its compiler took ten seconds of processor time; it may rest when that is done. The data client alone sends records as large as those that are
/// measured, and reads them.
pub(crate) fn warm(bench: &Bench) -> Result<()> {
    let sample = vec![Bytes::from(vec![b'x'; WARM_BYTES]); SAMPLE];
    let runtime = tokio::runtime::Runtime::new()?;
    let (begun, mut sent) = (Instant::now(), 0);
    while sent < WARM_RECORDS && begun.elapsed() < WARM {
        runtime.block_on(produce(bench, &sample, "warm"))?;
        sent += usize::try_from(bench.rows)?;
    }
    let (mut read, mut requests) = (0, 0);
    runtime.block_on(async {
        let mut fetcher = reader(bench, "warm").await?;
        while read < sent {
            let batches = fetcher.poll(Duration::from_secs(10)).await?;
            read += batches
                .iter()
                .map(|batch| batch.records.len())
                .sum::<usize>();
        }
        let (producer, _failed) = producer(bench).await?;
        let topic = "warm".into();
        let few = Instant::now();
        while requests < WARM_REQUESTS && few.elapsed() < WARM {
            let mut values = sample.iter().take(WARM_FEW);
            send(&*producer, &topic, &mut values).await?;
            producer.flush().await?;
            requests += 1;
            fetcher.poll(Duration::ZERO).await?;
        }
        producer.close(Duration::from_secs(1)).await;
        fetcher.close().await;
        anyhow::Ok(())
    })?;
    // Its compiler goes on behind what ran.
    let resting = Instant::now();
    while resting.elapsed() < WARM {
        let before: Cpu = bench.cpu(std::process::id())?;
        std::thread::park_timeout(Duration::from_secs(1));
        if (bench.cpu(std::process::id())? - before).kafka < RESTS {
            break;
        }
    }
    println!(
        "the broker was warmed up by {read} records of {WARM_BYTES} bytes, written and read, and {requests} small requests, in {:.0} s",
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Reads a topic's first partition from its beginning.
async fn reader(bench: &Bench, topic: &str) -> Result<Box<dyn Fetcher>> {
    let props = ClientProps::from([("bootstrap.servers".to_owned(), bench.kafka.bootstrap())]);
    let mut fetcher = milena_kafka::clients().fetcher(&props).await?;
    let begin = (topic.into(), 0, Some(StartAt::Earliest));
    fetcher.assign(vec![begin]).await?;
    Ok(fetcher)
}

async fn sample(bench: &Bench, topic: &str) -> Result<Vec<Bytes>> {
    let mut fetcher = reader(bench, topic).await?;
    let mut sample = Vec::with_capacity(SAMPLE);
    while sample.len() < SAMPLE.min(usize::try_from(bench.rows)?) {
        for batch in fetcher.poll(Duration::from_secs(10)).await? {
            sample.extend(batch.records.into_iter().filter_map(|record| record.value));
        }
    }
    fetcher.close().await;
    Ok(sample)
}

/// The rows by binary `COPY`, which is the fastest that PostgreSQL has.
async fn stream(port: u16) -> Result<()> {
    let target = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres");
    let (client, connection) = tokio_postgres::connect(&target, tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    let rows = client
        .copy_out("COPY (SELECT * FROM source) TO STDOUT (FORMAT binary)")
        .await?;
    let mut rows = std::pin::pin!(rows);
    while let Some(row) = rows.next().await {
        std::hint::black_box(row?);
    }
    Ok(())
}

/// With the settings of a source task; and how many records it could not write.
async fn producer(bench: &Bench) -> Result<(Box<dyn Producer>, Arc<AtomicU64>)> {
    let bootstrap = bench.kafka.bootstrap();
    let mut props = ClientProps::new();
    let own = [
        ("bootstrap.servers", bootstrap.as_str()),
        ("acks", "all"),
        ("enable.idempotence", "false"),
        ("max.in.flight.requests.per.connection", "1"),
        ("max.block.ms", "9223372036854775807"),
    ];
    for (key, value) in own.iter().chain(bench.tuned()) {
        let key = key.strip_prefix("producer.").unwrap_or(key);
        props.insert(key.to_owned(), (*value).to_owned());
    }
    let failed = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&failed);
    let sink: milena_kafka::ports::AckSink = Arc::new(move |acks| {
        let bad = acks.iter().filter(|ack| ack.outcome.is_err()).count();
        seen.fetch_add(bad as u64, Ordering::Relaxed);
    });
    let producer = milena_kafka::clients().producer(&props, sink).await?;
    Ok((producer, failed))
}

/// Sends records of these values.
async fn send(
    producer: &dyn Producer,
    topic: &Arc<str>,
    values: &mut (dyn Iterator<Item = &Bytes> + Send),
) -> Result<()> {
    let batch = values.map(|value| OutRecord {
        topic: Arc::clone(topic),
        value: Some(value.clone()),
        ..OutRecord::default()
    });
    let sent = producer.send(batch.collect()).await;
    Ok(sent.map_err(|(_, error)| error)?)
}

async fn produce(bench: &Bench, sample: &[Bytes], topic: &str) -> Result<()> {
    let (producer, failed) = producer(bench).await?;
    let topic: Arc<str> = topic.into();
    let mut values = sample.iter().cycle();
    let mut left = usize::try_from(bench.rows)?;
    while left > 0 {
        let count = left.min(BATCH);
        send(&*producer, &topic, &mut values.by_ref().take(count)).await?;
        left -= count;
    }
    producer.flush().await?;
    producer.close(Duration::from_secs(1)).await;
    (failed.load(Ordering::Relaxed) == 0)
        .then_some(())
        .context("records were not written")
}
