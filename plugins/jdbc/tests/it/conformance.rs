//! The connectors against the conformance suite.

use milena_config::Props;
use milena_data::{Schema, SchemaAndValue, SchemaBuilder, Value};
use milena_jdbc::{JdbcSinkPlugin, JdbcSourcePlugin, Vendor};

use crate::harness::{execute, props, record, row};

/// Rows of which some have nothing where others have something, and texts of all lengths.
fn table(sequence: &str) -> String {
    format!(
        "create table promised(id bigint not null primary key, item varchar(90) not null, amount numeric(10,2), note text, at timestamp); \
         insert into promised select n,substr('a name of some length that is cut',1,1+n%30),case when n%3=0 then null else n/4.0 \
         end,case when n%7=0 then null else 'note '||n end,case when n%5=0 then null else '2026-01-02 03:04:05' end from {sequence}"
    )
}

async fn source_promises(config: &Props) {
    for mode in ["bulk", "incrementing"] {
        let mut config = config.clone();
        config.extend(props(&[
            ("mode", mode),
            ("topic.prefix", "t-"),
            ("poll.interval.ms", "10"),
            ("batch.max.rows", "7"),
            ("table.whitelist", "promised"),
        ]));
        if mode == "incrementing" {
            config.extend(props(&[("incrementing.column.name", "id")]));
        }
        let plugin = JdbcSourcePlugin(Vendor::Confluent);
        let broken = milena_conformance::source(&plugin, &config, 60).await;
        assert!(broken.is_empty(), "{mode}: {broken:#?}");
    }
}

async fn sink_promises(config: &Props) {
    let schema = SchemaBuilder::structure()
        .field("id", Schema::int64())
        .field("item", Schema::string());
    let schema = schema.build().unwrap();
    let records: Vec<_> = (0..300)
        .map(|n| {
            let values = vec![Value::Int64(n % 250), Value::from(format!("item {n}"))];
            record("kept", n, SchemaAndValue::default(), row(&schema, values))
        })
        .collect();
    let mut config = config.clone();
    config.extend(props(&[
        ("auto.create", "true"),
        ("insert.mode", "upsert"),
        ("pk.mode", "record_value"),
        ("pk.fields", "id"),
    ]));
    let plugin = JdbcSinkPlugin(Vendor::Confluent);
    let broken = milena_conformance::sink(&plugin, &config, &records).await;
    assert!(broken.is_empty(), "{broken:#?}");
}

#[tokio::test]
async fn promises_are_kept_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("promises.db");
    let sequence = "(with recursive s(n) as (select 1 union all select n+1 from s where n<200) select n from s)";
    execute(&path, &table(sequence));
    let url = format!("jdbc:sqlite:{}", path.display());
    let config = props(&[("connection.url", &url)]);
    source_promises(&config).await;
    sink_promises(&config).await;
}

/// On a server that has no table `promised` or `kept`.
pub(crate) async fn promises_are_kept(db: &tokio_postgres::Client, config: &Props) {
    // The sizes of a COPY are those of chunks, too.
    db.batch_execute(
        &table("generate_series(1,5000) n")
            .replace("'2026-01-02 03:04:05'", "timestamp '2026-01-02 03:04:05'"),
    )
    .await
    .unwrap();
    source_promises(config).await;
    sink_promises(config).await;
}
