//! The fold of the status topic.

use std::collections::BTreeMap;

use super::{StatusRecord, StatusState, StatusValue, TopicUse};
use crate::{ConnectorName, TaskId};

#[derive(Clone, Debug, Default)]
struct Entry {
    connector: Option<StatusValue>,
    tasks: BTreeMap<u32, StatusValue>,
    topics: BTreeMap<String, TopicUse>,
}

/// The statuses as far as the topic has been read.
#[derive(Clone, Debug, Default)]
pub struct StatusSnapshot {
    connectors: BTreeMap<ConnectorName, Entry>,
}

impl StatusSnapshot {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The status of a connector.
    #[must_use]
    pub fn connector(&self, name: &str) -> Option<&StatusValue> {
        self.connectors.get(name)?.connector.as_ref()
    }

    /// The status of a task.
    #[must_use]
    pub fn task(&self, id: &TaskId) -> Option<&StatusValue> {
        self.connectors.get(&id.connector)?.tasks.get(&id.task)
    }

    /// The statuses of a connector's tasks, by number; may include tasks that no longer exist.
    pub fn tasks(&self, name: &str) -> impl Iterator<Item = (u32, &StatusValue)> {
        self.connectors
            .get(name)
            .into_iter()
            .flat_map(|entry| entry.tasks.iter().map(|(task, status)| (*task, status)))
    }

    /// All connectors that have a status of their own or of a task.
    pub fn connectors(&self) -> impl Iterator<Item = &ConnectorName> {
        self.connectors
            .iter()
            .filter(|(_, entry)| entry.connector.is_some() || !entry.tasks.is_empty())
            .map(|(name, _)| name)
    }

    /// The topics that a connector uses, by name.
    pub fn topics(&self, name: &str) -> impl Iterator<Item = &TopicUse> {
        self.connectors
            .get(name)
            .into_iter()
            .flat_map(|entry| entry.topics.values())
    }

    /// Whether a connector's use of a topic is already recorded.
    #[must_use]
    pub fn uses_topic(&self, name: &str, topic: &str) -> bool {
        self.connectors
            .get(name)
            .is_some_and(|entry| entry.topics.contains_key(topic))
    }

    /// Whether UNASSIGNED or FAILED may be written over the known status of a connector by this worker:
    /// never over what another worker wrote in a newer generation (`StatusIsTrue`).
    #[must_use]
    pub fn is_safe_for_connector(&self, name: &str, worker_id: &str, generation: i32) -> bool {
        is_safe(self.connector(name), worker_id, generation)
    }

    /// As [`Self::is_safe_for_connector`], for a task.
    #[must_use]
    pub fn is_safe_for_task(&self, id: &TaskId, worker_id: &str, generation: i32) -> bool {
        is_safe(self.task(id), worker_id, generation)
    }

    /// Takes up a record read from the topic (bytes). Answers the connector that it speaks of; garbage speaks of
    /// none and is passed over.
    pub fn apply(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Option<ConnectorName> {
        let record = StatusRecord::decode(key, value)?;
        let connector = match &record {
            StatusRecord::Connector { name, .. } => name.clone(),
            StatusRecord::Task { id, .. } => id.connector.clone(),
            StatusRecord::Topic(used) => used.connector.clone(),
            StatusRecord::TopicReset { connector, .. } => connector.clone(),
        };
        self.take_up(record);
        Some(connector)
    }

    /// Takes up a record.
    pub fn take_up(&mut self, record: StatusRecord) {
        match record {
            StatusRecord::Connector { name, status } => {
                let entry = self.connectors.entry(name.clone()).or_default();
                if status.is_none() {
                    entry.tasks.clear();
                }
                if !is_stale(entry.connector.as_ref(), status.as_ref()) {
                    entry.connector = status;
                }
                self.forget_if_empty(&name);
            }
            StatusRecord::Task { id, status } => self.take_up_task(&id, status),
            StatusRecord::Topic(topic) => {
                let entry = self.connectors.entry(topic.connector.clone()).or_default();
                entry.topics.insert(topic.topic.clone(), topic);
            }
            StatusRecord::TopicReset { topic, connector } => {
                if let Some(entry) = self.connectors.get_mut(&connector) {
                    entry.topics.remove(&topic);
                }
                self.forget_if_empty(&connector);
            }
        }
    }

    fn take_up_task(&mut self, id: &TaskId, status: Option<StatusValue>) {
        let Some(status) = status else {
            if let Some(entry) = self.connectors.get_mut(&id.connector) {
                entry.tasks.remove(&id.task);
            }
            self.forget_if_empty(&id.connector);
            return;
        };
        if !is_stale(self.task(id), Some(&status)) {
            let entry = self.connectors.entry(id.connector.clone()).or_default();
            entry.tasks.insert(id.task, status);
        }
    }

    fn forget_if_empty(&mut self, name: &ConnectorName) {
        let empty = |entry: &Entry| {
            entry.connector.is_none() && entry.tasks.is_empty() && entry.topics.is_empty()
        };
        if self.connectors.get(name).is_some_and(empty) {
            self.connectors.remove(name);
        }
    }
}

/// A former owner's late UNASSIGNED must not hide that the new owner runs it.
fn is_stale(known: Option<&StatusValue>, status: Option<&StatusValue>) -> bool {
    let (Some(known), Some(status)) = (known, status) else {
        return false;
    };
    // Within one generation the owner itself writes UNASSIGNED after RUNNING: that one counts.
    let newer = known.generation > status.generation;
    let same = known.generation == status.generation;
    status.state == StatusState::Unassigned
        && known.state == StatusState::Running
        && (newer || same && known.worker_id != status.worker_id)
}

fn is_safe(known: Option<&StatusValue>, worker_id: &str, generation: i32) -> bool {
    known.is_none_or(|known| known.worker_id == worker_id || known.generation <= generation)
}
