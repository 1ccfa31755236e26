//! Restart a connector instance and wait for it, or restart by plan (spec `rest-and-config.md` 5.13).

use super::super::{
    DistributedHerder, RequestError, RequestId, Sink,
    local::Restart,
    ops::{Finish, Op},
};
use crate::{
    ConnectorName, Now,
    cluster::{ConfigRecord, RestartRequest},
};

impl DistributedHerder {
    /// The instance's owner restarts it; the answer comes when it is up again or has failed.
    pub(super) fn restart_connector(
        &mut self,
        now: Now,
        id: RequestId,
        name: ConnectorName,
    ) -> Result<(), RequestError> {
        if !self.cluster.contains(name.as_str()) {
            return Err(RequestError::unknown_to_restart(name.as_str()));
        }
        if !self.local.owns_connector(name.as_str()) {
            let url = match self.group.is_leader() {
                true => self.group.connector_owner(&name),
                false => self.group.leader_url(),
            };
            return Err(RequestError::Elsewhere { url });
        }
        self.local.restart_connector(&name, Restart::Quiet);
        self.reconfigurations.request(now, &name);
        self.restart_waiters.entry(name).or_default().push(id);
        Ok(())
    }

    /// The leader stores the request; every worker carries out its part when it reads it.
    pub(super) fn restart_all(
        &mut self,
        id: RequestId,
        request: RestartRequest,
        out: &mut Sink,
    ) -> Result<(), RequestError> {
        let name = &request.connector;
        self.only_leader()?;
        if !self.cluster.contains(name.as_str()) {
            return Err(RequestError::unknown_to_restart(name.as_str()));
        }
        // Checked before anything is written: without a status there is nothing to plan with.
        self.restart_answer(&request)?;
        let failure = format!(
            "Error writing restart request for {{connectorName='{name}', onlyFailed={}, includeTasks={}}} to Kafka",
            request.only_failed, request.include_tasks
        );
        let stage = format!("writing restart request for connector {name} to the config topic");
        let record = ConfigRecord::Restart(request.clone());
        let finish = Finish::RestartPlanned { id, request };
        let op = Op::write(vec![record], finish, &failure, stage);
        self.begin_op(op, out);
        Ok(())
    }
}
