//! Statuses, from this worker's copy of the status topic (spec `rest-and-config.md` 5.9, 5.12).

use super::super::{Answer, ConnectorStatus, DistributedHerder, Reply, RequestError};
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

    pub(super) fn task_status(&self, id: &TaskId) -> Answer {
        let status = self.statuses.task(id).cloned();
        status
            .map(Reply::Task)
            .ok_or_else(|| RequestError::NotFound(format!("No status found for task {id}")))
    }
}
