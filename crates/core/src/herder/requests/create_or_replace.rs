//! Create a connector, or create or replace it (spec `rest-and-config.md` 5.4, 5.7).

use super::super::{
    DistributedHerder, RequestError, RequestId, Sink,
    ops::{Finish, Op},
};
use crate::{
    ConnectorName,
    cluster::{ConfigRecord, RawProps, TargetState},
};

impl DistributedHerder {
    pub(super) fn put_connector(
        &mut self,
        id: RequestId,
        name: ConnectorName,
        config: RawProps,
        target: Option<TargetState>,
        replace: bool,
        out: &mut Sink,
    ) -> Result<(), RequestError> {
        self.only_leader()?;
        let exists = self.cluster.contains(name.as_str());
        if exists && !replace {
            return Err(RequestError::Conflict(format!(
                "Connector {name} already exists"
            )));
        }
        let op = write_connector(id, name, config, target, !exists);
        self.begin_op(op, out);
        Ok(())
    }
}

/// The change that stores a connector. The target goes first, so that it never runs against the user's wish.
pub(super) fn write_connector(
    id: RequestId,
    name: ConnectorName,
    config: RawProps,
    target: Option<TargetState>,
    created: bool,
) -> Op {
    let target = target.map(|state| ConfigRecord::Target {
        name: name.clone(),
        state: Some(state),
    });
    let connector = ConfigRecord::Connector {
        name: name.clone(),
        config: Some(config),
    };
    Op::write(
        target.into_iter().chain([connector]).collect(),
        Finish::Describe {
            id,
            name: name.clone(),
            created,
        },
        "Error writing connector configuration to Kafka",
        format!("writing a config for connector {name} to the config topic"),
    )
}
