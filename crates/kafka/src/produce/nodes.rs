//! The brokers that are written to: connected or not, busy or not, and when to try again.
//!
//! Answers to `org.apache.kafka.clients.ClusterConnectionStates` and `InFlightRequests`.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::settings::ProduceSettings;
use crate::wire::connection::Connection;

/// Whether something can be sent to a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// At once.
    Ready,
    /// When an answer comes, or the connection stands.
    Busy,
    /// When it is connected to, which may be tried now.
    Unconnected,
    /// Not before.
    NotBefore(Instant),
}

#[derive(Default)]
struct Node {
    connection: Option<Arc<Connection>>,
    connecting: bool,
    in_flight: u32,
    /// Connections that failed in a row.
    failures: u32,
    not_before: Option<Instant>,
}

/// The brokers by their ids.
#[derive(Default)]
pub(super) struct Nodes(HashMap<i32, Node>);

impl Nodes {
    pub(super) fn reach(&mut self, broker: i32, most: u32, now: Instant) -> Reach {
        let node = self.0.entry(broker).or_default();
        if let Some(at) = node.not_before.filter(|at| *at > now) {
            return Reach::NotBefore(at);
        }
        if node.connecting {
            return Reach::Busy;
        }
        match &node.connection {
            Some(connection) if connection.is_usable() => match node.in_flight < most {
                true => Reach::Ready,
                false => Reach::Busy,
            },
            _ => {
                node.connection = None;
                Reach::Unconnected
            }
        }
    }

    pub(super) fn connecting(&mut self, broker: i32) {
        self.0.entry(broker).or_default().connecting = true;
    }

    pub(super) fn connected(&mut self, broker: i32, connection: Arc<Connection>) {
        let node = self.0.entry(broker).or_default();
        node.connecting = false;
        node.failures = 0;
        node.not_before = None;
        node.connection = Some(connection);
    }

    pub(super) fn unreachable(&mut self, broker: i32, settings: &ProduceSettings, now: Instant) {
        let node = self.0.entry(broker).or_default();
        node.connecting = false;
        node.connection = None;
        let wait = settings.reconnect.after(node.failures);
        node.failures = node.failures.saturating_add(1);
        node.not_before = Some(now + wait);
    }

    pub(super) fn connection(&self, broker: i32) -> Option<Arc<Connection>> {
        self.0.get(&broker)?.connection.clone()
    }

    pub(super) fn sent(&mut self, broker: i32) {
        self.0.entry(broker).or_default().in_flight += 1;
    }

    /// A request is done with; the broker may want a rest (KIP-219).
    pub(super) fn answered(&mut self, broker: i32, throttle: Duration, now: Instant) {
        let node = self.0.entry(broker).or_default();
        node.in_flight = node.in_flight.saturating_sub(1);
        if !throttle.is_zero() {
            node.not_before = Some(now + throttle);
        }
    }
}
