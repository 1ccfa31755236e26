//! Restart a task (spec `rest-and-config.md` 5.14); answered when the new run was handed over, not when it runs.

use super::super::{
    DistributedHerder, Reply, RequestError, RequestId, Sink, local::Restart, ops::answer,
};
use crate::TaskId;

impl DistributedHerder {
    pub(super) fn restart_task(
        &mut self,
        id: RequestId,
        task: TaskId,
        out: &mut Sink,
    ) -> Result<(), RequestError> {
        let connector = task.connector.as_str();
        if !self.cluster.contains(connector) {
            return Err(RequestError::unknown_to_restart(connector));
        }
        let exists = self.cluster.task_config(&task).is_some();
        // A stopped connector has no tasks, and Java then answers as if nobody owned the task.
        let stopped = self.cluster.target(connector) == crate::cluster::TargetState::Stopped;
        if !exists && !stopped {
            return Err(RequestError::NotFound(format!("Unknown task: {task}")));
        }
        if !self.local.owns_task(&task) {
            let url = match self.group.is_leader() {
                true => self.group.task_owner(&task),
                false => self.group.leader_url(),
            };
            return Err(RequestError::Elsewhere { url });
        }
        self.healing.pardon(&task);
        self.local.restart_task(&task, Restart::Quiet);
        answer(id, Ok(Reply::Done), out);
        Ok(())
    }
}
