//! Generating the task configurations of connectors that run here, and getting them stored
//! (spec `distributed.md` 2.9). It is tried for ever, with back-off: a connector without tasks does nothing.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    DistributedHerder, HerderEffect, Outcome, Sink,
    ops::{Finish, Op, OpStep},
    statuses::StatusWrite,
};
use crate::{
    ConnectorName, Now, Token,
    cluster::{ClusterSnapshot, ConfigRecord, RawProps, TargetState},
    time::earliest,
};

const BACKOFF_FIRST: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

#[derive(Debug)]
enum Stage {
    /// To do at this time.
    Due(Now),
    /// The connector is asked.
    Generating(Token),
    /// The leader is asked to store them.
    Sending(Token),
    /// This worker leads and stores them itself.
    Writing,
    /// The last attempt failed; the time of the next is set at the next step.
    Failed,
}

#[derive(Debug)]
struct Attempt {
    stage: Stage,
    failures: u32,
    /// Asked for again while an attempt was under way.
    again: bool,
}

/// The reconfigurations that are due or under way.
#[derive(Debug, Default)]
pub(super) struct Reconfigurations {
    attempts: BTreeMap<ConnectorName, Attempt>,
}

impl Reconfigurations {
    /// A connector's task configurations should be generated, now.
    pub(super) fn request(&mut self, now: Now, name: &ConnectorName) {
        match self.attempts.get_mut(name) {
            Some(attempt) => match attempt.stage {
                Stage::Due(_) | Stage::Failed => attempt.stage = Stage::Due(now),
                _ => attempt.again = true,
            },
            None => {
                let attempt = Attempt {
                    stage: Stage::Due(now),
                    failures: 0,
                    again: false,
                };
                self.attempts.insert(name.clone(), attempt);
            }
        }
    }

    /// Whether one waits or is under way for a connector, and whether it has failed before.
    pub(super) fn state_of(&self, name: &ConnectorName) -> (bool, bool) {
        let attempt = self.attempts.get(name);
        (attempt.is_some(), attempt.is_some_and(|a| a.failures > 0))
    }

    /// When the next is due.
    pub(super) fn deadline(&self) -> Option<Now> {
        self.attempts.values().fold(None, |first, attempt| {
            let due = match attempt.stage {
                Stage::Due(at) => Some(at),
                Stage::Failed => Some(Now::ZERO),
                _ => None,
            };
            earliest(first, due)
        })
    }

    fn waiting_for(&self, token: Token) -> Option<ConnectorName> {
        let found = self.attempts.iter().find(|(_, attempt)| {
            matches!(attempt.stage, Stage::Generating(t) | Stage::Sending(t) if t == token)
        });
        found.map(|(name, _)| name.clone())
    }

    fn done(&mut self, now: Now, name: &ConnectorName) {
        if self
            .attempts
            .remove(name)
            .is_some_and(|attempt| attempt.again)
        {
            self.request(now, name);
        }
    }

    fn failed(&mut self, name: &ConnectorName) {
        if let Some(attempt) = self.attempts.get_mut(name) {
            attempt.stage = Stage::Failed;
            attempt.failures = attempt.failures.saturating_add(1);
        }
    }
}

fn backoff(failures: u32) -> Duration {
    let doubled = BACKOFF_FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(BACKOFF_MAX)
}

impl DistributedHerder {
    /// Begins what is due.
    pub(super) fn drive_reconfigurations(&mut self, now: Now, out: &mut Sink) {
        let mut gone = Vec::new();
        for (name, attempt) in &mut self.reconfigurations.attempts {
            if matches!(attempt.stage, Stage::Failed) {
                attempt.stage = Stage::Due(now + backoff(attempt.failures));
            }
            if !matches!(attempt.stage, Stage::Due(at) if at <= now) {
                continue;
            }
            let started = self.local.started_connector(name.as_str());
            let wanted = self.cluster.target(name.as_str()) == TargetState::Started;
            match started.filter(|_| wanted) {
                Some(incarnation) => {
                    let token = self.tokens.next();
                    attempt.stage = Stage::Generating(token);
                    out.push(HerderEffect::GenerateTaskConfigs {
                        token,
                        name: name.clone(),
                        incarnation,
                    });
                }
                // It does not run here any more: its next start asks again.
                None => gone.push(name.clone()),
            }
        }
        for name in gone {
            self.reconfigurations.attempts.remove(&name);
        }
    }

