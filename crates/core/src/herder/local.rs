//! What runs on this worker: one slot per connector and task, each moving on its own.
//!
//! A slot knows what is wanted and what runs, and asks for the next act towards it: so a plugin that hangs
//! while it stops holds up nothing but its own slot. Answers to `WorkerConnector`, the life cycle part of
//! `WorkerTask` and the start/stop pools of `DistributedHerder` (spec `distributed.md` 6.2, 6.3;
//! `rest-and-config.md` 13.2, 13.3). It decides nothing about which work is whose.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    ConnectorName, TaskId,
    assign::Work,
    cluster::{ClusterSnapshot, RawProps, TargetState},
};

/// Tells one run of a connector or task from every other; never reused by a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

/// An act on a plugin instance. The shell reports what becomes of it as an event with the incarnation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceEffect {
    /// Make a connector and bring it to its target.
    StartConnector {
        /// The connector.
        name: ConnectorName,
        /// The new run.
        incarnation: Incarnation,
        /// Its configuration as stored; the shell resolves variables.
        config: Arc<RawProps>,
        /// What it should do.
        target: TargetState,
    },
    /// Bring a running connector to another target.
    TargetConnector {
        /// The connector.
        name: ConnectorName,
        /// The run.
        incarnation: Incarnation,
        /// What it should do.
        target: TargetState,
    },
    /// End a run of a connector; bounded in time by the shell.
    StopConnector {
        /// The connector.
        name: ConnectorName,
        /// The run.
        incarnation: Incarnation,
    },
    /// Start a task.
    StartTask {
        /// The task.
        id: TaskId,
        /// The new run.
        incarnation: Incarnation,
        /// The connector's configuration as stored.
        connector_config: Arc<RawProps>,
        /// The task's configuration as stored.
        task_config: Arc<RawProps>,
        /// The generation of the task set it is of.
        generation: Option<u32>,
        /// STARTED or PAUSED.
        target: TargetState,
    },
    /// Pause or resume a task.
    TargetTask {
        /// The task.
        id: TaskId,
        /// The run.
        incarnation: Incarnation,
        /// STARTED or PAUSED.
        target: TargetState,
    },
    /// End a run of a task; bounded in time by the shell (`task.shutdown.graceful.timeout.ms`).
    StopTask {
        /// The task.
        id: TaskId,
        /// The run.
        incarnation: Incarnation,
    },
}

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Started, nothing heard yet.
    Starting,
    /// It reached its target.
    Up,
    /// It failed. A connector's instance still exists; a task's run is over.
    Failed,
    /// Told to end.
    Stopping,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    incarnation: Incarnation,
    phase: Phase,
    target: TargetState,
}

/// Why a run ends although its slot goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restart {
    /// Its configuration changed, or a user asked for this one alone.
    Quiet,
    /// A restart request selected it: it shows RESTARTING in between (KIP-745).
    Announced,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    wanted: bool,
    /// Not to start before the rebalance that its changed task set caused is over.
    held: bool,
    restart: Option<Restart>,
    run: Option<Run>,
}

impl Slot {
    fn is_idle(&self) -> bool {
        !self.wanted && self.run.is_none()
    }
}

/// What a slot does next.
enum Step {
    Nothing,
    Start,
    Stop(Incarnation),
    Retarget(Incarnation),
}

impl Slot {
    fn next(&self, is_task: bool, target: TargetState) -> Step {
        let startable = self.wanted && !self.held;
        match self.run {
            None if startable => Step::Start,
            None => Step::Nothing,
            Some(run) if run.phase == Phase::Stopping => Step::Nothing,
            Some(run) if !self.wanted || self.held || self.restart.is_some() => {
                Step::Stop(run.incarnation)
            }
            // A stopped connector has no tasks: the target stops what still runs.
            Some(run) if is_task && target == TargetState::Stopped => Step::Stop(run.incarnation),
            // Out of FAILED a connector can only be stopped.
            Some(run) if run.phase == Phase::Failed && target != TargetState::Stopped => {
                Step::Nothing
            }
            Some(run) if run.target != target => Step::Retarget(run.incarnation),
            Some(_) => Step::Nothing,
        }
    }
}

