//! Statuses of connectors and tasks (spec 5.9, oracle: `version` stands between `worker_id` and `trace`).

use serde::{Deserialize, Serialize};

/// The type of a connector; closed on purpose (clients parse it as an enum).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConnectorType {
    /// It reads an outside system.
    Source,
    /// It writes to an outside system.
    Sink,
    /// Its class is not known to this worker.
    Unknown,
}

/// What Java calls a version that a plugin does not state.
const UNDEFINED: &str = "undefined";

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn undefined(version: &Option<String>) -> bool {
    version.as_deref() == Some(UNDEFINED)
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn no_trace(trace: &Option<String>) -> bool {
    trace.as_deref().is_none_or(str::is_empty)
}

/// The state of a connector instance; stays a flat map of strings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorState {
    /// UNASSIGNED, RUNNING, PAUSED, FAILED, RESTARTING or STOPPED.
    pub state: String,
    /// Advertised `host:port` of the worker that reported it.
    pub worker_id: String,
    /// The plugin's version: null when the instance could not be made, omitted when `undefined`.
    #[serde(skip_serializing_if = "undefined", default)]
    pub version: Option<String>,
    /// The failure; omitted when there is none.
    #[serde(skip_serializing_if = "no_trace", default)]
    pub trace: Option<String>,
}

/// The state of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskState {
    /// The number, from 0.
    pub id: u32,
    /// UNASSIGNED, RUNNING, PAUSED, FAILED or RESTARTING.
    pub state: String,
    /// Advertised `host:port` of the worker that reported it.
    pub worker_id: String,
    /// As in [`ConnectorState::version`].
    #[serde(skip_serializing_if = "undefined", default)]
    pub version: Option<String>,
    /// The failure; omitted when there is none.
    #[serde(skip_serializing_if = "no_trace", default)]
    pub trace: Option<String>,
}

/// The status of a connector and its tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorStateInfo {
    /// The connector.
    pub name: String,
    /// The state of the connector itself.
    pub connector: ConnectorState,
    /// The states of its tasks, by number.
    pub tasks: Vec<TaskState>,
    /// Source, sink or unknown.
    #[serde(rename = "type")]
    pub kind: ConnectorType,
}

#[cfg(test)]
mod tests {
    use super::{ConnectorState, ConnectorStateInfo, ConnectorType, TaskState};

    #[test]
    fn the_order_and_the_omissions_are_those_of_java() {
        let status = ConnectorStateInfo {
            name: "c".into(),
            connector: ConnectorState {
                state: "RUNNING".into(),
                worker_id: "h:1".into(),
                version: Some("4.3.1".into()),
                trace: None,
            },
            tasks: vec![TaskState {
                id: 0,
                state: "FAILED".into(),
                worker_id: "h:1".into(),
                version: None,
                trace: Some("boom\n".into()),
            }],
            kind: ConnectorType::Source,
        };
        assert_eq!(
            serde_json::to_string(&status).unwrap(),
            r#"{"name":"c","connector":{"state":"RUNNING","worker_id":"h:1","version":"4.3.1"},"tasks":[{"id":0,"state":"FAILED","worker_id":"h:1","version":null,"trace":"boom\n"}],"type":"source"}"#
        );
        let mut state = status.connector;
        state.version = Some("undefined".into());
        assert_eq!(
            serde_json::to_string(&state).unwrap(),
            r#"{"state":"RUNNING","worker_id":"h:1"}"#
        );
    }
}
