//! Heartbeats, the end of a session, and leaving: everything that can take work away from the task.

use std::time::Duration;

use super::{
    super::TaskEvent,
    BrokerAssigned, GroupRequest, HeartbeatAnswer, HeartbeatContent, HeartbeatRefusal,
    MemberOutput, TopicPartitions,
    machine::{AfterStop, Coordinator, Goodbye, Sent, State, Target, task},
};
use crate::{
    effect::{Effects, Token},
    group::membership::{ErrorCode, LossReason, RequestFailure},
    time::Now,
};

/// No coordinator may make us ask more often than this.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// The epoch of who leaves.
const LEAVE: i32 = -1;
/// The epoch of who leaves and comes back with the same instance id.
const LEAVE_STATIC: i32 = -2;

impl BrokerAssigned {
    /// Begins to join.
    pub(super) fn join(&mut self, now: Now) {
        self.state = State::Member;
        self.epoch = 0;
        self.announced = 0;
        self.full = true;
        self.sent = None;
        self.heartbeat_due = now;
    }

    /// Whether there is something to say at each interval.
    pub(super) fn beats(&self) -> bool {
        self.goodbye == Goodbye::None
            && match &self.state {
                State::Member => true,
                State::Stopping {
                    then: AfterStop::Leave,
                    ..
                } => self.epoch > 0,
                _ => false,
            }
    }

    /// The next heartbeat goes as soon as the one before is answered.
    pub(super) fn hurry(&mut self, now: Now) {
        self.heartbeat_due = now;
    }

    pub(super) fn send_heartbeat(&mut self, now: Now, out: &mut Effects<MemberOutput>) {
        if now < self.heartbeat_due || !self.beats() || !self.has_coordinator() {
            return;
        }
        if let Some(sent) = &self.sent {
            let given_up = sent.at + self.interval;
            if now < given_up {
                self.heartbeat_due = given_up;
                return;
            }
            // Its answer may have told us something that is not told twice.
            self.full = true;
        }
        let full = self.full || self.epoch == 0;
        let topics =
            (full || self.told_topics.as_ref() != Some(&self.topics)).then(|| self.topics.clone());
        let content = HeartbeatContent {
            epoch: self.epoch,
            instance: self.settings.instance.clone(),
            rack: self.settings.rack.clone().filter(|_| full),
            rebalance_timeout: full.then_some(self.settings.rebalance_timeout),
            topics: topics.clone(),
            assignor: self.settings.assignor.clone().filter(|_| full),
            owned: (full || self.acknowledge).then(|| self.owned.clone()),
        };
        let token = self.tokens.next();
        self.sent = Some(Sent {
            token,
            at: now,
            topics,
        });
        self.known = true;
        self.acknowledge = false;
        self.heartbeat_due = now + self.interval;
        out.push(MemberOutput::Request(GroupRequest::Heartbeat {
            token,
            member: self.settings.member.clone(),
            content,
        }));
    }

    pub(super) fn heartbeat_answered(
        &mut self,
        now: Now,
        token: Token,
        result: Result<HeartbeatAnswer, HeartbeatRefusal>,
        out: &mut Effects<MemberOutput>,
    ) {
        if matches!(self.goodbye, Goodbye::Sent { token: t, .. } if t == token) {
            // Whatever the answer: we hold nothing, and without heartbeats the coordinator drops us in time.
            self.said_goodbye(now, out);
            return;
        }
        let Some(sent) = self.sent.take_if(|sent| sent.token == token) else {
            return;
        };
        match result {
            Ok(answer) => self.confirmed(now, sent, answer, out),
            Err(refusal) => self.refused(now, refusal, out),
        }
    }

