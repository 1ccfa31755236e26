//! Restart requests: which instances they select, and carrying them out here (KIP-745, spec `distributed.md` 6.1).

use super::{
    Answer, ConnectorStatus, DistributedHerder, Reply, RequestError, Sink, local::Restart,
    statuses::StatusWrite,
};
use crate::{
    TaskId,
    cluster::RestartRequest,
    status::{StatusSnapshot, StatusState},
};

/// What a restart request selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RestartPlan {
    pub(super) connector: bool,
    pub(super) tasks: Vec<TaskId>,
}

/// The selection by the statuses known now; `None` without a status of the connector.
pub(super) fn plan(statuses: &StatusSnapshot, request: &RestartRequest) -> Option<RestartPlan> {
    let name = request.connector.as_str();
    let selects = |state| !request.only_failed || state == StatusState::Failed;
    let connector = selects(statuses.connector(name)?.state);
    let tasks = statuses
        .tasks(name)
        .filter(|(_, status)| request.include_tasks && selects(status.state))
        .map(|(task, _)| request.connector.task(task))
        .collect();
    Some(RestartPlan { connector, tasks })
}

/// The status with everything selected shown as RESTARTING; the rest of each entry stays as it is.
pub(super) fn planned_status(
    statuses: &StatusSnapshot,
    request: &RestartRequest,
) -> Option<ConnectorStatus> {
    let plan = plan(statuses, request)?;
    let mut connector = statuses.connector(request.connector.as_str())?.clone();
    if plan.connector {
        connector.state = StatusState::Restarting;
    }
    let tasks = statuses
        .tasks(request.connector.as_str())
        .map(|(task, status)| {
            let mut status = status.clone();
            if plan.tasks.iter().any(|id| id.task == task) {
                status.state = StatusState::Restarting;
            }
            (task, status)
        })
        .collect();
    Some(ConnectorStatus {
        name: request.connector.clone(),
        connector,
        tasks,
        config: None,
    })
}

impl DistributedHerder {
    /// A restart request was read: of several for one connector the one that restarts most is kept.
    pub(super) fn queue_restart(&mut self, request: RestartRequest) {
        let kept = self.restarts.get(&request.connector);
        if kept.is_none_or(|kept| kept.impact() <= request.impact()) {
            self.restarts.insert(request.connector.clone(), request);
        }
    }

    /// Carries out what was read: every worker restarts what it owns.
    pub(super) fn run_restarts(&mut self, out: &mut Sink) {
        for (name, request) in std::mem::take(&mut self.restarts) {
            let Some(plan) = plan(&self.statuses, &request) else {
                continue;
            };
            if plan.connector && self.local.owns_connector(name.as_str()) {
                let write = StatusWrite::of(StatusState::Restarting, None);
                self.write_connector_status(&name, write, out);
                self.local.restart_connector(&name, Restart::Announced);
            }
            for id in plan.tasks {
                if self.local.owns_task(&id) {
                    let write = StatusWrite::of(StatusState::Restarting, None);
                    self.write_task_status(&id, write, out);
                    self.healing.pardon(&id);
                    self.local.restart_task(&id, Restart::Announced);
                }
            }
        }
    }

    /// What a stored restart request answers: the statuses as they will be.
    pub(super) fn restart_answer(&self, request: &RestartRequest) -> Answer {
        let mut status = planned_status(&self.statuses, request).ok_or_else(|| {
            RequestError::NotFound(format!(
                "Status for connector {} not found",
                request.connector
            ))
        })?;
        status.config = self.cluster.config(request.connector.as_str()).cloned();
        Ok(Reply::Status(status))
    }
}
