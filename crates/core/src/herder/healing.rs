//! Starting failed tasks again of their own, when the worker is told to (`milena.task.restart.policy`).
//!
//! Off on the compatible surface: there a failed task stays FAILED until somebody restarts it.

use std::collections::BTreeMap;

use super::TaskRestarts;
use crate::{Now, TaskId, time::earliest};

#[derive(Clone, Copy, Debug)]
struct Patient {
    failures: u32,
    /// When it is started again; `None` while it runs, or when it has been given up.
    due: Option<Now>,
    running_since: Option<Now>,
}

/// The tasks that failed not long ago.
#[derive(Debug, Default)]
pub(super) struct Healing {
    patients: BTreeMap<TaskId, Patient>,
}

impl Healing {
    pub(super) fn running(&mut self, now: Now, id: &TaskId) {
        if let Some(patient) = self.patients.get_mut(id) {
            patient.running_since = Some(now);
            patient.due = None;
        }
    }

    pub(super) fn failed(&mut self, now: Now, id: &TaskId, policy: Option<&TaskRestarts>) {
        let Some(policy) = policy else {
            return;
        };
        let patient = self.patients.entry(id.clone()).or_insert(Patient {
            failures: 0,
            due: None,
            running_since: None,
        });
        let recovered = patient
            .running_since
            .take()
            .is_some_and(|since| now.since(since) >= policy.recovered_after);
        if recovered {
            patient.failures = 0;
        }
        patient.failures = patient.failures.saturating_add(1);
        let doubled = policy
            .backoff
            .saturating_mul(1 << (patient.failures - 1).min(20));
        patient.due = (patient.failures <= policy.attempts_max)
            .then(|| now + doubled.min(policy.backoff_max));
    }

    /// The tasks to start again now.
    pub(super) fn due(&mut self, now: Now) -> Vec<TaskId> {
        let mut due = Vec::new();
        for (id, patient) in &mut self.patients {
            if patient.due.is_some_and(|at| at <= now) {
                patient.due = None;
                due.push(id.clone());
            }
        }
        due
    }

    pub(super) fn deadline(&self) -> Option<Now> {
        self.patients
            .values()
            .fold(None, |first, patient| earliest(first, patient.due))
    }

    /// Failures in a row and the time of the next start, for the worker's own endpoint.
    pub(super) fn of(&self, id: &TaskId) -> Option<(u32, Option<Now>)> {
        let patient = self.patients.get(id)?;
        Some((patient.failures, patient.due))
    }

    /// A task that is not this worker's any more is forgotten.
    pub(super) fn forget(&mut self, keep: impl Fn(&TaskId) -> bool) {
        self.patients.retain(|id, _| keep(id));
    }
}
