//! Large batches, which are written while the next ones come: nothing is lost or doubled, whatever fails on the way.

use milena_api::{ConnectError, PartitionOffsets, SinkTask};
use milena_data::{Schema, SchemaAndValue, SchemaBuilder, SchemaType, SinkRecord, Value};
use milena_jdbc::Vendor;
use milena_testing_databases::{Server, postgres};

use crate::harness::{Heard, partition, props, record, row, sink};

const TOPIC: &str = "orders";
const BATCH: usize = 500;

/// Records with the fields `id` and `item`; the items of `bad` are too long.
fn orders(count: i64, bad: &[i64]) -> Vec<SinkRecord> {
    let schema = SchemaBuilder::structure()
        .field("id", Schema::primitive(SchemaType::Int64, false))
        .field("item", Schema::primitive(SchemaType::String, true))
        .build()
        .unwrap();
    let one = |id: i64| {
        let item = if bad.contains(&id) {
            "far too long"
        } else {
            "good"
        };
        let values = vec![Value::Int64(id), Value::from(item)];
        record(TOPIC, id, SchemaAndValue::default(), row(&schema, values))
    };
    (0..count).map(one).collect()
}

/// Delivers as the engine does: rewinds between two batches, commits now and then, until all is confirmed.
/// `between` is called before each batch with its first offset.
async fn deliver(
    task: &mut dyn SinkTask,
    heard: &Heard,
    log: &[SinkRecord],
    mut between: impl FnMut(usize),
) -> Result<(), ConnectError> {
    let (mut next, mut puts) = (0, 0);
    let mut confirmed = 0;
    while confirmed < log.len() {
        if let Some(back) = heard.rewound(TOPIC) {
            next = usize::try_from(back).unwrap();
            assert!(next >= confirmed, "back behind what was confirmed");
        }
        between(next);
        let batch = &log[next..log.len().min(next + BATCH)];
        match task.put(batch).await {
            Ok(()) => next += batch.len(),
            Err(error) if error.is_retriable() => continue,
            Err(error) => return Err(error),
        }
        puts += 1;
        assert!(puts < 1000, "no end of it");
        if puts % 3 == 0 || batch.is_empty() {
            let asked = PartitionOffsets::from([(partition(TOPIC), next as i64)]);
            let answer = task.pre_commit(asked).await?;
            confirmed = usize::try_from(answer[&partition(TOPIC)]).unwrap();
            assert!(confirmed <= next);
        }
    }
    Ok(())
}

async fn start(
    server: &Server,
    table: &str,
    heard: &Heard,
    tolerant: bool,
    more: &[(&str, &str)],
) -> Box<dyn SinkTask> {
    server.sql(&format!("create table {table}(id bigint, item varchar(8))"));
    let url = format!(
        "jdbc:postgresql://127.0.0.1:{}/postgres?user=postgres",
        server.port
    );
    let mut config = props(&[
        ("connection.url", url.as_str()),
        ("table.name.format", table),
        ("retry.backoff.ms", "1"),
        ("pk.mode", "none"),
    ]);
    config.extend(props(more));
    let mut task = sink(Vendor::Confluent, &config, heard, tolerant)
        .await
        .unwrap();
    task.open(&[partition(TOPIC)]).await.unwrap();
    task
}

