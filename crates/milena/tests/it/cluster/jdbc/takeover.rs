//! Offsets that a Java connector has left in the offsets topic: Milena goes on where it stopped.

use std::sync::Arc;

use milena_kafka::ports::{Ack, OutRecord};
use milena_testing_databases::postgres;
use serde_json::{Value, json};

use super::{cluster, connector};
use crate::{
    clients::Embedded,
    cluster::world::{Cluster, create, eventually, rest, until},
};

/// Writes a record into the offsets topic, as the worker of a Java connector does.
fn stored(cluster: &Cluster, key: &Value, value: &Value) {
    let record = OutRecord {
        topic: cluster.props["offset.storage.topic"].as_str().into(),
        key: Some(key.to_string().into_bytes().into()),
        value: Some(value.to_string().into_bytes().into()),
        partition: Some(0),
        ..OutRecord::default()
    };
    let props = cluster.client_props();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (sender, mut acks) = tokio::sync::mpsc::unbounded_channel();
        let sink = Arc::new(move |acks: Vec<Ack>| {
            for ack in acks.into_iter().flat_map(Ack::each) {
                let _gone = sender.send(ack.outcome.is_ok());
            }
        });
        let producer = milena_kafka::clients()
            .producer(&props, sink)
            .await
            .unwrap();
        producer.send(vec![record]).await.unwrap();
        assert_eq!(acks.recv().await, Some(true), "the offset is written");
    });
}

/// The ids in the records of a topic.
fn ids(cluster: &Cluster, topic: &str) -> Vec<i64> {
    let id = |line: &String| {
        let json: Value = serde_json::from_str(line).unwrap();
        json["payload"]["id"].as_i64().unwrap()
    };
    cluster.lines(topic).iter().map(id).collect()
}

#[test]
fn offsets_of_java_connectors_are_taken_over() {
    let Some(db) = postgres("offsets_of_java_connectors_are_taken_over", &[]) else {
        return;
    };
    db.sql(
        "create table acc(id serial primary key, name text, ts timestamp(3) not null); \
         insert into acc(name,ts) select 'row '||n, timestamp '2026-01-02 03:00:00'+n*interval '1 minute' from generate_series(1,6) n",
    );
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(dir.path());
    let cluster = cluster(&kafka.bootstrap, &[]);
    let worker = cluster.joined("worker");
    let table = json!({"protocol": "1", "table": "public.acc"});
    let ts = |minute: i64| 1_767_322_800_000_i64 + minute * 60_000;
    // The shapes of the recorded offsets: by id, by id and time, by time; and the oldest one, which knows the
    // bare table's name only.
    let cases = [
        (
            "by-id",
            table.clone(),
            json!({"incrementing": 4}),
            "incrementing",
            vec![5, 6],
        ),
        (
            "by-both",
            table.clone(),
            json!({"timestamp_nanos": 0, "incrementing": 3, "timestamp": ts(3)}),
            "timestamp+incrementing",
            vec![4, 5, 6],
        ),
        (
            "by-time",
            table,
            json!({"timestamp_nanos": 0, "timestamp": ts(5)}),
            "timestamp",
            vec![6],
        ),
        (
            "oldest",
            json!({"table": "acc"}),
            json!({"incrementing": 2}),
            "incrementing",
            vec![3, 4, 5, 6],
        ),
    ];
    let url = format!(
        "jdbc:postgresql://127.0.0.1:{}/postgres?user=postgres",
        db.port
    );
    for (name, partition, offset, mode, wanted) in &cases {
        stored(&cluster, &json!([name, partition]), offset);
        let prefix = cluster.topic(&format!("{name}-"));
        let config = [
            ("table.whitelist", "acc"),
            ("topic.prefix", &*prefix),
            ("mode", mode),
            (
                "incrementing.column.name",
                if mode.contains("inc") { "id" } else { "" },
            ),
            (
                "timestamp.column.name",
                if mode.contains("time") { "ts" } else { "" },
            ),
        ];
        create(
            worker.url(),
            &connector(name, "JdbcSourceConnector", &url, &config),
        );
        let topic = format!("{prefix}acc");
        let read = eventually("the rows after it", || {
            let exists = rest(
                "GET",
                &format!("{}/connectors/{name}/topics", worker.url()),
                None,
            )?;
            let used = exists.1[*name]["topics"].as_array()?.len() == 1;
            let ids = used.then(|| ids(&cluster, &topic))?;
            (ids.last() == Some(&6)).then_some(ids)
        });
        assert_eq!(&read, wanted, "{name}");
    }
    // What it stores is what a Java connector reads.
    let offsets = format!("{}/connectors/by-both/offsets", worker.url());
    let after = json!({"offsets": [{
        "partition": {"protocol": "1", "table": "public.acc"},
        "offset": {"timestamp_nanos": 0, "incrementing": 6, "timestamp": ts(6)},
    }]});
    until("the offset is committed", || {
        rest("GET", &offsets, None).is_some_and(|(_, body)| body == after)
    });
}
