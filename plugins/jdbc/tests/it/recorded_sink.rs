//! What Java's sink (Aiven) made of a recorded topic in PostgreSQL: the tables it created and altered, column by
//! column, and each row, value by value.

use milena_config::Props;
use milena_jdbc::Vendor;
use milena_testing_databases::{Server, postgres};

use crate::{
    harness::{Heard, props, record, sink},
    json,
};

/// The topic `orders`, key and value in a line.
const INPUT: &str = include_str!("../golden/aiven-sink-input.tsv");
/// What `psql` showed of the tables after it.
const INSERTED: &str = include_str!("../golden/aiven-sink-insert.txt");
const UPSERTED: &str = include_str!("../golden/aiven-sink-upsert.txt");

/// A table: a column each line (`name|type|not null`), its primary key, and the rows, null as empty text.
#[derive(Debug, PartialEq)]
struct Table {
    columns: Vec<String>,
    key: String,
    rows: Vec<Vec<String>>,
}

/// What `\\d` and an expanded `select *` showed.
fn recorded(text: &str) -> Table {
    let (head, rest) = text.split_once("Indexes:").unwrap();
    let columns = head.lines().skip(3).filter(|line| line.contains('|'));
    let columns = columns.map(|line| {
        let parts: Vec<_> = line.split('|').map(str::trim).collect();
        format!("{}|{}|{}", parts[0], parts[1], parts[3])
    });
    let key = rest
        .split_once("btree (")
        .unwrap()
        .1
        .split_once(')')
        .unwrap()
        .0;
    let mut rows: Vec<Vec<String>> = Vec::new();
    for line in rest.lines() {
        if line.starts_with("-[ RECORD") {
            rows.push(Vec::new());
        } else if let (Some((_, value)), Some(row)) = (line.split_once('|'), rows.last_mut()) {
            row.push(value.trim().to_owned());
        }
    }
    Table {
        columns: columns.collect(),
        key: key.to_owned(),
        rows,
    }
}

fn found(db: &Server, table: &str) -> Table {
    let columns = db.sql(&format!(
        "select attname,format_type(atttypid,atttypmod),case when attnotnull then 'not null' else '' end from pg_attribute \
         where attrelid='{table}'::regclass and attnum>0 order by attnum"
    ));
    let key = db.sql(&format!(
        "select pg_get_constraintdef(oid) from pg_constraint where conrelid='{table}'::regclass and contype='p'"
    ));
    let key = key[0]
        .trim_start_matches("PRIMARY KEY (")
        .trim_end_matches(')');
    let shown = |row: String| {
        let cells = row.split('|').map(|cell| match cell {
            "null" => String::new(),
            cell => cell.to_owned(),
        });
        cells.collect()
    };
    let rows = db.sql(&format!("select * from {table} order by id,ctid"));
    Table {
        columns,
        key: key.to_owned(),
        rows: rows.into_iter().map(shown).collect(),
    }
}

async fn play(url: &str, more: &[(&str, &str)], tombstones: bool) {
    let mut config: Props = props(&[
        ("connection.url", url),
        ("auto.create", "true"),
        ("auto.evolve", "true"),
    ]);
    config.extend(props(more));
    let mut task = sink(Vendor::Aiven, &config, &Heard::default(), false)
        .await
        .unwrap();
    let records = INPUT.lines().zip(0..).map(|(line, offset)| {
        let (key, value) = line.split_once('\t').unwrap();
        record("orders", offset, json::read(key), json::read(value))
    });
    let records: Vec<_> = records
        .filter(|record| tombstones || !record.value.value.is_null())
        .collect();
    task.put(&records).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_as_java_makes_and_fills_them() {
    let Some(db) = postgres("tables_as_java_makes_and_fills_them", &[]) else {
        return;
    };
    let url = format!(
        "jdbc:postgresql://127.0.0.1:{}/postgres?user=postgres",
        db.port
    );
    let insert = [
        ("insert.mode", "insert"),
        ("pk.mode", "kafka"),
        ("pk.fields", "__t,__p,__o"),
        ("table.name.format", "ins_${topic}"),
    ];
    // The recorded connector filtered tombstones out.
    play(&url, &insert, false).await;
    assert_eq!(found(&db, "ins_orders"), recorded(INSERTED));
    let upsert = [
        ("insert.mode", "upsert"),
        ("pk.mode", "record_key"),
        ("pk.fields", "id"),
        ("delete.enabled", "true"),
        ("table.name.format", "up_${topic}"),
    ];
    play(&url, &upsert, true).await;
    assert_eq!(found(&db, "up_orders"), recorded(UPSERTED));
}
