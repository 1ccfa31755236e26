//! What can go wrong at a database, on a real PostgreSQL and MariaDB: nothing is lost or rounded in silence, and each
//! error names the thing and the remedy.

use std::time::{Duration, Instant};

use milena_api::{ConnectError, SinkTask, SourceTask};
use milena_config::Props;
use milena_data::{
    Schema, SchemaAndValue, SchemaBuilder, SchemaType, SinkRecord, SourceRecord, Value,
};
use milena_jdbc::Vendor;
use milena_testing_databases::{Server, mariadb, postgres};

use crate::harness::{Heard, Offsets, field, props, record, row, sink, source, take};

fn config(url: &str, more: &[(&str, &str)]) -> Props {
    let mut config = props(&[
        ("connection.url", url),
        ("connection.attempts", "1"),
        ("connection.backoff.ms", "1"),
        ("poll.interval.ms", "1"),
        ("retry.backoff.ms", "1"),
        ("topic.prefix", "t-"),
        ("max.retries", "3"),
    ]);
    config.extend(props(more));
    config
}

struct Db {
    server: Server,
    url: String,
}

impl Db {
    fn config(&self, more: &[(&str, &str)]) -> Props {
        config(&self.url, more)
    }

    async fn source(&self, more: &[(&str, &str)]) -> Result<Box<dyn SourceTask>, ConnectError> {
        source(Vendor::Confluent, &self.config(more), &Offsets::default()).await
    }

    async fn sink(&self, more: &[(&str, &str)]) -> Box<dyn SinkTask> {
        let config = self.config(more);
        sink(Vendor::Confluent, &config, &Heard::default(), false)
            .await
            .unwrap()
    }

    fn sql(&self, text: &str) -> Vec<String> {
        self.server.sql(text)
    }
}

/// Polls until it fails; what it says.
async fn failure(task: &mut dyn SourceTask) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        if let Err(error) = task.poll().await {
            return error.to_string();
        }
    }
    panic!("it goes on");
}

/// A record of a topic `orders` with the fields `id` and `item`.
fn order(offset: i64, id: i64, item: &str) -> SinkRecord {
    let schema = SchemaBuilder::structure()
        .field("id", Schema::primitive(SchemaType::Int64, false))
        .field("item", Schema::primitive(SchemaType::String, true));
    let values = vec![Value::Int64(id), Value::from(item)];
    let value = row(&schema.build().unwrap(), values);
    record("orders", offset, SchemaAndValue::default(), value)
}

const UPSERT: [(&str, &str); 3] = [
    ("insert.mode", "upsert"),
    ("pk.mode", "record_value"),
    ("pk.fields", "id"),
];

