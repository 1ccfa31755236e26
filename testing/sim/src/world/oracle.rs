//! The oracle: looks after every step, by the invariants' names in `reliability.md`.

use std::collections::BTreeMap;

use milena_core::{
    Now, TaskId,
    assign::Work,
    cluster::{ClusterSnapshot, RawProps, TargetState},
    group::{
        MemberId,
        protocol::connect::{read_assignment, read_metadata},
    },
    status::{StatusSnapshot, StatusState, StatusValue},
};

use super::{engine::World, instances::set_of};

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant.
    pub name: &'static str,
    /// What is wrong.
    pub text: String,
    /// When, in simulated milliseconds.
    pub at: u64,
}

impl World {
    pub(super) fn broken(&mut self, name: &'static str, text: String) {
        self.note("VIOLATION", format_args!("{name}: {text}"));
        let at = self.now;
        self.violation.get_or_insert(Violation { name, text, at });
    }

    /// AtMostOneRunning: a run has just begun on `worker`; no other worker may still act for the same name. A run acts
    /// until it has ended, as long as its worker's lease lasts, also while the worker is frozen.
    pub(super) fn check_alone(&mut self, worker: usize, name: &str) {
        let now = Now::from_millis(self.now);
        let mut other = None;
        for (number, host) in self.hosts.iter().enumerate() {
            let lawful = host
                .herder
                .as_ref()
                .and_then(|h| h.fence_at())
                .is_some_and(|at| now < at);
            let runs = host
                .runs
                .keys()
                .filter(|(running, _)| running == name)
                .count();
            if number == worker && runs > 1 || number != worker && lawful && runs > 0 {
                other = Some(number);
            }
        }
        if let Some(other) = other {
            self.broken(
                "AtMostOneRunning",
                format!("{name} starts on worker-{worker} and runs on worker-{other}"),
            );
        }
    }

    /// TaskSetAtomic: a task starts with a configuration that is its own, and never beside a task of another set.
    pub(super) fn check_set(&mut self, worker: usize, id: &TaskId, config: &RawProps) {
        let own = config.get("task").and_then(Option::as_deref) == Some(&id.task.to_string());
        let set = set_of(config);
        let prefix = format!("{}-", id.connector);
        let mixed = self.hosts.get(worker).and_then(|host| {
            let others = host.runs.iter().find(|((name, _), run)| {
                let of_it = name
                    .strip_prefix(&prefix)
                    .is_some_and(|n| n.parse::<u32>().is_ok());
                of_it && !run.stopping && run.set != set
            });
            others.map(|((name, _), _)| name.clone())
        });
        if !own {
            self.broken("TaskSetAtomic", format!("{id} starts with {config:?}"));
        } else if let Some(other) = mixed {
            self.broken(
                "TaskSetAtomic",
                format!("{id} starts beside {other} of another set"),
            );
        }
    }

    /// StatusIsTrue, once everything has settled: what the topic says is what runs, and where.
    fn check_statuses(&self, truth: &ClusterSnapshot) -> Option<String> {
        let mut said = StatusSnapshot::new();
        for record in &self.status {
            said.apply(record.key.as_deref(), record.value.as_deref());
        }
        for host in &self.hosts {
            let Some(herder) = &host.herder else { continue };
            let worker = format!("{}:8083", host.name);
            let wrong = |what: &str, status: Option<&StatusValue>, target: TargetState| {
                let state = match target {
                    TargetState::Started => StatusState::Running,
                    TargetState::Paused => StatusState::Paused,
                    TargetState::Stopped => StatusState::Stopped,
                };
                let fine = status.is_some_and(|s| s.state == state && s.worker_id == worker);
                (!fine)
                    .then(|| format!("{what} is {state:?} on {worker}, its status is {status:?}"))
            };
            let present = herder.present();
            for name in &present.connectors {
                let target = truth.target(name.as_str());
                let found = wrong(name.as_str(), said.connector(name.as_str()), target);
                if found.is_some() {
                    return found;
                }
            }
            for id in &present.tasks {
                let target = truth.target(id.connector.as_str());
                let found = wrong(&id.to_string(), said.task(id), target);
                if found.is_some() {
                    return found;
                }
            }
        }
        let dead = said
            .connectors()
            .find(|name| !truth.contains(name.as_str()));
        dead.map(|name| format!("{name} is deleted and still has a status"))
    }

