//! Coordinators: which broker keeps a group or a transactional id (KIP-699 from version 4 on).

use kafka_protocol::{messages::FindCoordinatorRequest, protocol::StrBytes};

use super::{cluster::Cluster, codes};
use crate::ports::{GroupCoordinator, KafkaError};

/// What a coordinator keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CoordinatorOf<'a> {
    /// A group, by its id.
    Group(&'a str),
    /// A transactional id.
    Transaction(&'a str),
}

impl Cluster {
    /// Asks for the broker that coordinates this.
    pub(crate) async fn find_coordinator(
        &self,
        of: CoordinatorOf<'_>,
    ) -> Result<GroupCoordinator, KafkaError> {
        let (key_type, key) = match of {
            CoordinatorOf::Group(group) => (0, group),
            CoordinatorOf::Transaction(id) => (1, id),
        };
        let key = StrBytes::from_string(key.to_owned());
        let answer = self
            .call_any(|version| {
                let request = FindCoordinatorRequest::default().with_key_type(key_type);
                if version >= 4 {
                    request.with_coordinator_keys(vec![key.clone()])
                } else {
                    request.with_key(key.clone())
                }
            })
            .await?;
        let what = format!("coordinator of {}", key.as_str());
        if let Some(found) = answer.coordinators.first() {
            let said = found.error_message.as_ref().map(|text| text.as_str());
            codes::check(found.error_code, &what, said)?;
            return Ok(self.found(found.node_id.0, found.host.as_str(), found.port));
        }
        let said = answer.error_message.as_ref().map(|text| text.as_str());
        codes::check(answer.error_code, &what, said)?;
        Ok(self.found(answer.node_id.0, answer.host.as_str(), answer.port))
    }

    fn found(&self, id: i32, host: &str, port: i32) -> GroupCoordinator {
        self.learn_broker(id, host, port);
        GroupCoordinator {
            id,
            host: host.to_owned(),
            port,
        }
    }
}