fn names(record: &SourceRecord) -> Vec<String> {
    let schema = record.record.value.schema.as_ref().unwrap();
    schema.fields().keys().map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_postgresql() {
    let Some(server) = postgres("faults_of_postgresql", &["deadlock_timeout=100ms"]) else {
        return;
    };
    let url = format!(
        "jdbc:postgresql://127.0.0.1:{}/postgres?user=postgres",
        server.port
    );
    let db = Db { server, url };
    ways_in(&db).await;
    sources(&db).await;
    changes_of_a_read_table(&db).await;
    a_connection_killed_in_mid_read(&db).await;
    sinks(&db).await;
    deadlock(&db).await;
    a_connection_killed_in_mid_batch(&db).await;
    changes_of_a_written_table(&db).await;
    bytes_that_are_no_text(&db).await;
}

/// Password, host, port, database.
async fn ways_in(db: &Db) {
    db.sql("create role secret login password 'right'");
    let port = db.server.port;
    let bulk = [
        ("mode", "bulk"),
        ("connection.attempts", "5"),
        ("connection.backoff.ms", "600000"),
        ("query", "select 1 as one"),
    ];
    let with = async |url: &str, more: &[(&str, &str)]| {
        let more: Vec<_> = bulk.iter().chain(more).copied().collect();
        let task = source(Vendor::Confluent, &config(url, &more), &Offsets::default()).await;
        task.map(|_| ()).map_err(|error| error.to_string())
    };
    let url = format!("jdbc:postgresql://127.0.0.1:{port}/postgres");
    let user = ("connection.user", "secret");
    // A refusal is not repeated: repetitions lock accounts.
    let error = with(&url, &[user, ("connection.password", "wr0ng")])
        .await
        .unwrap_err();
    assert!(
        error.contains("password") && error.contains("secret") && !error.contains("wr0ng"),
        "{error}"
    );
    with(&url, &[user, ("connection.password", "right")])
        .await
        .unwrap();
    let once = ("connection.attempts", "1");
    let error = with("jdbc:postgresql://no-such-host.invalid/x", &[user, once])
        .await
        .unwrap_err();
    assert!(error.contains("no-such-host.invalid"), "{error}");
    let error = with("jdbc:postgresql://127.0.0.1:1/x", &[user, once])
        .await
        .unwrap_err();
    assert!(error.contains("127.0.0.1:1"), "{error}");
}

/// What a source cannot read.
async fn sources(db: &Db) {
    db.sql(
        "create table nullable(id int, v text); insert into nullable values(1,'a'),(null,'b'),(2,'c'); \
         create table odd(id int primary key, at point, span interval, net inet); insert into odd values(1,'(1,2)','1 day','10.0.0.1'); \
         create table nan(id int primary key, n numeric); insert into nan values(1,'NaN'); \
         create table wide(id int primary key, n numeric); insert into wide values(1,1e30); \
         create table texts(id text primary key); insert into texts values('a')",
    );
    let incrementing = |table: &'static str| {
        [
            ("mode", "incrementing"),
            ("incrementing.column.name", "id"),
            ("table.whitelist", table),
            ("validate.non.null", "true"),
        ]
    };
    let error = db
        .source(&incrementing("nullable"))
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("nullable") && error.contains("validate.non.null=false"),
        "{error}"
    );
    let mut loose = incrementing("nullable");
    loose[3].1 = "false";
    let mut task = db.source(&loose).await.unwrap();
    let ids: Vec<_> = take(&mut *task, 2)
        .await
        .iter()
        .map(|r| field(r, "id"))
        .collect();
    assert_eq!(
        ids,
        [Value::Int32(1), Value::Int32(2)],
        "rows without an id are never read, as documented"
    );
    let error = db
        .source(&incrementing("texts"))
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("id") && error.contains("whole number"),
        "{error}"
    );
    let mut task = db.source(&incrementing("odd")).await.unwrap();
    let record = take(&mut *task, 1).await.remove(0);
    assert_eq!(
        names(&record),
        ["id"],
        "columns without a Connect type are left out with a warning, as in Java"
    );
    // A number that a decimal of the schema's scale cannot hold is an error with column and remedy, not null.
    for (table, what) in [("nan", "NaN"), ("wide", "1")] {
        let mut task = db.source(&incrementing(table)).await.unwrap();
        let taken = tokio::time::timeout(Duration::from_secs(60), task.poll())
            .await
            .unwrap();
        match (table, taken) {
            ("wide", Ok(records)) => {
                // 1e30 is exact at scale 38.
                let value = field(&records.unwrap()[0], "n").to_string();
                assert!(value.contains('1'), "{value}");
            }
            (_, taken) => {
                let error = taken.unwrap_err().to_string();
                assert!(
                    error.contains("column n") && error.contains(what),
                    "{error}"
                );
            }
        }
    }
}

/// Columns added, dropped, renamed, of another type, under a running source.
async fn changes_of_a_read_table(db: &Db) {
    db.sql("create table moving(id serial primary key, a int, b text); insert into moving(a,b) values(1,'x')");
    let mut task = db
        .source(&[
            ("mode", "incrementing"),
            ("incrementing.column.name", "id"),
            ("table.whitelist", "moving"),
        ])
        .await
        .unwrap();
    let first = take(&mut *task, 1).await.remove(0);
    assert_eq!(names(&first), ["id", "a", "b"]);
    db.sql("alter table moving add c boolean; insert into moving(a,b,c) values(2,'y',true)");
    let added = take(&mut *task, 1).await.remove(0);
    assert_eq!(field(&added, "c"), Value::Boolean(true));
    db.sql("alter table moving drop b; insert into moving(a,c) values(3,false)");
    assert_eq!(names(&take(&mut *task, 1).await[0]), ["id", "a", "c"]);
    db.sql("alter table moving rename a to aa; insert into moving(aa) values(4)");
    assert_eq!(field(&take(&mut *task, 1).await[0], "aa"), Value::Int32(4));
    db.sql("alter table moving alter aa type text; insert into moving(aa) values('five')");
    assert_eq!(
        field(&take(&mut *task, 1).await[0], "aa"),
        Value::from("five")
    );
    // The column that the mode goes by is another thing.
    db.sql("alter table moving rename id to number");
    let error = match tokio::time::timeout(Duration::from_secs(3), failure(&mut *task)).await {
        Ok(error) => error,
        // Java's way: the query fails with a warning until the column is back.
        Err(_) => "id".to_owned(),
    };
    assert!(error.contains("id"), "{error}");
    db.sql("alter table moving rename number to id; insert into moving(aa) values('six')");
    assert_eq!(
        field(&take(&mut *task, 1).await[0], "aa"),
        Value::from("six")
    );
}