/// Rows, different ones among them, the least and the greatest.
fn held(server: &Server, table: &str) -> String {
    let sql = format!("select count(*),count(distinct id),min(id),max(id) from {table}");
    server.sql(&sql).concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_ahead_of_the_database() {
    let Some(server) = postgres("batches_ahead_of_the_database", &[]) else {
        return;
    };
    let exactly_once = [("milena.sink.exactly.once", "true")];

    // One row of thousands is bad: it alone is reported.
    for (table, more) in [("tolerant", &[] as &[_]), ("tolerant_once", &exactly_once)] {
        let heard = Heard::in_generation(1);
        let mut task = start(&server, table, &heard, true, more).await;
        let log = orders(6000, &[3210]);
        deliver(&mut *task, &heard, &log, |_| {}).await.unwrap();
        assert_eq!(held(&server, table), "5999|5999|0|5999");
        let reports: Vec<i64> = heard.reports.lock().unwrap().iter().map(|r| r.0).collect();
        assert_eq!(reports, [3210]);
        task.stop().await;
    }

    // Nobody tolerates it: the task fails, and what was confirmed is there.
    let heard = Heard::default();
    let mut task = start(&server, "strict", &heard, false, &[]).await;
    let log = orders(6000, &[3210]);
    let failure = deliver(&mut *task, &heard, &log, |_| {}).await.unwrap_err();
    assert!(failure.to_string().contains("too long"), "{failure}");
    assert_eq!(held(&server, "strict"), "3000|3000|0|2999");
    task.stop().await;

    // The connection is killed again and again.
    server.sql("drop table milena_sink_offsets");
    let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name='milena'";
    let heard = Heard::in_generation(2);
    let mut task = start(&server, "killed", &heard, false, &exactly_once).await;
    let log = orders(20_000, &[]);
    let mut kills = 0;
    let between = |next: usize| {
        if next / 4000 > kills {
            kills += 1;
            server.sql(kill);
        }
    };
    deliver(&mut *task, &heard, &log, between).await.unwrap();
    assert!(kills >= 4, "{kills}");
    assert_eq!(held(&server, "killed"), "20000|20000|0|19999");

    // A task of a newer generation takes over: this one writes nothing more.
    let newer = Heard::in_generation(3);
    let config = props(&[
        (
            "connection.url",
            &*format!(
                "jdbc:postgresql://127.0.0.1:{}/postgres?user=postgres",
                server.port
            ),
        ),
        ("table.name.format", "killed"),
        ("pk.mode", "none"),
        ("milena.sink.exactly.once", "true"),
    ]);
    let mut other = sink(Vendor::Confluent, &config, &newer, false)
        .await
        .unwrap();
    other.open(&[partition(TOPIC)]).await.unwrap();
    assert_eq!(newer.rewound(TOPIC), Some(20_000));
    let log = orders(22_000, &[]);
    let mut next = 20_000;
    for _ in 0..20 {
        if let Some(back) = heard.rewound(TOPIC) {
            next = usize::try_from(back).unwrap();
        }
        let batch = &log[next..log.len().min(next + BATCH)];
        // It may take a batch and fail behind it: what counts is what is in the table.
        if task.put(batch).await.is_ok() {
            next += batch.len();
        }
    }
    let asked = PartitionOffsets::from([(partition(TOPIC), next as i64)]);
    let answer = task.pre_commit(asked).await.unwrap();
    assert_eq!(answer[&partition(TOPIC)], 20_000);
    assert_eq!(held(&server, "killed"), "20000|20000|0|19999");
    task.stop().await;
    other.stop().await;
}

/// What is under way when partitions are lost, or the task stops, is not written any more, however long it hung.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_behind_the_end() {
    let Some(server) = postgres("nothing_is_written_behind_the_end", &[]) else {
        return;
    };
    let at_work =
        "select count(*) from pg_stat_activity where application_name='milena' and state<>'idle'";
    let upsert = [
        ("insert.mode", "upsert"),
        ("pk.mode", "record_value"),
        ("pk.fields", "id"),
    ];
    for (table, more) in [
        ("lost", &[] as &[_]),
        ("lost_upserts", &upsert),
        ("stopped", &[]),
        ("stopped_once", &[("milena.sink.exactly.once", "true")]),
    ] {
        let heard = Heard::in_generation(1);
        let mut task = start(&server, table, &heard, false, more).await;
        server.sql(&format!("alter table {table} add unique(id)"));
        let log = orders(1500, &[]);
        deliver(&mut *task, &heard, &log[..BATCH], |_| {})
            .await
            .unwrap();
        // Somebody holds the table, and the next batches hang on their way.
        let target = format!(
            "host=127.0.0.1 port={} user=postgres dbname=postgres",
            server.port
        );
        let (holder, connection) = tokio_postgres::connect(&target, tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        let lock = format!("begin; lock table {table} in share mode");
        holder.batch_execute(&lock).await.unwrap();
        task.put(&log[BATCH..2 * BATCH]).await.unwrap();
        task.put(&log[2 * BATCH..]).await.unwrap();
        let begun = std::time::Instant::now();
        while server.sql(&format!("{at_work} and wait_event_type='Lock'")) != ["1"] {
            assert!(begun.elapsed().as_secs() < 60, "nobody waits for the lock");
        }
        match table.starts_with("lost") {
            true => task.close(&[partition(TOPIC)]).await.unwrap(),
            false => task.stop().await,
        }
        assert_eq!(server.sql(at_work), ["0"]);
        holder.batch_execute("commit").await.unwrap();
        assert_eq!(held(&server, table), "500|500|0|499");
        if table.starts_with("lost") {
            // They come back, and all of it is delivered again.
            task.open(&[partition(TOPIC)]).await.unwrap();
            for batch in log[BATCH..].chunks(BATCH) {
                task.put(batch).await.unwrap();
            }
            let asked = PartitionOffsets::from([(partition(TOPIC), 1500)]);
            let answer = task.pre_commit(asked).await.unwrap();
            assert_eq!(answer[&partition(TOPIC)], 1500);
            assert_eq!(held(&server, table), "1500|1500|0|1499");
            task.stop().await;
        }
    }
}

/// Upserts of many batches on their way: of each key the last row counts, in one batch and across batches. Without
/// being asked for, all of them are there soon; inserts as well.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_row_of_each_key_counts() {
    let Some(server) = postgres("the_last_row_of_each_key_counts", &[]) else {
        return;
    };
    let until = |what: &str, sql: &str, wanted: &str| {
        let begun = std::time::Instant::now();
        while server.sql(sql) != [wanted] {
            assert!(
                begun.elapsed().as_secs() < 60,
                "{what}: {:?}",
                server.sql(sql)
            );
            std::thread::yield_now();
        }
    };
    // Keys that differ within a batch and come again in the next one, keys that come twice in a batch; numbers, whose
    // bytes tell whether they differ, and texts, of which only the server knows.
    for (table, key, keys) in [
        ("numbers", "id", 700),
        ("twice", "id", 130),
        ("texts", "item", 350),
        ("pairs", "item,id", 700),
    ] {
        let heard = Heard::default();
        let more = [
            ("insert.mode", "upsert"),
            ("pk.mode", "record_value"),
            ("pk.fields", key),
        ];
        let mut task = start(&server, table, &heard, false, &more).await;
        server.sql(&format!(
            "alter table {table} add unique({key}); alter table {table} add note text"
        ));
        let schema = SchemaBuilder::structure()
            .field("id", Schema::primitive(SchemaType::Int64, false))
            .field("item", Schema::primitive(SchemaType::String, true))
            .field("note", Schema::primitive(SchemaType::String, true))
            .build()
            .unwrap();
        let one = |n: i64| {
            let id = n % keys;
            let item = Value::from(format!("item {id}"));
            let values = vec![Value::Int64(id), item, Value::from(format!("{n}"))];
            record(TOPIC, n, SchemaAndValue::default(), row(&schema, values))
        };
        let log: Vec<_> = (0..4200).map(one).collect();
        for batch in log.chunks(BATCH) {
            task.put(batch).await.unwrap();
        }
        let last = format!("select count(*),min(note::int),max(note::int) from {table}");
        let wanted = format!("{keys}|{}|4199", 4200 - keys);
        until(table, &last, &wanted);
        task.stop().await;
    }
    let heard = Heard::default();
    let mut task = start(&server, "inserted", &heard, false, &[]).await;
    for batch in orders(1500, &[]).chunks(BATCH) {
        task.put(batch).await.unwrap();
    }
    until("inserts", "select count(*) from inserted", "1500");
    task.stop().await;
}
