//! The source on SQLite: modes, offsets, schemas, faults.

use milena_data::{SourceMap, Value};
use milena_jdbc::Vendor;

use crate::harness::{Offsets, execute, field, props, source, take, task_configs};

struct Db {
    _dir: tempfile::TempDir,
    path: std::path::PathBuf,
    url: String,
}

fn db(sql: &str) -> Db {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("source.db");
    execute(&path, sql);
    let url = format!("jdbc:sqlite:{}", path.display());
    Db {
        _dir: dir,
        path,
        url,
    }
}

const ORDERS: &str = "CREATE TABLE orders(id INTEGER PRIMARY KEY AUTOINCREMENT, item TEXT NOT NULL, \
    amount NUMERIC(10,2), ok BOOLEAN, at TIMESTAMP NOT NULL DEFAULT '2026-01-02 03:04:05.678', raw BLOB, day DATE);\
    INSERT INTO orders(item,amount,ok,raw,day) VALUES('tea',12.34,1,x'dead','2026-01-02'),('rum',NULL,NULL,NULL,NULL);";

#[tokio::test]
async fn bulk_reads_all_rows_each_time() {
    let db = db(ORDERS);
    let config = props(&[
        ("connection.url", &db.url),
        ("mode", "bulk"),
        ("topic.prefix", "t-"),
        ("poll.interval.ms", "10"),
    ]);
    let offsets = Offsets::default();
    let mut task = source(Vendor::Aiven, &config, &offsets).await.unwrap();
    let records = take(&mut *task, 4).await;
    assert_eq!(&*records[0].record.topic, "t-orders");
    assert!(records[0].source_offset.is_none());
    assert_eq!(
        records[0]
            .source_partition
            .as_ref()
            .unwrap()
            .get("table")
            .unwrap(),
        &Value::from("orders")
    );
    let schema = records[0].record.value.schema.as_ref().unwrap();
    assert_eq!(schema.name(), Some("orders"));
    let shown: Vec<_> = schema
        .fields()
        .values()
        .map(|f| {
            format!(
                "{}:{:?}:{:?}:{}",
                f.name(),
                f.schema().kind(),
                f.schema().name(),
                f.schema().is_optional()
            )
        })
        .collect();
    assert_eq!(
        shown.join(" "),
        "id:Int64:None:false item:String:None:false amount:Bytes:Some(\"org.apache.kafka.connect.data.Decimal\"):true \
         ok:Boolean:None:true at:Int64:Some(\"org.apache.kafka.connect.data.Timestamp\"):false raw:Bytes:None:true \
         day:Int32:Some(\"org.apache.kafka.connect.data.Date\"):true"
    );
    assert_eq!(field(&records[0], "amount").to_string(), "12.34");
    assert_eq!(field(&records[0], "at"), Value::Instant(1_767_323_045_678));
    assert_eq!(
        field(&records[0], "day"),
        Value::Instant(20_455 * 86_400_000)
    );
    assert_eq!(field(&records[1], "amount"), Value::Null);
    assert_eq!(field(&records[2], "item"), Value::from("tea"));
    task.stop().await;
}

#[tokio::test]
async fn incrementing_goes_on_where_it_stopped() {
    let db = db(ORDERS);
    let config = props(&[
        ("connection.url", &db.url),
        ("mode", "incrementing"),
        ("topic.prefix", ""),
        ("poll.interval.ms", "10"),
    ]);
    // An empty prefix is refused, as Java does.
    assert!(task_configs(Vendor::Confluent, &config, 1).await.is_err());
    let mut config = config;
    config.insert("topic.prefix".into(), "x".into());
    let offsets = Offsets::default();
    let mut task = source(Vendor::Confluent, &config, &offsets).await.unwrap();
    for record in take(&mut *task, 2).await {
        offsets.store(&record);
    }
    assert_eq!(offsets.text(), "protocol=1 table=orders -> incrementing=2");
    task.stop().await;
    execute(&db.path, "INSERT INTO orders(item) VALUES('new')");
    let mut task = source(Vendor::Confluent, &config, &offsets).await.unwrap();
    let records = take(&mut *task, 1).await;
    assert_eq!(field(&records[0], "item"), Value::from("new"));
    // A column that is added while the task runs joins the schema.
    execute(
        &db.path,
        "ALTER TABLE orders ADD late TEXT; INSERT INTO orders(item,late) VALUES('l','yes')",
    );
    let records = take(&mut *task, 1).await;
    assert_eq!(field(&records[0], "late"), Value::from("yes"));
}

