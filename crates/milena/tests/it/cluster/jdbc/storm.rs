//! `kill -9` of the worker between two tables: with exactly once they are equal, without it no row is lost.

use std::time::{Duration, Instant};

use milena_testing_databases::{Server, postgres};

use super::{cluster, connector};
use crate::{
    clients::Embedded,
    cluster::world::{PATIENCE, Worker, create, figure, rest, until},
};

/// How often the worker is killed; `MILENA_TEST_KILLS` says another number.
const KILLS: usize = 3;
/// Rows that appear between two kills.
const ROWS: usize = 3000;
/// So many records at once are written while the next ones are read.
const LARGE: [(&str, &str); 2] = [
    ("consumer.override.fetch.min.bytes", "200000"),
    ("consumer.override.fetch.max.wait.ms", "300"),
];
const TARGET: &str = "(id bigint, body text, amount numeric(10,2), at timestamp)";
const CONTENT: &str = "count(*),count(distinct id),md5(string_agg(t::text,',' order by id))";

fn grow(db: &Server) {
    db.sql(&format!(
        "insert into source(body,amount,at) select 'row '||n,n/7.0,timestamp '2026-01-01'+n*interval '1 ms' from \
         generate_series(1,{ROWS}) n"
    ));
}

fn count(db: &Server, table: &str) -> usize {
    let rows = db.try_sql(&format!("select count(distinct id) from {table}"));
    rows.ok()
        .and_then(|rows| rows.first()?.parse().ok())
        .unwrap_or(0)
}

/// What the worker says of its connectors, and the end of its log.
fn told(worker: &Worker) -> String {
    let status = rest(
        "GET",
        &format!("{}/connectors?expand=status", worker.url()),
        None,
    );
    let log = worker.log();
    let lines: Vec<_> = log.lines().collect();
    let last = lines.get(lines.len().saturating_sub(40)..).unwrap_or(&[]);
    format!("{status:?}\n{}", last.join("\n"))
}

