//! Waiting for what follows from a change (standalone mode, where an answer to a creation shows the tasks).

use super::super::{Answer, DistributedHerder, Reply, RequestError, Sink, ops::answer};
use crate::ConnectorName;

impl DistributedHerder {
    /// Answers whoever waits for a connector that has come to rest.
    pub(in super::super) fn tell_settled(&mut self, out: &mut Sink) {
        if self.settle_waiters.is_empty() || !self.rebalance.is_settled() || !self.ops.is_idle() {
            return;
        }
        for (id, name) in std::mem::take(&mut self.settle_waiters) {
            match self.settled(&name) {
                Some(reply) => answer(id, reply, out),
                None => self.settle_waiters.push((id, name)),
            }
        }
    }

    fn settled(&self, name: &ConnectorName) -> Option<Answer> {
        if !self.cluster.contains(name.as_str()) {
            let gone =
                !self.local.mentions(name) && self.statuses.connector(name.as_str()).is_none();
            return gone.then_some(Ok(Reply::Done));
        }
        if self.local.connector_has_failed(name.as_str()) {
            return Some(Err(RequestError::Failed(format!(
                "Failed to transition connector {name} to state STARTED"
            ))));
        }
        let up = self.local.connector_is_up(name.as_str());
        let (waits, failed) = self.reconfigurations.state_of(name);
        match (up, waits, failed) {
            (true, true, true) => Some(Err(RequestError::Failed(format!(
                "Failed to generate task configurations for connector {name}"
            )))),
            (true, false, _) => Some(Ok(Reply::Done)),
            _ => None,
        }
    }
}
