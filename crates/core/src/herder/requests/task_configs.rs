//! Task configurations that another worker generated (internal; spec `rest-and-config.md` 6).

use super::super::{
    DistributedHerder, RequestError, RequestId, Sink, reconfigure::task_configs_op,
};
use crate::{
    ConnectorName,
    cluster::{RawProps, TargetState},
};

impl DistributedHerder {
    pub(super) fn put_task_configs(
        &mut self,
        id: RequestId,
        name: ConnectorName,
        configs: &[RawProps],
        out: &mut Sink,
    ) -> Result<(), RequestError> {
        self.only_leader()?;
        if !self.cluster.contains(name.as_str()) {
            return Err(RequestError::no_connector(name.as_str()));
        }
        if self.cluster.target(name.as_str()) == TargetState::Stopped && !configs.is_empty() {
            return Err(RequestError::BadRequest(format!(
                "Cannot submit non-empty set of task configs for stopped connector {name}"
            )));
        }
        self.begin_op(task_configs_op(&name, configs, Some(id)), out);
        Ok(())
    }
}
