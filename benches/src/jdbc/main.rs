//! The JDBC connectors beside `psql \copy` and, for the sink, Debezium's JDBC sink in the Java worker: one run, one
//! broker, one database, the same rows, ground truth counted at the destination.
//!
//! `cargo run --release -p milena-benches --bin jdbc -- target/release/milena 500000 10000000`: the binary, the rows
//! of ten columns, the rows of the table whose reading shows the memory. The small form (the defaults, 20000 and
//! 200000) takes half a minute. Without Java nothing of Java is measured; each of its phases ends after
//! [`JAVA_MAX`] and its rate is taken from the rows written by then.

mod java;
mod latency;
#[path = "../cluster/process.rs"]
#[expect(dead_code, reason = "what the other benchmark needs besides")]
mod process;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use milena_kafka::ports::{ClientProps, Isolation, ListAt};
use milena_testing_databases::{Server, postgres};
use milena_testing_kafka::{BrokerOptions, KafkaBroker};

use crate::process::{Worker, call, until};

/// How long a phase of the Java worker may take.
const JAVA_MAX: Duration = Duration::from_secs(60);
/// How long memory is watched while the large table is read.
const MEMORY_MAX: Duration = Duration::from_secs(120);
/// Between two counts of a table that fills: a count takes processor time from those who are measured.
const LOOK: Duration = Duration::from_millis(250);
const TEN: &str = "(id bigint not null, name text, amount numeric(12,2), score double precision, born date, at timestamp(3), \
    ok boolean, small integer, big bigint, note varchar(40))";
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let binary = PathBuf::from(args.next().context("which binary?")?);
    let rows: u64 = args.next().map_or(Ok(20_000), |n| n.parse())?;
    let large: u64 = args.next().map_or(Ok(200_000), |n| n.parse())?;
    let mut options = BrokerOptions::default();
    let created = "auto.create.topics.enable".to_owned();
    options.properties.insert(created, "true".to_owned());
    let settings = [
        "shared_buffers=256MB",
        "max_wal_size=8GB",
        "synchronous_commit=off",
    ];
    let bench = Bench {
        kafka: KafkaBroker::start_with(&options)?,
        db: postgres("jdbc", &settings)
            .context("PostgreSQL is not installed (Debian package postgresql)")?,
        dir: tempfile::tempdir()?,
        binary,
        rows,
    };
    bench.run(large)
}

/// What is measured, and with what.
struct Bench {
    kafka: KafkaBroker,
    db: Server,
    dir: tempfile::TempDir,
    binary: PathBuf,
    rows: u64,
}

impl Bench {
    fn run(&self, large: u64) -> Result<()> {
        let rows = self.rows;
        self.sql(&format!(
            "create table source{TEN}; insert into source select n,'name '||n,n/7.0,n/3.0,date '2000-01-01'+(n%9000)::int,timestamp \
             '2026-01-01'+n*interval '1 ms',n%2=0,(n%1000)::int,n::bigint*1000003,'a note of some length '||n from generate_series(1,{rows}) n; \
             alter table source add primary key(id); create table copied{TEN}; create table inserted{TEN}; \
             create table upserted{TEN}; alter table upserted add primary key(id); analyze"
        ))?;
        println!("{rows} rows of ten columns, one task, one partition");
        let file = self.dir.path().join("rows.tsv");
        let out = self.timed(|| self.sql(&format!("\\copy source to '{}'", file.display())))?;
        report("psql \\copy to a file", rows, out, None);
        let into = self.timed(|| self.sql(&format!("\\copy copied from '{}'", file.display())))?;
        report("psql \\copy from the file", rows, into, None);

        let worker = self.worker("milena")?;
        let plain = self.source(&worker, "plain", "false")?;
        report(
            "milena: table -> Kafka, bulk",
            rows,
            plain,
            Some(("of \\copy to a file", out / plain)),
        );
        let schemas = self.source(&worker, "rows", "true")?;
        report(
            "milena: the same, each record with its schema",
            rows,
            schemas,
            None,
        );
        let insert = self.sink(
            &worker,
            "inserted",
            &[("insert.mode", "insert"), ("pk.mode", "none")],
        )?;
        report(
            "milena: Kafka -> table, insert",
            rows,
            insert,
            Some(("of \\copy from the file", into / insert)),
        );
        let key = [
            ("insert.mode", "upsert"),
            ("pk.mode", "record_value"),
            ("pk.fields", "id"),
        ];
        let upsert = self.sink(&worker, "upserted", &key)?;
        report("milena: Kafka -> table, upsert", rows, upsert, None);
        println!("milena: memory after it: {:.1} MiB", worker.rss_mib()?);
        let same = self.sql("select (select md5(string_agg(t::text,',' order by id)) from source t)=(select md5(string_agg(t::text,',' order by id)) from upserted t)")?;
        if same != ["t"] {
            bail!("the target holds other rows than the source");
        }
        latency::measure(self, &worker)?;
        worker.terminate()?;
        java::measure(self, insert, upsert)?;
        self.memory(large)
    }

