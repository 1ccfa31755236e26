//! Pause and resume (spec `rest-and-config.md` 5.15): any worker may, the effect comes by the topic.

use super::super::{
    DistributedHerder, Reply, RequestError, RequestId, Sink,
    ops::{Finish, Op},
};
use crate::{
    ConnectorName,
    cluster::{ConfigRecord, TargetState},
};

impl DistributedHerder {
    pub(super) fn set_target(
        &mut self,
        id: RequestId,
        name: ConnectorName,
        target: TargetState,
        out: &mut Sink,
    ) -> Result<(), RequestError> {
        if !self.cluster.contains(name.as_str()) {
            return Err(RequestError::unknown_connector(name.as_str()));
        }
        let stage = format!(
            "writing the {} target state for connector {name}",
            target.as_str()
        );
        let record = ConfigRecord::Target {
            name,
            state: Some(target),
        };
        let finish = Finish::Answer(id, Reply::Done);
        let op = Op::unprivileged(record, finish, "Error writing target state to Kafka", stage);
        self.begin_op(op, out);
        Ok(())
    }
}
