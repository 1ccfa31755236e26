//! How long a record is on its way, from the moment it is handed over to the moment it can be read at the other end, at a
//! thousand records a second.
//!
//! Before that the broker does the same as fast as it can, for at a thousand requests a second its Java machine would go on
//! compiling for minutes, and on two cores that is what records would wait for; and so does each worker, both with as many
//! records. What is measured runs in turns.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use milena_kafka::ports::{Fetcher, OutRecord, Producer, StartAt};
use milena_kafka::{DataClient, clients_with};
use tokio::runtime::Runtime;

use crate::{
    CLIENTS,
    worker::{Bench, begin, client, cpu, create, end},
};

/// A thousand a second.
const EVERY: Duration = Duration::from_millis(1);
/// Not counted: the pace changes.
const WARM: u64 = 5_000;
/// Counted.
const COUNTED: u64 = 20_000;
/// With so many records, one at a time, a connector is warmed up.
const HEAT: u64 = 100_000;
/// As many at the same time, each one at a time, warm up the broker.
const HEATERS: usize = 3;
/// A broker that uses less processor time in a second has nothing left to compile.
const RESTS: Duration = Duration::from_millis(100);
/// How long it may take to come to rest.
const REST: Duration = Duration::from_secs(60);
/// How long the last record may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Both directions, on each worker, and the way from one data client to another.
pub(crate) fn run(runtime: &Runtime, bench: &mut Bench, broker: u32, rounds: usize) -> Result<()> {
    let bootstrap = bench.bootstrap().to_owned();
    let begun = Instant::now();
    let heat = Pace {
        heat: HEAT,
        counted: 0,
    };
    runtime.block_on(async {
        let all = (0..HEATERS).map(|number| {
            let name = format!("heat-{number}");
            let bootstrap = bootstrap.clone();
            async move { alone(&bootstrap, DataClient::Native, &name, heat).await }
        });
        futures_util::future::try_join_all(all).await
    })?;
    for (worker, url, _) in bench.workers()? {
        let name = format!("heat-{worker}");
        sink(runtime, bench, &name, &url, heat)?;
    }
    rest(broker)?;
    println!(
        "latency: the broker was warmed up with {} records and the workers with {HEAT}, one at a time, in {:.0} s",
        HEAT * (HEATERS as u64 + bench.workers()?.len() as u64),
        begun.elapsed().as_secs_f64()
    );
    let pace = Pace {
        heat: 0,
        counted: COUNTED,
    };
    for round in 1..=rounds {
        for (client, name) in CLIENTS {
            let topic = format!("latency-alone-{name}-{round}");
            let found = runtime.block_on(alone(&bootstrap, client, &topic, pace))?;
            show("latency, client alone", name, found);
        }
        for (worker, url, _) in bench.workers()? {
            let name = format!("latency-{worker}-{round}");
            let found = sink(runtime, bench, &name, &url, pace)?;
            show("latency, Kafka to file", worker, found);
        }
    }
    for (worker, url, _) in bench.workers()? {
        let found = source(runtime, bench, worker, &url)?;
        show("latency, file to Kafka", worker, found);
    }
    Ok(())
}

/// The records of a run.
#[derive(Clone, Copy)]
struct Pace {
    /// So many first, each when the one before is acknowledged.
    heat: u64,
    /// So many at last, behind those that are not counted.
    counted: u64,
}

impl Pace {
    /// The number of the last; the first is 0.
    const fn last(self) -> u64 {
        let behind = if self.counted > 0 { WARM } else { 0 };
        self.heat + behind + self.counted
    }

    const fn counts(self, number: u64) -> bool {
        number + self.counted > self.last()
    }