#[tokio::test]
async fn offsets_of_a_java_connector_are_taken_over() {
    let db = db(ORDERS);
    let config = props(&[
        ("connection.url", &db.url),
        ("mode", "incrementing"),
        ("topic.prefix", "x"),
    ]);
    let offsets = Offsets::default();
    // The older form of the partition, which Java still reads.
    let map = |pairs: &[(&str, Value)]| {
        pairs
            .iter()
            .map(|(k, v)| ((*k).into(), v.clone()))
            .collect::<SourceMap>()
    };
    offsets.put(
        map(&[("table", Value::from("orders"))]),
        map(&[("incrementing", Value::Int64(1))]),
    );
    let mut task = source(Vendor::Aiven, &config, &offsets).await.unwrap();
    let records = take(&mut *task, 1).await;
    assert_eq!(field(&records[0], "item"), Value::from("rum"));
}

#[tokio::test]
async fn timestamps_and_ids_see_updates_once() {
    let db = db(ORDERS);
    let config = props(&[
        ("connection.url", &db.url),
        ("mode", "timestamp+incrementing"),
        ("incrementing.column.name", "ID"),
        ("timestamp.column.name", "at"),
        ("topic.prefix", "x"),
        ("poll.interval.ms", "10"),
        ("batch.max.rows", "1"),
    ]);
    let offsets = Offsets::default();
    let mut task = source(Vendor::Aiven, &config, &offsets).await.unwrap();
    let records = take(&mut *task, 2).await;
    offsets.store(&records[0]);
    assert_eq!(
        offsets.text(),
        "protocol=1 table=orders -> timestamp_nanos=678000000 incrementing=1 timestamp=1767323045678"
    );
    // A restart after the first of two rows of one timestamp gives the second, and it alone.
    let mut again = source(Vendor::Aiven, &config, &offsets).await.unwrap();
    let records = take(&mut *again, 1).await;
    assert_eq!(field(&records[0], "item"), Value::from("rum"));
    execute(
        &db.path,
        "UPDATE orders SET item='green tea', at='2026-01-02 03:05:00' WHERE id=1",
    );
    let records = take(&mut *task, 1).await;
    assert_eq!(field(&records[0], "item"), Value::from("green tea"));
    // A row of the future is not read before its time.
    execute(
        &db.path,
        "INSERT INTO orders(item,at) VALUES('later','2999-01-01 00:00:00'),('now','2026-01-03 00:00:00')",
    );
    let records = take(&mut *task, 1).await;
    assert_eq!(field(&records[0], "item"), Value::from("now"));
}

#[tokio::test]
async fn a_timestamp_is_committed_only_with_all_its_rows() {
    let db = db("CREATE TABLE t(n INTEGER, at TIMESTAMP NOT NULL);\
        INSERT INTO t VALUES(1,'2026-01-01 00:00:00'),(2,'2026-01-02 00:00:00'),(3,'2026-01-02 00:00:00'),(4,'2026-01-03 00:00:00')");
    let config = props(&[
        ("connection.url", &db.url),
        ("mode", "timestamp"),
        ("timestamp.column.name", "at"),
        ("topic.prefix", "x"),
        ("batch.max.rows", "2"),
    ]);
    let offsets = Offsets::default();
    let mut task = source(Vendor::Confluent, &config, &offsets).await.unwrap();
    let records = take(&mut *task, 2).await;
    assert_eq!(records.len(), 2);
    records.iter().for_each(|record| offsets.store(record));
    let mut task = source(Vendor::Confluent, &config, &offsets).await.unwrap();
    let items: Vec<_> = take(&mut *task, 3)
        .await
        .iter()
        .map(|record| field(record, "n"))
        .collect();
    assert_eq!(items, [Value::Int64(2), Value::Int64(3), Value::Int64(4)]);
}

#[tokio::test]
async fn a_query_may_join_and_is_limited_by_its_suffix() {
    let db = db(ORDERS);
    let config = props(&[
        ("connection.url", &db.url),
        ("mode", "incrementing"),
        ("query", "SELECT * FROM (SELECT id AS n, item FROM orders)"),
        ("query.suffix", "LIMIT 1"),
        ("incrementing.column.name", "n"),
        ("topic.prefix", "joined"),
        ("poll.interval.ms", "10"),
    ]);
    let offsets = Offsets::default();
    let mut task = source(Vendor::Confluent, &config, &offsets).await.unwrap();
    let records = take(&mut *task, 2).await;
    assert_eq!(&*records[1].record.topic, "joined");
    assert!(
        records[0]
            .record
            .value
            .schema
            .as_ref()
            .unwrap()
            .name()
            .is_none()
    );
    records.iter().for_each(|record| offsets.store(record));
    assert_eq!(offsets.text(), "query=query -> incrementing=2");
}

