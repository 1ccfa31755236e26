//! The sink on SQLite: modes, keys, DDL, dead letters, exactly once.

use milena_api::SinkTaskRequest;
use milena_config::Props;
use milena_data::{Schema, SchemaAndValue, SchemaBuilder, SinkRecord, Value};
use milena_jdbc::Vendor;

use crate::harness::{Heard, execute, partition, props, query, record, row, sink};

struct Db {
    _dir: tempfile::TempDir,
    path: std::path::PathBuf,
    url: String,
}

fn db() -> Db {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sink.db");
    let url = format!("jdbc:sqlite:{}", path.display());
    Db {
        _dir: dir,
        path,
        url,
    }
}

fn config(db: &Db, more: &[(&str, &str)]) -> Props {
    let mut config = props(&[
        ("connection.url", &db.url),
        ("auto.create", "true"),
        ("retry.backoff.ms", "1"),
    ]);
    config.extend(props(more));
    config
}

fn value_schema() -> Schema {
    SchemaBuilder::structure()
        .name("orders")
        .field(
            "id",
            Schema::primitive(milena_data::SchemaType::Int64, false),
        )
        .field(
            "item",
            Schema::primitive(milena_data::SchemaType::String, true),
        )
        .field(
            "at",
            SchemaBuilder::like(&Schema::timestamp())
                .optional(true)
                .build(),
        )
        .build()
        .unwrap()
}

fn key(id: i64) -> SchemaAndValue {
    SchemaAndValue::new(
        Some(Schema::primitive(milena_data::SchemaType::Int64, false)),
        Value::Int64(id),
    )
}

fn order(offset: i64, id: i64, item: &str) -> SinkRecord {
    let value = row(
        &value_schema(),
        vec![
            Value::Int64(id),
            Value::from(item),
            Value::Instant(1_767_323_045_678),
        ],
    );
    record("orders", offset, key(id), value)
}

fn tombstone(offset: i64, id: i64) -> SinkRecord {
    record("orders", offset, key(id), SchemaAndValue::default())
}

#[tokio::test]
async fn inserts_into_a_table_that_it_creates() {
    let db = db();
    let config = config(
        &db,
        &[("table.name.format", "in_${topic}"), ("pk.mode", "kafka")],
    );
    let mut task = sink(Vendor::Confluent, &config, &Heard::default(), false)
        .await
        .unwrap();
    task.put(&[order(7, 1, "tea"), order(8, 2, "rum")])
        .await
        .unwrap();
    let sql = query(
        &db.path,
        "SELECT sql FROM sqlite_master WHERE name='in_orders'",
    );
    assert_eq!(
        sql[0],
        "CREATE TABLE \"in_orders\" (\n\"__connect_topic\" TEXT NOT NULL,\n\"__connect_partition\" INTEGER NOT NULL,\n\
         \"__connect_offset\" INTEGER NOT NULL,\n\"id\" INTEGER NOT NULL,\n\"item\" TEXT NULL,\n\"at\" NUMERIC NULL,\n\
         PRIMARY KEY(\"__connect_topic\",\"__connect_partition\",\"__connect_offset\"))"
    );
    assert_eq!(
        query(&db.path, "SELECT * FROM in_orders"),
        [
            "orders|0|7|1|tea|1767323045678",
            "orders|0|8|2|rum|1767323045678"
        ]
    );
    // The same records again break the key: nothing is overwritten in silence.
    let error = task.put(&[order(7, 1, "tea")]).await.unwrap_err();
    assert!(
        !error.is_retriable() && error.to_string().contains("UNIQUE"),
        "{error}"
    );
}

