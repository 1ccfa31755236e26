//! Bytes of status topic records, as Java 4.3 writes them (spec `distributed.md` 1.7).

use serde_json::Value;

use super::{StatusRecord, StatusState, StatusValue, TopicUse};
use crate::{
    ConnectorName, TaskId,
    cluster::KeyValue,
    json::{self, ObjectWriter},
};

const CONNECTOR: &str = "status-connector-";
const TASK: &str = "status-task-";
const TOPIC: &str = "status-topic-";
const TOPIC_CONNECTOR: &str = ":connector-";

impl StatusRecord {
    /// Key and value as Java writes them.
    #[must_use]
    pub fn encode(&self) -> KeyValue {
        match self {
            Self::Connector { name, status } => KeyValue {
                key: format!("{CONNECTOR}{name}"),
                value: status.as_ref().map(encode_status),
            },
            Self::Task { id, status } => KeyValue {
                key: format!("{TASK}{id}"),
                value: status.as_ref().map(encode_status),
            },
            Self::Topic(topic) => KeyValue {
                key: topic_key(&topic.topic, &topic.connector),
                value: Some(encode_topic(topic)),
            },
            Self::TopicReset { topic, connector } => KeyValue {
                key: topic_key(topic, connector),
                value: None,
            },
        }
    }

    /// The record that stands in the topic; `None` for garbage, which is passed over.
    #[must_use]
    pub fn decode(key: Option<&[u8]>, value: Option<&[u8]>) -> Option<Self> {
        let key = String::from_utf8_lossy(key?);
        let value = match value {
            None => None,
            Some(bytes) => Some(json::parse(bytes)?).filter(|value| !value.is_null()),
        };
        if let Some(name) = key.strip_prefix(CONNECTOR) {
            (!name.is_empty()).then_some(())?;
            let status = decode_optional(value, decode_status)?;
            let name = name.into();
            return Some(Self::Connector { name, status });
        }
        if let Some(rest) = key.strip_prefix(TASK) {
            let id = parse_task(rest)?;
            let status = decode_optional(value, decode_status)?;
            return Some(Self::Task { id, status });
        }
        let rest = key.strip_prefix(TOPIC)?;
        // The first colon ends the topic; the marker after it is skipped by length, as Java does.
        let colon = rest.find(':')?;
        let connector: ConnectorName = rest.get(colon + TOPIC_CONNECTOR.len()..)?.into();
        let topic = rest.get(..colon)?.to_owned();
        match value {
            None => Some(Self::TopicReset { topic, connector }),
            Some(value) => decode_topic(&value).map(Self::Topic),
        }
    }
}

// A value that is there but cannot be read makes the whole record garbage, not a tombstone.
fn decode_optional<T>(value: Option<Value>, read: fn(&Value) -> Option<T>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(value) => read(&value).map(Some),
    }
}

fn topic_key(topic: &str, connector: &ConnectorName) -> String {
    format!("{TOPIC}{topic}{TOPIC_CONNECTOR}{connector}")
}

fn encode_status(status: &StatusValue) -> Vec<u8> {
    ObjectWriter::new()
        .string("state", status.state.as_str())
        .optional("trace", status.trace.as_deref())
        .string("worker_id", &status.worker_id)
        .integer("generation", status.generation.into())
        .optional("version", status.version.as_deref())
        .into_bytes()
}

fn encode_topic(topic: &TopicUse) -> Vec<u8> {
    let inner = ObjectWriter::new()
        .string("name", &topic.topic)
        .string("connector", topic.connector.as_str())
        .integer("task", topic.task.into())
        .integer("discoverTimestamp", topic.discovered_ms);
    ObjectWriter::new().object("topic", inner).into_bytes()
}

fn decode_status(value: &Value) -> Option<StatusValue> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    Some(StatusValue {
        state: StatusState::parse(text("state")?)?,
        trace: text("trace").map(ToOwned::to_owned),
        worker_id: text("worker_id")?.to_owned(),
        generation: json::integer(value.get("generation"))?.try_into().ok()?,
        version: text("version").map(ToOwned::to_owned),
    })
}

fn decode_topic(value: &Value) -> Option<TopicUse> {
    let value = value.get("topic")?;
    Some(TopicUse {
        topic: value.get("name")?.as_str()?.to_owned(),
        connector: value.get("connector")?.as_str()?.into(),
        task: json::integer(value.get("task"))?.try_into().ok()?,
        discovered_ms: json::integer(value.get("discoverTimestamp"))?,
    })
}

fn parse_task(rest: &str) -> Option<TaskId> {
    let (name, number) = rest.trim_end_matches('-').rsplit_once('-')?;
    let task: u32 = number.parse().ok().filter(|n| *n <= i32::MAX as u32)?;
    (!name.is_empty()).then(|| ConnectorName::from(name).task(task))
}
