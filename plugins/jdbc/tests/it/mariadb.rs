//! Real MariaDB, both directions.

use std::time::Duration;

use milena_config::Props;
use milena_data::{Schema, SchemaAndValue, SchemaBuilder, SchemaType, SinkRecord, Value};
use milena_jdbc::Vendor;
use mysql_async::{Conn, prelude::Queryable};

use crate::harness::{Heard, Offsets, field, partition, props, record, row, sink, source, take};

const TYPES: &str = "CREATE TABLE types(id BIGINT PRIMARY KEY AUTO_INCREMENT, t1 TINYINT, t1u TINYINT UNSIGNED, ok TINYINT(1), s SMALLINT, \
    i INT, iu INT UNSIGNED, b BIGINT, bu BIGINT UNSIGNED, f FLOAT, g DOUBLE, n DECIMAL(12,4), v VARCHAR(20), c CHAR(3), tx TEXT, bi VARBINARY(9), \
    bl BLOB, d DATE, t TIME(3), dt DATETIME(3), ts TIMESTAMP(3) NULL, y YEAR, e ENUM('a','b'), j JSON)";

/// Longer than a server waits for a lock.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) async fn text(conn: &mut Conn, sql: &str) -> Vec<String> {
    conn.query(sql).await.unwrap()
}

pub(crate) fn config(port: u16, more: &[(&str, &str)]) -> Props {
    let mut config = props(&[
        (
            "connection.url",
            &format!("jdbc:mariadb://127.0.0.1:{port}/shop"),
        ),
        ("connection.user", "root"),
        ("poll.interval.ms", "10"),
        ("retry.backoff.ms", "1"),
    ]);
    config.extend(props(more));
    config
}

