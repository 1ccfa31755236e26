//! Real PostgreSQL, both directions. One server for all, as starting one takes the longest.

use milena_config::Props;
use milena_data::{SchemaAndValue, SinkRecord, Value};
use milena_jdbc::Vendor;
use milena_testing_databases::Server;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::{
    conformance,
    harness::{Heard, Offsets, field, partition, props, record, row, sink, source, take},
    json,
};

/// What the Java connectors were recorded with.
const ACCOUNTS: &str = "create table acc(id serial primary key, name varchar(50) not null, bal numeric(12,4), big numeric, \
    i2 smallint, i8 bigint, f real, g double precision, ok boolean, d date, t time, \
    ts timestamp(3) not null default '2026-01-02 03:04:05.678', tstz timestamptz, b bytea, u uuid, j jsonb, c char(5), arr int[]);\
    insert into acc(name,bal,big,i2,i8,f,g,ok,d,t,tstz,b,u,j,c,arr) values('Ann',12.3400,1234567890.5,-5,9223372036854775807,1.5,2.25,\
    true,'2026-01-02','03:04:05','2026-01-02 03:04:05+00','\\xdeadbeef','7f1ec3d2-8d4a-4c4e-9e0a-0123456789ab','{\"a\":1}','ab','{1,2}'),\
    ('Nulls',null,null,null,null,null,null,null,null,null,null,null,null,null,null,null);";

/// Values at the edges of every type.
const EDGES: &str = "create type mood as enum('sad','ok'); create domain money2 as numeric(8,2); create table edges(id bigint primary key, \
    i2 smallint, i4 int, f4 real, f8 double precision, n numeric(40,10), n0 numeric(38), ok boolean, tx text, vc varchar(9), ch char(3), by bytea, \
    d date, t time(3), ts timestamp(3), tz timestamptz(3), u uuid, j json, jb jsonb, m mood, dom money2, ints int[], texts text[]);\
    insert into edges values(1,-32768,-2147483648,'NaN','-Infinity',-123456789012345678901234567890.0123456789,99999999999999999999999999999999999999,\
    true,E'a\\\\b\\tc\\nd\\re''\"','x','y','\\x00ff5c','0044-03-15 BC','23:59:59.999','1500-02-28 12:00:00.001','0001-01-01 00:00:00+00',\
    '7f1ec3d2-8d4a-4c4e-9e0a-0123456789ab','{\"a\": [1]}','{\"b\": null}','sad',1.50,'{1,NULL,-3}','{\"q\\\"\\\\\",NULL,\"\"}'),\
    (2,32767,2147483647,3.4028235e38,1.7976931348623157e308,0.0000000001,-1,false,'','','','','infinity','00:00:00','infinity','-infinity',null,'1','2','ok',-0.01,'{}','{}'),\
    (3,0,0,1.1754944e-38,5e-324,0,0,null,'\u{10ffff}\u{1}',null,null,null,'9999-12-31',null,'294276-12-31 23:59:59.999','1582-10-15 00:00:00+00',null,null,null,null,null,null,null),\
    (4,null,null,null,null,null,null,null,'\\N',null,null,null,'1582-10-04',null,'1969-12-31 23:59:59.999','1970-01-01 00:00:00+00',null,null,null,null,null,null,null);";

async fn client(port: u16) -> Client {
    let text = format!("host=127.0.0.1 port={port} user=postgres");
    let (client, connection) = tokio_postgres::connect(&text, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn rows(client: &Client, sql: &str) -> Vec<String> {
    let messages = client.simple_query(sql).await.unwrap();
    messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(
                (0..row.len())
                    .map(|i| row.get(i).unwrap_or("null"))
                    .collect::<Vec<_>>()
                    .join("|"),
            ),
            _ => None,
        })
        .collect()
}

