//! A cluster of three workers on Apache Kafka, wide: how long starts, rebalances, a `kill -9` and stops take, beside what
//! they should take; one table.
//!
//! `cargo run --release -p milena-benches --bin cluster -- target/release/milena 1000 java`: the binary, how many connectors
//! (idle mock sources of three tasks each), and whether the Java worker is measured on the same broker where it can be:
//! its start, empty and with the same connectors. Needs what the tests with Apache Kafka need.

mod process;
mod statuses;
mod table;

use std::{
    cell::RefCell,
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

use crate::{
    process::{Worker, call, until, until_asked},
    table::Table,
};

/// The session timeout of the workers: Java's default.
const SESSION: Duration = Duration::from_secs(10);
/// Tasks of each connector.
const TASKS: usize = 3;

/// How often the statuses of everything are asked for: with 1,000 connectors that is work for the worker, too.
const LOOK: Duration = Duration::from_millis(200);

const fn s(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

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
        connectors,
        props: props(&kafka.bootstrap(), "wide"),
        table: RefCell::default(),
    };
    let begun = Instant::now();
    let mut outcome = bench.run();
    if outcome.is_ok() && java {
        let what = format!("java: with {connectors} connectors");
        let empty = bench.java("java: empty", &props(&kafka.bootstrap(), "java"));
        outcome = empty.and_then(|()| bench.java(&what, &bench.props));
    }
    bench.table.borrow().print();
    println!(
        "{connectors} connectors, {} tasks; the whole run took {:.0} s",
        connectors * TASKS,
        begun.elapsed().as_secs_f64()
    );
    outcome
}

struct Bench {
    binary: PathBuf,
    dir: tempfile::TempDir,
    connectors: usize,
    props: BTreeMap<String, String>,
    table: RefCell<Table>,
}

impl Bench {
    fn time(&self, what: &str, begun: Instant, most: Option<Duration>) {
        let took = begun.elapsed();
        self.table.borrow_mut().time(what, took, most);
    }

    fn memory(&self, what: &str, worker: &Worker, most: Option<f64>) -> Result<()> {
        let mib = worker.rss_mib()?;
        self.table.borrow_mut().memory(what, mib, most);
        Ok(())
    }

    fn worker(&self, name: &str, what: &str, most: Option<Duration>) -> Result<Worker> {
        let begun = Instant::now();
        let worker = Worker::start(&self.binary, self.dir.path(), name, &self.props)?;
        self.time(&format!("{what}: start to REST ready"), begun, most);
        until("healthy", || {
            matches!(call("GET", &worker.url, "/health", ""), Ok((200, _)))
        })?;
        self.time(&format!("{what}: start to healthy"), begun, None);
        Ok(worker)
    }

    fn java(&self, what: &str, props: &BTreeMap<String, String>) -> Result<()> {
        let begun = Instant::now();
        let worker = JavaWorker::start_distributed(props)?;
        until("Java serves", || {
            matches!(call("GET", worker.url(), "/connectors", ""), Ok((200, _)))
        })?;
        self.time(&format!("{what}: start to REST ready"), begun, None);
        Ok(())
    }

    fn run(&self) -> Result<()> {
        let connectors = self.connectors;
        let a = self.worker("a", "empty", Some(Duration::from_millis(300)))?;
        self.memory("RSS idle", &a, Some(30.0))?;
        let begun = Instant::now();
        for n in 0..connectors {
            if n * TASKS == 102 {
                self.all_run(&a.url, n)?;
                self.memory("RSS with 102 idle tasks (34 connectors)", &a, Some(100.0))?;
            }
            if n == 100 {
                self.all_run(&a.url, 100)?;
                self.memory("RSS with 100 idle connectors (300 tasks)", &a, Some(100.0))?;
            }
            self.create(&a.url, n)?;
        }
        self.time(
            &format!("{connectors} connectors created in a loop"),
            begun,
            None,
        );
        self.all_run(&a.url, connectors)?;
        self.time(
            &format!("{connectors} connectors and their tasks run"),
            begun,
            None,
        );
        self.memory(&format!("RSS with {connectors} idle connectors"), &a, None)?;
        let (b, c) = self.two_more(&a)?;
        self.two_less(&a, b, c)?;
        let begun = Instant::now();
        a.terminate()?;
        self.time(
            &format!("SIGTERM with {connectors} connectors: the process ended"),
            begun,
            None,
        );
        let what = format!("alone, with {connectors} connectors");
        let begun = Instant::now();
        let last = self.worker("a", &what, s(2))?;
        self.all_run(&last.url, connectors)?;
        self.time(&format!("{what}: all run again"), begun, None);
        last.terminate()
    }