#[tokio::test]
async fn tables_are_shared_out_in_order() {
    let db = db(
        "CREATE TABLE a(x INTEGER); CREATE TABLE b(x INTEGER); CREATE TABLE c(x INTEGER); CREATE TABLE skip(x INTEGER); CREATE VIEW v AS SELECT * FROM a",
    );
    let mut config = props(&[
        ("connection.url", &db.url),
        ("mode", "bulk"),
        ("topic.prefix", "x"),
        ("table.blacklist", "skip"),
    ]);
    let tables = |configs: Vec<milena_config::Props>| {
        configs
            .iter()
            .map(|config| config["tables"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        tables(task_configs(Vendor::Confluent, &config, 2).await.unwrap()),
        ["\"a\",\"b\"", "\"c\""]
    );
    assert_eq!(
        tables(task_configs(Vendor::Confluent, &config, 9).await.unwrap()).len(),
        3
    );
    config.remove("table.blacklist");
    config.insert("table.include.list".into(), "[A-B]".into());
    assert_eq!(
        tables(task_configs(Vendor::Confluent, &config, 1).await.unwrap()),
        ["\"a\",\"b\""]
    );
}

async fn start(config: &milena_config::Props) -> String {
    source(Vendor::Confluent, config, &Offsets::default())
        .await
        .err()
        .unwrap()
        .to_string()
}

#[tokio::test]
async fn faults_name_their_remedy() {
    let db = db(
        "CREATE TABLE t(n INTEGER, at TIMESTAMP, big NUMERIC(4,1) NOT NULL); INSERT INTO t VALUES(1,NULL,1.25)",
    );
    let mut config = props(&[
        ("connection.url", &db.url),
        ("mode", "incrementing"),
        ("topic.prefix", "x"),
    ]);
    let offsets = Offsets::default();
    assert!(start(&config).await.contains("incrementing.column.name"));
    config.insert("incrementing.column.name".into(), "n".into());
    assert!(start(&config).await.contains("is nullable"));
    config.insert("incrementing.column.name".into(), "no".into());
    assert!(start(&config).await.contains("it has n, at, big"));
    config.insert("mode".into(), "bulk".into());
    let mut task = source(Vendor::Confluent, &config, &offsets).await.unwrap();
    let error = task.poll().await.unwrap_err().to_string();
    assert!(
        error.contains("column big") && error.contains("numeric.mapping"),
        "{error}"
    );
    config.insert(
        "connection.url".into(),
        "jdbc:sqlite:/no/such/folder/x.db".into(),
    );
    config.insert("connection.attempts".into(), "1".into());
    assert!(start(&config).await.contains("/no/such/folder"));
}

#[tokio::test]
async fn a_new_table_is_found_while_the_connector_runs() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new.db");
    execute(&path, "CREATE TABLE first(id INTEGER PRIMARY KEY)");
    let config = crate::harness::props(&[
        ("connection.url", &format!("jdbc:sqlite:{}", path.display())),
        ("mode", "bulk"),
        ("topic.prefix", "t-"),
        ("table.poll.interval.ms", "10"),
    ]);
    let milena_api::ConnectorInstance::Source(mut connector) =
        milena_api::ConnectorPlugin::connector(&milena_jdbc::JdbcSourcePlugin(Vendor::Confluent))
            .unwrap()
    else {
        panic!("no source")
    };
    let (sender, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let context = milena_api::ConnectorContext::new(move |_| {
        let _gone = sender.send(());
    });
    connector.start(context, config).await.unwrap();
    assert_eq!(connector.task_configs(2).await.unwrap().len(), 1);
    execute(&path, "CREATE TABLE second(id INTEGER PRIMARY KEY)");
    let found = tokio::time::timeout(std::time::Duration::from_secs(60), asked.recv());
    assert_eq!(found.await.unwrap(), Some(()));
    assert_eq!(connector.task_configs(2).await.unwrap().len(), 2);
    connector.stop().await;
}
