//! The distributed herder: one step function over inputs, effects out.

use std::collections::BTreeMap;

use super::{
    Answer, HerderEffect, HerderInput, HerderSettings, Outcome, RequestError, RequestId, Sink,
    fencing::Fencing,
    group::{Group, GroupView},
    healing::Healing,
    local::LocalWork,
    ops::{Ops, answer},
    privilege::Privilege,
    rebalance::{Rebalance, Stopping},
    reconfigure::Reconfigurations,
    requests::{PatchUnderValidation, SettleWaiter},
    session::SessionKeys,
    statuses::{Announced, StatusCheck},
};
use crate::{
    ConnectorName, Now, Token, WallClock,
    assign::Work,
    cluster::{ClusterSnapshot, RestartRequest},
    effect::Tokens,
    group::connect::{WorkerInput, WorkerSettings},
    status::StatusSnapshot,
    time::earliest,
};

/// Where the worker is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// The internal topics are being read.
    Loading,
    /// At work.
    Ready,
    /// Ending: nothing new begins.
    Ending,
}

/// The herder of a distributed worker. It owns what it knows; the shell only carries inputs and effects.
pub struct DistributedHerder {
    pub(super) settings: HerderSettings,
    life: Life,
    pub(super) tokens: Tokens,
    pub(super) cluster: ClusterSnapshot,
    pub(super) statuses: StatusSnapshot,
    pub(super) group: Group,
    pub(super) rebalance: Rebalance,
    pub(super) stopping: Vec<Stopping>,
    /// When the delay of a scheduled rebalance is over.
    pub(super) appointment: Option<Now>,
    /// When to come back into a group that was left.
    pub(super) join_at: Option<Now>,
    pub(super) read_failures: u32,
    /// The config topic was read to its end for the assignment at hand.
    pub(super) caught_up: bool,
    pub(super) local: LocalWork,
    pub(super) ops: Ops,
    pub(super) privilege: Privilege,
    pub(super) session: SessionKeys,
    pub(super) fencing: Fencing,
    /// Rounds of fencing that were asked of the leader, with who waits for them.
    pub(super) fencing_asked: BTreeMap<Token, RequestId>,
    pub(super) reconfigurations: Reconfigurations,
    pub(super) restarts: BTreeMap<ConnectorName, RestartRequest>,
    pub(super) restart_waiters: BTreeMap<ConnectorName, Vec<RequestId>>,
    /// Who waits for a connector to come to rest.
    pub(super) settle_waiters: Vec<SettleWaiter>,
    pub(super) patches: BTreeMap<Token, PatchUnderValidation>,
    pub(super) healing: Healing,
    /// The config topic began anew while this worker ran.
    pub(super) recreated: bool,
    /// What was last written of what is alive here.
    pub(super) announced: Announced,
    /// Something changed that may leave statuses behind.
    pub(super) statuses_to_check: StatusCheck,
    wall: WallClock,
}

impl DistributedHerder {
    /// A herder that has read nothing yet.
    #[must_use]
    pub fn new(settings: HerderSettings, group: WorkerSettings) -> Self {
        Self {
            settings,
            life: Life::Loading,
            tokens: Tokens::default(),
            cluster: ClusterSnapshot::new(),
            statuses: StatusSnapshot::new(),
            group: Group::new(group),
            rebalance: Rebalance::default(),
            stopping: Vec::new(),
            appointment: None,
            join_at: None,
            read_failures: 0,
            caught_up: false,
            local: LocalWork::default(),
            ops: Ops::default(),
            privilege: Privilege::default(),
            session: SessionKeys::default(),
            fencing: Fencing::default(),
            fencing_asked: BTreeMap::new(),
            reconfigurations: Reconfigurations::default(),
            restarts: BTreeMap::new(),
            restart_waiters: BTreeMap::new(),
            settle_waiters: Vec::new(),
            patches: BTreeMap::new(),
            healing: Healing::default(),
            recreated: false,
            announced: Announced::default(),
            statuses_to_check: StatusCheck::default(),
            wall: WallClock::default(),
        }
    }

    /// Takes up one input. `now` never goes back; `wall` is only written down for others.
    pub fn step(&mut self, now: Now, wall: WallClock, input: HerderInput, out: &mut Sink) {
        self.wall = wall;
        // First of all: a worker whose session lapsed (it slept, it was cut off) must know before it acts.
        self.group_input(now, WorkerInput::Polled, out);
        self.reconcile(out);
        match input {
            HerderInput::Tick => self.group_input(now, WorkerInput::Tick, out),
            HerderInput::ConfigRecords(records) => self.config_records(now, &records, out),
            HerderInput::StatusRecords(records) => {
                for record in records {
                    let (key, value) = (record.key.as_deref(), record.value.as_deref());
                    self.assert_status(key, value, out);
                    if let Some(name) = self.statuses.apply(key, value) {
                        self.statuses_to_check.add(name);
                    }
                }
            }
            HerderInput::Loaded => self.loaded(now, out),
            HerderInput::Network(input) => {
                self.group_input(now, WorkerInput::Network(input), out);
            }
            HerderInput::Request { id, request } => self.accept_request(id, request, out),
            HerderInput::Outcome { token, outcome } => self.outcome(now, token, &outcome, out),
            HerderInput::Connector {
                name,
                incarnation,
                event,
            } => self.connector_event(now, &name, incarnation, event, out),
            HerderInput::Task {
                id,
                incarnation,
                event,
            } => self.task_event(now, wall, &id, incarnation, event, out),
            HerderInput::Stop => self.stop(now, out),
        }
        self.drive(now, out);
    }

