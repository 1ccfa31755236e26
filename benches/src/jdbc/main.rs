//! The JDBC connectors beside `psql \\copy` and, for the sink, Debezium's JDBC sink in the Java worker: one run, one
//! broker, one database, the same rows, ground truth counted at the destination.
//!
//! `cargo run --release -p milena-benches --bin jdbc -- target/release/milena 500000 10000000`: the binary, the rows
//! of ten columns, the rows of the table whose reading shows the memory, and after them the parts to measure (all of
//! `stages,source,sink,latency,bounds,java,memory`; `insert` is `sink` without upserts; with `tuned` producers get
//! [`TUNED`] and [`COMPRESSED`]), `batch.size` of the sinks and `max.poll.records` of their consumers. The small form (the
//! defaults, 20000 and 200000) takes half a minute.
//! The data client alone warms up the broker, each phase runs once that does not count, then [`RUNS`] times and its median
//! counts; `\\copy` runs in turns with it, and the medians of what each run is of the one before it are printed.
//! Without Java nothing of Java is measured; each of its phases ends after [`JAVA_MAX`] and its rate is taken from the
//! rows written by then.

mod bounds;
mod cpu;
mod java;
mod latency;
mod memory;
mod pages;
#[path = "../cluster/process.rs"]
#[expect(dead_code, reason = "what the other benchmark needs besides")]
mod process;
mod stages;
mod watch;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use milena_testing_databases::{Server, postgres};
use milena_testing_kafka::{BrokerOptions, KafkaBroker, scripts_machine};

use crate::{
    cpu::Cpu,
    process::{Worker, call, until},
    watch::{Filled, Watch},
};

/// After a task has let go of the database: its consumer, whose request to the broker may take half a second, and the
/// worker's group.
const SETTLED: Duration = Duration::from_secs(1);
/// `batch.size` of the sinks, and `max.poll.records` of their consumers.
const BATCH: &str = "20000";
const POLL: &str = "1500";
/// What workers are given, Java's as well, where `tuned` is among the parts: larger batches, of which still many wait, and
/// the next one on its way while the broker writes the last, in order all the same.
const TUNED: [(&str, &str); 4] = [
    ("producer.batch.size", "480000"),
    ("producer.buffer.memory", "8388608"),
    ("producer.enable.idempotence", "true"),
    ("producer.max.in.flight.requests.per.connection", "5"),
];
/// And the connector whose records carry their schemas: they are nearly all the same text.
const COMPRESSED: (&str, &str) = ("producer.override.compression.type", "lz4");
/// After `psql` has ended, until the server's process that served it has as well.
const ENDED: Duration = Duration::from_millis(200);
/// How often each phase runs.
const RUNS: usize = 5;
/// The heap of the broker, and of the Java worker.
const HEAP: &str = "1g";

/// How long a phase of the Java worker may take.
const JAVA_MAX: Duration = Duration::from_secs(60);
const TEN: &str = "(id bigint not null, name text, amount numeric(12,2), score double precision, born date, at timestamp(3), \
    ok boolean, small integer, big bigint, note varchar(40))";
const PARTS: [&str; 7] = [
    "stages", "source", "sink", "latency", "bounds", "java", "memory",
];
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let binary = PathBuf::from(args.next().context("which binary?")?);
    let rows: u64 = args.next().map_or(Ok(20_000), |n| n.parse())?;
    let large: u64 = args.next().map_or(Ok(200_000), |n| n.parse())?;
    let parts = args.next().unwrap_or_else(|| PARTS.join(","));
    let batch = args.next().unwrap_or_else(|| BATCH.to_owned());
    let poll = args.next().unwrap_or_else(|| POLL.to_owned());
    let mut options = BrokerOptions {
        jvm: Some(scripts_machine(HEAP, HEAP)),
        ..BrokerOptions::default()
    };
    let created = "auto.create.topics.enable".to_owned();
    options.properties.insert(created, "true".to_owned());
    let settings = [
        "shared_buffers=256MB",
        "max_wal_size=8GB",
        "synchronous_commit=off",
    ];
    let kafka = KafkaBroker::start_with(&options)?;
    let db = postgres("jdbc", &settings)
        .context("PostgreSQL is not installed (Debian package postgresql)")?;
    let bench = Bench {
        watch: Watch::new(kafka.bootstrap(), db.port)?,
        parts: parts.split(',').map(str::to_owned).collect(),
        kafka,
        db,
        dir: tempfile::tempdir()?,
        batch,
        poll,
        binary,
        rows,
    };
    bench.run(large)
}