/// The slots of this worker.
#[derive(Clone, Debug, Default)]
pub(super) struct LocalWork {
    last: u64,
    connectors: BTreeMap<ConnectorName, Slot>,
    tasks: BTreeMap<TaskId, Slot>,
    dirty_connectors: BTreeSet<ConnectorName>,
    dirty_tasks: BTreeSet<TaskId>,
}

impl LocalWork {
    /// From now on exactly this is wanted here; what was held is free to start.
    pub(super) fn assign(&mut self, work: &Work) {
        for (name, slot) in &mut self.connectors {
            if slot.wanted != work.connectors.contains(name) {
                self.dirty_connectors.insert(name.clone());
            }
            slot.wanted = work.connectors.contains(name);
        }
        for name in &work.connectors {
            if !self.connectors.contains_key(name) {
                self.connectors.insert(name.clone(), wanted());
                self.dirty_connectors.insert(name.clone());
            }
        }
        for (id, slot) in &mut self.tasks {
            if slot.held || slot.wanted != work.tasks.contains(id) {
                self.dirty_tasks.insert(id.clone());
            }
            slot.wanted = work.tasks.contains(id);
            slot.held = false;
        }
        for id in &work.tasks {
            if !self.tasks.contains_key(id) {
                self.tasks.insert(id.clone(), wanted());
                self.dirty_tasks.insert(id.clone());
            }
        }
    }

    /// This is no longer wanted here.
    pub(super) fn revoke(&mut self, work: &Work) {
        for name in &work.connectors {
            if let Some(slot) = self.connectors.get_mut(name) {
                slot.wanted = false;
                self.dirty_connectors.insert(name.clone());
            }
        }
        for id in &work.tasks {
            if let Some(slot) = self.tasks.get_mut(id) {
                slot.wanted = false;
                self.dirty_tasks.insert(id.clone());
            }
        }
    }

    /// Nothing is wanted here.
    pub(super) fn revoke_all(&mut self) {
        self.assign(&Work::new());
    }

    /// All that is wanted or still runs.
    pub(super) fn present(&self) -> Work {
        Work {
            connectors: self.connectors.keys().cloned().collect(),
            tasks: self.tasks.keys().cloned().collect(),
        }
    }

    /// Whether a connector is wanted here.
    pub(super) fn owns_connector(&self, name: &str) -> bool {
        self.connectors.get(name).is_some_and(|slot| slot.wanted)
    }

    /// Whether a task is wanted here.
    pub(super) fn owns_task(&self, id: &TaskId) -> bool {
        self.tasks.get(id).is_some_and(|slot| slot.wanted)
    }

    /// Whether nothing of this runs any more (`RevokedBeforeStarted`).
    pub(super) fn none_runs(&self, work: &Work) -> bool {
        let runs = |slot: Option<&Slot>| slot.is_some_and(|slot| slot.run.is_some());
        !work.connectors.iter().any(|c| runs(self.connectors.get(c)))
            && !work.tasks.iter().any(|t| runs(self.tasks.get(t)))
    }

    /// Whether nothing runs at all.
    pub(super) fn is_quiet(&self) -> bool {
        let quiet = |slot: &Slot| slot.run.is_none();
        self.connectors.values().all(quiet) && self.tasks.values().all(quiet)
    }

    /// The run of a connector that is up and STARTED: the one that may generate task configurations.
    pub(super) fn started_connector(&self, name: &str) -> Option<Incarnation> {
        let run = self.connectors.get(name)?.run?;
        (run.phase == Phase::Up && run.target == TargetState::Started).then_some(run.incarnation)
    }

    /// Whether a connector's run has reached its target and nothing else is asked of it.
    pub(super) fn connector_is_up(&self, name: &str) -> bool {
        let slot = self.connectors.get(name);
        slot.is_some_and(|slot| {
            slot.restart.is_none() && slot.run.is_some_and(|run| run.phase == Phase::Up)
        })
    }

    /// Whether a connector's run has failed and no other is asked for.
    pub(super) fn connector_has_failed(&self, name: &str) -> bool {
        let slot = self.connectors.get(name);
        slot.is_some_and(|slot| {
            slot.restart.is_none() && slot.run.is_some_and(|run| run.phase == Phase::Failed)
        })
    }