    fn confirmed(
        &mut self,
        now: Now,
        sent: Sent,
        answer: HeartbeatAnswer,
        out: &mut Effects<MemberOutput>,
    ) {
        if now >= sent.at + self.fence_after() {
            // The answer slept on its way: by now the group may have gone on without us.
            self.full = true;
            self.hurry(now);
            return;
        }
        self.confirmed = self.confirmed.max(Some(sent.at));
        self.failures = 0;
        self.full = false;
        if let Some(member) = answer.member {
            self.settings.member = member;
        }
        if sent.topics.is_some() {
            self.told_topics = sent.topics;
        }
        self.interval = answer.interval.max(INTERVAL_MIN);
        if answer.epoch != self.epoch && answer.epoch > 0 {
            self.epoch = answer.epoch;
            self.send_stale(out);
        }
        if let Some(partitions) = answer.assignment {
            self.target = Some(Target {
                partitions,
                since: sent.at,
            });
        }
        let more = self.acknowledge || self.told_topics.as_ref() != Some(&self.topics);
        self.heartbeat_due = match more {
            true => now,
            false => now + self.interval,
        };
    }

    fn refused(&mut self, now: Now, refusal: HeartbeatRefusal, out: &mut Effects<MemberOutput>) {
        self.full = true;
        let code = match refusal.failure {
            RequestFailure::Code(code) => code,
            RequestFailure::Unreachable | RequestFailure::Unknown => {
                self.lose_coordinator(now);
                self.heartbeat_due = now + self.pause();
                return;
            }
        };
        match code {
            // A group that was deleted comes back with its members.
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::GROUP_ID_NOT_FOUND => {
                self.dropped(now, false, out);
            }
            // It knows us in another epoch. Where even joining anew is fenced, we have to leave first.
            ErrorCode::FENCED_MEMBER_EPOCH => {
                let first = self.epoch == 0 || self.settings.instance.is_some();
                self.dropped(now, first, out);
            }
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS | ErrorCode::REQUEST_TIMED_OUT => {
                self.heartbeat_due = now + self.pause();
            }
            code if code.means_other_coordinator() => {
                self.lose_coordinator(now);
                self.heartbeat_due = now + self.pause();
            }
            code => self.fail(code, refusal.said, out),
        }
    }

    // --- losing everything -------------------------------------------------------------------------------------

    /// Our time is over, whatever the coordinator thinks.
    pub(super) fn lapse(&mut self, out: &mut Effects<MemberOutput>) {
        self.coordinator = Coordinator::Unknown {
            not_before: Now::ZERO,
        };
        if matches!(self.state, State::Stopping { .. }) {
            // Already stopping: that goes on, but without the coordinator's consent.
            self.forget(out);
            return;
        }
        // The place of a static member is not given to anybody, ourselves included, before we have left it.
        let goodbye = self.settings.instance.is_some();
        let then = AfterStop::Rejoin { goodbye };
        self.stop_then(then, LossReason::SessionLapsed, out);
    }

    /// The coordinator does not know us in our epoch.
    fn dropped(&mut self, now: Now, goodbye: bool, out: &mut Effects<MemberOutput>) {
        if self.state == State::Member && self.holds() {
            let then = AfterStop::Rejoin { goodbye };
            self.stop_then(then, LossReason::Dropped, out);
            return;
        }
        self.forget(out);
        if self.state == State::Member {
            self.rejoin(now, goodbye);
        }
    }

    /// The group cannot be used.
    pub(super) fn fail(
        &mut self,
        error: ErrorCode,
        said: Option<String>,
        out: &mut Effects<MemberOutput>,
    ) {
        let then = AfterStop::Fail { error, said };
        self.stop_then(then, LossReason::Fatal(error), out);
    }

    /// The task has not polled in time.
    pub(super) fn park(&mut self, out: &mut Effects<MemberOutput>) {
        self.stop_then(AfterStop::Park, LossReason::PollTimeout, out);
    }

    /// We are in no epoch any more.
    fn forget(&mut self, out: &mut Effects<MemberOutput>) {
        self.epoch = 0;
        self.announced = 0;
        self.sent = None;
        self.target = None;
        self.confirmed = None;
        self.acknowledge = false;
        self.drop_stale(out);
    }