fn config(port: u16, more: &[(&str, &str)]) -> Props {
    let mut config = props(&[
        (
            "connection.url",
            &format!("jdbc:postgresql://127.0.0.1:{port}/postgres"),
        ),
        ("connection.user", "postgres"),
        ("poll.interval.ms", "10"),
        ("retry.backoff.ms", "1"),
    ]);
    config.extend(props(more));
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_directions_on_postgresql() {
    let Some(server) = milena_testing_databases::postgres("both_directions_on_postgresql", &[])
    else {
        return;
    };
    both_directions(&server).await;
}

/// The newest version, which is not Debian's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_directions_on_postgresql_18() {
    if let Some(server) =
        milena_testing_databases::postgres_18("both_directions_on_postgresql_18", &[])
    {
        both_directions(&server).await;
    }
}

async fn both_directions(server: &Server) {
    assert!(server.dir().exists());
    let db = client(server.port).await;
    recorded_records(server.port, &db).await;
    edges_there_and_back(server.port, &db).await;
    another_zone(server.port, &db).await;
    upserts_by_staging(server.port, &db).await;
    dead_letters(server.port, &db).await;
    exactly_once_over_a_killed_connection(server.port, &db).await;
    exactly_once_behind_a_silent_client(server.port, &db).await;
    faults(server.port).await;
    conformance::promises_are_kept(&db, &config(server.port, &[])).await;
}

/// What Java wrote for these rows, value by value; `big` and `arr` are the documented differences.
async fn recorded_records(port: u16, db: &Client) {
    db.batch_execute(ACCOUNTS).await.unwrap();
    type Mode = (
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static str,
    );
    let modes: [Mode; 3] = [
        (
            include_str!("../golden/aiven-source-bulk.json"),
            &[("mode", "bulk")],
            "",
        ),
        (
            include_str!("../golden/aiven-source-inc.json"),
            &[
                ("mode", "incrementing"),
                ("incrementing.column.name", "id"),
                ("numeric.mapping", "best_fit"),
            ],
            "protocol=1 table=public.acc -> incrementing=2",
        ),
        (
            include_str!("../golden/aiven-source-tsinc.json"),
            &[
                ("mode", "timestamp+incrementing"),
                ("incrementing.column.name", "id"),
                ("timestamp.column.name", "ts"),
                ("numeric.mapping", "precision_only"),
            ],
            "protocol=1 table=public.acc -> timestamp_nanos=678000000 incrementing=2 timestamp=1767323045678",
        ),
    ];
    for (golden, mode, stored) in modes {
        let mut config = config(port, &[("table.whitelist", "acc"), ("topic.prefix", "j-")]);
        config.extend(props(mode));
        let offsets = Offsets::default();
        let mut task = source(Vendor::Aiven, &config, &offsets).await.unwrap();
        let records = take(&mut *task, 2).await;
        let recorded: Vec<serde_json::Value> = serde_json::from_str(golden).unwrap();
        for (record, recorded) in records.iter().take(2).zip(recorded) {
            offsets.store(record);
            assert_eq!(
                json::of(record, &["big", "arr"]),
                json::without(recorded, &["big"])
            );
        }
        assert_eq!(offsets.text(), stored);
        let array = Value::Array(vec![Value::Int32(1), Value::Int32(2)]);
        assert_eq!(field(&records[0], "arr"), array);
        let big = field(&records[0], "big").to_string();
        assert!(
            big.starts_with("1234567890.5") || big == "1.2345678905E9",
            "{big}"
        );
    }
}

/// Source rows as a sink gets them.
fn as_sink(records: &[milena_data::SourceRecord], topic: &str) -> Vec<SinkRecord> {
    records
        .iter()
        .zip(0..)
        .map(|(one, offset)| {
            record(
                topic,
                offset,
                SchemaAndValue::default(),
                one.record.value.clone(),
            )
        })
        .collect()
}

