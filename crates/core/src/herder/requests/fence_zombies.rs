//! Another worker is about to start exactly-once source tasks (internal; KIP-618).

use super::super::{
    Answer, DistributedHerder, Reply, RequestError, RequestId, Sink, fencing::FencingWaiter,
};
use crate::{ConnectorName, TaskId};

impl DistributedHerder {
    pub(super) fn fence_zombies(
        &mut self,
        id: RequestId,
        name: &ConnectorName,
        out: &mut Sink,
    ) -> Result<(), RequestError> {
        self.only_leader()?;
        if !self.cluster.contains(name.as_str()) {
            return Err(RequestError::no_connector(name.as_str()));
        }
        self.fence(name, FencingWaiter::Request(id), out);
        Ok(())
    }

    pub(super) fn confirm_task(&self, id: &TaskId, generation: Option<u32>) -> Answer {
        let because = if self.cluster.generation(id.connector.as_str()) != generation {
            "the connector has already generated a new set of task configs"
        } else if !self.local.owns_task(id) {
            "it has already been revoked from this worker"
        } else {
            return Ok(Reply::Done);
        };
        Err(RequestError::Failed(format!(
            "Cannot start source task {id} with exactly-once support as {because}"
        )))
    }
}