    /// Whether anything of a connector is wanted or runs here.
    pub(super) fn mentions(&self, name: &ConnectorName) -> bool {
        let task = self.tasks.range(name.task(0)..).next();
        self.connectors.contains_key(name) || task.is_some_and(|(id, _)| id.connector == *name)
    }

    /// Ends the connector's run, if any, and starts another.
    pub(super) fn restart_connector(&mut self, name: &ConnectorName, restart: Restart) {
        if let Some(slot) = self.connectors.get_mut(name).filter(|slot| slot.wanted) {
            // Without a run there is nothing to end: the next look at the slot starts it anyway.
            slot.restart = slot.run.map(|_| restart);
            self.dirty_connectors.insert(name.clone());
        }
    }

    /// Ends the task's run, if any, and starts another.
    pub(super) fn restart_task(&mut self, id: &TaskId, restart: Restart) {
        if let Some(slot) = self.tasks.get_mut(id).filter(|slot| slot.wanted) {
            slot.restart = slot.run.map(|_| restart);
            self.dirty_tasks.insert(id.clone());
        }
    }

    /// Ends the runs of a connector's tasks now; they start again when the next rebalance still gives them
    /// to this worker (`TaskSetAtomic`: no task runs on with a configuration that was replaced).
    pub(super) fn hold_tasks(&mut self, connector: &ConnectorName) {
        for (id, slot) in self.tasks.range_mut(connector.task(0)..) {
            if id.connector != *connector {
                break;
            }
            slot.held = true;
            self.dirty_tasks.insert(id.clone());
        }
    }

    /// The target state of a connector changed: its instance and tasks are looked at again.
    pub(super) fn touch(&mut self, connector: &ConnectorName) {
        if self.connectors.contains_key(connector) {
            self.dirty_connectors.insert(connector.clone());
        }
        for (id, _) in self.tasks.range(connector.task(0)..) {
            if id.connector != *connector {
                break;
            }
            self.dirty_tasks.insert(id.clone());
        }
    }

    /// A connector's run reached its target. Answers whether it is the current run.
    pub(super) fn connector_up(&mut self, name: &str, incarnation: Incarnation) -> bool {
        set_phase(self.connectors.get_mut(name), incarnation, Phase::Up)
    }

    /// A connector's run failed; its instance stays until it is stopped.
    pub(super) fn connector_failed(&mut self, name: &str, incarnation: Incarnation) -> bool {
        set_phase(self.connectors.get_mut(name), incarnation, Phase::Failed)
    }

    /// A task's run reached its target.
    pub(super) fn task_up(&mut self, id: &TaskId, incarnation: Incarnation) -> bool {
        set_phase(self.tasks.get_mut(id), incarnation, Phase::Up)
    }

    /// A task's run failed; nothing of it runs any more. Answers false when it was being stopped anyway.
    pub(super) fn task_failed(&mut self, id: &TaskId, incarnation: Incarnation) -> bool {
        set_phase(self.tasks.get_mut(id), incarnation, Phase::Failed)
    }

    /// A connector's run is over. Answers the restart that waits for it; `None` when it was not current.
    pub(super) fn connector_ended(
        &mut self,
        name: &ConnectorName,
        incarnation: Incarnation,
    ) -> Option<Option<Restart>> {
        let slot = self.connectors.get_mut(name)?;
        let restart = end(slot, incarnation)?;
        self.dirty_connectors.insert(name.clone());
        Some(restart)
    }

    /// As [`Self::connector_ended`], for a task.
    pub(super) fn task_ended(
        &mut self,
        id: &TaskId,
        incarnation: Incarnation,
    ) -> Option<Option<Restart>> {
        let slot = self.tasks.get_mut(id)?;
        let restart = end(slot, incarnation)?;
        self.dirty_tasks.insert(id.clone());
        Some(restart)
    }

    /// Asks for the next act of every slot that changed.
    pub(super) fn reconcile(&mut self, cluster: &ClusterSnapshot, acts: &mut Vec<InstanceEffect>) {
        for name in std::mem::take(&mut self.dirty_connectors) {
            self.reconcile_connector(name, cluster, acts);
        }
        for id in std::mem::take(&mut self.dirty_tasks) {
            self.reconcile_task(id, cluster, acts);
        }
    }

