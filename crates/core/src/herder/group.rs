//! The herder's place in the group: what it needs to know of its membership, in its own words.

use crate::{
    ConnectorName, TaskId,
    cluster::ClusterSnapshot,
    effect::Effects,
    group::{
        connect::{Assigned, WorkerEvent, WorkerGroup, WorkerInput, WorkerSettings},
        protocol::connect::ConnectProtocol,
    },
    time::Now,
};

/// What others may know of a worker's place in its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupView {
    /// The generation of the last assignment; -1 before the first.
    pub generation: i32,
    /// Whether a round is over and none has begun since.
    pub is_stable: bool,
    /// The protocol of the last round.
    pub protocol: Option<ConnectProtocol>,
    /// The leader's advertised URL; unknown in the middle of a round.
    pub leader_url: Option<String>,
}

/// A worker's membership, with the generation of its last assignment.
pub(super) struct Group {
    inner: WorkerGroup,
    generation: i32,
}

impl Group {
    pub(super) fn new(settings: WorkerSettings) -> Self {
        Self {
            inner: WorkerGroup::new(settings),
            generation: -1,
        }
    }

    pub(super) fn step(
        &mut self,
        now: Now,
        input: WorkerInput,
        cluster: &ClusterSnapshot,
    ) -> Effects<WorkerEvent> {
        let mut events = Effects::new();
        self.inner.step(now, input, cluster, &mut events);
        events
    }

    pub(super) fn deadline(&self) -> Option<Now> {
        self.inner.deadline()
    }

    /// Until when this worker may act on what it was given; `None`: it was given nothing.
    pub(super) fn fence_at(&self) -> Option<Now> {
        self.inner.membership().fence_at()
    }

    pub(super) fn assigned(&mut self, assigned: &Assigned) {
        self.generation = assigned.generation.0;
    }

    /// The generation that statuses carry.
    pub(super) fn generation(&self) -> i32 {
        self.generation
    }

    pub(super) fn view(&self) -> GroupView {
        GroupView {
            generation: self.generation,
            is_stable: self.is_stable(),
            protocol: self.inner.protocol(),
            leader_url: self.leader_url(),
        }
    }

    /// Whether a round is over and none has begun since: only then can anybody say who leads.
    pub(super) fn is_stable(&self) -> bool {
        self.inner.membership().stable_member().is_some()
    }

    pub(super) fn is_leader(&self) -> bool {
        self.inner.is_leader()
    }

    /// Whether internal requests are signed (KIP-507).
    pub(super) fn is_sessioned(&self) -> bool {
        self.inner
            .protocol()
            .is_some_and(|protocol| protocol.is_sessioned())
    }

    /// The leader's advertised URL; unknown in the middle of a round.
    pub(super) fn leader_url(&self) -> Option<String> {
        let held = self.inner.held().filter(|_| self.is_stable())?;
        (!held.leader_url.is_empty()).then(|| held.leader_url.clone())
    }

    /// An address that two workers advertise; known to the leader only.
    pub(super) fn shared_url(&self) -> Option<&str> {
        self.inner.leader_state().shared_url()
    }

    /// The advertised URL of the worker that runs a connector; known to the leader only.
    pub(super) fn connector_owner(&self, name: &ConnectorName) -> Option<String> {
        let url = self.inner.leader_state().connector_url(name)?;
        Some(url.to_owned())
    }

    /// As [`Self::connector_owner`], for a task.
    pub(super) fn task_owner(&self, id: &TaskId) -> Option<String> {
        self.inner
            .leader_state()
            .task_url(id)
            .map(ToOwned::to_owned)
    }
}
