//! What follows from records of the config topic (spec `distributed.md` 2.9): only what a change names is touched.

use std::time::Duration;

use super::{
    DistributedHerder, HerderEffect, Sink, TopicRecord,
    local::Restart,
    ops::{Finish, Op},
    reconfigure::task_configs_op,
    statuses::StatusCheck,
};
use crate::{
    ConnectorName, Now,
    cluster::{ClusterChange, ClusterSnapshot, TargetState},
};

/// How long the last record of a change may be behind the first, be it a stop (two records, one by one, of Java's leader)
/// or a task set: whoever runs the connector then takes the change for one that failed half-way, and completes it.
const HALF_DONE_AFTER: Duration = Duration::from_secs(1);

impl DistributedHerder {
    /// Takes up records of the config topic.
    pub(super) fn config_records(&mut self, now: Now, records: &[TopicRecord], out: &mut Sink) {
        let mut rebalance = None;
        let mut emptied = Vec::new();
        if self.is_ready()
            && records
                .first()
                .is_some_and(|first| first.offset < self.cluster.offset())
        {
            self.config_topic_recreated(out);
        }
        let before = self.recreated.then(|| self.cluster.clone());
        for record in records {
            let applied = self.cluster.apply(
                record.offset,
                record.key.as_deref(),
                record.value.as_deref(),
            );
            match applied {
                Ok(None) => {}
                Ok(Some(change))
                    if before
                        .as_ref()
                        .is_some_and(|old| self.is_known(old, &change)) => {}
                Ok(Some(change)) => {
                    if let ClusterChange::Tasks { name, .. } = &change
                        && self.cluster.task_count(name.as_str()) == 0
                    {
                        emptied.push(name.clone());
                    }
                    rebalance = self.changed(change, out).or(rebalance);
                }
                Err(error) => out.push(HerderEffect::Warn(format!("config topic: {error}"))),
            }
        }
        for name in emptied {
            // Half of a stop, whose target got lost: whoever runs the connector gives it its tasks again.
            let started = self.cluster.target(name.as_str()) == TargetState::Started;
            if started && self.local.started_connector(name.as_str()).is_some() {
                self.reconfigurations.request(now + HALF_DONE_AFTER, &name);
            }
        }
        for name in self.cluster.unfinished() {
            // An attempt that is under way sees for itself.
            let (attempted, _) = self.reconfigurations.state_of(name);
            if !attempted && self.local.started_connector(name.as_str()).is_some() {
                self.reconfigurations.request(now + HALF_DONE_AFTER, name);
            }
        }
        // One round for all records that were read together.
        if let Some(reason) = rebalance {
            self.statuses_to_check = StatusCheck::All;
            self.rejoin(now, reason, out);
        }
    }

    /// The topic begins anew: somebody deleted it, or it lost its end. Nothing that runs is stopped for that; the leader
    /// writes down again what was in it, or the next worker that starts would know nothing.
    fn config_topic_recreated(&mut self, out: &mut Sink) {
        self.recreated = true;
        out.push(HerderEffect::Warn(
            "the config topic begins anew: it was deleted or truncated while the cluster ran; its leader writes the \
             known configurations into it again"
                .to_owned(),
        ));
        if self.group.is_leader() {
            self.ops.push_own(Op::write(
                self.cluster.records(),
                Finish::Restored,
                "the known configurations could not be written into the new config topic",
                "writing the known configurations into the new config topic".to_owned(),
            ));
        }
    }

    /// Tasks of a paused connector are not generated again until it is resumed. Their records must come behind the new
    /// configuration all the same: of a connector whose first record was compacted away, tasks that come before it are
    /// lost to whoever reads the topic from its beginning (KAFKA-17719).
    fn write_tasks_behind(&mut self, name: &ConnectorName) {
        let paused = self.cluster.target(name.as_str()) == TargetState::Paused;
        let tasks = self.cluster.task_configs(name.as_str());
        let applied =
            self.cluster.applied_config(name.as_str()) == self.cluster.config(name.as_str());
        if paused && !applied && !tasks.is_empty() && self.group.is_leader() {
            let tasks: Vec<_> = tasks.iter().map(|config| (**config).clone()).collect();
            self.ops.push_own(task_configs_op(name, &tasks, None));
        }
    }

    /// In a topic that began anew a record may say what is known already: nothing follows from it.
    fn is_known(&self, old: &ClusterSnapshot, change: &ClusterChange) -> bool {
        match change {
            ClusterChange::Connector { name, .. } => {
                old.config(name.as_str()) == self.cluster.config(name.as_str())
            }
            ClusterChange::Tasks { name, .. } => {
                let (old, new) = (
                    old.task_configs(name.as_str()),
                    self.cluster.task_configs(name.as_str()),
                );
                !new.is_empty() && old == new
            }
            _ => false,
        }
    }

    /// Takes up one change; answers why the group must rebalance, if it must.
    fn changed(&mut self, change: ClusterChange, out: &mut Sink) -> Option<&'static str> {
        match change {
            ClusterChange::Connector { is_new: true, name } => {
                // Deleted and created again before the group took it away: what still runs is the old one.
                self.local.restart_connector(&name, Restart::Quiet);
                Some("a connector was created")
            }
            ClusterChange::Connector { name, .. } => {
                self.local.restart_connector(&name, Restart::Quiet);
                self.write_tasks_behind(&name);
                None
            }
            ClusterChange::Removed { name, was_known } => {
                self.restarts.remove(&name);
                was_known.then_some("a connector was deleted")
            }
            ClusterChange::Tasks { name, .. } => {
                self.fencing_superseded(&name, out);
                // An incomplete set changes nothing of what runs until the group takes it away.
                if !self.cluster.is_inconsistent(name.as_str()) {
                    self.local.hold_tasks(&name);
                    self.healing.pardon_all(&name);
                }
                Some("a new task set was committed")
            }
            ClusterChange::Target { name, .. } => {
                self.local.touch(&name);
                self.write_tasks_behind(&name);
                None
            }
            ClusterChange::SessionKey => None,
            ClusterChange::Restart(request) => {
                self.queue_restart(request);
                None
            }
            ClusterChange::LoggerLevel { namespace, level } => {
                out.push(HerderEffect::SetLoggerLevel { namespace, level });
                None
            }
        }
    }
}