    fn reconcile_connector(
        &mut self,
        name: ConnectorName,
        cluster: &ClusterSnapshot,
        acts: &mut Vec<InstanceEffect>,
    ) {
        let Some(slot) = self.connectors.get_mut(&name) else {
            return;
        };
        let target = cluster.target(name.as_str());
        match slot.next(false, target) {
            Step::Nothing => {}
            // Without a configuration there is nothing to start: the deletion is on its way through the group.
            Step::Start => {
                if let Some(config) = cluster.config(name.as_str()) {
                    let incarnation = start(slot, &mut self.last, target);
                    acts.push(InstanceEffect::StartConnector {
                        name: name.clone(),
                        incarnation,
                        config: Arc::clone(config),
                        target,
                    });
                }
            }
            Step::Stop(incarnation) => {
                stop(slot);
                acts.push(InstanceEffect::StopConnector {
                    name: name.clone(),
                    incarnation,
                });
            }
            Step::Retarget(incarnation) => {
                retarget(slot, target);
                acts.push(InstanceEffect::TargetConnector {
                    name: name.clone(),
                    incarnation,
                    target,
                });
            }
        }
        if slot.is_idle() {
            self.connectors.remove(&name);
        }
    }

    fn reconcile_task(
        &mut self,
        id: TaskId,
        cluster: &ClusterSnapshot,
        acts: &mut Vec<InstanceEffect>,
    ) {
        let Some(slot) = self.tasks.get_mut(&id) else {
            return;
        };
        let target = cluster.target(id.connector.as_str());
        // The run of a failed task is over: there is nothing to stop.
        let leaves = !slot.wanted || slot.held || target == TargetState::Stopped;
        if slot.run.is_some_and(|run| run.phase == Phase::Failed)
            && (leaves || slot.restart.is_some())
        {
            slot.run = None;
            slot.restart = None;
        }
        match slot.next(true, target) {
            Step::Nothing => {}
            Step::Start => {
                let configs = cluster
                    .config(id.connector.as_str())
                    .zip(cluster.task_config(&id));
                if let Some((connector_config, task_config)) =
                    configs.filter(|_| target != TargetState::Stopped)
                {
                    let incarnation = start(slot, &mut self.last, target);
                    acts.push(InstanceEffect::StartTask {
                        id: id.clone(),
                        incarnation,
                        connector_config: Arc::clone(connector_config),
                        task_config: Arc::clone(task_config),
                        generation: cluster.generation(id.connector.as_str()),
                        target,
                    });
                }
            }
            Step::Stop(incarnation) => {
                stop(slot);
                acts.push(InstanceEffect::StopTask {
                    id: id.clone(),
                    incarnation,
                });
            }
            Step::Retarget(incarnation) => {
                retarget(slot, target);
                acts.push(InstanceEffect::TargetTask {
                    id: id.clone(),
                    incarnation,
                    target,
                });
            }
        }
        if slot.is_idle() {
            self.tasks.remove(&id);
        }
    }
}

fn wanted() -> Slot {
    Slot {
        wanted: true,
        ..Slot::default()
    }
}

fn start(slot: &mut Slot, last: &mut u64, target: TargetState) -> Incarnation {
    *last += 1;
    let incarnation = Incarnation(*last);
    slot.restart = None;
    slot.run = Some(Run {
        incarnation,
        phase: Phase::Starting,
        target,
    });
    incarnation
}

fn stop(slot: &mut Slot) {
    if let Some(run) = &mut slot.run {
        run.phase = Phase::Stopping;
    }
}

fn retarget(slot: &mut Slot, target: TargetState) {
    if let Some(run) = &mut slot.run {
        run.target = target;
    }
}

fn set_phase(slot: Option<&mut Slot>, incarnation: Incarnation, phase: Phase) -> bool {
    let run = slot.and_then(|slot| slot.run.as_mut());
    match run {
        Some(run) if run.incarnation == incarnation => {
            // What is being stopped stays so until it has ended; its news are old.
            let current = run.phase != Phase::Stopping;
            if current {
                run.phase = phase;
            }
            current
        }
        _ => false,
    }
}

fn end(slot: &mut Slot, incarnation: Incarnation) -> Option<Option<Restart>> {
    if slot.run?.incarnation != incarnation {
        return None;
    }
    slot.run = None;
    Some(slot.restart.take())
}