    /// Without a lease everything has been told to stop.
    pub(super) fn check_fence(&mut self, worker: usize) {
        let now = Now::from_millis(self.now);
        let Some(host) = self.hosts.get(worker) else {
            return;
        };
        let Some(herder) = &host.herder else { return };
        if herder.fence_at().is_some_and(|at| now < at) {
            return;
        }
        let going = host.runs.iter().find(|(_, run)| !run.stopping);
        if let Some(((name, _), _)) = going {
            let text = format!("{name} goes on at worker-{worker} without a lease");
            self.broken("AtMostOneRunning", text);
        }
    }

    /// AssignmentDisjoint and RevokedBeforeStarted, on the bytes the leader sends.
    pub(super) fn check_plan(&mut self, assignments: &[(MemberId, Vec<u8>)]) {
        if assignments.is_empty() {
            return;
        }
        let held: BTreeMap<&MemberId, Work> = self
            .group
            .metadata()
            .filter_map(|(id, bytes)| {
                let allocation = read_metadata(bytes).ok()?.allocation;
                Some((id, allocation.map(|a| a.assigned).unwrap_or_default()))
            })
            .collect();
        let mut owners: Vec<(MemberId, Work)> = Vec::new();
        let mut wrong = None;
        for (id, bytes) in assignments {
            let Ok(plan) = read_assignment(bytes) else {
                wrong = Some((
                    "AssignmentDisjoint",
                    format!("the plan for {id} cannot be read"),
                ));
                break;
            };
            if plan.failed() {
                self.sometimes
                    .entry("config mismatches")
                    .and_modify(|n| *n += 1)
                    .or_insert(1);
                return;
            }
            if !plan.revoked.is_empty() {
                self.sometimes
                    .entry("revocations")
                    .and_modify(|n| *n += 1)
                    .or_insert(1);
            }
            if !plan.delay.is_zero() {
                self.sometimes
                    .entry("delays")
                    .and_modify(|n| *n += 1)
                    .or_insert(1);
            }
            let mine = held.get(id).cloned().unwrap_or_default();
            for (other, theirs) in held.iter().filter(|(other, _)| **other != id) {
                if !plan.assigned.is_disjoint(theirs) {
                    let text = format!(
                        "{id} is given what {other} runs: {:?}",
                        plan.assigned.intersect(theirs)
                    );
                    wrong = Some(("RevokedBeforeStarted", text));
                }
            }
            owners.push((id.clone(), mine.minus(&plan.revoked).union(&plan.assigned)));
        }
        for (index, (id, work)) in owners.iter().enumerate() {
            for (other, theirs) in owners.iter().skip(index + 1) {
                if !work.is_disjoint(theirs) {
                    let text = format!("{id} and {other} both get {:?}", work.intersect(theirs));
                    wrong = Some(("AssignmentDisjoint", text));
                }
            }
        }
        if let Some((name, text)) = wrong {
            self.broken(name, text);
        }
    }