#[tokio::test]
async fn upserts_and_deletes_keep_their_order() {
    let db = db();
    let config = config(
        &db,
        &[
            ("insert.mode", "upsert"),
            ("pk.mode", "record_key"),
            ("pk.fields", "id"),
            ("delete.enabled", "true"),
        ],
    );
    let mut task = sink(Vendor::Aiven, &config, &Heard::default(), false)
        .await
        .unwrap();
    task.put(&[
        order(0, 1, "a"),
        order(1, 2, "b"),
        tombstone(2, 1),
        order(3, 1, "again"),
        order(4, 2, "c"),
        tombstone(5, 3),
    ])
    .await
    .unwrap();
    assert_eq!(
        query(&db.path, "SELECT id,item FROM orders ORDER BY id"),
        ["1|again", "2|c"]
    );
    task.put(&[tombstone(6, 2)]).await.unwrap();
    assert_eq!(query(&db.path, "SELECT id FROM orders"), ["1"]);
}

#[tokio::test]
async fn updates_only_what_exists() {
    let db = db();
    execute(
        &db.path,
        "CREATE TABLE orders(id INTEGER PRIMARY KEY, item TEXT, at NUMERIC); INSERT INTO orders VALUES(1,'old',0)",
    );
    let config = config(
        &db,
        &[
            ("insert.mode", "update"),
            ("pk.mode", "record_value"),
            ("pk.fields", "id"),
            ("fields.whitelist", "id,item"),
        ],
    );
    let mut task = sink(Vendor::Confluent, &config, &Heard::default(), false)
        .await
        .unwrap();
    task.put(&[order(0, 1, "new"), order(1, 2, "none")])
        .await
        .unwrap();
    assert_eq!(query(&db.path, "SELECT * FROM orders"), ["1|new|0"]);
}

#[tokio::test]
async fn missing_tables_and_columns_are_errors_or_made() {
    let db = db();
    execute(&db.path, "CREATE TABLE orders(id INTEGER, at NUMERIC)");
    let mut task = sink(
        Vendor::Confluent,
        &config(&db, &[]),
        &Heard::default(),
        false,
    )
    .await
    .unwrap();
    let error = task.put(&[order(0, 1, "x")]).await.unwrap_err().to_string();
    assert!(
        error.contains("missing the fields (item)") && error.contains("auto.evolve=true"),
        "{error}"
    );
    let mut task = sink(
        Vendor::Confluent,
        &config(&db, &[("auto.evolve", "true")]),
        &Heard::default(),
        false,
    )
    .await
    .unwrap();
    task.put(&[order(0, 1, "x")]).await.unwrap();
    assert_eq!(query(&db.path, "SELECT id,item FROM orders"), ["1|x"]);
    let fixed = config(
        &db,
        &[("auto.create", "false"), ("table.name.format", "none")],
    );
    let mut task = sink(Vendor::Confluent, &fixed, &Heard::default(), false)
        .await
        .unwrap();
    let error = task.put(&[order(0, 1, "x")]).await.unwrap_err().to_string();
    assert!(error.contains("auto.create=true"), "{error}");
}

#[tokio::test]
async fn one_bad_row_goes_to_the_dead_letters_alone() {
    let db = db();
    execute(
        &db.path,
        "CREATE TABLE orders(id INTEGER PRIMARY KEY, item TEXT CHECK(item<>'bad'), at NUMERIC)",
    );
    let heard = Heard::default();
    let mut task = sink(Vendor::Confluent, &config(&db, &[]), &heard, true)
        .await
        .unwrap();
    task.put(&[
        order(0, 1, "a"),
        order(1, 2, "bad"),
        tombstone(2, 9),
        order(3, 3, "c"),
    ])
    .await
    .unwrap();
    assert_eq!(query(&db.path, "SELECT id FROM orders"), ["1", "3"]);
    let reports = heard.reports.lock().unwrap().clone();
    assert_eq!(
        reports
            .iter()
            .map(|(offset, _)| *offset)
            .collect::<Vec<_>>(),
        [1, 2]
    );
    assert!(reports[0].1.contains("CHECK"), "{}", reports[0].1);
}

