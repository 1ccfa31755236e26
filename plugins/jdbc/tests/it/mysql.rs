//! Oracle's MySQL, both directions: version 5.5, the only one that can be had, without fractions of seconds.

use milena_data::{SchemaAndValue, Value};
use milena_jdbc::Vendor;
use mysql_async::{Conn, prelude::Queryable};

use crate::{
    harness::{Heard, Offsets, field, record, sink, source, take},
    mariadb::{a_silent_task_lets_go, config, text, upserts_and_exactly_once},
};

const TYPES: &str = "CREATE TABLE types(id BIGINT PRIMARY KEY AUTO_INCREMENT, t1 TINYINT, t1u TINYINT UNSIGNED, ok TINYINT(1), s SMALLINT, \
    i INT, iu INT UNSIGNED, b BIGINT, bu BIGINT UNSIGNED, f FLOAT, g DOUBLE, n DECIMAL(12,4), v VARCHAR(20), c CHAR(3), tx TEXT, bi VARBINARY(9), \
    bl BLOB, d DATE, t TIME, dt DATETIME, ts TIMESTAMP NOT NULL, y YEAR, e ENUM('a','b')) CHARACTER SET utf8mb4";
const COLUMNS: &str = "id,t1,t1u,ok,s,i,iu,b,bu,f,g,n,v,c,tx,bi,bl,d,t,dt,ts,e";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_directions_on_mysql() {
    let Some(server) = milena_testing_databases::mysql("both_directions_on_mysql", &[]) else {
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
         'ü😀','ab','long','\\0\\n','\\\\x','1500-02-28','23:59:59','9999-12-31 23:59:59','2026-01-02 03:04:05',2026,'b'),\
         (2,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2026-01-02 03:04:06',NULL,NULL)",
    )
    .await
    .unwrap();
    let from = config(
        port,
        &[
            ("mode", "timestamp+incrementing"),
            ("timestamp.column.name", "ts"),
            ("incrementing.column.name", "id"),
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
        "protocol=1 table=shop.types -> timestamp_nanos=0 incrementing=2 timestamp=1767323046000"
    );
    assert_eq!(field(&records[0], "t1u"), Value::Int16(255));
    assert_eq!(field(&records[0], "bu").to_string(), "18446744073709551615");
    assert_eq!(field(&records[0], "ts"), Value::Instant(1_767_323_045_000));
    assert_eq!(field(&records[0], "v"), Value::from("ü😀"));
    conn.query_drop("CREATE TABLE same LIKE types")
        .await
        .unwrap();
    let rows: Vec<_> = records
        .iter()
        .zip(0..)
        .map(|(one, offset)| {
            let value = one.record.value.clone();
            record("types", offset, SchemaAndValue::default(), value)
        })
        .collect();
    let into = config(
        port,
        &[("table.name.format", "same"), ("fields.whitelist", COLUMNS)],
    );
    let mut task = sink(Vendor::Confluent, &into, &Heard::default(), false)
        .await
        .unwrap();
    task.put(&rows).await.unwrap();
    let same = text(
        conn,
        &format!("SELECT CONVERT(COUNT(*),CHAR) FROM (SELECT {COLUMNS} FROM types UNION SELECT {COLUMNS} FROM same) x"),
    )
    .await;
    assert_eq!(same, ["2"], "the rows of both tables are the same");
}
