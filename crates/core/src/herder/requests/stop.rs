//! Stop a connector (KIP-875, spec `rest-and-config.md` 5.16): an empty task set first, then the target, so that
//! workers from before 3.5, which see PAUSED, run no tasks either.

use super::super::{
    DistributedHerder, Reply, RequestError, RequestId, Sink,
    ops::{Finish, Op, OpStep},
};
use crate::{
    ConnectorName,
    cluster::{ConfigRecord, TargetState},
};

impl DistributedHerder {
    pub(super) fn stop_connector(
        &mut self,
        id: RequestId,
        name: ConnectorName,
        out: &mut Sink,
    ) -> Result<(), RequestError> {
        if !self.cluster.contains(name.as_str()) {
            return Err(RequestError::unknown_connector(name.as_str()));
        }
        self.only_leader()?;
        let commit = ConfigRecord::Commit {
            name: name.clone(),
            tasks: Some(0),
        };
        let target = ConfigRecord::Target {
            name: name.clone(),
            state: Some(TargetState::Stopped),
        };
        let steps = [
            // One write: a stop that is half done would be a running connector without tasks.
            OpStep::Write {
                records: vec![commit, target],
                privileged: true,
            },
            OpStep::ReadToEnd,
        ];
        let op = Op {
            steps: steps.into(),
            finish: Finish::Answer(id, Reply::Done),
            failure: "Error writing target state to Kafka".to_owned(),
            stage: format!(
                "writing the STOPPED target stage for connector {name} to the config topic"
            ),
        };
        self.begin_op(op, out);
        Ok(())
    }
}
