//! The demo's two connectors, created through the worker's own REST API as anybody would.

use std::{path::PathBuf, time::Duration};

use milena_rest::client::RestClient;
use serde_json::{Value, json};

/// The topic between the two.
pub(super) const TOPIC: &str = "quickstart-lines";
pub(super) const SOURCE: &str = "quickstart-source";
pub(super) const SINK: &str = "quickstart-sink";
/// How long the worker may take until it accepts a connector.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the lines come from and go to.
pub(super) struct Pipeline {
    pub(super) input: PathBuf,
    pub(super) output: PathBuf,
}

impl Pipeline {
    fn source(&self) -> Value {
        json!({
            "connector.class": "FileStreamSource",
            "tasks.max": "1",
            "file": self.input.display().to_string(),
            "topic": TOPIC,
            "topic.creation.default.partitions": "1",
            "topic.creation.default.replication.factor": "1",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schemas.enable": "false",
            "transforms": "wrap,stamp",
            "transforms.wrap.type": "org.apache.kafka.connect.transforms.HoistField$Value",
            "transforms.wrap.field": "line",
            "transforms.stamp.type": "org.apache.kafka.connect.transforms.InsertField$Value",
            "transforms.stamp.timestamp.field": "read_at",
        })
    }

    fn sink(&self) -> Value {
        json!({
            "connector.class": "FileStreamSink",
            "tasks.max": "1",
            "file": self.output.display().to_string(),
            "topics": TOPIC,
            "consumer.override.isolation.level": "read_committed",
        })
    }

    /// Creates both, or leaves them as they are when nothing has changed.
    pub(super) async fn create(&self, url: &str, _bootstrap: &str) -> Result<(), String> {
        create(url, [(SOURCE, self.source()), (SINK, self.sink())]).await
    }
}

/// Creates two connectors, or leaves them as they are when nothing has changed.
pub(super) async fn create(url: &str, connectors: [(&str, Value); 2]) -> Result<(), String> {
    let client = RestClient::new(url);
    for (name, config) in connectors {
        let path = format!("/connectors/{name}/config");
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = client.put(&path, &config).await;
            match answer {
                Ok((200 | 201, _)) => break,
                // While the worker joins its group it says so; that passes.
                Ok((409 | 500, _)) | Err(_) if tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Ok((status, body)) => {
                    return Err(format!("cannot create {name}: {status} {body}"));
                }
                Err(error) => return Err(format!("cannot create {name}: {error}")),
            }
        }
    }
    Ok(())
}