#[tokio::test]
async fn a_locked_database_is_tried_again_and_then_fails() {
    let db = db();
    execute(
        &db.path,
        "CREATE TABLE orders(id INTEGER, item TEXT, at NUMERIC)",
    );
    let url = format!("{}?busy_timeout=10", db.url);
    let config = config(&db, &[("connection.url", &url), ("max.retries", "2")]);
    let heard = Heard::default();
    let mut task = sink(Vendor::Confluent, &config, &heard, true)
        .await
        .unwrap();
    let lock = rusqlite::Connection::open(&db.path).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(
        task.put(&[order(0, 1, "x")])
            .await
            .unwrap_err()
            .is_retriable()
    );
    assert!(matches!(
        heard.requests.lock().unwrap()[0],
        SinkTaskRequest::RetryAfter(_)
    ));
    lock.execute_batch("COMMIT").unwrap();
    task.put(&[order(0, 1, "x")]).await.unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(
        task.put(&[order(1, 1, "x")])
            .await
            .unwrap_err()
            .is_retriable()
    );
    assert!(
        task.put(&[order(1, 1, "x")])
            .await
            .unwrap_err()
            .is_retriable()
    );
    assert!(
        !task
            .put(&[order(1, 1, "x")])
            .await
            .unwrap_err()
            .is_retriable()
    );
}

#[tokio::test]
async fn exactly_once_goes_on_from_the_target_and_fences() {
    let db = db();
    let config = config(&db, &[("milena.sink.exactly.once", "true")]);
    let heard = Heard::default();
    let mut old = sink(Vendor::Confluent, &config, &heard, false)
        .await
        .unwrap();
    old.open(&[partition("orders")]).await.unwrap();
    old.put(&[order(0, 1, "a"), order(1, 2, "b")])
        .await
        .unwrap();
    // A second task claims the partition: it is told where to go on, and repeats are left out.
    let mut new = sink(Vendor::Confluent, &config, &heard, false)
        .await
        .unwrap();
    new.open(&[partition("orders")]).await.unwrap();
    let rewind = heard.requests.lock().unwrap().pop().unwrap();
    assert!(
        matches!(rewind, SinkTaskRequest::Rewind(offsets) if offsets[&partition("orders")] == 2)
    );
    new.put(&[order(0, 1, "a"), order(1, 2, "b"), order(2, 3, "c")])
        .await
        .unwrap();
    // The first one does not know yet: it is fenced, and its rows are not there.
    let error = old.put(&[order(2, 3, "c")]).await.unwrap_err();
    assert!(error.is_retriable(), "the group has its say: {error}");
    assert!(error.to_string().contains("fenced"), "{error}");
    assert_eq!(query(&db.path, "SELECT id FROM orders"), ["1", "2", "3"]);
    assert_eq!(
        query(&db.path, "SELECT position,epoch FROM milena_sink_offsets"),
        ["3|2"]
    );
}

