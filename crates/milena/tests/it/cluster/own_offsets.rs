//! A connector with an offsets topic of its own (KIP-618), handed from Milena to Java and back.

use std::{collections::BTreeMap, sync::Arc};

use milena_kafka::ports::OutRecord;
use serde_json::{Value, json};

use crate::cluster::world::{Cluster, admin, create, expect, records, shared_kafka, until};

/// The last value of each key.
fn state(cluster: &Cluster, topic: &str) -> BTreeMap<String, Option<String>> {
    let text = |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let records = records(&cluster.client_props(), topic).into_iter();
    records
        .map(|(key, value)| (text(key.unwrap()), value.map(text)))
        .collect()
}

fn position(url: &str) -> Option<u64> {
    let offsets = expect("GET", &format!("{url}/connectors/s/offsets"), None, 200);
    offsets["offsets"][0]["offset"]["position"].as_u64()
}

/// What both topics say after a position was committed.
fn both_say(cluster: &Cluster, own: &str, position: Option<u64>) {
    let file = cluster.at("s.txt");
    let key = format!(r#"["s",{{"filename":"{}"}}]"#, file.display());
    let value = position.map(|position| format!(r#"{{"position":{position}}}"#));
    let wanted = BTreeMap::from([(key, value)]);
    for topic in [own, &cluster.topic("offsets")] {
        // Java copies to the worker's topic after the commit.
        until(&format!("{topic} says {wanted:?}"), || {
            state(cluster, topic) == wanted
        });
    }
}

fn handed_over(bootstrap: &str, exactly_once: &str) {
    let settings = [("exactly.once.source.support", exactly_once)];
    let cluster = Cluster::new(bootstrap, &settings);
    let (own, lines) = (cluster.topic("own"), cluster.topic("lines"));
    let mut source = cluster.source("s", &lines, "one\n");
    source["config"]["offsets.storage.topic"] = json!(own);
    let mut milena = cluster.joined("a");
    create(milena.url(), &source);
    until("Milena commits", || position(milena.url()) == Some(4));
    both_say(&cluster, &own, Some(4));
    admin(&cluster.client_props(), async |admin| {
        let found = admin.describe_topics(std::slice::from_ref(&own)).await;
        assert_eq!(found.unwrap()[0].partitions.len(), 2, "as the worker's");
        let config = admin.topic_config(&own).await.unwrap();
        assert_eq!(config["cleanup.policy"].as_deref(), Some("compact"));
    });
    assert_eq!(milena.terminate().code(), Some(0));

    let mut java = cluster.java();
    cluster.append("s", "two\n");
    until("Java goes on", || position(java.url()) == Some(8));
    both_say(&cluster, &own, Some(8));
    java.kill();

    let mut milena = cluster.joined("b");
    cluster.append("s", "three\n");
    until("Milena goes on", || position(milena.url()) == Some(14));
    both_say(&cluster, &own, Some(14));
    let url = format!("{}/connectors/s", milena.url());
    expect("PUT", &format!("{url}/stop"), None, 204);
    until("it is stopped", || {
        let status: Value = expect("GET", &format!("{url}/status"), None, 200);
        status["connector"]["state"] == "STOPPED" && status["tasks"] == json!([])
    });
    expect("DELETE", &format!("{url}/offsets"), None, 200);
    assert_eq!(position(milena.url()), None);
    both_say(&cluster, &own, None);
    assert_eq!(cluster.lines(&lines), ["one", "two", "three"]);
    assert_eq!(milena.terminate().code(), Some(0));
}

#[test]
fn an_offsets_topic_of_its_own_is_handed_over() {
    if milena_testing_kafka::oracle_is_missing("an_offsets_topic_of_its_own_is_handed_over") {
        return;
    }
    let kafka = shared_kafka();
    let bootstrap = kafka.bootstrap();
    std::thread::scope(|scope| {
        for exactly_once in ["enabled", "disabled"] {
            let bootstrap = &bootstrap;
            scope.spawn(move || handed_over(bootstrap, exactly_once));
        }
    });
}

/// Somebody's transaction in the offsets topic keeps every task from its start: the worker says which, and how to end it.
#[test]
fn a_transaction_that_hangs_in_the_offsets_topic_is_named() {
    if milena_testing_kafka::oracle_is_missing(
        "a_transaction_that_hangs_in_the_offsets_topic_is_named",
    ) {
        return;
    }
    let kafka = shared_kafka();
    let settings = [("exactly.once.source.support", "enabled")];
    let cluster = Cluster::new(&kafka.bootstrap(), &settings);
    let mut worker = cluster.joined("a");
    let topic = cluster.topic("offsets");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stranger = runtime.block_on(async {
        let mut props = cluster.client_props();
        let id = ("transactional.id".to_owned(), cluster.topic("stranger"));
        let timeout = ("transaction.timeout.ms".to_owned(), "600000".to_owned());
        props.extend([id, timeout]);
        let clients = milena_kafka::clients();
        let producer = clients.producer(&props, Arc::new(|_| {})).await.unwrap();
        producer.init_transactions().await.unwrap();
        producer.begin().await.unwrap();
        let record = OutRecord {
            topic: topic.as_str().into(),
            partition: Some(1),
            key: Some(r#"["x",{}]"#.into()),
            value: Some("{}".into()),
            ..OutRecord::default()
        };
        producer.send(vec![record]).await.unwrap();
        producer.flush().await.unwrap();
        producer
    });
    let lines = cluster.topic("lines");
    create(worker.url(), &cluster.source("s", &lines, "one\n"));
    let remedy =
        format!("kafka-transactions.sh abort --topic {topic} --partition 1 --start-offset 0");
    until("the worker says what it waits for", || {
        worker.log().contains(&remedy)
    });
    runtime.block_on(stranger.abort()).unwrap();
    until("the task begins", || position(worker.url()) == Some(4));
    assert_eq!(worker.terminate().code(), Some(0));
}
