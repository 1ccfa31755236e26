//! Bytes of config topic records, as Java writes them (spec `distributed.md` 1.4).

use serde_json::Value;

use super::{ConfigRecord, RawProps, RestartRequest, SessionKey, TargetState};
use crate::{
    ConnectorName,
    json::{self, ObjectWriter},
};

const TARGET: &str = "target-state-";
const CONNECTOR: &str = "connector-";
const TASK: &str = "task-";
const COMMIT: &str = "commit-";
const RESTART: &str = "restart-connector-";
const TASK_COUNT: &str = "tasks-fencing-";
const SESSION_KEY: &str = "session-key";
const LOGGER: &str = "logger-cluster-";

/// A record as it goes to a topic: key text and value bytes; no value is a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key, raw UTF-8.
    pub key: String,
    /// The value.
    pub value: Option<Vec<u8>>,
}

/// The key of the record that carries the session key.
#[must_use]
pub fn session_key_topic_key() -> &'static str {
    SESSION_KEY
}

/// Why a record of the config topic is passed over. All of these are somebody else's bytes: the fold goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigDecodeError {
    /// The value is no JSON. The only case in which the config offset does not advance.
    #[error("record {key:?} has a value that is not JSON")]
    NotJson {
        /// The key.
        key: String,
    },
    /// The record has no key.
    #[error("record without a key")]
    NoKey,
    /// The key is of no known kind.
    #[error("record with unknown key {key:?}")]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// The value does not have the shape that its kind asks for.
    #[error("record {key:?} does not have {wanted}")]
    Shape {
        /// The key.
        key: String,
        /// What is missing.
        wanted: &'static str,
    },
}

impl ConfigRecord {
    /// Key and value as Java writes them.
    #[must_use]
    pub fn encode(&self) -> KeyValue {
        let (key, value) = match self {
            Self::Connector { name, config } => (
                format!("{CONNECTOR}{name}"),
                config.as_ref().map(encode_props),
            ),
            Self::Target { name, state } => {
                (format!("{TARGET}{name}"), state.map(encode_target_state))
            }
            Self::Task { id, config } => (format!("{TASK}{id}"), Some(encode_props(config))),
            Self::Commit { name, tasks } => (
                format!("{COMMIT}{name}"),
                tasks.map(|tasks| ObjectWriter::new().integer("tasks", tasks.into())),
            ),
            Self::TaskCount { name, tasks } => (
                format!("{TASK_COUNT}{name}"),
                Some(ObjectWriter::new().integer("task-count", (*tasks).into())),
            ),
            Self::SessionKey(key) => (
                SESSION_KEY.to_owned(),
                Some(
                    ObjectWriter::new()
                        .string("key", &key.base64)
                        .string("algorithm", &key.algorithm)
                        .integer("creation-timestamp", key.created_ms),
                ),
            ),
            Self::Restart(request) => (
                format!("{RESTART}{}", request.connector),
                Some(
                    ObjectWriter::new()
                        .boolean("include-tasks", request.include_tasks)
                        .boolean("only-failed", request.only_failed),
                ),
            ),
            Self::LoggerLevel { namespace, level } => (
                format!("{LOGGER}{namespace}"),
                Some(ObjectWriter::new().string("level", level)),
            ),
        };
        KeyValue {
            key,
            value: value.map(ObjectWriter::into_bytes),
        }
    }

