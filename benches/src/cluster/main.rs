//! A cluster of three workers on Apache Kafka, wide: how long starts, rebalances, a `kill -9` and stops take, beside what
//! they should take; one table.
//!
//! `cargo run --release -p milena-benches --bin cluster -- target/release/milena 1000 100`: the binary, how many connectors
//! (idle sources of three tasks each), and with how many of one task Milena's and then Java's workers do the same once more
//! on the same broker, side by side. Needs what the tests with Apache Kafka need.

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
use milena_testing_kafka::{BrokerOptions, KafkaBroker};

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
    let beside: Option<usize> = args.next().map(|n| n.parse()).transpose()?;
    let mut options = BrokerOptions::default();
    let created = "auto.create.topics.enable".to_owned();
    options.properties.insert(created, "true".to_owned());
    let kafka = KafkaBroker::start_with(&options)?;
    let milena = Kind::Milena(binary);
    let mut runs = vec![("", milena.clone(), connectors, false)];
    if let Some(connectors) = beside {
        runs.push(("beside Java: ", milena, connectors, true));
        runs.push(("Java: ", Kind::Java, connectors, true));
    }
    let begun = Instant::now();
    let mut table = Table::default();
    let mut outcome = Ok(());
    for (at, (label, kind, connectors, beside)) in runs.into_iter().enumerate() {
        let bench = Bench {
            label,
            kind,
            beside,
            dir: tempfile::tempdir()?,
            connectors,
            props: props(&kafka.bootstrap(), &format!("wide{at}")),
            table: RefCell::new(table),
        };
        outcome = bench.run();
        table = bench.table.into_inner();
        if outcome.is_err() {
            break;
        }
    }
    table.print();
    println!("the whole run took {:.0} s", begun.elapsed().as_secs_f64());
    outcome
}

/// What is measured.
#[derive(Clone)]
enum Kind {
    /// This binary.
    Milena(PathBuf),
    /// Kafka's worker.
    Java,
}

struct Bench {
    /// Before the name of each figure.
    label: &'static str,
    kind: Kind,
    /// With connectors that both workers have.
    beside: bool,
    dir: tempfile::TempDir,
    connectors: usize,
    props: BTreeMap<String, String>,
    table: RefCell<Table>,
}

impl Bench {
    /// What a figure is called, and what it may be: nothing is asked of Java.
    fn named<T>(&self, what: &str, most: Option<T>) -> (String, Option<T>) {
        let asked = matches!(self.kind, Kind::Milena(_));
        (format!("{}{what}", self.label), most.filter(|_| asked))
    }

    fn time(&self, what: &str, took: Duration, most: Option<Duration>) {
        let (what, most) = self.named(what, most);
        self.table.borrow_mut().time(&what, took, most);
    }

    fn count(&self, what: &str, count: usize, most: Option<usize>) {
        let (what, most) = self.named(what, most);
        self.table.borrow_mut().count(&what, count, most);
    }

    fn memory(&self, what: &str, worker: &Worker, most: Option<f64>) -> Result<()> {
        let mib = worker.rss_mib()?;
        let (what, most) = self.named(what, most);
        self.table.borrow_mut().memory(&what, mib, most);
        Ok(())
    }

    fn start(&self, name: &str) -> Result<Worker> {
        match &self.kind {
            Kind::Milena(binary) => Worker::start(binary, self.dir.path(), name, &self.props),
            Kind::Java => Worker::java(&self.props),
        }
    }

    fn worker(&self, name: &str, what: &str, most: Option<Duration>) -> Result<Worker> {
        let begun = Instant::now();
        let worker = self.start(name)?;
        self.time(
            &format!("{what}: start to REST ready"),
            begun.elapsed(),
            most,
        );
        until("healthy", || {
            matches!(call("GET", &worker.url, "/health", ""), Ok((200, _)))
        })?;
        self.time(&format!("{what}: start to healthy"), begun.elapsed(), None);
        Ok(worker)
    }