/// The server ends the connection while rows stream: the task connects anew and reads what is left, each row.
async fn a_connection_killed_in_mid_read(db: &Db) {
    db.sql("create table long(id bigint primary key, v text); insert into long select n,repeat('x',200) from generate_series(1,20000) n");
    let mut task = db
        .source(&[
            ("mode", "incrementing"),
            ("incrementing.column.name", "id"),
            ("table.whitelist", "long"),
            ("batch.max.rows", "500"),
            ("connection.attempts", "3"),
        ])
        .await
        .unwrap();
    let mut ids = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut killed = false;
    while ids.len() < 20_000 {
        assert!(Instant::now() < deadline, "{} rows", ids.len());
        for record in task.poll().await.unwrap().unwrap_or_default() {
            match field(&record, "id") {
                Value::Int64(id) => ids.push(id),
                other => panic!("{other}"),
            }
        }
        if !killed && ids.len() >= 2000 {
            killed = true;
            db.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name='milena'");
        }
    }
    assert_eq!(ids, (1..=20_000).collect::<Vec<_>>());
}

/// What a sink cannot write, and what passes.
async fn sinks(db: &Db) {
    // No key under upsert.
    db.sql("create table keyless(id bigint, item text)");
    let mut upsert = UPSERT.to_vec();
    upsert.push(("table.name.format", "keyless"));
    let mut task = db.sink(&upsert).await;
    let many: Vec<_> = (0..50).map(|n| order(n, n, "x")).collect();
    for batch in [&many[..1], &many[..]] {
        let error = task.put(batch).await.unwrap_err();
        let text = error.to_string();
        assert!(!error.is_retriable(), "no repetition makes a key: {text}");
        assert!(
            text.contains("keyless") && text.contains("primary key") && text.contains("id"),
            "{text}"
        );
    }
    db.sql("alter table keyless add primary key(id)");
    let mut task = db.sink(&upsert).await;
    task.put(&many).await.unwrap();
    assert_eq!(db.sql("select count(*) from keyless"), ["50"]);
    // The target's column goes away under the running sink, and comes back with auto.evolve.
    db.sql("alter table keyless drop item");
    let error = loop {
        let error = task.put(&many).await.unwrap_err();
        if !error.is_retriable() {
            break error.to_string();
        }
    };
    assert!(
        error.contains("item") && error.contains("auto.evolve=true"),
        "{error}"
    );
    upsert.push(("auto.evolve", "true"));
    let mut task = db.sink(&upsert).await;
    task.put(&many).await.unwrap();
    assert_eq!(db.sql("select count(item) from keyless"), ["50"]);
    // Errors that pass when the transaction comes again, and one that does not: each three times at most.
    db.sql(
        "create table shaky(id bigint primary key, item text); create sequence tries; \
         create function shake() returns trigger language plpgsql as $$ begin \
         if nextval('tries')<=2 then raise exception 'shaken' using errcode=TG_ARGV[0]; end if; return new; end $$",
    );
    for (number, (state, passes)) in [
        ("40001", true),
        ("40P01", true),
        ("53100", true),
        ("55P03", true),
        ("22003", false),
    ]
    .into_iter()
    .enumerate()
    {
        db.sql(&format!(
            "drop trigger if exists shake on shaky; alter sequence tries restart; \
             create trigger shake before insert on shaky for each row execute function shake('{state}')"
        ));
        let mut task = db.sink(&[("table.name.format", "shaky")]).await;
        let batch = [order(0, number as i64, "x")];
        let mut last = Ok(());
        for _ in 0..3 {
            last = task.put(&batch).await;
            if last
                .as_ref()
                .err()
                .is_none_or(|error| !error.is_retriable())
            {
                break;
            }
        }
        match (passes, last) {
            (true, Ok(())) => {}
            (false, Err(error)) => assert!(error.to_string().contains("shaken"), "{error}"),
            (_, last) => panic!("{state}: {last:?}"),
        }
    }
    assert_eq!(
        db.sql("select string_agg(id::text,',' order by id) from shaky"),
        ["0,1,2,3"]
    );
    // A full disk that stays full ends the task with the database's words.
    db.sql("create or replace function shake() returns trigger language plpgsql as $$ begin raise exception 'could not extend file' using errcode='53100'; end $$");
    let mut task = db.sink(&[("table.name.format", "shaky")]).await;
    let mut last = String::new();
    for _ in 0..4 {
        last = task.put(&[order(0, 9, "x")]).await.unwrap_err().to_string();
    }
    assert!(last.contains("could not extend file"), "{last}");
    assert_eq!(db.sql("select count(*) from shaky"), ["4"]);
}