fn order(offset: i64, id: i64, item: Option<&str>) -> SinkRecord {
    let key = Schema::primitive(SchemaType::Int64, false);
    let value = SchemaBuilder::structure()
        .field("id", key.clone())
        .field("item", Schema::primitive(SchemaType::String, true));
    let value = match item {
        None => SchemaAndValue::default(),
        Some(item) => row(
            &value.build().unwrap(),
            vec![Value::Int64(id), Value::from(item)],
        ),
    };
    record(
        "orders",
        offset,
        SchemaAndValue::new(Some(key), Value::Int64(id)),
        value,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_directions_on_mariadb() {
    let Some(server) = milena_testing_databases::mariadb("both_directions_on_mariadb", &[]) else {
        return;
    };
    let url = format!("mysql://root@127.0.0.1:{}/", server.port);
    let mut conn = Conn::from_url(url.as_str()).await.unwrap();
    conn.query_drop("CREATE DATABASE shop CHARACTER SET utf8mb4")
        .await
        .unwrap();
    conn.query_drop("USE shop").await.unwrap();
    conn.query_drop("SET time_zone='+00:00'").await.unwrap();
    types_there_and_back(server.port, &mut conn).await;
    upserts_and_exactly_once(server.port, &mut conn).await;
    a_silent_task_lets_go(server.port, &mut conn).await;
}

async fn types_there_and_back(port: u16, conn: &mut Conn) {
    conn.query_drop(TYPES).await.unwrap();
    conn.query_drop(
        "INSERT INTO types VALUES(1,-128,255,1,-32768,-2147483648,4294967295,-9223372036854775808,18446744073709551615,1.5,2.25,-12345678.1234,\
         'ü😀','ab','long','\\0\\n','\\\\x','1500-02-28','23:59:59.999','9999-12-31 23:59:59.999','2026-01-02 03:04:05.678',2026,'b','{\"a\": 1}'),\
         (2,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL)",
    )
    .await
    .unwrap();
    let from = config(
        port,
        &[
            ("mode", "incrementing"),
            ("table.whitelist", "types"),
            ("topic.prefix", "x"),
        ],
    );
    let offsets = Offsets::default();
    let mut task = source(Vendor::Confluent, &from, &offsets).await.unwrap();
    let records = take(&mut *task, 2).await;
    records.iter().for_each(|record| offsets.store(record));
    assert_eq!(
        offsets.text(),
        "protocol=1 table=shop.types -> incrementing=2"
    );
    assert_eq!(field(&records[0], "t1u"), Value::Int16(255));
    assert_eq!(field(&records[0], "ok"), Value::Int8(1));
    assert_eq!(field(&records[0], "iu"), Value::Int64(4_294_967_295));
    assert_eq!(field(&records[0], "bu").to_string(), "18446744073709551615");
    assert_eq!(field(&records[0], "ts"), Value::Instant(1_767_323_045_678));
    conn.query_drop("CREATE TABLE same LIKE types")
        .await
        .unwrap();
    let rows: Vec<_> = records
        .iter()
        .zip(0..)
        .map(|(one, offset)| {
            record(
                "types",
                offset,
                SchemaAndValue::default(),
                one.record.value.clone(),
            )
        })
        .collect();
    let into = config(
        port,
        &[
            ("table.name.format", "same"),
            (
                "fields.whitelist",
                "id,t1,t1u,ok,s,i,iu,b,bu,f,g,n,v,c,tx,bi,bl,d,t,dt,ts,e,j",
            ),
        ],
    );
    let mut task = sink(Vendor::Confluent, &into, &Heard::default(), false)
        .await
        .unwrap();
    task.put(&rows).await.unwrap();
    let columns = "id,t1,t1u,ok,s,i,iu,b,bu,f,g,n,v,c,tx,bi,bl,d,t,dt,ts,e,j";
    let missing = text(conn, &format!("SELECT CONCAT_WS('|',{columns}) FROM (SELECT {columns} FROM types EXCEPT SELECT {columns} FROM same) x")).await;
    assert!(missing.is_empty(), "{missing:?}");
}

pub(crate) async fn upserts_and_exactly_once(port: u16, conn: &mut Conn) {
    let into = config(
        port,
        &[
            ("insert.mode", "upsert"),
            ("pk.mode", "record_key"),
            ("pk.fields", "id"),
            ("delete.enabled", "true"),
            ("auto.create", "true"),
            ("milena.sink.exactly.once", "true"),
        ],
    );
    let heard = Heard::default();
    let mut task = sink(Vendor::Confluent, &into, &heard, false).await.unwrap();
    task.open(&[partition("orders")]).await.unwrap();
    let mut batch: Vec<_> = (0..300).map(|n| order(n, n % 100, Some("x"))).collect();
    batch.push(order(300, 7, None));
    batch.push(order(301, 8, Some("last")));
    task.put(&batch).await.unwrap();
    assert_eq!(
        text(conn, "SELECT CONCAT(COUNT(*),'|',MIN(item)) FROM orders").await,
        ["99|last"]
    );
    assert_eq!(
        text(
            conn,
            "SELECT CONCAT(position,'|',epoch) FROM milena_sink_offsets"
        )
        .await,
        ["302|1"]
    );
    let id: u32 = conn.query_first("SELECT id FROM information_schema.processlist WHERE id<>CONNECTION_ID() AND db='shop' ORDER BY id DESC LIMIT 1").await.unwrap().unwrap();
    conn.query_drop(format!("KILL {id}")).await.unwrap();
    // Names that differ in case only are two topics.
    task.open(&[partition("Orders")]).await.unwrap();
    assert_eq!(
        text(conn, "SELECT COUNT(*) FROM milena_sink_offsets").await,
        ["2"]
    );
    let more = [order(301, 8, Some("again")), order(302, 9, Some("more"))];
    if let Err(error) = task.put(&more).await {
        assert!(error.is_retriable(), "{error}");
        task.put(&more).await.unwrap();
    }
    assert_eq!(
        text(
            conn,
            "SELECT GROUP_CONCAT(item ORDER BY id) FROM orders WHERE id IN (8,9)"
        )
        .await,
        ["last,more"]
    );
}

/// A task that falls silent in the middle of a transaction, as a worker does that is frozen or without power, does not keep
/// its partition for long.
pub(crate) async fn a_silent_task_lets_go(port: u16, conn: &mut Conn) {
    let into = config(
        port,
        &[
            ("table.name.format", "silent"),
            ("milena.sink.exactly.once", "true"),
        ],
    );
    let both = SchemaBuilder::structure()
        .field("id", Schema::primitive(SchemaType::Int64, false))
        .field("item", Schema::primitive(SchemaType::String, true));
    let value = row(
        &both.build().unwrap(),
        vec![Value::Int64(7), Value::from("x")],
    );
    let records = [record("silent", 0, SchemaAndValue::default(), value)];
    conn.query_drop("CREATE TABLE silent(id BIGINT PRIMARY KEY, item VARCHAR(9))")
        .await
        .unwrap();
    let heard = Heard::default();
    let mut zombie = sink(Vendor::Confluent, &into, &heard, false).await.unwrap();
    let mut heir = sink(Vendor::Confluent, &into, &heard, false).await.unwrap();
    zombie.open(&[partition("silent")]).await.unwrap();
    conn.query_drop("BEGIN").await.unwrap();
    conn.query_drop("INSERT INTO silent VALUES(7,'ours')")
        .await
        .unwrap();
    {
        let mut put = std::pin::pin!(zombie.put(&records));
        let waits =
            "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state='LOCK WAIT'";
        while text(conn, waits).await == ["0"] {
            tokio::select! {
                outcome = &mut put => panic!("it did not wait: {outcome:?}"),
                // The server refreshes what it tells of transactions when nobody has asked for 100 ms.
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
            }
        }
        // From here on it does not hear what the server answers.
        conn.query_drop("ROLLBACK").await.unwrap();
        let claimed = tokio::time::timeout(PATIENCE, heir.open(&[partition("silent")])).await;
        claimed.expect("the claim of a silent task ends").unwrap();
        let told = put.await.expect_err("it has been replaced");
        assert!(!told.to_string().is_empty());
    }
    heir.put(&records).await.unwrap();
    assert_eq!(text(conn, "SELECT item FROM silent").await, ["x"]);
}