    fn stop_then(&mut self, then: AfterStop, reason: LossReason, out: &mut Effects<MemberOutput>) {
        if !matches!(then, AfterStop::Leave) {
            self.forget(out);
        }
        self.revoking = None;
        let partitions = self.name_all(&self.owned);
        self.owned.clear();
        let token = self.tokens.next();
        self.state = State::Stopping { token, then };
        task(out, TaskEvent::stopping(token, reason, partitions));
    }

    pub(super) fn stopped(&mut self, now: Now, answered: Token, out: &mut Effects<MemberOutput>) {
        let State::Stopping { token, then } = &self.state else {
            return;
        };
        if *token != answered {
            return;
        }
        let then = then.clone();
        self.forget(out);
        match then {
            AfterStop::Rejoin { goodbye } => self.rejoin(now, goodbye),
            AfterStop::Park => {
                self.state = State::Parked;
                self.goodbye_due(now);
                // It has polled since: it is alive again.
                if now < self.polled + self.settings.rebalance_timeout {
                    self.join(now);
                }
            }
            AfterStop::Leave => self.last_goodbye(now, out),
            AfterStop::Fail { error, said } => {
                self.state = State::Idle;
                task(out, TaskEvent::Failed { error, said });
            }
        }
    }

    fn rejoin(&mut self, now: Now, goodbye: bool) {
        if goodbye {
            self.goodbye_due(now);
        }
        self.join(now);
        self.heartbeat_due = now + self.pause();
    }

    // --- leaving -----------------------------------------------------------------------------------------------

    pub(super) fn leave(&mut self, now: Now, out: &mut Effects<MemberOutput>) {
        let holds = self.holds();
        match &mut self.state {
            State::Leaving => {}
            State::Stopping { then, .. } => *then = AfterStop::Leave,
            // Others may start our work as soon as we have left, so it stops first.
            State::Member if holds => {
                self.stop_then(AfterStop::Leave, LossReason::Leaving, out);
            }
            State::Idle | State::Member | State::Parked => self.last_goodbye(now, out),
        }
    }

    fn last_goodbye(&mut self, now: Now, out: &mut Effects<MemberOutput>) {
        self.state = State::Leaving;
        self.goodbye_due(now);
        if self.goodbye == Goodbye::None {
            self.said_goodbye(now, out);
        }
    }

    fn goodbye_due(&mut self, now: Now) {
        self.sent = None;
        if self.known && self.goodbye == Goodbye::None {
            // Longer than a session makes no sense: by then the coordinator has dropped us anyway.
            let until = now + self.fence_after();
            self.goodbye = Goodbye::Due { until };
        }
    }

    pub(super) fn send_goodbye(&mut self, out: &mut Effects<MemberOutput>) {
        let Goodbye::Due { until } = self.goodbye else {
            return;
        };
        if !self.has_coordinator() {
            return;
        }
        let token = self.tokens.next();
        self.goodbye = Goodbye::Sent { token, until };
        let instance = self.settings.instance.clone();
        out.push(MemberOutput::Request(GroupRequest::Heartbeat {
            token,
            member: self.settings.member.clone(),
            content: HeartbeatContent {
                epoch: match instance {
                    Some(_) => LEAVE_STATIC,
                    None => LEAVE,
                },
                instance,
                rack: None,
                rebalance_timeout: None,
                topics: None,
                assignor: None,
                owned: Some(TopicPartitions::new()),
            },
        }));
    }

    pub(super) fn said_goodbye(&mut self, now: Now, out: &mut Effects<MemberOutput>) {
        self.goodbye = Goodbye::None;
        self.known = false;
        self.heartbeat_due = self.heartbeat_due.max(now);
        if self.state == State::Leaving {
            self.state = State::Idle;
            task(out, TaskEvent::Left);
        }
    }
}
