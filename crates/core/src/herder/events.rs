//! What connector instances and tasks report, and what follows: statuses, answers, task configurations.

use super::{
    ConnectorEvent, DistributedHerder, HerderEffect, Incarnation, Reply, RequestError, Sink,
    TaskEvent, local::Restart, ops::answer, statuses::StatusWrite,
};
use crate::{
    ConnectorName, Now, TaskId, WallClock,
    cluster::TargetState,
    status::{StatusRecord, StatusState, TopicUse},
};

impl DistributedHerder {
    /// News of a connector instance.
    pub(super) fn connector_event(
        &mut self,
        now: Now,
        name: &ConnectorName,
        incarnation: Incarnation,
        event: ConnectorEvent,
        out: &mut Sink,
    ) {
        match event {
            ConnectorEvent::Reached { target, version } => {
                if !self.local.connector_up(name.as_str(), incarnation) {
                    return;
                }
                let state = match target {
                    TargetState::Started => StatusState::Running,
                    TargetState::Paused => StatusState::Paused,
                    TargetState::Stopped => StatusState::Stopped,
                };
                self.write_connector_status(name, StatusWrite::of(state, version), out);
                if target == TargetState::Started {
                    self.reconfigurations.request(now, name);
                }
                self.tell_restarted(name, Ok(Reply::Done), out);
            }
            ConnectorEvent::Failed { trace, version } => {
                if !self.local.connector_failed(name.as_str(), incarnation) {
                    return;
                }
                self.write_connector_status(name, StatusWrite::failed(trace, version), out);
                let error = RequestError::Failed(format!("Failed to start connector: {name}"));
                self.tell_restarted(name, Err(error), out);
            }
            ConnectorEvent::Reconfigure => {
                if self.local.started_connector(name.as_str()) == Some(incarnation) {
                    self.reconfigurations.request(now, name);
                }
            }
            ConnectorEvent::Ended { failure, version } => {
                let Some(restart) = self.local.connector_ended(name, incarnation) else {
                    return;
                };
                let write = match failure {
                    Some(trace) => StatusWrite::failed(trace, version),
                    None => StatusWrite::of(StatusState::Unassigned, version),
                };
                if restart != Some(Restart::Announced) {
                    self.write_connector_status(name, write, out);
                }
                if restart.is_none() && !self.local.owns_connector(name.as_str()) {
                    let text = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)";
                    self.tell_restarted(name, Err(RequestError::Conflict(text.to_owned())), out);
                }
                self.forget_if_deleted(name, out);
            }
        }
    }

    fn tell_restarted(&mut self, name: &ConnectorName, reply: super::Answer, out: &mut Sink) {
        for id in self.restart_waiters.remove(name).unwrap_or_default() {
            answer(id, reply.clone(), out);
        }
    }

    /// News of a task.
    pub(super) fn task_event(
        &mut self,
        now: Now,
        wall: WallClock,
        id: &TaskId,
        incarnation: Incarnation,
        event: TaskEvent,
        out: &mut Sink,
    ) {
        match event {
            TaskEvent::Running { version } => {
                if self.local.task_up(id, incarnation) {
                    self.healing.running(now, id);
                    let write = StatusWrite::of(StatusState::Running, version);
                    self.write_task_status(id, write, out);
                }
            }
            TaskEvent::Paused { version } => {
                if self.local.task_up(id, incarnation) {
                    let write = StatusWrite::of(StatusState::Paused, version);
                    self.write_task_status(id, write, out);
                }
            }
            TaskEvent::Failed { trace, version } => {
                if self.local.task_failed(id, incarnation) {
                    let policy = self.settings.task_restarts.as_ref();
                    self.healing.failed((now, wall), id, &trace, policy);
                    self.write_task_status(id, StatusWrite::failed(trace, version), out);
                } else {
                    // It failed while it was being stopped: it is over, which is what was asked for.
                    self.task_over(id, incarnation, version, out);
                }
            }
            TaskEvent::TopicUsed(topic) => {
                let known = self.statuses.uses_topic(id.connector.as_str(), &topic);
                if self.settings.topic_tracking && !known {
                    out.push(HerderEffect::WriteStatus(StatusRecord::Topic(TopicUse {
                        topic,
                        connector: id.connector.clone(),
                        task: id.task,
                        discovered_ms: wall.as_millis(),
                    })));
                }
            }
            TaskEvent::Ended { version } => self.task_over(id, incarnation, version, out),
        }
    }

    fn task_over(
        &mut self,
        id: &TaskId,
        incarnation: Incarnation,
        version: Option<String>,
        out: &mut Sink,
    ) {
        let Some(restart) = self.local.task_ended(id, incarnation) else {
            return;
        };
        if restart != Some(Restart::Announced) {
            let write = StatusWrite::of(StatusState::Unassigned, version);
            self.write_task_status(id, write, out);
        }
        self.forget_if_deleted(&id.connector, out);
    }

    /// The work of a deleted connector has stopped here: its topics are forgotten, its statuses looked at again.
    fn forget_if_deleted(&mut self, name: &ConnectorName, out: &mut Sink) {
        if !self.cluster.contains(name.as_str()) {
            self.statuses_to_check.add(name.clone());
            self.reset_topics(name, out);
        }
    }
}