/// A task whose group has gone on without it can neither write nor take the partition back, until the group
/// says so.
#[tokio::test]
async fn a_zombie_of_an_older_generation_is_fenced() {
    let db = db();
    let config = config(
        &db,
        &[
            ("milena.sink.exactly.once", "true"),
            ("max.retries", "2"),
            ("retry.backoff.ms", "1"),
        ],
    );
    let (fifth, sixth) = (Heard::in_generation(5), Heard::in_generation(6));
    let start = async |heard: &Heard| {
        sink(Vendor::Confluent, &config, heard, false)
            .await
            .unwrap()
    };
    let (mut zombie, mut task) = (start(&fifth).await, start(&sixth).await);
    let ours = [partition("orders")];
    zombie.open(&ours).await.unwrap();
    zombie.put(&[order(0, 1, "a")]).await.unwrap();
    task.open(&ours).await.unwrap();
    assert_eq!(sixth.rewound("orders"), Some(1));
    task.put(&[order(1, 2, "b")]).await.unwrap();
    // The row is there already; that it is fenced is what the zombie hears, not that a key is there twice.
    let error = zombie.put(&[order(1, 2, "b")]).await.unwrap_err();
    assert!(
        error.is_retriable() && error.to_string().contains("fenced"),
        "{error}"
    );
    // A late start of the same generation takes nothing away from the one that owns the partition.
    let mut late = start(&fifth).await;
    late.open(&ours).await.unwrap();
    assert_eq!(fifth.rewound("orders"), None);
    for zombie in [&mut late, &mut zombie] {
        let error = zombie.put(&[order(2, 9, "z")]).await.unwrap_err();
        assert!(
            error.is_retriable() && error.to_string().contains("newer generation"),
            "{error}"
        );
    }
    task.put(&[order(2, 3, "c")]).await.unwrap();
    assert_eq!(query(&db.path, "SELECT id FROM orders"), ["1", "2", "3"]);
    // The partition comes back to it: it goes on where the other one was, and that one is fenced.
    fifth
        .generation
        .store(7, std::sync::atomic::Ordering::Relaxed);
    zombie.put(&[order(2, 9, "z")]).await.unwrap_err();
    assert_eq!(fifth.rewound("orders"), Some(3));
    zombie.put(&[order(3, 4, "d")]).await.unwrap();
    task.put(&[order(3, 4, "d")]).await.unwrap_err();
    assert_eq!(
        query(
            &db.path,
            "SELECT position,generation FROM milena_sink_offsets"
        ),
        ["4|7"]
    );
    // A group that was deleted begins with generation 1: refused with the remedy, until the claim is stale.
    let first = Heard::in_generation(1);
    let mut task = start(&first).await;
    task.open(&ours).await.unwrap();
    let mut last = String::new();
    for _ in 0..3 {
        last = task.put(&[order(4, 5, "e")]).await.unwrap_err().to_string();
    }
    assert!(last.contains("group was deleted"), "{last}");
    execute(
        &db.path,
        "UPDATE milena_sink_offsets SET touched=touched-1000",
    );
    let mut task = start(&first).await;
    task.open(&ours).await.unwrap();
    task.put(&[order(4, 5, "e")]).await.unwrap();
    assert_eq!(query(&db.path, "SELECT count(*) FROM orders"), ["5"]);
}

#[tokio::test]
async fn a_view_is_written_to_only_when_table_types_says_so() {
    let db = db();
    execute(
        &db.path,
        "CREATE TABLE t(id INTEGER PRIMARY KEY, item TEXT); CREATE VIEW orders AS SELECT * FROM t; \
         CREATE TRIGGER into_t INSTEAD OF INSERT ON orders BEGIN INSERT INTO t VALUES(new.id,new.item); END",
    );
    let start = async |types: &str| {
        let config = config(
            &db,
            &[
                ("pk.mode", "none"),
                ("insert.mode", "insert"),
                ("table.types", types),
            ],
        );
        sink(Vendor::Confluent, &config, &Heard::default(), false)
            .await
            .unwrap()
    };
    let error = start("TABLE").await.put(&[order(0, 1, "a")]).await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("orders is a VIEW") && error.contains("table.types"),
        "{error}"
    );
    let refused = config(&db, &[("timestamp.fields.list", "at")]);
    let error = sink(Vendor::Confluent, &refused, &Heard::default(), false).await;
    let error = error.err().unwrap().to_string();
    assert!(
        error.contains("timestamp.fields.list") && error.contains("TimestampConverter"),
        "{error}"
    );
}

#[tokio::test]
async fn configurations_that_do_not_go_together_are_refused() {
    let db = db();
    for (more, text) in [
        (
            [("delete.enabled", "true"), ("pk.mode", "none")],
            "record_key",
        ),
        ([("pk.mode", "kafka"), ("pk.fields", "a,b")], "three names"),
        (
            [("insert.mode", "upsert"), ("pk.mode", "none")],
            "primary key",
        ),
    ] {
        let error = sink(
            Vendor::Confluent,
            &config(&db, &more),
            &Heard::default(),
            false,
        )
        .await
        .err()
        .unwrap();
        assert!(error.to_string().contains(text), "{error}");
    }
}
