//! The oracle: looks after every step, by the invariants' names in `reliability.md`.

use std::collections::BTreeMap;

use milena_core::{
    Now,
    assign::Work,
    cluster::{ClusterSnapshot, TargetState},
    group::{
        MemberId,
        protocol::connect::{read_assignment, read_metadata},
    },
};

use super::engine::World;

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
        let mut truth = ClusterSnapshot::new();
        for record in &self.config {
            let _ = truth.apply(
                record.offset,
                record.key.as_deref(),
                record.value.as_deref(),
            );
        }
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
            if truth.task_count(name.as_str()) != asked && !self.half_stopped.contains(name) {
                let has = truth.task_count(name.as_str());
                wrong.push((
                    "Progresses",
                    format!("{name} has {has} tasks, its configuration asks for {asked}"),
                ));
            }
        }
        if let Some((name, text)) = wrong.into_iter().next() {
            self.broken(name, text);
        }
    }
}
