//! Waiting for what follows from a change (standalone mode, where an answer to a creation shows the tasks).

use super::super::{
    Answer, DistributedHerder, HerderEffect, Reply, RequestError, RequestId, Sink, ops::answer,
};
use crate::{ConnectorName, Token};

/// Somebody who waits for a connector to come to rest.
#[derive(Debug)]
pub(in super::super) struct SettleWaiter {
    pub(in super::super) id: RequestId,
    name: ConnectorName,
    /// The connector is gone; what its runs said last is still being written down.
    flush: Option<Token>,
}

impl SettleWaiter {
    pub(in super::super) fn new(id: RequestId, name: ConnectorName) -> Self {
        let flush = None;
        Self { id, name, flush }
    }
}

impl DistributedHerder {
    /// Answers whoever waits for a connector that has come to rest.
    pub(in super::super) fn tell_settled(&mut self, out: &mut Sink) {
        if self.settle_waiters.is_empty() || !self.rebalance.is_settled() || !self.ops.is_idle() {
            return;
        }
        for mut waiter in std::mem::take(&mut self.settle_waiters) {
            let name = &waiter.name;
            if waiter.flush.is_none() && self.is_gone(name) {
                let token = self.tokens.next();
                out.push(HerderEffect::FlushStatus { token });
                waiter.flush = Some(token);
            } else if let Some(reply) = self.settled(name) {
                answer(waiter.id, reply, out);
                continue;
            }
            self.settle_waiters.push(waiter);
        }
    }

    /// The statuses written before a connector was found gone have been written down. Answers false when the outcome was
    /// for something else.
    pub(in super::super) fn settle_outcome(&mut self, token: Token, out: &mut Sink) -> bool {
        let mut waiters = self.settle_waiters.iter();
        let Some(at) = waiters.position(|waiter| waiter.flush == Some(token)) else {
            return false;
        };
        let mut waiter = self.settle_waiters.remove(at);
        if self.is_gone(&waiter.name) {
            answer(waiter.id, Ok(Reply::Done), out);
        } else {
            // A run ended after its connector's statuses were removed: what it said is being removed now.
            waiter.flush = None;
            self.settle_waiters.push(waiter);
        }
        true
    }

    /// Whether nothing of a deleted connector runs or shows any more, as far as the statuses were read.
    fn is_gone(&self, name: &ConnectorName) -> bool {
        !self.cluster.contains(name.as_str())
            && !self.local.mentions(name)
            && self.statuses.connector(name.as_str()).is_none()
            && self.statuses.tasks(name.as_str()).next().is_none()
    }

    /// What a connector that is configured has come to.
    fn settled(&self, name: &ConnectorName) -> Option<Answer> {
        if !self.cluster.contains(name.as_str()) {
            return None;
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
