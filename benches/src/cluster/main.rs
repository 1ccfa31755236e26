//! A cluster of three workers on Apache Kafka, wide: how long starts, rebalances, a `kill -9` and stops take.
//!
//! `cargo run --release -p milena-benches --bin cluster -- target/release/milena 1000`: the binary and how many
//! connectors (file sources of one task each). Needs what the tests with Apache Kafka need. With `java` as third
//! argument the Java worker is started on the same topics afterwards.

mod process;
mod statuses;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use milena_testing_kafka::{BrokerOptions, JavaWorker, KafkaBroker};

use crate::process::{Worker, call, until};

/// The session timeout of the workers: Java's default.
const SESSION: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let binary = PathBuf::from(args.next().context("which binary?")?);
    let connectors: usize = args.next().map_or(Ok(1000), |n| n.parse())?;
    let java = args.next().is_some_and(|arg| arg == "java");
    let mut options = BrokerOptions::default();
    let created = "auto.create.topics.enable".to_owned();
    options.properties.insert(created, "true".to_owned());
    let kafka = KafkaBroker::start_with(&options)?;
    let dir = tempfile::tempdir()?;
    let bench = Bench {
        binary,
        dir,
        props: props(&kafka.bootstrap()),
    };
    bench.run(connectors)?;
    if java {
        let begun = Instant::now();
        let worker = JavaWorker::start_distributed(&bench.props)?;
        until("Java serves", || {
            matches!(call("GET", worker.url(), "/connectors", ""), Ok((200, _)))
        })?;
        say(
            &format!("java: start to REST ready with {connectors} connectors"),
            begun,
        );
    }
    Ok(())
}

struct Bench {
    binary: PathBuf,
    dir: tempfile::TempDir,
    props: BTreeMap<String, String>,
}

impl Bench {
    fn worker(&self, name: &str, what: &str) -> Result<Worker> {
        let begun = Instant::now();
        let worker = Worker::start(&self.binary, self.dir.path(), name, &self.props)?;
        say(&format!("{what}: start to REST ready"), begun);
        until("healthy", || {
            matches!(call("GET", &worker.url, "/health", ""), Ok((200, _)))
        })?;
        say(&format!("{what}: start to healthy"), begun);
        Ok(worker)
    }

    fn run(&self, connectors: usize) -> Result<()> {
        let a = self.worker("a", "empty")?;
        println!("RSS idle: {:.1} MiB", a.rss_mib()?);
        let begun = Instant::now();
        for n in 0..connectors {
            if n == 100 {
                self.all_run(&a.url, 100)?;
                println!("RSS with 100 idle connectors: {:.1} MiB", a.rss_mib()?);
            }
            self.create(&a.url, n)?;
        }
        say(&format!("{connectors} connectors created"), begun);
        self.all_run(&a.url, connectors)?;
        say(&format!("{connectors} connectors run"), begun);
        println!(
            "RSS with {connectors} idle connectors: {:.1} MiB",
            a.rss_mib()?
        );

        let asking = Arc::new(AtomicBool::new(true));
        let asker = {
            let (asking, url) = (Arc::clone(&asking), a.url.clone());
            std::thread::spawn(move || latencies(&url, &asking))
        };
        let since = statuses::now_ms();
        let begun = Instant::now();
        let b = self.worker("b", &format!("with {connectors} connectors"))?;
        let c = Worker::start(&self.binary, self.dir.path(), "c", &self.props)?;
        self.balanced(&a.url, connectors, 3)?;
        say("two more workers: spread evenly over three", begun);
        asking.store(false, Ordering::Relaxed);
        let mut latencies = asker
            .join()
            .map_err(|_| anyhow::anyhow!("the asker panicked"))?;
        latencies.sort_unstable();
        let at = |part: usize| {
            latencies
                .get(latencies.len() * part / 100)
                .copied()
                .unwrap_or_default()
        };
        println!(
            "GET status during it: p50 {:.1} ms, p99 {:.1} ms, {} requests",
            at(50).as_secs_f64() * 1000.0,
            at(99).as_secs_f64() * 1000.0,
            latencies.len()
        );
        statuses::report(&self.props, since)?;

        let begun = Instant::now();
        b.kill()?;
        self.balanced(&a.url, connectors, 2)?;
        say(
            &format!("kill -9 (session {} s): all run again", SESSION.as_secs()),
            begun,
        );
        let begun = Instant::now();
        c.terminate()?;
        say("SIGTERM: the process ended", begun);
        self.balanced(&a.url, connectors, 1)?;
        say("SIGTERM: its work runs elsewhere", begun);
        let begun = Instant::now();
        a.terminate()?;
        say(
            &format!("SIGTERM with {connectors} connectors: the process ended"),
            begun,
        );
        let last = self.worker("a", &format!("alone, with {connectors} connectors"))?;
        last.terminate()
    }