/// A deadlock with somebody else's transaction: whoever is the victim, the batch is written in the end.
async fn deadlock(db: &Db) {
    db.sql("create table dead(id bigint primary key, item text); insert into dead values(1,'a'),(2,'b')");
    let mut config = UPSERT.to_vec();
    config.push(("table.name.format", "dead"));
    let mut task = db.sink(&config).await;
    let text = format!("host=127.0.0.1 port={} user=postgres", db.server.port);
    let (other, connection) = tokio_postgres::connect(&text, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    other
        .batch_execute("begin; update dead set item='other' where id=2")
        .await
        .unwrap();
    let batch = [order(0, 1, "sink"), order(1, 2, "sink")];
    let both = tokio::join!(task.put(&batch), async {
        let deadline = Instant::now() + Duration::from_secs(60);
        while db.sql("select count(*) from pg_locks where not granted") == ["0"] {
            assert!(Instant::now() < deadline, "the sink does not wait");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mine = other
            .batch_execute("update dead set item='other' where id=1")
            .await;
        other
            .batch_execute(if mine.is_ok() { "commit" } else { "rollback" })
            .await
            .unwrap();
    });
    if let Err(error) = both.0 {
        assert!(
            error.is_retriable() && error.to_string().contains("deadlock"),
            "{error}"
        );
        task.put(&batch).await.unwrap();
    }
    assert_eq!(
        db.sql("select item from dead order by id"),
        ["sink", "sink"]
    );
}

/// The server ends the connection while a batch is being written: nothing of it stays, and it comes again as a whole.
async fn a_connection_killed_in_mid_batch(db: &Db) {
    db.sql("create table cut(id bigint primary key, item text)");
    for (kind, extra) in [("copy", &[][..]), ("merge", &UPSERT[..])] {
        db.sql("truncate cut");
        let mut config = extra.to_vec();
        config.push(("table.name.format", "cut"));
        config.push(("batch.size", "10"));
        let mut task = db.sink(&config).await;
        let text = format!("host=127.0.0.1 port={} user=postgres", db.server.port);
        let (other, connection) = tokio_postgres::connect(&text, tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        // Row 15 is somebody else's: the second statement of the batch waits for it.
        let hold = "begin; insert into cut values(15,'held')";
        other.batch_execute(hold).await.unwrap();
        let batch: Vec<_> = (0..30).map(|n| order(n, n, "x")).collect();
        let (put, ()) = tokio::join!(task.put(&batch), async {
            let deadline = Instant::now() + Duration::from_secs(60);
            let kill = "select pg_terminate_backend(pid) from pg_locks join pg_stat_activity using(pid) \
                        where not granted and application_name='milena'";
            while db.sql(kill).is_empty() {
                assert!(Instant::now() < deadline, "the sink does not wait");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        let error = put.unwrap_err();
        assert!(error.is_retriable(), "{kind}: {error}");
        assert_eq!(db.sql("select count(*) from cut"), ["0"], "{kind}");
        other.batch_execute("rollback").await.unwrap();
        task.put(&batch).await.unwrap();
        let count = db.sql("select count(*),count(distinct id) from cut");
        assert_eq!(count, ["30|30"], "{kind}");
    }
}

/// A column renamed, of another type, and the table dropped, under a running sink.
async fn changes_of_a_written_table(db: &Db) {
    db.sql("create table shifting(id bigint, item text)");
    let config = [
        ("table.name.format", "shifting"),
        ("auto.create", "true"),
        ("auto.evolve", "true"),
    ];
    let mut task = db.sink(&config).await;
    let put = async |task: &mut Box<dyn SinkTask>, item: &str| {
        let mut last = Ok(());
        // The first error is how the sink learns of the change.
        for _ in 0..3 {
            let batch: Vec<_> = (0..20).map(|n| order(n, n, item)).collect();
            last = task.put(&batch).await;
            match &last {
                Err(error) if error.is_retriable() => {}
                _ => break,
            }
        }
        last
    };
    put(&mut task, "a").await.unwrap();
    db.sql("alter table shifting rename item to thing");
    put(&mut task, "b").await.unwrap();
    let counts = db.sql("select count(*),count(thing),count(item) from shifting");
    assert_eq!(
        counts,
        ["40|20|20"],
        "the renamed column's place is made anew"
    );
    db.sql("alter table shifting drop item, add item bigint");
    put(&mut task, "7").await.unwrap();
    let error = put(&mut task, "seven").await.unwrap_err();
    assert!(
        !error.is_retriable() && error.to_string().contains("seven"),
        "{error}"
    );
    assert_eq!(db.sql("select sum(item) from shifting"), ["140"]);
    db.sql("drop table shifting");
    let mut task = db.sink(&config).await;
    put(&mut task, "a").await.unwrap();
    db.sql("drop table shifting");
    put(&mut task, "b").await.unwrap();
    assert_eq!(db.sql("select distinct item from shifting"), ["b"]);
}

/// A database without an encoding holds any bytes; text columns of it may not be UTF-8.
async fn bytes_that_are_no_text(db: &Db) {
    db.sql("create database bytes encoding 'SQL_ASCII' template template0 locale 'C'");
    let url = db.url.replace("/postgres?", "/bytes?");
    let mut other = db.config(&[("mode", "bulk"), ("table.whitelist", "b")]);
    other.insert("connection.url".into(), url);
    let text = format!(
        "host=127.0.0.1 port={} user=postgres dbname=bytes",
        db.server.port
    );
    let (client, connection) = tokio_postgres::connect(&text, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let make = "set client_encoding='SQL_ASCII'; create table b(id int primary key, v text); insert into b values(1,E'a\\xff')";
    client.batch_execute(make).await.unwrap();
    let mut task = source(Vendor::Confluent, &other, &Offsets::default())
        .await
        .unwrap();
    let error = failure(&mut *task).await;
    assert!(error.contains("UTF-8") || error.contains("UTF8"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_mariadb() {
    // Whoever is no administrator lives five years ahead of this machine.
    let ahead = "--init-connect=SET timestamp=UNIX_TIMESTAMP('2031-01-01 00:00:00')";
    let Some(server) = mariadb("faults_of_mariadb", &[ahead]) else {
        return;
    };
    let url = format!("jdbc:mariadb://127.0.0.1:{}/test?user=root", server.port);
    let db = Db { server, url };
    db.sql("create user secret@'%' identified by 'right'");
    let secret = db.url.replace("user=root", "user=secret&password=wr0ng");
    let bulk = [
        ("mode", "bulk"),
        ("connection.attempts", "5"),
        ("connection.backoff.ms", "600000"),
    ];
    let error = source(
        Vendor::Confluent,
        &config(&secret, &bulk),
        &Offsets::default(),
    )
    .await;
    let error = error.err().unwrap().to_string();
    assert!(
        error.contains("Access denied") && !error.contains("wr0ng"),
        "{error}"
    );
    // MariaDB would insert each row again and again: that is no upsert.
    db.sql("create table keyless(id bigint, item text)");
    let mut upsert = UPSERT.to_vec();
    upsert.push(("table.name.format", "keyless"));
    let mut task = db.sink(&upsert).await;
    let error = task.put(&[order(0, 1, "x")]).await.unwrap_err();
    assert!(
        !error.is_retriable() && error.to_string().contains("primary key"),
        "{error}"
    );
    db.sql("alter table keyless add unique(id)");
    let mut task = db.sink(&upsert).await;
    task.put(&[order(0, 1, "x")]).await.unwrap();
    task.put(&[order(0, 1, "y")]).await.unwrap();
    assert_eq!(db.sql("select * from keyless"), ["1|y"]);
    // What passes, and what does not.
    db.sql("create table shaky(id bigint primary key, item varchar(2)); create table tries(n int) engine=myisam; insert into tries values(0)");
    for (number, state) in [
        "'40001' set mysql_errno=1213",
        "'HY000' set mysql_errno=1205",
        "'HY000' set mysql_errno=1021",
    ]
    .iter()
    .enumerate()
    {
        let parts = state.split_once(' ').unwrap();
        db.sql(&format!(
            "update tries set n=0; drop trigger if exists shake;\ndelimiter //\ncreate trigger shake before insert on shaky \
             for each row begin update tries set n=n+1; if (select n from tries)<=2 then signal sqlstate {} {}, \
             message_text='shaken'; end if; end//\ndelimiter ;\n",
            parts.0, parts.1
        ));
        let mut task = db.sink(&[("table.name.format", "shaky")]).await;
        let batch = [order(0, number as i64, "x")];
        let mut last = Ok(());
        for _ in 0..3 {
            last = task.put(&batch).await;
            if last.is_ok() {
                break;
            }
        }
        assert!(last.is_ok(), "{state}: {last:?}");
    }
    db.sql("drop trigger shake");
    let mut task = db.sink(&[("table.name.format", "shaky")]).await;
    let error = task.put(&[order(0, 9, "too long")]).await.unwrap_err();
    assert!(
        !error.is_retriable() && error.to_string().contains("too long"),
        "{error}"
    );
    assert_eq!(
        db.sql("select group_concat(id order by id) from shaky"),
        ["0,1,2"]
    );
    values_that_mariadb_has_not(&db).await;
    clocks_that_differ(&db).await;
}

/// `NaN`, infinity and years that MariaDB does not have are errors of the record, never another value.
async fn values_that_mariadb_has_not(db: &Db) {
    db.sql("create table narrow(id bigint, x double, d date, at datetime(3))");
    let heard = Heard::default();
    let into = db.config(&[("table.name.format", "narrow")]);
    let mut task = sink(Vendor::Confluent, &into, &heard, true).await.unwrap();
    let logical = |kind, name: &str| {
        let name = format!("org.apache.kafka.connect.data.{name}");
        let builder = SchemaBuilder::new(kind).optional().name(name).version(1);
        builder.build().unwrap()
    };
    let schema = SchemaBuilder::structure()
        .field("id", Schema::primitive(SchemaType::Int64, false))
        .field("x", Schema::primitive(SchemaType::Float64, true))
        .field("d", logical(SchemaType::Int32, "Date"))
        .field("at", logical(SchemaType::Int64, "Timestamp"));
    let schema = schema.build().unwrap();
    // 44 BC, and the year 12000.
    let (before, after) = (-63_517_824_000_000, 316_516_204_800_000);
    let wanted = [
        (Value::Float64(f64::NAN), Value::Null, Value::Null),
        (Value::Float64(f64::INFINITY), Value::Null, Value::Null),
        (Value::Null, Value::Instant(before), Value::Null),
        (Value::Null, Value::Null, Value::Instant(before)),
        (Value::Null, Value::Null, Value::Instant(after)),
        (
            Value::Float64(f64::MAX),
            Value::Instant(0),
            Value::Instant(-1),
        ),
    ];
    let batch: Vec<_> = wanted
        .into_iter()
        .zip(0..)
        .map(|((x, d, at), n)| {
            let value = row(&schema, vec![Value::Int64(n), x, d, at]);
            record("narrow", n, SchemaAndValue::default(), value)
        })
        .collect();
    task.put(&batch).await.unwrap();
    let reports = heard.reports.lock().unwrap().clone();
    let offsets: Vec<_> = reports.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, [0, 1, 2, 3, 4], "{reports:?}");
    assert_eq!(
        db.sql("select id,x=1.7976931348623157e308,d,at from narrow"),
        ["5|1|1970-01-01|1969-12-31 23:59:59.999"]
    );
}

/// What is due is decided by the database's clock, wherever the worker's stands.
async fn clocks_that_differ(db: &Db) {
    db.sql(
        "create user tomorrow@'%'; grant all on test.* to tomorrow@'%'; \
         create table due(id int primary key auto_increment, at datetime(3) not null); \
         insert into due(at) values('2030-12-31 23:00:00'),('2031-01-01 00:00:01')",
    );
    let url = db.url.replace("user=root", "user=tomorrow");
    let from = [
        ("mode", "timestamp"),
        ("timestamp.column.name", "at"),
        ("table.whitelist", "due"),
    ];
    let from = config(&url, &from);
    let mut task = source(Vendor::Confluent, &from, &Offsets::default())
        .await
        .unwrap();
    let records = take(&mut *task, 1).await;
    let ids: Vec<_> = records.iter().map(|record| field(record, "id")).collect();
    assert_eq!(ids, [Value::Int32(1)]);
    db.sql("update due set at='2030-12-31 23:59:59' where id=2");
    let records = take(&mut *task, 1).await;
    assert_eq!(field(&records[0], "id"), Value::Int32(2));
}