    /// Sends all from `first` on.
    async fn send(
        self,
        producer: &dyn Producer,
        topic: &Arc<str>,
        zero: Instant,
        first: u64,
    ) -> Result<()> {
        let mut clock = tokio::time::interval(EVERY);
        for number in first..=self.last() {
            if number > self.heat {
                clock.tick().await;
            }
            let record = OutRecord {
                topic: Arc::clone(topic),
                value: Some(line(number, zero).into()),
                ..OutRecord::default()
            };
            let sent = producer.send(vec![record]).await;
            sent.map_err(|(_, error)| error)?;
            if number <= self.heat {
                producer.flush().await?;
                clock.reset();
            }
        }
        producer.flush().await?;
        Ok(())
    }
}

/// Waits until the broker has compiled what it was warmed up with.
fn rest(broker: u32) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < REST {
        let before = cpu(broker)?;
        std::thread::park_timeout(Duration::from_secs(1));
        if cpu(broker)?.saturating_sub(before) < RESTS {
            return Ok(());
        }
    }
    println!("latency: the broker did not come to rest");
    Ok(())
}

fn show(case: &str, worker: &str, mut found: Vec<Duration>) {
    found.sort_unstable();
    let at = |part: f64| {
        let index = (found.len() as f64 * part) as usize;
        let one = found.get(index.min(found.len().saturating_sub(1)));
        one.map_or(f64::NAN, |one| one.as_secs_f64() * 1e3)
    };
    println!(
        "{case:<24} {worker:<8} p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, most {:.2} ms",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

/// When a line was made, as the line says.
fn latency(line: &str, zero: Instant) -> Result<(u64, Duration)> {
    let (number, made) = line.split_once(' ').context("not a line of ours")?;
    let made = Duration::from_nanos(made.parse()?);
    Ok((number.parse()?, zero.elapsed().saturating_sub(made)))
}

fn line(number: u64, zero: Instant) -> String {
    format!("{number} {}", zero.elapsed().as_nanos())
}

fn sink(
    runtime: &Runtime,
    bench: &Bench,
    topic: &str,
    url: &str,
    pace: Pace,
) -> Result<Vec<Duration>> {
    // A pipe says at once that something is there; a file would have to be looked at all the time.
    let output = bench.dir().join(format!("{topic}.out"));
    let made = Command::new("mkfifo").arg(&output).status()?;
    ensure!(made.success(), "mkfifo failed");
    // Open for both, so that nobody waits for a reader.
    let pipe = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&output)?;
    runtime.block_on(create(bench.bootstrap(), topic))?;
    let config = BTreeMap::from([
        ("connector.class", "FileStreamSink".to_owned()),
        ("topics", topic.to_owned()),
        ("file", output.display().to_string()),
    ]);
    let zero = Instant::now();
    let (mut end_of_it, (came, comes)) = (pipe.try_clone()?, mpsc::channel());
    let tail = std::thread::spawn(move || follow(pipe, zero, pace, &came));
    begin(url, topic, &config)?;
    let mut settings = client(bench.bootstrap());
    settings.insert("linger.ms".to_owned(), "0".to_owned());
    let name: Arc<str> = topic.into();
    let producer =
        runtime.block_on(milena_kafka::clients().producer(&settings, Arc::new(|_| {})))?;
    let first = Pace {
        heat: 0,
        counted: 0,
    };
    runtime.block_on(first.send(&*producer, &name, zero, 0))?;
    comes.recv_timeout(PATIENCE).context("the sink writes")?;
    runtime.block_on(pace.send(&*producer, &name, zero, 1))?;
    if comes.recv_timeout(PATIENCE).is_err() {
        end_of_it.write_all(b"\n")?;
    }
    let found = tail
        .join()
        .map_err(|_| anyhow::anyhow!("the reader fell"))?;
    runtime.block_on(producer.close(Duration::from_secs(1)));
    end(url, topic)?;
    found
}

/// Reads a pipe to the last line; tells of the first and of the last.
fn follow(
    pipe: fs::File,
    zero: Instant,
    pace: Pace,
    came: &mpsc::Sender<()>,
) -> Result<Vec<Duration>> {
    let mut found = Vec::new();
    for one in BufReader::new(pipe).lines() {
        let (number, took) = latency(&one?, zero).context("the last lines did not come")?;
        if pace.counts(number) {
            found.push(took);
        }
        if number == 0 || number == pace.last() {
            came.send(())?;
        }
        if number == pace.last() {
            break;
        }
    }
    Ok(found)
}

/// A fetcher of the data client that does nothing else.
async fn alone(
    bootstrap: &str,
    data: DataClient,
    topic: &str,
    pace: Pace,
) -> Result<Vec<Duration>> {
    create(bootstrap, topic).await?;
    let settings = client(bootstrap);
    let clients = clients_with(data);
    let mut fetcher = clients.fetcher(&settings).await?;
    let start = vec![(topic.into(), 0, Some(StartAt::Earliest))];
    fetcher.assign(start).await?;
    let zero = Instant::now();
    let mut settings = settings.clone();
    settings.insert("linger.ms".to_owned(), "0".to_owned());
    let name: Arc<str> = topic.into();
    let producer = clients.producer(&settings, Arc::new(|_| {})).await?;
    let sending = tokio::spawn(async move {
        pace.send(&*producer, &name, zero, 0).await?;
        producer.close(Duration::from_secs(1)).await;
        anyhow::Ok(())
    });
    let found = fetch(&mut *fetcher, zero, pace).await?;
    sending.await??;
    fetcher.close().await;
    Ok(found)
}

/// Reads to the last record.
async fn fetch(fetcher: &mut dyn Fetcher, zero: Instant, pace: Pace) -> Result<Vec<Duration>> {
    let (mut found, mut last) = (Vec::new(), Instant::now());
    loop {
        for batch in fetcher.poll(Duration::from_millis(100)).await? {
            last = Instant::now();
            for record in batch.records {
                let value = record.value.unwrap_or_default();
                let (number, took) = latency(std::str::from_utf8(&value)?, zero)?;
                if pace.counts(number) {
                    found.push(took);
                }
                if number == pace.last() {
                    return Ok(found);
                }
            }
        }
        if last.elapsed() > PATIENCE {
            bail!("the last records did not come");
        }
    }
}

fn source(runtime: &Runtime, bench: &Bench, worker: &str, url: &str) -> Result<Vec<Duration>> {
    // A file is written at one pace.
    let pace = Pace {
        heat: 0,
        counted: COUNTED,
    };
    let topic = format!("latency-{worker}-source");
    let input = bench.dir().join(format!("latency-{worker}.in"));
    runtime.block_on(create(bench.bootstrap(), &topic))?;
    let mut file = fs::File::create(&input)?;
    let config = BTreeMap::from([
        ("connector.class", "FileStreamSource".to_owned()),
        ("topic", topic.clone()),
        ("file", input.display().to_string()),
    ]);
    let zero = Instant::now();
    begin(url, &topic, &config)?;
    let over = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&over);
    let writer = std::thread::spawn(move || -> Result<()> {
        let begun = Instant::now();
        for number in 0..=pace.last() {
            let at = EVERY * u32::try_from(number)?;
            std::thread::park_timeout(at.saturating_sub(begun.elapsed()));
            if stop.load(Ordering::Relaxed) {
                break;
            }
            file.write_all(format!("{}\n", line(number, zero)).as_bytes())?;
        }
        Ok(())
    });
    let found = runtime.block_on(async {
        let settings = client(bench.bootstrap());
        let mut fetcher = milena_kafka::clients().fetcher(&settings).await?;
        let start = vec![(topic.as_str().into(), 0, Some(StartAt::Earliest))];
        fetcher.assign(start).await?;
        let found = fetch(&mut *fetcher, zero, pace).await?;
        fetcher.close().await;
        Ok(found)
    });
    over.store(true, Ordering::Relaxed);
    writer
        .join()
        .map_err(|_| anyhow::anyhow!("the writer fell"))??;
    end(url, &topic)?;
    found
}