    fn two_more(&self, a: &Worker) -> Result<(Worker, Worker)> {
        let asking = Arc::new(AtomicBool::new(true));
        let asker = {
            let (asking, url) = (Arc::clone(&asking), a.url.clone());
            std::thread::spawn(move || latencies(&url, &asking))
        };
        let since = statuses::now_ms();
        let begun = Instant::now();
        let what = format!("joining, with {} connectors", self.connectors);
        let b = self.worker("b", &what, s(2))?;
        let c = Worker::start(&self.binary, self.dir.path(), "c", &self.props)?;
        self.balanced(&a.url, 3)?;
        self.time("two more workers: spread evenly over three", begun, None);
        asking.store(false, Ordering::Relaxed);
        let mut latencies = asker
            .join()
            .map_err(|_| anyhow::anyhow!("the asker panicked"))?;
        latencies.sort_unstable();
        let at = |part: usize| {
            let found = latencies.get(latencies.len() * part / 100);
            found.copied().unwrap_or_default()
        };
        let mut table = self.table.borrow_mut();
        table.count(
            "GET status during the rebalance: requests",
            latencies.len(),
            None,
        );
        table.time("GET status during the rebalance: p50", at(50), None);
        table.time(
            "GET status during the rebalance: p99",
            at(99),
            Some(Duration::from_millis(50)),
        );
        statuses::report(&self.props, since, &mut table)?;
        Ok((b, c))
    }

    fn two_less(&self, a: &Worker, b: Worker, c: Worker) -> Result<()> {
        let begun = Instant::now();
        b.kill()?;
        self.balanced(&a.url, 2)?;
        let what = format!("kill -9 (session {} s): all run again", SESSION.as_secs());
        self.time(&what, begun, Some(SESSION + Duration::from_secs(5)));
        let begun = Instant::now();
        c.terminate()?;
        self.time("SIGTERM: the process ended", begun, s(2));
        self.balanced(&a.url, 1)?;
        // The others hear of it by their next heartbeat, after 3 s at the latest.
        self.time("SIGTERM: all of its work runs elsewhere", begun, s(5));
        Ok(())
    }

    fn create(&self, url: &str, n: usize) -> Result<()> {
        let body = format!(
            r#"{{"name":"c{n}","config":{{"connector.class":"org.apache.kafka.connect.tools.MockSourceConnector","tasks.max":"{TASKS}"}}}}"#,
        );
        match call("POST", url, "/connectors", &body)? {
            (201, _) => Ok(()),
            (status, body) => bail!("creating c{n}: {status} {body}"),
        }
    }

    fn all_run(&self, url: &str, connectors: usize) -> Result<()> {
        until_asked("all run", LOOK, || {
            spread(url)
                .is_ok_and(|spread| spread.values().sum::<usize>() == (1 + TASKS) * connectors)
        })
    }

    fn balanced(&self, url: &str, workers: usize) -> Result<()> {
        until_asked("all run, evenly", LOOK, || {
            let Ok(spread) = spread(url) else {
                return false;
            };
            let (min, max) = (spread.values().min(), spread.values().max());
            spread.values().sum::<usize>() == (1 + TASKS) * self.connectors
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

fn props(bootstrap: &str, group: &str) -> BTreeMap<String, String> {
    let string = "org.apache.kafka.connect.storage.StringConverter";
    let session = SESSION.as_millis().to_string();
    let pairs = [
        ("bootstrap.servers", bootstrap),
        ("group.id", group),
        ("key.converter", string),
        ("value.converter", string),
        ("config.storage.topic", &format!("{group}-configs")),
        ("offset.storage.topic", &format!("{group}-offsets")),
        ("status.storage.topic", &format!("{group}-status")),
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