    /// The outcome of generating or sending. Answers false when it was for something else.
    pub(super) fn reconfigure_outcome(
        &mut self,
        now: Now,
        token: Token,
        outcome: &Outcome,
        out: &mut Sink,
    ) -> bool {
        let Some(name) = self.reconfigurations.waiting_for(token) else {
            return false;
        };
        match outcome {
            Outcome::TaskConfigs(configs) => self.store_task_configs(now, name, configs, out),
            Outcome::TooManyTasks(trace) => {
                // Not tried again: the configuration has to change first.
                self.reconfigurations.done(now, &name);
                let write = StatusWrite::failed(trace.clone(), None);
                self.write_connector_status(&name, write, out);
            }
            Outcome::Done => self.reconfigurations.done(now, &name),
            _ => self.reconfigurations.failed(&name),
        }
        true
    }

    fn store_task_configs(
        &mut self,
        now: Now,
        name: ConnectorName,
        configs: &[RawProps],
        out: &mut Sink,
    ) {
        if self.cluster.target(name.as_str()) == TargetState::Stopped && !configs.is_empty() {
            // It was stopped while it was asked: its next start asks again.
            self.reconfigurations.done(now, &name);
            return;
        }
        if !tasks_changed(&self.cluster, &name, configs) {
            self.reconfigurations.done(now, &name);
            return;
        }
        if self.group.is_leader() {
            self.set_stage(&name, Stage::Writing);
            let op = task_configs_op(&name, configs, None);
            self.ops.push_own(op);
            return;
        }
        match self.group.leader_url() {
            Some(leader_url) => {
                let token = self.tokens.next();
                self.set_stage(&name, Stage::Sending(token));
                out.push(HerderEffect::SendTaskConfigs {
                    token,
                    leader_url,
                    name,
                    configs: configs.to_vec(),
                });
            }
            None => self.reconfigurations.failed(&name),
        }
    }

    fn set_stage(&mut self, name: &ConnectorName, stage: Stage) {
        if let Some(attempt) = self.reconfigurations.attempts.get_mut(name) {
            attempt.stage = stage;
        }
    }

    /// The leader's own write of task configurations is done.
    pub(super) fn reconfigured(&mut self, name: &ConnectorName) {
        self.reconfigurations.done(Now::ZERO, name);
    }

    /// The leader's own write of task configurations failed.
    pub(super) fn reconfigure_failed(&mut self, name: &ConnectorName) {
        self.reconfigurations.failed(name);
    }
}

/// The change that stores a task set: never a commit without all of its tasks (`TaskSetAtomic`).
pub(super) fn task_configs_op(
    name: &ConnectorName,
    configs: &[RawProps],
    id: Option<super::RequestId>,
) -> Op {
    let mut records: Vec<_> = (0_u32..)
        .zip(configs)
        .map(|(task, config)| ConfigRecord::Task {
            id: name.task(task),
            config: config.clone(),
        })
        .collect();
    records.push(ConfigRecord::Commit {
        name: name.clone(),
        tasks: Some(u32::try_from(configs.len()).unwrap_or(u32::MAX)),
    });
    let write = OpStep::Write {
        records,
        privileged: true,
    };
    Op {
        steps: [write, OpStep::ReadToEnd].into(),
        finish: Finish::TaskConfigs {
            id,
            name: name.clone(),
        },
        failure: "Error writing task configurations to Kafka".to_owned(),
        stage: format!(
            "writing {} task configs for connector {name} to the config topic",
            configs.len()
        ),
    }
}

/// Whether a generated set differs from what is stored, or was made for another configuration of the connector
/// (a changed converter or transform must restart tasks whose own configurations are the same), or task records without a
/// commit lie behind what is stored: once compaction has taken the older records of these tasks away, new readers would
/// find a commit without its tasks (KAFKA-17719).
fn tasks_changed(cluster: &ClusterSnapshot, name: &ConnectorName, configs: &[RawProps]) -> bool {
    let name = name.as_str();
    let stored = cluster.task_configs(name);
    let same = !cluster.is_inconsistent(name)
        && stored.len() == configs.len()
        && stored
            .iter()
            .zip(configs)
            .all(|(stored, new)| **stored == *new);
    let applied = match (cluster.applied_config(name), cluster.config(name)) {
        (Some(applied), Some(current)) => Arc::ptr_eq(applied, current) || applied == current,
        _ => false,
    };
    !(same && applied) || cluster.has_unfinished_tasks(name)
}
