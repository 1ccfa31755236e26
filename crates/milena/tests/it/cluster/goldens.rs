//! The recipe of `testing/golden/internal-topics.tsv`: what the Java worker writes into its internal topics, one record
//! a line: topic, key, value (`null`: a tombstone). `MILENA_RECORD=1 cargo test -p milena --test it -- goldens`
//! records it anew; `crates/core/tests/it/goldens.rs` replays it.

use std::{fs, path::Path};

use serde_json::json;

use crate::cluster::world::{
    Cluster, balanced, create, expect, java_id, records, rest, shared_kafka, until,
};

#[test]
fn goldens_of_the_internal_topics_are_recorded() {
    if std::env::var_os("MILENA_RECORD").is_none() {
        return;
    }
    let kafka = shared_kafka();
    let cluster = Cluster::new(
        &kafka.bootstrap(),
        &[("exactly.once.source.support", "enabled")],
    );
    let java = cluster.java();
    let url = java.url();
    let topic = cluster.topic("lines");
    create(url, &cluster.source("source", &topic, "one\n"));
    create(url, &cluster.sink("sink", &topic, 2));
    balanced(url, &[java_id(&java)], 2, 3);
    let offsets = format!("{url}/connectors/source/offsets");
    until("an offset", || {
        rest("GET", &offsets, None).is_some_and(|(_, body)| body["offsets"] != json!([]))
    });
    let levels = format!("{url}/admin/loggers/org.example?scope=cluster");
    expect("PUT", &levels, Some(&json!({"level": "DEBUG"})), 204);
    let restart = format!("{url}/connectors/sink/restart?includeTasks=true&onlyFailed=false");
    expect("POST", &restart, None, 202);
    expect("PUT", &format!("{url}/connectors/sink/pause"), None, 202);
    expect("PUT", &format!("{url}/connectors/source/stop"), None, 204);
    until("it is stopped", || {
        let status = rest("GET", &format!("{url}/connectors/source/status"), None);
        status.is_some_and(|(_, body)| {
            body["connector"]["state"] == "STOPPED" && body["tasks"] == json!([])
        })
    });
    let partition = json!({"filename": cluster.at("source.txt")});
    let edit = json!({"offsets": [{"partition": partition, "offset": {"position": 2}}]});
    expect("PATCH", &offsets, Some(&edit), 200);
    expect("DELETE", &offsets, None, 200);
    expect("PUT", &format!("{url}/connectors/source/resume"), None, 202);
    // A task that fails leaves its trace.
    let mut broken = cluster.sink("broken", &topic, 1);
    broken["config"]["file"] = json!(cluster.at("no-such-folder/out"));
    create(url, &broken);
    until("it has failed", || {
        let status = rest("GET", &format!("{url}/connectors/broken/status"), None);
        status.is_some_and(|(_, body)| body["tasks"][0]["state"] == "FAILED")
    });
    expect("DELETE", &format!("{url}/connectors/broken"), None, 204);
    let mut text = String::new();
    for kind in ["configs", "offsets", "status"] {
        let mut props = cluster.client_props();
        props.insert("isolation.level".to_owned(), "read_committed".to_owned());
        for (key, value) in records(&props, &cluster.topic(kind)) {
            let utf8 = |bytes: &bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
            let (key, value) = (key.as_ref().map(utf8), value.as_ref().map(utf8));
            let or_null = |text: Option<String>| text.unwrap_or_else(|| "null".to_owned());
            text += &format!("{kind}\t{}\t{}\n", or_null(key), or_null(value));
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testing/golden");
    fs::write(file.join("internal-topics.tsv"), text).unwrap();
}
