//! Statuses that this worker writes, and the leader's clearing away of those of vanished connectors and tasks.

use std::collections::{BTreeMap, BTreeSet};

use super::{DistributedHerder, HerderEffect, Sink};
use crate::{
    ConnectorName, TaskId,
    status::{StatusRecord, StatusState, StatusValue},
};

/// A status to write.
#[derive(Clone, Debug)]
pub(super) struct StatusWrite {
    pub(super) state: StatusState,
    pub(super) trace: Option<String>,
    pub(super) version: Option<String>,
}

impl StatusWrite {
    pub(super) fn of(state: StatusState, version: Option<String>) -> Self {
        Self {
            state,
            trace: None,
            version,
        }
    }

    pub(super) fn failed(trace: String, version: Option<String>) -> Self {
        Self {
            state: StatusState::Failed,
            trace: Some(trace),
            version,
        }
    }

    /// UNASSIGNED and FAILED give way to a newer generation of another worker (`StatusIsTrue`).
    fn is_safe_put(&self) -> bool {
        matches!(self.state, StatusState::Unassigned | StatusState::Failed)
    }
}

/// The statuses of what is alive on this worker, as it wrote them.
#[derive(Debug, Default)]
pub(super) struct Announced {
    connectors: BTreeMap<ConnectorName, StatusValue>,
    tasks: BTreeMap<TaskId, StatusValue>,
}

/// Which connectors may have left statuses behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StatusCheck {
    /// These; usually none.
    Some(BTreeSet<ConnectorName>),
    /// Any.
    All,
}

impl Default for StatusCheck {
    fn default() -> Self {
        Self::Some(BTreeSet::new())
    }
}

impl StatusCheck {
    pub(super) fn add(&mut self, name: ConnectorName) {
        if let Self::Some(names) = self {
            names.insert(name);
        }
    }
}

impl DistributedHerder {
    pub(super) fn write_connector_status(
        &mut self,
        name: &ConnectorName,
        write: StatusWrite,
        out: &mut Sink,
    ) {
        match write.is_safe_put() {
            true => self.announced.connectors.remove(name),
            false => {
                let status = self.status_value(write.clone());
                self.announced.connectors.insert(name.clone(), status)
            }
        };
        let (worker, generation) = (&self.settings.worker_id, self.group.generation());
        let safe = self
            .statuses
            .is_safe_for_connector(name.as_str(), worker, generation);
        if safe || !write.is_safe_put() {
            let status = Some(self.status_value(write));
            let name = name.clone();
            out.push(HerderEffect::WriteStatus(StatusRecord::Connector {
                name,
                status,
            }));
        }
    }

    pub(super) fn write_task_status(&mut self, id: &TaskId, write: StatusWrite, out: &mut Sink) {
        match write.is_safe_put() {
            true => self.announced.tasks.remove(id),
            false => {
                let status = self.status_value(write.clone());
                self.announced.tasks.insert(id.clone(), status)
            }
        };
        let (worker, generation) = (&self.settings.worker_id, self.group.generation());
        let safe = self.statuses.is_safe_for_task(id, worker, generation);
        if safe || !write.is_safe_put() {
            let status = Some(self.status_value(write));
            let id = id.clone();
            out.push(HerderEffect::WriteStatus(StatusRecord::Task { id, status }));
        }
    }

    /// A worker that lost its place without knowing it (it stood still) says UNASSIGNED of what runs here by now. The
    /// topic keeps its last record, so the owner has the last word (`StatusIsTrue`).
    pub(super) fn assert_status(&self, key: Option<&[u8]>, value: Option<&[u8]>, out: &mut Sink) {
        let again = match StatusRecord::decode(key, value) {
            Some(StatusRecord::Connector {
                name,
                status: Some(said),
            }) if self.local.owns_connector(name.as_str()) => {
                let ours = self.announced.connectors.get(&name);
                let ours = ours.filter(|ours| is_outdated(&said, ours)).cloned();
                ours.map(|ours| StatusRecord::Connector {
                    name,
                    status: Some(ours),
                })
            }
            Some(StatusRecord::Task {
                id,
                status: Some(said),
            }) if self.local.owns_task(&id) => {
                let ours = self.announced.tasks.get(&id);
                let ours = ours.filter(|ours| is_outdated(&said, ours)).cloned();
                ours.map(|ours| StatusRecord::Task {
                    id,
                    status: Some(ours),
                })
            }
            _ => None,
        };
        if let Some(again) = again {
            out.push(HerderEffect::WriteStatus(again));
        }
    }

    fn status_value(&self, write: StatusWrite) -> StatusValue {
        StatusValue {
            state: write.state,
            trace: write.trace,
            worker_id: self.settings.worker_id.clone(),
            generation: self.group.generation(),
            version: write.version,
        }
    }

    /// The leader removes statuses of connectors that are not configured and of tasks beyond their number.
    pub(super) fn clear_dead_statuses(&mut self, out: &mut Sink) {
        let may = self.is_ready() && self.group.is_leader() && self.rebalance.is_settled();
        if !may {
            return;
        }
        match std::mem::take(&mut self.statuses_to_check) {
            StatusCheck::Some(names) => {
                for name in &names {
                    self.clear_dead_statuses_of(name, out);
                }
            }
            StatusCheck::All => {
                for name in self.statuses.connectors() {
                    self.clear_dead_statuses_of(name, out);
                }
            }
        }
    }

    fn clear_dead_statuses_of(&self, name: &ConnectorName, out: &mut Sink) {
        let exists = self.cluster.contains(name.as_str());
        let count = match exists {
            true => self.cluster.tasks(name.as_str()).count(),
            false => 0,
        };
        for (task, _) in self.statuses.tasks(name.as_str()) {
            if task as usize >= count {
                let id = name.task(task);
                out.push(HerderEffect::WriteStatus(StatusRecord::Task {
                    id,
                    status: None,
                }));
            }
        }
        let leftover = !exists && self.statuses.connector(name.as_str()).is_some();
        if leftover {
            let name = name.clone();
            out.push(HerderEffect::WriteStatus(StatusRecord::Connector {
                name,
                status: None,
            }));
        }
    }

    /// Forgets the topics of connectors that are gone, once their work here is stopped (KIP-558).
    pub(super) fn reset_topics(&mut self, name: &ConnectorName, out: &mut Sink) {
        for used in self.statuses.topics(name.as_str()) {
            out.push(HerderEffect::WriteStatus(StatusRecord::TopicReset {
                topic: used.topic.clone(),
                connector: name.clone(),
            }));
        }
    }
}

/// Whether what another worker said is older than what the owner says.
fn is_outdated(said: &StatusValue, ours: &StatusValue) -> bool {
    said.worker_id != ours.worker_id
        && said.state == StatusState::Unassigned
        && said.generation <= ours.generation
}
