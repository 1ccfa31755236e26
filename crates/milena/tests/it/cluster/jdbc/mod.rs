//! The JDBC connectors in real workers, against real databases: round trips, takeover from Java, kills.

mod circle;
mod storm;
mod takeover;

use serde_json::{Value, json};

use super::world::Cluster;

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

/// A cluster of workers whose records carry their schemas.
fn cluster(bootstrap: &str, more: &[(&str, &str)]) -> Cluster {
    let mut all = vec![("value.converter", JSON), ("key.converter", JSON)];
    all.extend_from_slice(more);
    Cluster::new(bootstrap, &all)
}

/// A connector: its direction by its class, and what is not the same for all of them.
fn connector(name: &str, class: &str, url: &str, more: &[(&str, &str)]) -> Value {
    let mut config = json!({
        "connector.class": format!("io.confluent.connect.jdbc.{class}"),
        "tasks.max": "1", "connection.url": url, "poll.interval.ms": "20",
        "topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
    });
    if class == "JdbcSinkConnector" {
        let keys = [
            "poll.interval.ms",
            "topic.creation.default.partitions",
            "topic.creation.default.replication.factor",
        ];
        config
            .as_object_mut()
            .unwrap()
            .retain(|key, _| !keys.contains(&key.as_str()));
    }
    for (key, value) in more {
        config[*key] = json!(value);
    }
    json!({"name": name, "config": config})
}
