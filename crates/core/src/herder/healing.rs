//! Starting failed tasks again of their own, when the worker is told to (`milena.task.restart.policy`), and what is known
//! of the failures of a task, whatever the policy.
//!
//! Off on the compatible surface: there a failed task stays FAILED until somebody restarts it.

use std::collections::BTreeMap;

use super::{DistributedHerder, TaskRestarts};
use crate::{ConnectorName, Now, TaskId, WallClock, time::earliest};

/// What a worker knows of the failures of a task that it runs; it forgets when the task goes elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskHealing {
    /// How often the task was started again of its own since it came to this worker.
    pub restarts: u32,
    /// Failures since it last worked as long as the policy asks for, or was restarted by a user.
    pub failures_in_a_row: u32,
    /// The trace of the last failure.
    pub last_error: String,
    /// When that was.
    pub failed_at: WallClock,
    /// When it will be started again; `None`: not of its own, or it was already.
    pub next_restart_at: Option<WallClock>,
    /// It failed too often in a row: only a user starts it again.
    pub given_up: bool,
}

#[derive(Clone, Debug, Default)]
struct Patient {
    seen: TaskHealing,
    /// When it is started again; `None` while it runs, or when it has been given up.
    due: Option<Now>,
    running_since: Option<Now>,
}

/// The tasks that failed since they came to this worker.
#[derive(Debug, Default)]
pub(super) struct Healing {
    patients: BTreeMap<TaskId, Patient>,
}

impl Healing {
    pub(super) fn running(&mut self, now: Now, id: &TaskId) {
        if let Some(patient) = self.patients.get_mut(id) {
            patient.running_since = Some(now);
            patient.cancel();
        }
    }

    pub(super) fn failed(
        &mut self,
        (now, wall): (Now, WallClock),
        id: &TaskId,
        trace: &str,
        policy: Option<&TaskRestarts>,
    ) {
        let patient = self.patients.entry(id.clone()).or_default();
        let since = patient.running_since.take();
        let seen = &mut patient.seen;
        let recovered = policy.zip(since).is_some_and(|(policy, since)| {
            // It worked long enough for this to be a new story.
            now.since(since) >= policy.recovered_after
        });
        if recovered {
            seen.failures_in_a_row = 0;
        }
        seen.failures_in_a_row = seen.failures_in_a_row.saturating_add(1);
        trace.clone_into(&mut seen.last_error);
        seen.failed_at = wall;
        let Some(policy) = policy else {
            return;
        };
        seen.given_up = seen.failures_in_a_row > policy.attempts_max;
        if seen.given_up {
            patient.cancel();
            return;
        }
        let doubled = policy
            .backoff
            .saturating_mul(1 << (seen.failures_in_a_row - 1).min(20));
        let pause = doubled.min(policy.backoff_max);
        seen.next_restart_at = Some(wall + pause);
        patient.due = Some(now + pause);
    }

    /// The tasks to start again now.
    pub(super) fn due(&mut self, now: Now) -> Vec<TaskId> {
        let mut due = Vec::new();
        for (id, patient) in &mut self.patients {
            if patient.due.is_some_and(|at| at <= now) {
                patient.cancel();
                patient.seen.restarts = patient.seen.restarts.saturating_add(1);
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

    /// A user restarts the task, or it has a new configuration: all its attempts are before it again.
    pub(super) fn pardon(&mut self, id: &TaskId) {
        if let Some(patient) = self.patients.get_mut(id) {
            patient.seen.failures_in_a_row = 0;
            patient.seen.given_up = false;
            patient.cancel();
        }
    }

    /// As [`Self::pardon`], for all tasks of a connector.
    pub(super) fn pardon_all(&mut self, connector: &ConnectorName) {
        for (id, patient) in &mut self.patients {
            if id.connector == *connector {
                patient.seen.failures_in_a_row = 0;
                patient.seen.given_up = false;
                patient.cancel();
            }
        }
    }

    /// A task that is not this worker's any more is forgotten.
    pub(super) fn forget(&mut self, keep: impl Fn(&TaskId) -> bool) {
        self.patients.retain(|id, _| keep(id));
    }
}

impl Patient {
    fn cancel(&mut self) {
        self.due = None;
        self.seen.next_restart_at = None;
    }
}

impl DistributedHerder {
    /// What is known of the failures of a task; `None`: it did not fail since it came to this worker.
    #[must_use]
    pub fn healing_of(&self, id: &TaskId) -> Option<&TaskHealing> {
        self.healing.patients.get(id).map(|patient| &patient.seen)
    }
}