async fn edges_there_and_back(port: u16, db: &Client) {
    db.batch_execute(EDGES).await.unwrap();
    let config_in = config(
        port,
        &[
            ("mode", "bulk"),
            ("table.whitelist", "public.edges"),
            ("topic.prefix", ""),
        ],
    );
    let mut config_in = config_in;
    config_in.insert("topic.prefix".into(), "x".into());
    let mut task = source(Vendor::Confluent, &config_in, &Offsets::default())
        .await
        .unwrap();
    let records = as_sink(&take(&mut *task, 4).await[..4], "edges");
    // Into a table of the same types, and into one that the sink makes; by COPY and row by row.
    db.batch_execute("create table same(like edges including all); create table single(like edges including all)").await.unwrap();
    for (table, more) in [
        ("same", ("pk.mode", "none")),
        ("made", ("auto.create", "true")),
        ("single", ("batch.size", "1")),
    ] {
        let config = config(
            port,
            &[("table.name.format", table), ("pk.mode", "none"), more],
        );
        let mut task = sink(Vendor::Confluent, &config, &Heard::default(), false)
            .await
            .unwrap();
        task.put(&records).await.unwrap();
        if table == "same" {
            // Enough rows for COPY.
            db.batch_execute("truncate same; alter table same drop constraint same_pkey")
                .await
                .unwrap();
            task.put(&[records.clone(), records.clone(), records.clone()].concat())
                .await
                .unwrap();
        }
    }
    let plain = "id,i2,i4,f4,f8,n,n0,ok,tx,vc,ch,by,d,t,ts,tz,u,j::text,jb,m,dom,ints,texts";
    for table in ["same", "single"] {
        let missing = rows(
            db,
            &format!("select {plain} from edges except select {plain} from {table}"),
        )
        .await;
        assert!(
            missing.is_empty(),
            "{table}: {missing:?}\n{:?}",
            rows(db, &format!("select * from {table}")).await
        );
    }
    let made = "id,i2,i4,f4,f8,n,n0,ok,tx,by,d,t,ts,ints,texts";
    let missing = rows(
        db,
        &format!("select {made} from edges except select {made} from made"),
    )
    .await;
    assert!(missing.is_empty(), "{missing:?}");
}

/// `db.timezone`: timestamps without a zone are of that zone, in both directions and in the offsets.
async fn another_zone(port: u16, db: &Client) {
    db.batch_execute(
        "create table zoned(id int primary key, at timestamp(3) not null, tz timestamptz, d date, t time); \
         insert into zoned values(1,'2020-03-08 02:30:00','2020-03-08 07:30:00+00','2020-03-08','02:30'),\
         (2,'2020-07-01 12:00:00.123','2020-07-01 16:00:00.123+00','2020-07-01','12:00'); \
         insert into zoned select 3,now() at time zone 'America/New_York'-interval '1 day',now(),null,null; \
         insert into zoned select 4,now() at time zone 'America/New_York'+interval '2 days',now(),null,null; \
         create table zoned2(like zoned)",
    )
    .await
    .unwrap();
    let zone = ("db.timezone", "America/New_York");
    let from = [
        ("mode", "timestamp+incrementing"),
        ("timestamp.column.name", "at"),
        ("incrementing.column.name", "id"),
        ("table.whitelist", "zoned"),
        ("topic.prefix", "z"),
        zone,
    ];
    let offsets = Offsets::default();
    let from = config(port, &from);
    let mut task = source(Vendor::Confluent, &from, &offsets).await.unwrap();
    let records = take(&mut *task, 3).await;
    assert_eq!(records.len(), 3, "the fourth row is of the days to come");
    // A skipped time moves on by an hour, as in Java.
    assert_eq!(field(&records[0], "at"), Value::Instant(1_583_652_600_000));
    let noon = Value::Instant(1_593_619_200_123);
    assert_eq!(field(&records[1], "at"), noon);
    assert_eq!(field(&records[1], "tz"), noon);
    assert_eq!(field(&records[1], "t"), Value::Instant(43_200_000));
    // A task that goes on from there reads the rest alone.
    offsets.store(&records[1]);
    let mut task = source(Vendor::Confluent, &from, &offsets).await.unwrap();
    let rest = take(&mut *task, 1).await;
    assert_eq!(rest.len(), 1);
    assert_eq!(field(&rest[0], "id"), Value::Int32(3));
    let into = config(port, &[("table.name.format", "zoned2"), zone]);
    let mut task = sink(Vendor::Confluent, &into, &Heard::default(), false)
        .await
        .unwrap();
    task.put(&as_sink(&records[..2], "zoned")).await.unwrap();
    assert_eq!(
        rows(db, "set time zone 'UTC'; select * from zoned2 order by id").await,
        [
            "1|2020-03-08 03:30:00|2020-03-08 07:30:00+00|2020-03-08|02:30:00",
            "2|2020-07-01 12:00:00.123|2020-07-01 16:00:00.123+00|2020-07-01|12:00:00"
        ]
    );
}

