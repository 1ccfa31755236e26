//! May the offsets of a connector be modified? (KIP-875, spec `rest-and-config.md` 5.20)
//!
//! `OffsetsEditedOnlyStopped`: STOPPED, no tasks, zombies fenced. The modification itself is the shell's.

use super::super::{
    Answer, DistributedHerder, ExactlyOnceMode, Reply, RequestError, RequestId, Sink,
    fencing::FencingWaiter, ops::answer,
};
use crate::{ConnectorName, cluster::TargetState};

impl DistributedHerder {
    pub(super) fn prepare_offset_change(
        &mut self,
        id: RequestId,
        name: &ConnectorName,
        is_source: bool,
        out: &mut Sink,
    ) -> Result<(), RequestError> {
        self.only_leader()?;
        let free = self.offsets_free(name);
        let exactly_once = self.settings.exactly_once == ExactlyOnceMode::Enabled;
        if free.is_ok() && is_source && exactly_once {
            self.fence(name, FencingWaiter::OffsetChange(id), out);
        } else {
            answer(id, free, out);
        }
        Ok(())
    }

    pub(in super::super) fn offsets_free(&self, name: &ConnectorName) -> Answer {
        let config = self.cluster.config(name.as_str());
        let config = config.ok_or_else(|| RequestError::no_connector(name.as_str()))?;
        let stopped = self.cluster.target(name.as_str()) == TargetState::Stopped
            && self.cluster.task_count(name.as_str()) == 0;
        if !stopped {
            return Err(RequestError::BadRequest(format!(
                "Connectors must be in the STOPPED state before their offsets can be modified. This can be \
                 done for the specified connector by issuing a 'PUT' request to the \
                 '/connectors/{name}/stop' endpoint"
            )));
        }
        Ok(Reply::OffsetsFree(config.clone()))
    }
}