    /// The record that stands in the topic.
    ///
    /// # Errors
    /// It cannot be read or is of no known kind; the reader passes over it.
    pub fn decode(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Self, ConfigDecodeError> {
        let text = key.map(String::from_utf8_lossy);
        let value = match value.map(json::parse) {
            None => None,
            Some(Some(Value::Null)) => None,
            Some(Some(value)) => Some(value),
            Some(None) => {
                return Err(ConfigDecodeError::NotJson {
                    key: text.unwrap_or_default().into_owned(),
                });
            }
        };
        let text = text.ok_or(ConfigDecodeError::NoKey)?;
        decode_kind(&text, value).map_err(|problem| match problem {
            Problem::Unknown => ConfigDecodeError::UnknownKey {
                key: text.clone().into_owned(),
            },
            Problem::Shape(wanted) => ConfigDecodeError::Shape {
                key: text.clone().into_owned(),
                wanted,
            },
        })
    }
}

enum Problem {
    Unknown,
    Shape(&'static str),
}

// The order of the tests is Java's: the first prefix that fits decides.
fn decode_kind(key: &str, value: Option<Value>) -> Result<ConfigRecord, Problem> {
    if let Some(name) = key.strip_prefix(TARGET) {
        let state = value.map(|value| decode_target_state(&value)).transpose()?;
        let name = name.into();
        return Ok(ConfigRecord::Target { name, state });
    }
    if let Some(name) = key.strip_prefix(CONNECTOR) {
        let config = value.map(decode_props).transpose()?;
        let name = name.into();
        return Ok(ConfigRecord::Connector { name, config });
    }
    if key.starts_with(TASK) {
        let id = parse_task_key(key).ok_or(Problem::Shape("a key that ends in a task number"))?;
        let config = decode_props(value.ok_or(Problem::Shape("a value"))?)?;
        return Ok(ConfigRecord::Task { id, config });
    }
    if let Some(name) = key.strip_prefix(COMMIT) {
        let tasks = value.as_ref().and_then(|value| count(value, "tasks"));
        let name = name.into();
        return Ok(ConfigRecord::Commit { name, tasks });
    }
    if let Some(name) = key.strip_prefix(RESTART) {
        let value = value.filter(Value::is_object);
        let value = value.ok_or(Problem::Shape("an object as value"))?;
        let flag = |name: &str| value.get(name).and_then(Value::as_bool).unwrap_or(false);
        return Ok(ConfigRecord::Restart(RestartRequest {
            connector: name.into(),
            include_tasks: flag("include-tasks"),
            only_failed: flag("only-failed"),
        }));
    }
    if let Some(name) = key.strip_prefix(TASK_COUNT) {
        let tasks = value
            .as_ref()
            .and_then(|value| count(value, "task-count"))
            .ok_or(Problem::Shape("an integer \"task-count\""))?;
        let name = name.into();
        return Ok(ConfigRecord::TaskCount { name, tasks });
    }
    if key == SESSION_KEY {
        return decode_session_key(value.as_ref())
            .map(ConfigRecord::SessionKey)
            .ok_or(Problem::Shape("a key, an algorithm and a timestamp"));
    }
    if let Some(namespace) = key.strip_prefix(LOGGER) {
        let level = value
            .as_ref()
            .and_then(|value| value.get("level")?.as_str());
        return Ok(ConfigRecord::LoggerLevel {
            namespace: namespace.to_owned(),
            level: level.ok_or(Problem::Shape("a text \"level\""))?.to_owned(),
        });
    }
    Err(Problem::Unknown)
}

fn encode_props(config: &RawProps) -> ObjectWriter {
    let properties = config
        .iter()
        .fold(ObjectWriter::new(), |writer, (key, value)| {
            writer.optional(key, value.as_deref())
        });
    ObjectWriter::new().object("properties", properties)
}

fn decode_props(value: Value) -> Result<RawProps, Problem> {
    let Value::Object(mut value) = value else {
        return Err(Problem::Shape("an object as value"));
    };
    let Some(Value::Object(properties)) = value.remove("properties") else {
        return Err(Problem::Shape("an object \"properties\""));
    };
    let text = |value| match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        // Nobody writes these; their JSON text is the least surprising reading.
        other => Some(other.to_string()),
    };
    Ok(properties
        .into_iter()
        .map(|(key, value)| (key, text(value)))
        .collect())
}

// STOPPED is written so that workers from before 3.5 see PAUSED.
fn encode_target_state(state: TargetState) -> ObjectWriter {
    let old = match state {
        TargetState::Stopped => TargetState::Paused,
        other => other,
    };
    ObjectWriter::new()
        .string("state", old.as_str())
        .string("state.v2", state.as_str())
}

fn decode_target_state(value: &Value) -> Result<TargetState, Problem> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    text("state.v2")
        .or_else(|| text("state"))
        .and_then(TargetState::parse)
        .ok_or(Problem::Shape("a known target state"))
}

fn decode_session_key(value: Option<&Value>) -> Option<SessionKey> {
    let value = value?;
    let base64 = value.get("key")?.as_str()?;
    let alphabet = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    (!base64.is_empty() && base64.len() % 4 == 0 && base64.bytes().all(alphabet)).then_some(())?;
    Some(SessionKey {
        base64: base64.to_owned(),
        algorithm: value.get("algorithm")?.as_str()?.to_owned(),
        created_ms: json::integer(value.get("creation-timestamp"))?,
    })
}

fn count(value: &Value, field: &str) -> Option<u32> {
    let count = json::integer(value.get(field))?;
    u32::try_from(count).ok().filter(|n| *n <= i32::MAX as u32)
}

/// Splits as Java does: by `-`, trailing empty parts dropped, the last part the number, the first `task`.
fn parse_task_key(key: &str) -> Option<crate::TaskId> {
    let (rest, number) = key.trim_end_matches('-').rsplit_once('-')?;
    let name = rest.strip_prefix(TASK)?;
    let task: u32 = number.parse().ok().filter(|n| *n <= i32::MAX as u32)?;
    Some(ConnectorName::from(name).task(task))
}