fn order(offset: i64, id: i64, item: Value) -> SinkRecord {
    use milena_data::{Schema, SchemaBuilder, SchemaType};
    let key = Schema::primitive(SchemaType::Int64, false);
    let value = SchemaBuilder::structure()
        .field("id", key.clone())
        .field("item", Schema::primitive(SchemaType::String, true));
    let value = match item {
        Value::Boolean(false) => SchemaAndValue::default(),
        item => row(&value.build().unwrap(), vec![Value::Int64(id), item]),
    };
    record(
        "orders",
        offset,
        SchemaAndValue::new(Some(key), Value::Int64(id)),
        value,
    )
}

async fn upserts_by_staging(port: u16, db: &Client) {
    let config = config(
        port,
        &[
            ("insert.mode", "upsert"),
            ("pk.mode", "record_key"),
            ("pk.fields", "id"),
            ("delete.enabled", "true"),
            ("auto.create", "true"),
            ("table.name.format", "public.${topic}"),
        ],
    );
    let mut task = sink(Vendor::Confluent, &config, &Heard::default(), false)
        .await
        .unwrap();
    let mut batch: Vec<_> = (0..20)
        .map(|n| order(n, n % 10, Value::from(format!("v{n}"))))
        .collect();
    batch.push(order(20, 3, Value::Boolean(false)));
    batch.extend((21..40).map(|n| order(n, 100 + n, Value::from("w"))));
    task.put(&batch).await.unwrap();
    assert_eq!(
        rows(db, "select id,item from orders where id<100 order by id").await,
        [
            "0|v10", "1|v11", "2|v12", "4|v14", "5|v15", "6|v16", "7|v17", "8|v18", "9|v19"
        ]
    );
    task.put(&batch[..9]).await.unwrap();
    assert_eq!(
        rows(db, "select count(*),min(item) from orders").await,
        ["29|v0"]
    );
}

async fn dead_letters(port: u16, db: &Client) {
    db.batch_execute("create table strict(id smallint primary key, item varchar(3))")
        .await
        .unwrap();
    let heard = Heard::default();
    let mut task = sink(
        Vendor::Confluent,
        &config(port, &[("table.name.format", "strict")]),
        &heard,
        true,
    )
    .await
    .unwrap();
    let mut batch: Vec<_> = (0..10).map(|n| order(n, n, Value::from("abc"))).collect();
    batch[2] = order(2, 40_000, Value::from("abc"));
    batch[5] = order(5, 5, Value::from("abcd"));
    batch[7] = order(7, 7, Value::from("a\u{0}"));
    task.put(&batch).await.unwrap();
    assert_eq!(
        rows(
            db,
            "select string_agg(id::text,',' order by id) from strict"
        )
        .await,
        ["0,1,3,4,6,8,9"]
    );
    let reports = heard.reports.lock().unwrap().clone();
    assert_eq!(
        reports
            .iter()
            .map(|(offset, _)| *offset)
            .collect::<Vec<_>>(),
        [2, 5, 7],
        "{reports:?}"
    );
    assert!(reports[0].1.contains("out of range"), "{}", reports[0].1);
    upserts_after_a_dead_letter(port, db).await;
}