    fn run(&self) -> Result<()> {
        let connectors = self.connectors;
        let tables = rusqlite::Connection::open(self.tables())?;
        for table in 0..TASKS {
            tables.execute_batch(&format!("create table t{table}(id integer primary key)"))?;
        }
        let a = self.worker("a", "empty", Some(Duration::from_millis(300)))?;
        self.memory("RSS idle", &a, Some(30.0))?;
        let since = statuses::now_ms();
        let begun = Instant::now();
        for n in 0..connectors {
            if n == 100 {
                self.all_run(&a.url, 100)?;
                let what = format!(
                    "RSS with 100 idle connectors ({} tasks)",
                    100 * self.tasks()
                );
                self.memory(&what, &a, Some(100.0))?;
            }
            self.create(&a.url, n)?;
        }
        self.time(
            &format!("{connectors} connectors created in a loop"),
            begun.elapsed(),
            None,
        );
        self.all_run(&a.url, connectors)?;
        self.time(
            &format!("{connectors} connectors and their tasks run"),
            begun.elapsed(),
            None,
        );
        let stopped = statuses::moved(&self.props, since)?.stopped;
        self.count("tasks interrupted by that", stopped, Some(0));
        self.memory(&format!("RSS with {connectors} idle connectors"), &a, None)?;
        let (b, c) = self.two_more(&a)?;
        self.two_less(&a, b, c)?;
        let begun = Instant::now();
        a.terminate()?;
        self.time(
            &format!("SIGTERM with {connectors} connectors: the process ended"),
            begun.elapsed(),
            None,
        );
        let what = format!("alone, with {connectors} connectors");
        let begun = Instant::now();
        let last = self.worker("a", &what, s(2))?;
        self.all_run(&last.url, connectors)?;
        self.time(&format!("{what}: all run again"), begun.elapsed(), None);
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
        let c = self.start("c")?;
        self.balanced(&a.url, 3)?;
        self.time(
            "two more workers: spread evenly over three",
            begun.elapsed(),
            None,
        );
        asking.store(false, Ordering::Relaxed);
        let mut latencies = asker
            .join()
            .map_err(|_| anyhow::anyhow!("the asker panicked"))?;
        latencies.sort_unstable();
        let at = |part: usize| {
            let found = latencies.get(latencies.len() * part / 100);
            found.copied().unwrap_or_default()
        };
        let get = "GET status during the rebalance";
        self.count(&format!("{get}: requests"), latencies.len(), None);
        self.time(&format!("{get}: p50"), at(50), None);
        let most = Some(Duration::from_millis(50));
        self.time(&format!("{get}: p99"), at(99), most);
        let moved = statuses::moved(&self.props, since)?;
        self.count("moved tasks", moved.count, None);
        self.time("moved tasks, stop to start: median", moved.median, None);
        let gap = "moved tasks, stop to start: longest";
        self.time(gap, moved.longest, s(3));
        self.count("unmoved tasks interrupted", moved.interrupted, Some(0));
        Ok((b, c))
    }

    fn two_less(&self, a: &Worker, b: Worker, c: Worker) -> Result<()> {
        let begun = Instant::now();
        b.kill()?;
        self.balanced(&a.url, 2)?;
        let what = format!("kill -9 (session {} s): all run again", SESSION.as_secs());
        self.time(
            &what,
            begun.elapsed(),
            Some(SESSION + Duration::from_secs(5)),
        );
        let begun = Instant::now();
        c.terminate()?;
        self.time("SIGTERM: the process ended", begun.elapsed(), s(2));
        self.balanced(&a.url, 1)?;
        // The others hear of it by their next heartbeat, after 3 s at the latest.
        self.time(
            "SIGTERM: all of its work runs elsewhere",
            begun.elapsed(),
            s(5),
        );
        Ok(())
    }

    /// A connector that has nothing to do. For three tasks of it in Milena it polls three empty tables once an hour; of what
    /// comes with Kafka none has more than one, or it writes.
    fn create(&self, url: &str, n: usize) -> Result<()> {
        let config = match self.beside {
            true => {
                r#""connector.class":"org.apache.kafka.connect.tools.MockSourceConnector","tasks.max":"1""#
                    .to_owned()
            }
            false => format!(
                r#""connector.class":"io.confluent.connect.jdbc.JdbcSourceConnector","tasks.max":"{TASKS}","mode":"incrementing","incrementing.column.name":"id","topic.prefix":"idle-","poll.interval.ms":"3600000","table.poll.interval.ms":"3600000","connection.url":"jdbc:sqlite:{}""#,
                self.tables().display()
            ),
        };
        let body = format!(r#"{{"name":"c{n}","config":{{{config}}}}}"#);
        match call("POST", url, "/connectors", &body)? {
            (201, _) => Ok(()),
            (status, body) => bail!("creating c{n}: {status} {body}"),
        }
    }

    fn tables(&self) -> PathBuf {
        self.dir.path().join("idle.db")
    }

    /// How many tasks a connector has.
    fn tasks(&self) -> usize {
        if self.beside { 1 } else { TASKS }
    }

    fn all_run(&self, url: &str, connectors: usize) -> Result<()> {
        until_asked("all run", LOOK, || {
            spread(url).is_ok_and(|spread| {
                spread.values().sum::<usize>() == (1 + self.tasks()) * connectors
            })
        })
    }

    fn balanced(&self, url: &str, workers: usize) -> Result<()> {
        until_asked("all run, evenly", LOOK, || {
            let Ok(spread) = spread(url) else {
                return false;
            };
            let (min, max) = (spread.values().min(), spread.values().max());
            spread.values().sum::<usize>() == (1 + self.tasks()) * self.connectors
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
        std::thread::park_timeout(Duration::from_millis(2));
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
