//! How long a record is on its way, from the moment it is handed over to the moment it can be read at the other end, at a
//! thousand records a second.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use milena_kafka::ports::{Fetcher, OutRecord, StartAt};
use milena_kafka::{DataClient, clients_with};
use tokio::runtime::Runtime;

use crate::{
    CLIENTS,
    worker::{Bench, begin, client, create, end, until},
};

/// A thousand a second.
const EVERY: Duration = Duration::from_millis(1);
/// Not counted: a virtual machine compiles meanwhile.
const WARM: u64 = 30_000;
/// Counted.
const COUNTED: u64 = 20_000;
/// How often the end of a file is looked at.
const LOOK: Duration = Duration::from_micros(200);
/// How long the last record may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Both directions, on each worker, and the way from one data client to another.
pub(crate) fn run(runtime: &Runtime, bench: &mut Bench) -> Result<()> {
    for (client, name) in CLIENTS {
        let found = runtime.block_on(alone(bench.bootstrap(), client, name))?;
        show("latency, client alone", name, found);
    }
    for (worker, url, _) in bench.workers()? {
        let found = sink(runtime, bench, worker, &url)?;
        show("latency, Kafka to file", worker, found);
        let found = source(runtime, bench, worker, &url)?;
        show("latency, file to Kafka", worker, found);
    }
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

fn sink(runtime: &Runtime, bench: &Bench, worker: &str, url: &str) -> Result<Vec<Duration>> {
    let topic = format!("latency-{worker}");
    let output = bench.dir().join(format!("latency-{worker}.out"));
    runtime.block_on(create(bench.bootstrap(), &topic))?;
    let config = BTreeMap::from([
        ("connector.class", "FileStreamSink".to_owned()),
        ("topics", topic.clone()),
        ("file", output.display().to_string()),
    ]);
    let zero = Instant::now();
    begin(url, &topic, &config)?;
    let mut settings = client(bench.bootstrap());
    settings.insert("linger.ms".to_owned(), "0".to_owned());
    let name: Arc<str> = topic.as_str().into();
    let producer =
        runtime.block_on(milena_kafka::clients().producer(&settings, Arc::new(|_| {})))?;
    let send = async |number| {
        let record = OutRecord {
            topic: Arc::clone(&name),
            value: Some(line(number, zero).into()),
            ..OutRecord::default()
        };
        producer
            .send(vec![record])
            .await
            .map_err(|(_, error)| error)
    };
    runtime.block_on(async {
        send(0).await?;
        producer.flush().await
    })?;
    until("the sink writes", || {
        fs::metadata(&output).is_ok_and(|meta| meta.len() > 0)
    })?;
    let tail = std::thread::spawn(move || follow(&output, zero));
    runtime.block_on(async {
        let mut clock = tokio::time::interval(EVERY);
        for number in 1..=WARM + COUNTED {
            clock.tick().await;
            send(number).await?;
        }
        producer.flush().await
    })?;
    let found = tail
        .join()
        .map_err(|_| anyhow::anyhow!("the reader fell"))?;
    runtime.block_on(producer.close(Duration::from_secs(1)));
    end(url, &topic)?;
    found
}

/// Reads a file that grows, to the last line.
fn follow(path: &Path, zero: Instant) -> Result<Vec<Duration>> {
    let mut file = fs::File::open(path)?;
    let (mut text, mut found) = (String::new(), Vec::new());
    let mut last = Instant::now();
    loop {
        if file.read_to_string(&mut text)? == 0 {
            if last.elapsed() > PATIENCE {
                bail!("the last lines did not come");
            }
            std::thread::park_timeout(LOOK);
            continue;
        }
        last = Instant::now();
        while let Some((one, rest)) = text.split_once('\n') {
            let (number, took) = latency(one, zero)?;
            if number > WARM {
                found.push(took);
            }
            if number == WARM + COUNTED {
                return Ok(found);
            }
            text = rest.to_owned();
        }
    }
}

/// A fetcher of the data client that does nothing else.
async fn alone(bootstrap: &str, data: DataClient, name: &str) -> Result<Vec<Duration>> {
    let topic = format!("latency-alone-{name}");
    let topic = topic.as_str();
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
        let mut clock = tokio::time::interval(EVERY);
        for number in 0..=WARM + COUNTED {
            clock.tick().await;
            let record = OutRecord {
                topic: Arc::clone(&name),
                value: Some(line(number, zero).into()),
                ..OutRecord::default()
            };
            let sent = producer.send(vec![record]).await;
            sent.map_err(|(_, error)| error)?;
        }
        producer.flush().await?;
        producer.close(Duration::from_secs(1)).await;
        anyhow::Ok(())
    });
    let found = fetch(&mut *fetcher, zero).await?;
    sending.await??;
    fetcher.close().await;
    Ok(found)
}

/// Reads to the last record.
async fn fetch(fetcher: &mut dyn Fetcher, zero: Instant) -> Result<Vec<Duration>> {
    let (mut found, mut last) = (Vec::new(), Instant::now());
    loop {
        for batch in fetcher.poll(Duration::from_millis(100)).await? {
            last = Instant::now();
            for record in batch.records {
                let value = record.value.unwrap_or_default();
                let (number, took) = latency(std::str::from_utf8(&value)?, zero)?;
                if number > WARM {
                    found.push(took);
                }
                if number == WARM + COUNTED {
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
        for number in 0..=WARM + COUNTED {
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
        let found = fetch(&mut *fetcher, zero).await?;
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