    fn create(&self, url: &str, n: usize) -> Result<()> {
        let file = self.dir.path().join(format!("{n}.txt"));
        std::fs::write(&file, "line\n")?;
        let body = format!(
            r#"{{"name":"c{n}","config":{{"connector.class":"FileStreamSource","file":"{}","topic":"lines","tasks.max":"1"}}}}"#,
            file.display()
        );
        match call("POST", url, "/connectors", &body)? {
            (201, _) => Ok(()),
            (status, body) => bail!("creating c{n}: {status} {body}"),
        }
    }

    fn all_run(&self, url: &str, connectors: usize) -> Result<()> {
        until("all run", || {
            spread(url).is_ok_and(|spread| spread.values().sum::<usize>() == 2 * connectors)
        })
    }

    fn balanced(&self, url: &str, connectors: usize, workers: usize) -> Result<()> {
        until("all run, evenly", || {
            let Ok(spread) = spread(url) else {
                return false;
            };
            let (min, max) = (spread.values().min(), spread.values().max());
            spread.values().sum::<usize>() == 2 * connectors
                && spread.len() == workers
                && max.unwrap_or(&0) - min.unwrap_or(&0) <= 2
        })
    }
}

/// What runs where: connectors and tasks that are RUNNING, by worker.
fn spread(url: &str) -> Result<BTreeMap<String, usize>> {
    let (_, body) = call("GET", url, "/connectors?expand=status", "")?;
    let mut spread = BTreeMap::new();
    for part in body.split("\"state\":\"RUNNING\",\"worker_id\":\"").skip(1) {
        let worker = part.split('"').next().unwrap_or_default().to_owned();
        *spread.entry(worker).or_insert(0) += 1;
    }
    Ok(spread)
}

fn latencies(url: &str, asking: &AtomicBool) -> Vec<Duration> {
    let mut all = Vec::new();
    while asking.load(Ordering::Relaxed) {
        let begun = Instant::now();
        if call("GET", url, "/connectors/c0/status", "").is_ok() {
            all.push(begun.elapsed());
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    all
}

fn props(bootstrap: &str) -> BTreeMap<String, String> {
    let string = "org.apache.kafka.connect.storage.StringConverter";
    let session = SESSION.as_millis().to_string();
    let pairs = [
        ("bootstrap.servers", bootstrap),
        ("group.id", "wide"),
        ("key.converter", string),
        ("value.converter", string),
        ("config.storage.topic", "wide-configs"),
        ("offset.storage.topic", "wide-offsets"),
        ("status.storage.topic", "wide-status"),
        ("config.storage.replication.factor", "1"),
        ("offset.storage.replication.factor", "1"),
        ("status.storage.replication.factor", "1"),
        ("offset.storage.partitions", "5"),
        ("session.timeout.ms", &session),
        ("scheduled.rebalance.max.delay.ms", "0"),
    ];
    let pairs = pairs.into_iter();
    pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

fn say(what: &str, begun: Instant) {
    println!("{what}: {:.3} s", begun.elapsed().as_secs_f64());
}