    /// When to step next, at the latest.
    #[must_use]
    pub fn deadline(&self, now: Now) -> Option<Now> {
        let timers = [
            self.rebalance_deadline(),
            self.reconfigurations.deadline(),
            self.session_deadline(now, self.wall),
            self.privilege.deadline(),
            self.healing.deadline(),
        ];
        timers.into_iter().fold(None, earliest)
    }

    /// What the worker is doing, in the words of Annex B of the spec, for time-out messages.
    #[must_use]
    pub fn stage(&self) -> String {
        match (self.ops.stage(), self.life) {
            (_, Life::Loading) => {
                "initializing and reading to the end of internal topics".to_owned()
            }
            (_, Life::Ending) => "shutting down".to_owned(),
            (Some(stage), _) => stage.to_owned(),
            (None, _) if !self.group.is_stable() => "ensuring membership in the cluster".to_owned(),
            (None, _) => "polling the group coordinator until interrupted".to_owned(),
        }
    }

    /// The cluster as far as it was read; for the shell's own look-ups.
    #[must_use]
    pub fn cluster(&self) -> &ClusterSnapshot {
        &self.cluster
    }

    /// The statuses as far as they were read.
    #[must_use]
    pub fn statuses(&self) -> &StatusSnapshot {
        &self.statuses
    }

    /// Whether this worker leads its group.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.group.is_leader()
    }

    /// The worker's place in its group.
    #[must_use]
    pub fn group_view(&self) -> GroupView {
        self.group.view()
    }

    /// Whether a task is wanted here.
    #[must_use]
    pub fn owns_task(&self, id: &crate::TaskId) -> bool {
        self.local.owns_task(id)
    }

    /// Whether the start-up is complete: the topics are read and the group is joined.
    #[must_use]
    pub fn has_joined(&self) -> bool {
        self.is_ready() && self.group.is_stable()
    }

    /// Until when what runs here may act; `None`: it may not. A task compares this with the clock before each `poll`,
    /// `put` and commit: after a pause of the whole process nobody else would stop it (AtMostOneRunning).
    #[must_use]
    pub fn fence_at(&self) -> Option<Now> {
        self.group.fence_at()
    }

    /// What is wanted or still runs here; for checks of invariants.
    #[must_use]
    pub fn present(&self) -> Work {
        self.local.present()
    }

    pub(super) fn is_ready(&self) -> bool {
        self.life == Life::Ready
    }

    pub(super) fn is_ending(&self) -> bool {
        self.life == Life::Ending
    }

    fn loaded(&mut self, now: Now, out: &mut Sink) {
        if self.life == Life::Loading {
            self.life = Life::Ready;
            self.cluster.loaded();
            self.group_input(now, WorkerInput::Join, out);
        }
    }

    pub(super) fn rejoin_later(&mut self) {
        self.join_at = Some(Now::ZERO);
    }

    fn outcome(&mut self, now: Now, token: Token, outcome: &Outcome, out: &mut Sink) {
        let _ = self.op_outcome(token, outcome, out)
            || self.rebalance_outcome(now, token, outcome, out)
            || self.reconfigure_outcome(now, token, outcome, out)
            || self.privilege_outcome(now, token, outcome)
            || self.session_outcome(token, outcome, self.wall)
            || self.settle_outcome(token, out)
            || self.fencing_outcome(token, outcome, out)
            || self.asked_fencing_outcome(token, outcome, out)
            || self.patch_outcome(token, outcome, out);
    }

    /// Begins everything that the last input made possible.
    fn drive(&mut self, now: Now, out: &mut Sink) {
        if self.join_at.is_some() && self.is_ready() {
            self.join_at = None;
            self.group_input(now, WorkerInput::Join, out);
        }
        self.reconcile(out);
        self.drive_rebalance(now, out);
        self.claim_privilege(now, out);
        self.check_session_key(now, self.wall, out);
        self.run_restarts(out);
        for id in self.healing.due(now) {
            self.local.restart_task(&id, super::local::Restart::Quiet);
        }
        self.pump(now, out);
        self.drive_reconfigurations(now, out);
        self.clear_dead_statuses(out);
        self.reconcile(out);
        self.tell_settled(out);
    }

    fn reconcile(&mut self, out: &mut Sink) {
        let mut acts = Vec::new();
        self.local.reconcile(&self.cluster, &mut acts);
        for act in acts {
            out.push(HerderEffect::Instance(act));
        }
        let local = &self.local;
        self.healing.forget(|id| local.owns_task(id));
    }

    fn stop(&mut self, now: Now, out: &mut Sink) {
        if self.life == Life::Ending {
            return;
        }
        self.life = Life::Ending;
        let (ops, requests) = self.ops.drain();
        for op in &ops {
            self.refuse_op(op, RequestError::shutting_down(), out);
        }
        let waiting = std::mem::take(&mut self.restart_waiters)
            .into_values()
            .flatten();
        let settling = std::mem::take(&mut self.settle_waiters)
            .into_iter()
            .map(|waiter| waiter.id);
        for id in requests.into_iter().chain(waiting).chain(settling) {
            let refusal: Answer = Err(RequestError::shutting_down());
            answer(id, refusal, out);
        }
        let reason = "the worker is shutting down".to_owned();
        self.group_input(now, WorkerInput::Leave { reason }, out);
    }
}