/// Waits for so many rows, as long as there come more.
fn filled(db: &Server, worker: &Worker, table: &str, wanted: usize) {
    let mut last = 0;
    let mut deadline = Instant::now() + PATIENCE;
    while last < wanted {
        let now = count(db, table);
        if now > last {
            (last, deadline) = (now, Instant::now() + PATIENCE);
        }
        assert!(
            Instant::now() < deadline,
            "{table}: {last} of {wanted} rows\n{}",
            told(worker)
        );
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn tables_are_equal_after_kills_of_the_worker() {
    let Some(db) = postgres("tables_are_equal_after_kills_of_the_worker", &[]) else {
        return;
    };
    let kills = std::env::var("MILENA_TEST_KILLS").map_or(KILLS, |n| n.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(dir.path());
    let cluster = cluster(
        &kafka.bootstrap,
        &[
            ("exactly.once.source.support", "enabled"),
            ("offset.flush.interval.ms", "100"),
        ],
    );
    db.sql(&format!(
        "create table source(id bigserial primary key, body text, amount numeric(10,2), at timestamp); \
         create table once{TARGET}; create table ahead{TARGET}; \
         create table least{TARGET}; create table kept{TARGET}"
    ));
    grow(&db);
    let url = format!(
        "jdbc:postgresql://127.0.0.1:{}/postgres?user=postgres",
        db.port
    );
    let prefix = cluster.topic("");
    let source = [
        ("table.whitelist", "source"),
        ("topic.prefix", &*prefix),
        ("mode", "incrementing"),
        ("incrementing.column.name", "id"),
        ("batch.max.rows", "100"),
        ("transaction.boundary", "poll"),
        ("topic.creation.default.partitions", "3"),
    ];
    let begun = Instant::now();
    let mut worker = cluster.joined("worker");
    create(
        worker.url(),
        &connector("rows", "JdbcSourceConnector", &url, &source),
    );
    let topic = format!("{prefix}source");
    let sink = |table: &'static str, more: &[(&'static str, &'static str)]| {
        let mut all = vec![
            ("topics", topic.as_str()),
            ("table.name.format", table),
            ("tasks.max", "2"),
            ("consumer.override.isolation.level", "read_committed"),
        ];
        all.extend_from_slice(more);
        connector(table, "JdbcSinkConnector", &url, &all)
    };
    // Written by the batch in hand.
    let small = [
        ("batch.size", "50"),
        ("consumer.override.max.poll.records", "50"),
    ];
    let upsert = [
        ("insert.mode", "upsert"),
        ("pk.mode", "record_value"),
        ("pk.fields", "id"),
    ];
    let once = [("milena.sink.exactly.once", "true")];
    db.sql("alter table kept add primary key(id)");
    for sink in [
        sink("once", &[&once[..], &small].concat()),
        sink("ahead", &[&once[..], &LARGE].concat()),
        sink("least", &LARGE),
        sink("kept", &[&upsert[..], &LARGE].concat()),
    ] {
        create(worker.url(), &sink);
    }
    let mut seed = 0x9e37_79b9_u64;
    for round in 1..=kills {
        // In the middle of the work: some of the round is there, some is not.
        grow(&db);
        filled(&db, &worker, "once", (round - 1) * ROWS + 1);
        if kills > KILLS {
            figure(&format!("round {round}"), begun);
        }
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // The moment of the kill is the test's input, not a wait for something to happen.
        let moment = Instant::now() + Duration::from_millis((seed >> 33) % 400);
        while Instant::now() < moment {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        worker.kill();
        worker = cluster.worker(&format!("worker-{round}"), &[]);
    }
    let all = (kills + 1) * ROWS;
    for table in ["once", "ahead", "least", "kept"] {
        filled(&db, &worker, table, all);
    }
    assert!(worker.terminate().success());
    let wanted = db.sql(&format!("select {CONTENT} from source t"));
    for table in ["once", "ahead", "kept"] {
        let found = db.sql(&format!("select {CONTENT} from {table} t"));
        assert_eq!(found, wanted, "{table}");
    }
    let least = format!("select {CONTENT} from (select distinct * from least) t");
    assert_eq!(
        db.sql(&least),
        wanted,
        "without exactly once nothing is lost"
    );
    let repeated = db.sql("select count(*)-count(distinct id) from least");
    figure(
        &format!(
            "{kills} kills, {all} rows, {} repeated without exactly once",
            repeated.concat()
        ),
        begun,
    );
}

/// Two workers, one of them stopped in the middle of its work for longer than its sessions last: it is replaced,
/// comes back as a zombie, and neither writes a row twice nor stands in the way.
#[test]
fn a_worker_that_comes_back_from_the_dead_writes_nothing_twice() {
    let small = [
        ("batch.size", "20"),
        ("consumer.override.max.poll.records", "20"),
    ];
    comes_back(
        "a_worker_that_comes_back_from_the_dead_writes_nothing_twice",
        &small,
    );
}

/// As above, with batches so large that they are written while the next ones are read.
#[test]
fn a_worker_that_comes_back_from_the_dead_has_written_nothing_ahead() {
    comes_back(
        "a_worker_that_comes_back_from_the_dead_has_written_nothing_ahead",
        &LARGE,
    );
}

fn comes_back(test: &str, more: &[(&str, &str)]) {
    let Some(db) = postgres(test, &[]) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(dir.path());
    // The stopped worker may have the source: what it sends is in the topic once as well.
    let cluster = cluster(
        &kafka.bootstrap,
        &[("exactly.once.source.support", "enabled")],
    );
    db.sql(&format!(
        "create table source(id bigserial primary key, body text, amount numeric(10,2), at timestamp); create table once{TARGET}"
    ));
    let url = format!(
        "jdbc:postgresql://127.0.0.1:{}/postgres?user=postgres",
        db.port
    );
    let prefix = cluster.topic("");
    let source = [
        ("table.whitelist", "source"),
        ("topic.prefix", &*prefix),
        ("mode", "incrementing"),
        ("incrementing.column.name", "id"),
        ("topic.creation.default.partitions", "4"),
    ];
    let topic = format!("{prefix}source");
    let sink = [
        ("topics", topic.as_str()),
        ("table.name.format", "once"),
        ("tasks.max", "2"),
        ("milena.sink.exactly.once", "true"),
        ("consumer.override.isolation.level", "read_committed"),
        ("retry.backoff.ms", "200"),
        ("max.retries", "300"),
    ];
    let first = cluster.joined("first");
    let mut second = cluster.joined("second");
    create(
        first.url(),
        &connector("rows", "JdbcSourceConnector", &url, &source),
    );
    create(
        first.url(),
        &connector(
            "once",
            "JdbcSinkConnector",
            &url,
            &[&sink[..], more].concat(),
        ),
    );
    grow(&db);
    until("rows arrive", || count(&db, "once") > 0);
    second.signal("-STOP");
    grow(&db);
    until("the other one takes over", || {
        count(&db, "once") == 2 * ROWS
    });
    grow(&db);
    second.signal("-CONT");
    until("all rows are there", || count(&db, "once") == 3 * ROWS);
    grow(&db);
    until("all rows are there", || count(&db, "once") == 4 * ROWS);
    assert!(second.terminate().success());
    let mut first = first;
    assert!(first.terminate().success());
    let wanted = db.sql(&format!("select {CONTENT} from source t"));
    assert_eq!(db.sql(&format!("select {CONTENT} from once t")), wanted);
}