    fn sql(&self, text: &str) -> Result<Vec<String>> {
        self.db.try_sql(text).map_err(anyhow::Error::msg)
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

    /// Reads the table into a topic; the seconds from the request to the last record.
    fn source(&self, worker: &Worker, prefix: &str, schemas: &str) -> Result<f64> {
        let url = self.url();
        let topic = format!("{prefix}-source");
        self.timed(|| {
            let config = [
                (
                    "connector.class",
                    "io.confluent.connect.jdbc.JdbcSourceConnector",
                ),
                ("connection.url", &*url),
                ("mode", "bulk"),
                ("table.whitelist", "source"),
                ("topic.prefix", &*format!("{prefix}-")),
                ("poll.interval.ms", "3600000"),
                ("batch.max.rows", "2000"),
                ("value.converter", JSON),
                ("value.converter.schemas.enable", schemas),
                ("topic.creation.default.partitions", "1"),
                ("topic.creation.default.replication.factor", "1"),
            ];
            self.create(&worker.url, prefix, &config)?;
            until("all records are in the topic", || {
                self.end(&topic)
                    .is_ok_and(|end| end == self.rows.cast_signed())
            })
        })
    }

    /// The end of the topic's partition.
    fn end(&self, topic: &str) -> Result<i64> {
        let key = "bootstrap.servers".to_owned();
        let props = ClientProps::from([(key, self.kafka.bootstrap())]);
        tokio::runtime::Runtime::new()?.block_on(async {
            let admin = milena_kafka::clients().admin(&props).await?;
            let of = [(topic.into(), 0)];
            let ends = admin.list_offsets(&of, ListAt::Latest, Isolation::ReadCommitted);
            Ok(ends.await?.into_values().next().unwrap_or(0))
        })
    }

    /// Writes the topic with schemas into a table; the seconds from the request to the last row.
    fn sink(&self, worker: &Worker, table: &str, more: &[(&str, &str)]) -> Result<f64> {
        let url = self.url();
        let mut config = vec![
            (
                "connector.class",
                "io.confluent.connect.jdbc.JdbcSinkConnector",
            ),
            ("connection.url", &*url),
            ("topics", "rows-source"),
            ("table.name.format", table),
            ("consumer.override.max.poll.records", "3000"),
        ];
        config.extend_from_slice(more);
        let seconds = self.timed(|| {
            self.create(&worker.url, table, &config)?;
            self.filled(table, Duration::MAX).map(|_| ())
        })?;
        call("DELETE", &worker.url, &format!("/connectors/{table}"), "")?;
        Ok(seconds)
    }

    /// Waits until a table holds all rows, or for so long; how many it holds.
    fn filled(&self, table: &str, longest: Duration) -> Result<u64> {
        let begun = Instant::now();
        let mut count = 0;
        until("the table is full", || {
            let found = self.db.try_sql(&format!("select count(*) from {table}"));
            count = found
                .ok()
                .and_then(|rows| rows.first()?.parse().ok())
                .unwrap_or(0);
            std::thread::park_timeout(LOOK);
            count >= self.rows || begun.elapsed() > longest
        })?;
        Ok(count)
    }

    /// The memory of a fresh worker while it reads a large table.
    fn memory(&self, large: u64) -> Result<()> {
        self.sql(&format!(
            "create table large(id bigint not null, name text, amount numeric(12,2)); \
             insert into large select n,'name '||n,n/7.0 from generate_series(1,{large}) n"
        ))?;
        let worker = self.worker("memory")?;
        let before = worker.rss_mib()?;
        let url = self.url();
        let config = [
            (
                "connector.class",
                "io.confluent.connect.jdbc.JdbcSourceConnector",
            ),
            ("connection.url", &*url),
            ("mode", "bulk"),
            ("table.whitelist", "large"),
            ("topic.prefix", "memory-"),
            ("poll.interval.ms", "3600000"),
            ("batch.max.rows", "1000"),
            ("value.converter.schemas.enable", "false"),
            ("value.converter", JSON),
            ("topic.creation.default.partitions", "1"),
            ("topic.creation.default.replication.factor", "1"),
        ];
        self.create(&worker.url, "memory", &config)?;
        let begun = Instant::now();
        let (mut most, mut read) = (before, 0);
        while read < large.cast_signed() && begun.elapsed() < MEMORY_MAX {
            read = self.end("memory-large").unwrap_or(0);
            most = most.max(worker.rss_mib()?);
            std::thread::park_timeout(LOOK);
        }
        println!(
            "milena: memory while it reads a table of {large} rows: {most:.1} MiB at most, {before:.1} MiB before; {read} rows in {:.1} s",
            begun.elapsed().as_secs_f64()
        );
        worker.terminate()
    }
}

fn report(what: &str, rows: u64, seconds: f64, beside: Option<(&str, f64)>) {
    let rate = rows as f64 / seconds;
    let beside = beside.map_or_else(String::new, |(what, ratio)| format!(", {ratio:.2} {what}"));
    println!("{what}: {seconds:.2} s, {rate:.0} rows/s{beside}");
}