/// A batch that was rolled back leaves the staging table of those before it to those after it.
async fn upserts_after_a_dead_letter(port: u16, db: &Client) {
    db.batch_execute("create table merged(id bigint primary key, item varchar(3))")
        .await
        .unwrap();
    let heard = Heard::default();
    let settings = [
        ("table.name.format", "merged"),
        ("insert.mode", "upsert"),
        ("pk.mode", "record_key"),
        ("pk.fields", "id"),
        ("max.retries", "0"),
    ];
    let mut task = sink(Vendor::Confluent, &config(port, &settings), &heard, true)
        .await
        .unwrap();
    for round in 0..3 {
        let mut batch: Vec<_> = (0..10)
            .map(|n| order(round * 10 + n, n, Value::from(format!("r{round}"))))
            .collect();
        if round == 1 {
            batch[4] = order(14, 4, Value::from("too long"));
        }
        task.put(&batch).await.unwrap();
    }
    assert_eq!(
        rows(db, "select count(*),min(item),max(item) from merged").await,
        ["10|r2|r2"]
    );
    assert_eq!(heard.reports.lock().unwrap().len(), 1);
}

async fn exactly_once_over_a_killed_connection(port: u16, db: &Client) {
    let config = config(
        port,
        &[
            ("table.name.format", "once"),
            ("auto.create", "true"),
            ("milena.sink.exactly.once", "true"),
        ],
    );
    let mut task = sink(Vendor::Confluent, &config, &Heard::default(), false)
        .await
        .unwrap();
    task.open(&[partition("orders")]).await.unwrap();
    let batch: Vec<_> = (0..10).map(|n| order(n, n, Value::from("x"))).collect();
    task.put(&batch).await.unwrap();
    db.batch_execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name='milena'",
    )
    .await
    .unwrap();
    let more: Vec<_> = (5..15).map(|n| order(n, n, Value::from("x"))).collect();
    // Whether the loss is noticed before or by the write: the batch comes again, and nothing twice.
    if let Err(error) = task.put(&more).await {
        assert!(error.is_retriable(), "{error}");
        task.put(&more).await.unwrap();
    }
    assert_eq!(
        rows(db, "select count(*),count(distinct id) from once").await,
        ["15|15"]
    );
    assert_eq!(
        rows(db, "select position from milena_sink_offsets").await,
        ["15"]
    );
}

/// A worker that was stopped in the middle of a COPY holds the claim: no timeout of its session ends that.
async fn exactly_once_behind_a_silent_client(port: u16, db: &Client) {
    let silent = client(port).await;
    silent
        .batch_execute(
            "set application_name='milena'; begin; update milena_sink_offsets set epoch=epoch",
        )
        .await
        .unwrap();
    let rows_to_come = silent
        .copy_in::<_, bytes::Bytes>("copy once(id) from stdin")
        .await
        .unwrap();
    let config = config(
        port,
        &[
            ("table.name.format", "once"),
            ("milena.sink.exactly.once", "true"),
        ],
    );
    let mut task = sink(Vendor::Confluent, &config, &Heard::default(), false)
        .await
        .unwrap();
    task.open(&[partition("orders")]).await.unwrap();
    task.put(&[order(15, 15, Value::from("x"))]).await.unwrap();
    drop(rows_to_come);
    assert!(silent.batch_execute("commit").await.is_err());
    assert_eq!(
        rows(db, "select count(*),count(distinct id) from once").await,
        ["16|16"]
    );
}

async fn faults(port: u16) {
    let wrong = config(
        port,
        &[
            (
                "connection.url",
                &format!("jdbc:postgresql://127.0.0.1:{port}/nowhere"),
            ),
            ("mode", "bulk"),
            ("topic.prefix", "x"),
        ],
    );
    let error = source(Vendor::Confluent, &wrong, &Offsets::default())
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("nowhere") && error.contains("3D000"),
        "{error}"
    );
    let mut tls = config(
        port,
        &[
            ("mode", "bulk"),
            ("topic.prefix", "x"),
            ("connection.attempts", "1"),
        ],
    );
    tls.insert(
        "connection.url".into(),
        format!("jdbc:postgresql://127.0.0.1:{port}/postgres?sslmode=verify-full"),
    );
    let error = source(Vendor::Confluent, &tls, &Offsets::default())
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("sslrootcert"), "{error}");
}
