//! Statuses, from this worker's copy of the status topic (spec `rest-and-config.md` 5.9, 5.12).

use super::super::{
    Answer, ConnectorHealing, ConnectorStatus, DistributedHerder, Reply, RequestError,
};
use crate::{ConnectorName, TaskId};

impl DistributedHerder {
    pub(super) fn connector_status(&self, name: &ConnectorName) -> Answer {
        let connector = self.statuses.connector(name.as_str()).ok_or_else(|| {
            RequestError::NotFound(format!("No status found for connector {name}"))
        })?;
        let tasks = self.statuses.tasks(name.as_str());
        Ok(Reply::Status(ConnectorStatus {
            name: name.clone(),
            connector: connector.clone(),
            tasks: tasks.map(|(task, status)| (task, status.clone())).collect(),
            config: self.cluster.config(name.as_str()).cloned(),
        }))
    }

    pub(super) fn connector_healing(&self, name: &ConnectorName) -> Answer {
        let Reply::Status(status) = self.connector_status(name)? else {
            return Ok(Reply::Done);
        };
        let own = status.tasks.iter().map(|(task, _)| name.task(*task));
        let own = own.filter(|id| self.owns_task(id));
        let tasks = own.map(|id| (id.task, self.healing_of(&id).cloned()));
        Ok(Reply::Healing(Box::new(ConnectorHealing {
            tasks: tasks.collect(),
            policy: self.settings.task_restarts,
            status,
        })))
    }

    pub(super) fn task_status(&self, id: &TaskId) -> Answer {
        let status = self.statuses.task(id).cloned();
        status
            .map(Reply::Task)
            .ok_or_else(|| RequestError::NotFound(format!("No status found for task {id}")))
    }
}
