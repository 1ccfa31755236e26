//! Delete a connector (spec `rest-and-config.md` 5.17). Its task records, its offsets and topics stay.

use super::super::{
    DistributedHerder, Reply, RequestError, RequestId, Sink,
    ops::{Finish, Op},
};
use crate::{ConnectorName, cluster::ConfigRecord};

impl DistributedHerder {
    pub(super) fn delete_connector(
        &mut self,
        id: RequestId,
        name: ConnectorName,
        out: &mut Sink,
    ) -> Result<(), RequestError> {
        self.only_leader()?;
        if !self.cluster.contains(name.as_str()) {
            return Err(RequestError::no_connector(name.as_str()));
        }
        let stage = format!("removing the config for connector {name} from the config topic");
        let records = vec![
            ConfigRecord::Connector {
                name: name.clone(),
                config: None,
            },
            ConfigRecord::Target { name, state: None },
        ];
        let op = Op::write(
            records,
            Finish::Answer(id, Reply::Done),
            "Error removing connector configuration from Kafka",
            stage,
        );
        self.begin_op(op, out);
        Ok(())
    }
}