    /// ConfigConverges, Progresses and Balanced, once all faults are over and time has passed.
    pub(super) fn check_settled(&mut self) {
        // As somebody who starts now would read it.
        let mut truth = ClusterSnapshot::new();
        for record in &self.config {
            let _ = truth.apply(
                record.offset,
                record.key.as_deref(),
                record.value.as_deref(),
            );
        }
        truth.loaded();
        let mut configured = Work::new();
        for name in truth.connectors() {
            configured.connectors.insert(name.clone());
            configured.tasks.extend(truth.tasks(name.as_str()));
        }
        let mut wrong: Vec<(&'static str, String)> = Vec::new();
        let mut all = Work::new();
        let (mut connectors, mut tasks) = (Vec::new(), Vec::new());
        for (number, host) in self.hosts.iter().enumerate() {
            let Some(herder) = &host.herder else {
                wrong.push(("Progresses", format!("worker-{number} does not run")));
                continue;
            };
            if herder.cluster().offset() != truth.offset() {
                let read = herder.cluster().offset();
                wrong.push((
                    "ConfigConverges",
                    format!("worker-{number} read to {read} of {}", truth.offset()),
                ));
            }
            // DeletedStaysDeleted and ConfigConverges: everybody knows the same connectors with the same tasks.
            let known = herder.cluster();
            if !known.connectors().eq(truth.connectors()) {
                let text = format!("worker-{number} knows other connectors than the topic holds");
                wrong.push(("DeletedStaysDeleted", text));
            }
            for connector in truth.connectors() {
                let name = connector.as_str();
                let differs = [
                    ("configuration", known.config(name) != truth.config(name)),
                    ("target", known.target(name) != truth.target(name)),
                    // Of a paused connector whose configuration was changed, compaction may take the tasks away from new
                    // readers (KAFKA-17719) when its leader died right then; they come back when it is resumed.
                    (
                        "tasks",
                        truth.target(name) == TargetState::Started
                            && known.task_configs(name) != truth.task_configs(name),
                    ),
                ];
                for (what, _) in differs.iter().filter(|(_, differs)| *differs) {
                    let text = format!("worker-{number} knows another {what} of {name}");
                    wrong.push(("ConfigConverges", text));
                }
            }
            if !herder.has_joined() {
                wrong.push((
                    "Progresses",
                    format!("worker-{number} is in no settled group: {}", herder.stage()),
                ));
            }
            let present = herder.present();
            if !present.is_disjoint(&all) {
                wrong.push((
                    "AssignmentDisjoint",
                    format!(
                        "worker-{number} and another have {:?}",
                        present.intersect(&all)
                    ),
                ));
            }
            connectors.push(present.connectors.len());
            tasks.push(present.tasks.len());
            for task in &present.tasks {
                let runs = host.runs.keys().any(|(name, _)| *name == task.to_string());
                let wanted = truth.target(task.connector.as_str()) != TargetState::Stopped;
                if runs != wanted {
                    wrong.push((
                        "Progresses",
                        format!("worker-{number}: {task} runs: {runs}, wanted: {wanted}"),
                    ));
                }
            }
            for (name, _) in host.runs.keys() {
                let has = present.connectors.iter().any(|c| c.as_str() == name)
                    || present.tasks.iter().any(|t| t.to_string() == *name);
                if !has {
                    wrong.push((
                        "Progresses",
                        format!("worker-{number}: {name} runs and is nobody's"),
                    ));
                }
            }
            all.add(&present);
        }
        if self.leader().is_none() {
            wrong.push(("Progresses", "nobody leads".to_owned()));
        }
        // As above: tasks of a paused connector that new readers do not see (KAFKA-17719).
        all.tasks.retain(|id| {
            configured.tasks.contains(id)
                || truth.target(id.connector.as_str()) != TargetState::Paused
        });
        if all != configured {
            let (missing, foreign) = (configured.minus(&all), all.minus(&configured));
            wrong.push((
                "Progresses",
                format!("nobody has {missing:?}; not configured {foreign:?}"),
            ));
        }
        for (kind, loads) in [("connectors", connectors), ("tasks", tasks)] {
            let (least, most) = (
                loads.iter().min().unwrap_or(&0),
                loads.iter().max().unwrap_or(&0),
            );
            if most - least > 1 {
                wrong.push(("Balanced", format!("{kind} per worker: {loads:?}")));
            }
        }
        for name in truth
            .connectors()
            .filter(|name| truth.target(name.as_str()) == TargetState::Started)
        {
            let config = truth
                .config(name.as_str())
                .and_then(|config| config.get("tasks").cloned().flatten());
            let asked: u32 = config.and_then(|tasks| tasks.parse().ok()).unwrap_or(0);
            if truth.task_count(name.as_str()) != asked {
                let has = truth.task_count(name.as_str());
                wrong.push((
                    "Progresses",
                    format!("{name} has {has} tasks, its configuration asks for {asked}"),
                ));
            }
        }
        if let Some(text) = self.check_statuses(&truth) {
            wrong.push(("StatusIsTrue", text));
        }
        if let Some((name, text)) = wrong.into_iter().next() {
            self.broken(name, text);
        }
    }
}