/// What `psql` does beside a phase.
struct Copy {
    what: &'static str,
    before: &'static str,
    copy: String,
}

/// How fast it was: rows per second, and seconds of processor time for a million of them.
struct Copied {
    rate: f64,
    psql: f64,
    database: f64,
}

/// What is measured, and with what.
struct Bench {
    kafka: KafkaBroker,
    db: Server,
    watch: Watch,
    parts: Vec<String>,
    /// `batch.size` of the sinks.
    batch: String,
    /// `max.poll.records` of their consumers.
    poll: String,
    dir: tempfile::TempDir,
    binary: PathBuf,
    rows: u64,
}

impl Bench {
    fn wants(&self, part: &str) -> bool {
        self.parts.iter().any(|wanted| wanted == part)
    }

    /// What producers are given beside their defaults.
    fn tuned(&self) -> &'static [(&'static str, &'static str)] {
        match self.wants("tuned") {
            true => &TUNED,
            false => &[],
        }
    }

    fn run(&self, large: u64) -> Result<()> {
        let rows = self.rows;
        self.sql(&format!(
            "create table source{TEN}; insert into source select n,'name '||n,n/7.0,n/3.0,date '2000-01-01'+(n%9000)::int,timestamp \
             '2026-01-01'+n*interval '1 ms',n%2=0,(n%1000)::int,n::bigint*1000003,'a note of some length '||n from generate_series(1,{rows}) n; \
             alter table source add primary key(id); create table copied{TEN}; analyze"
        ))?;
        println!("{rows} rows of ten columns, one task, one partition; medians of {RUNS} runs");
        let file = self.dir.path().join("rows.tsv");
        let path = file.display();
        let out = Copy {
            what: "to a file",
            before: "",
            copy: format!("\\copy source to '{path}'"),
        };
        let into = Copy {
            what: "from the file",
            before: "truncate copied",
            copy: format!("\\copy copied from '{path}'"),
        };
        // The file is there, and the other table, whose size is known then.
        for copy in [&out, &into] {
            self.copied(copy)?;
        }

        if self.wants("stages") {
            stages::measure(self)?;
            if self.parts.len() == 1 {
                return Ok(());
            }
        }
        bounds::warm(self)?;
        let worker = self.worker("milena")?;
        let (mut insert, mut upsert) = (0.0, 0.0);
        if self.wants("source") {
            let what = "milena: table -> Kafka, bulk";
            self.phase(what, &worker, Some(&out), |run| {
                self.source(&worker, &format!("plain{run}"), "false")
            })?;
        }
        let inserts = ["insert", "sink", "java"]
            .iter()
            .any(|part| self.wants(part));
        if self.wants("source") || inserts {
            let what = "milena: the same, each record with its schema";
            self.phase(what, &worker, None, |run| {
                self.source(&worker, &format!("rows{run}"), "true")
            })?;
        }
        if inserts {
            let what = "milena: Kafka -> table, insert";
            let plain = [("insert.mode", "insert"), ("pk.mode", "none")];
            insert = self.phase(what, &worker, Some(&into), |run| {
                self.sink(&worker, &format!("inserted{run}"), "", &plain)
            })?;
            self.same("inserted0")?;
        }
        if self.wants("sink") || self.wants("java") {
            let key = [
                ("insert.mode", "upsert"),
                ("pk.mode", "record_value"),
                ("pk.fields", "id"),
            ];
            let what = "milena: Kafka -> table, upsert";
            upsert = self.phase(what, &worker, None, |run| {
                self.sink(
                    &worker,
                    &format!("upserted{run}"),
                    ", primary key(id)",
                    &key,
                )
            })?;
            self.same("upserted0")?;
        }
        println!("milena: memory after it: {:.1} MiB", worker.rss_mib()?);
        if self.wants("latency") {
            latency::measure(self, &worker)?;
        }
        worker.terminate()?;
        if self.wants("bounds") {
            bounds::measure(self, "plain0-source")?;
        }
        if self.wants("java") {
            java::measure(self, insert, upsert)?;
        }
        if self.wants("memory") {
            memory::measure(self, large)?;
        }
        Ok(())
    }

    /// Runs a phase and prints its medians, and the processor time from the first row on; answers the rate from the request
    /// to the last row. What it is compared with runs before each run of it: the machine is another one a minute later.
    fn phase(
        &self,
        what: &str,
        worker: &Worker,
        beside: Option<&Copy>,
        mut work: impl FnMut(usize) -> Result<Filled>,
    ) -> Result<f64> {
        let (mut all, mut streaming) = (Vec::new(), Vec::new());
        let (mut used, mut rows) = (Cpu::default(), 0);
        let (mut copies, mut shares) = (Vec::new(), Vec::new());
        for run in 0..=RUNS {
            let copied = match beside {
                Some(copy) if run > 0 => {
                    pages::have(self.dir.path(), self.rows)?;
                    Some(self.copied(copy)?)
                }
                _ => None,
            };
            pages::have(self.dir.path(), self.rows)?;
            let filled = work(run)?;
            // The broker's Java machine compiles for a while what it has not done before: that run does not count.
            if run == 0 {
                continue;
            }
            used = used + filled.used;
            rows += filled.rows;
            let rate = self.rows as f64 / filled.all;
            all.push(rate);
            streaming.push(filled.streaming);
            if let Some(copied) = copied {
                shares.push((filled.streaming / copied.rate, rate / copied.rate));
                copies.push(copied);
            }
        }
        println!(
            "{what}: {} rows/s from the first row on, {} from the request to the last row; {}; memory {:.1} MiB",
            spread(&streaming, 0),
            spread(&all, 0),
            used.shown(rows as f64),
            worker.rss_mib()?
        );
        if let Some(copy) = beside {
            let of = |each: fn(&Copied) -> f64| copies.iter().map(each).collect::<Vec<_>>();
            let (from_first, from_request): (Vec<_>, Vec<_>) = shares.into_iter().unzip();
            println!(
                "  beside psql \\copy {}, in turns: {} rows/s; CPU s per million rows: psql {:.2}, PostgreSQL {:.2}; of it {} and {}",
                copy.what,
                spread(&of(|copied| copied.rate), 0),
                median(of(|copied| copied.psql)),
                median(of(|copied| copied.database)),
                spread(&from_first, 2),
                spread(&from_request, 2),
            );
        }
        Ok(median(all))
    }

    fn cpu(&self, worker: u32) -> Result<Cpu> {
        let kafka = self.kafka.pid().context("the broker is gone")?;
        let file = self.db.dir().join("data/postmaster.pid");
        let text = std::fs::read_to_string(file)?;
        let database = text.lines().next().context("no process id")?.parse()?;
        Cpu::of(worker, kafka, database)
    }

    fn sql(&self, text: &str) -> Result<Vec<String>> {
        self.db.try_sql(text).map_err(anyhow::Error::msg)
    }

    /// Checks that a table holds the rows of the source.
    fn same(&self, table: &str) -> Result<()> {
        let sum = |table: &str| {
            format!("(select md5(string_agg(t::text,',' order by id)) from {table} t)")
        };
        let all = format!("select {}={}", sum(table), sum("source"));
        if self.sql(&all)? != ["t"] {
            bail!("{table} holds other rows than the source");
        }
        Ok(())
    }

    /// What `psql` makes of all rows.
    fn copied(&self, copy: &Copy) -> Result<Copied> {
        let own = std::process::id();
        if !copy.before.is_empty() {
            self.sql(copy.before)?;
        }
        let (begun, ended) = (self.cpu(own)?, cpu::of_ended_children(own)?);
        let seconds = self.timed(|| self.sql(&copy.copy))?;
        // The server's process for it ends a moment behind it.
        std::thread::park_timeout(ENDED);
        let million = self.rows as f64 / 1e6;
        Ok(Copied {
            rate: self.rows as f64 / seconds,
            psql: (cpu::of_ended_children(own)? - ended) / million,
            database: (self.cpu(own)? - begun).database / million,
        })
    }

    fn timed<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<f64> {
        let begun = Instant::now();
        work()?;
        Ok(begun.elapsed().as_secs_f64())
    }

    fn url(&self) -> String {
        format!(
            "jdbc:postgresql://127.0.0.1:{}/postgres?user=postgres",
            self.db.port
        )
    }

    /// The settings of a worker with this group.
    fn props(&self, group: &str) -> BTreeMap<String, String> {
        let mut props: BTreeMap<String, String> = BTreeMap::new();
        for kind in ["config", "offset", "status"] {
            props.insert(format!("{kind}.storage.topic"), format!("{group}-{kind}"));
            props.insert(format!("{kind}.storage.replication.factor"), "1".to_owned());
        }
        for (key, value) in [
            ("bootstrap.servers", self.kafka.bootstrap().as_str()),
            ("group.id", group),
            ("key.converter", JSON),
            ("value.converter", JSON),
            ("offset.storage.partitions", "1"),
            ("status.storage.partitions", "1"),
            ("consumer.auto.offset.reset", "earliest"),
        ] {
            props.insert(key.to_owned(), value.to_owned());
        }
        for (key, value) in self.tuned() {
            props.insert((*key).to_owned(), (*value).to_owned());
        }
        props
    }

    fn worker(&self, name: &str) -> Result<Worker> {
        let worker = Worker::start(&self.binary, self.dir.path(), name, &self.props(name))?;
        until("the worker is healthy", || {
            matches!(call("GET", &worker.url, "/health", ""), Ok((200, _)))
        })?;
        Ok(worker)
    }

    /// Creates a connector.
    fn create(&self, url: &str, name: &str, config: &[(&str, &str)]) -> Result<()> {
        let pairs: Vec<String> = config
            .iter()
            .map(|(key, value)| format!("{key:?}:{value:?}"))
            .collect();
        let body = format!("{{{}}}", pairs.join(","));
        let path = format!("/connectors/{name}/config");
        let mut last = String::new();
        until("the connector is created", || {
            match call("PUT", url, &path, &body) {
                Ok((200 | 201, _)) => true,
                other => {
                    last = format!("{other:?}");
                    false
                }
            }
        })
        .with_context(|| last.clone())
    }

    /// Deletes a connector and waits until its task has ended, which would delay the start of the next one.
    fn delete(&self, worker: &Worker, name: &str) -> Result<()> {
        call("DELETE", &worker.url, &format!("/connectors/{name}"), "")?;
        let own = "select count(*) from pg_stat_activity where application_name='milena'";
        until("the task has ended", || {
            self.sql(own).is_ok_and(|count| count == ["0"])
        })?;
        // What the group does about it is over soon after.
        std::thread::park_timeout(SETTLED);
        Ok(())
    }

    /// The connector that reads rows as a whole, with their schemas or not.
    fn bulk<'a>(
        &self,
        url: &'a str,
        topics: &'a str,
        what: (&'a str, &'a str),
        schemas: &'a str,
    ) -> Vec<(&'a str, &'a str)> {
        let mut config = vec![
            (
                "connector.class",
                "io.confluent.connect.jdbc.JdbcSourceConnector",
            ),
            ("connection.url", url),
            ("mode", "bulk"),
            what,
            ("topic.prefix", topics),
            ("poll.interval.ms", "3600000"),
            ("batch.max.rows", "2000"),
            ("value.converter", JSON),
            ("value.converter.schemas.enable", schemas),
            ("topic.creation.default.partitions", "1"),
            ("topic.creation.default.replication.factor", "1"),
        ];
        if schemas == "true" && self.wants("tuned") {
            config.push(COMPRESSED);
        }
        config
    }

    /// Reads the table into a topic.
    fn source(&self, worker: &Worker, prefix: &str, schemas: &str) -> Result<Filled> {
        let (url, topics) = (self.url(), format!("{prefix}-"));
        let what = ("table.whitelist", "source");
        let config = self.bulk(&url, &topics, what, schemas);
        let begun = Instant::now();
        self.create(&worker.url, prefix, &config)?;
        let topic = format!("{prefix}-source");
        let pid = worker.pid()?;
        let cpu = || self.cpu(pid);
        let filled = self.watch.topic(begun, &topic, self.rows, cpu)?;
        self.delete(worker, prefix)?;
        Ok(filled)
    }

    /// Writes the topic with schemas into a table.
    fn sink(
        &self,
        worker: &Worker,
        table: &str,
        key: &str,
        more: &[(&str, &str)],
    ) -> Result<Filled> {
        let columns = TEN.strip_suffix(')').unwrap_or(TEN);
        self.sql(&format!("create table {table}{columns}{key})"))?;
        let url = self.url();
        let mut config = vec![
            (
                "connector.class",
                "io.confluent.connect.jdbc.JdbcSinkConnector",
            ),
            ("connection.url", &*url),
            ("topics", "rows0-source"),
            ("table.name.format", table),
            ("batch.size", &self.batch),
            ("consumer.override.max.poll.records", &self.poll),
        ];
        config.extend_from_slice(more);
        let begun = Instant::now();
        self.create(&worker.url, table, &config)?;
        let pid = worker.pid()?;
        let cpu = || self.cpu(pid);
        let filled = self.watch.table(begun, table, "copied", self.rows, cpu)?;
        self.delete(worker, table)?;
        Ok(filled)
    }
}

/// The median, and the least and the most in brackets.
fn spread(values: &[f64], digits: usize) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    let median = median(values.to_vec());
    format!("{median:.digits$} ({least:.digits$}\u{2013}{most:.digits$})")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
