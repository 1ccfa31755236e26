//! What this worker makes of the group's rounds: stop what was taken away, read what the leader has read, start
//! what was given (spec `distributed.md` 2.6 to 2.8).

use std::time::Duration;

use super::{DistributedHerder, HerderEffect, Outcome, Sink, statuses::StatusCheck};
use crate::{
    Now, Token,
    assign::Work,
    group::{
        connect::{Assigned, WorkerEvent, WorkerInput},
        membership::LossReason,
    },
    time::earliest,
};

/// Reads of the config topic that fail in a row before this worker leaves the group, so that its work can run
/// where the topic can be read (R6).
const READ_FAILURES_MAX: u32 = 5;
const READ_RETRY: Duration = Duration::from_millis(500);

/// How far the last assignment has been taken up.
#[derive(Debug, Default)]
pub(super) enum Rebalance {
    /// No assignment, or a round is under way.
    #[default]
    Open,
    /// The config topic is being read, to be as far as the leader was.
    Reading(Token, Box<Assigned>),
    /// Reading failed: again at this time.
    Waiting(Now, Box<Assigned>),
    /// What was given is wanted here.
    Settled,
}

impl Rebalance {
    pub(super) fn is_settled(&self) -> bool {
        matches!(self, Self::Settled)
    }
}

/// Work that must have stopped before the group may go on.
#[derive(Debug)]
pub(super) struct Stopping {
    /// What the membership is answered with.
    answer: WorkerInput,
    /// Only this; `None`: everything.
    work: Option<Work>,
    /// Present once all has stopped and the statuses are on their way.
    flush: Option<Token>,
}

impl DistributedHerder {
    /// Hands an input to the membership and acts on what comes of it.
    pub(super) fn group_input(&mut self, now: Now, input: WorkerInput, out: &mut Sink) {
        for event in self.group.step(now, input, &self.cluster) {
            match event {
                WorkerEvent::Network(effect) => out.push(HerderEffect::Network(effect)),
                WorkerEvent::Revoke { token, work } => {
                    self.local.revoke(&work);
                    self.forget_given(&work);
                    self.stopping.push(Stopping {
                        answer: WorkerInput::Revoked { token },
                        work: Some(work),
                        flush: None,
                    });
                }
                WorkerEvent::StopAll { token, reason } => {
                    out.push(match reason {
                        LossReason::Leaving => {
                            HerderEffect::Note("stopping all work to leave the group".to_owned())
                        }
                        lost => HerderEffect::Warn(format!(
                            "the place in the group is lost ({lost:?}): stopping all work"
                        )),
                    });
                    self.rebalance = Rebalance::Open;
                    self.local.revoke_all();
                    // What waited for less is contained in this.
                    self.stopping = vec![Stopping {
                        answer: WorkerInput::Stopped { token },
                        work: None,
                        flush: None,
                    }];
                }
                WorkerEvent::Assigned(assigned) => self.assigned(now, assigned, out),
                WorkerEvent::Left => self.left(out),
                WorkerEvent::Failed { error } => out.push(HerderEffect::GroupFailed {
                    error: format!("{error:?}"),
                }),
            }
        }
    }

    /// An assignment that has not been taken up yet must not start later what has been taken away meanwhile.
    fn forget_given(&mut self, work: &Work) {
        match &mut self.rebalance {
            Rebalance::Reading(_, assigned) | Rebalance::Waiting(_, assigned) => {
                assigned.assignment.assigned.remove(work);
            }
            Rebalance::Open | Rebalance::Settled => {}
        }
    }

    /// Asks for a new round.
    pub(super) fn rejoin(&mut self, now: Now, reason: &str, out: &mut Sink) {
        let reason = reason.to_owned();
        self.group_input(now, WorkerInput::Rejoin { reason }, out);
    }

    fn assigned(&mut self, now: Now, assigned: Box<Assigned>, out: &mut Sink) {
        self.group.assigned(&assigned);
        out.push(HerderEffect::Note(format!(
            "rebalance finished: generation {}, {}, {} connectors and {} tasks are ours, {} revoked",
            assigned.generation,
            if assigned.is_leader { "leading" } else { "following" },
            assigned.assignment.assigned.connectors.len(),
            assigned.assignment.assigned.tasks.len(),
            assigned.assignment.revoked.len(),
        )));
        if let Some(url) = self.group.shared_url() {
            out.push(HerderEffect::Warn(format!(
                "two workers of the group advertise {url}: requests to one of them reach the other, and statuses cannot \
                 tell them apart; set rest.advertised.host.name and rest.advertised.port of each worker"
            )));
        }
        let delay = assigned.assignment.delay;
        self.appointment = (!delay.is_zero()).then(|| now + delay);
        self.leadership_changed();
        self.statuses_to_check = StatusCheck::All;
        self.resolve(now, assigned, out);
    }

    /// Takes up an assignment as far as the config topic was read (spec 2.8, "resolve rebalance").
    fn resolve(&mut self, now: Now, assigned: Box<Assigned>, out: &mut Sink) {
        let assignment = &assigned.assignment;
        let behind = self.cluster.offset() < assignment.config_offset;
        if behind || (assignment.failed() && assigned.is_leader && !self.caught_up) {
            let token = self.tokens.next();
            self.rebalance = Rebalance::Reading(token, assigned);
            out.push(HerderEffect::ReadConfigToEnd { token });
            return;
        }
        self.caught_up = false;
        // Being ahead is not good enough either: others may be behind what we would start.
        if assignment.failed() || self.cluster.offset() != assignment.config_offset {
            self.rebalance = Rebalance::Open;
            self.rejoin(now, "the config topic has been read further", out);
            return;
        }
        self.rebalance = Rebalance::Settled;
        self.local.assign(&assignment.assigned);
        if !assignment.revoked.is_empty() {
            self.rejoin(now, "revoked work has stopped", out);
        }
    }

    /// The outcome of reading the config topic. Answers false when it was for something else.
    pub(super) fn rebalance_outcome(
        &mut self,
        now: Now,
        token: Token,
        outcome: &Outcome,
        out: &mut Sink,
    ) -> bool {
        if let Some(at) = self.stopping.iter().position(|s| s.flush == Some(token)) {
            // Whatever became of the statuses: the work has stopped, which is what the group waits for.
            let stopped = self.stopping.remove(at);
            self.group_input(now, stopped.answer, out);
            return true;
        }
        match std::mem::take(&mut self.rebalance) {
            Rebalance::Reading(current, assigned) if current == token => {
                if *outcome == Outcome::Done {
                    self.read_failures = 0;
                    self.caught_up = true;
                    self.resolve(now, assigned, out);
                } else {
                    self.reading_failed(now, assigned, out);
                }
                true
            }
            other => {
                self.rebalance = other;
                false
            }
        }
    }

    fn reading_failed(&mut self, now: Now, assigned: Box<Assigned>, out: &mut Sink) {
        self.read_failures = self.read_failures.saturating_add(1);
        self.rebalance = Rebalance::Waiting(now + READ_RETRY * self.read_failures, assigned);
        if self.read_failures == READ_FAILURES_MAX {
            let reason = "the config topic cannot be read".to_owned();
            self.group_input(now, WorkerInput::Leave { reason }, out);
        }
    }

    /// Looks at what has stopped, at the appointment, and at a read that is to be tried again.
    pub(super) fn drive_rebalance(&mut self, now: Now, out: &mut Sink) {
        for at in 0..self.stopping.len() {
            let Some(stopping) = self.stopping.get_mut(at) else {
                break;
            };
            let quiet = match &stopping.work {
                Some(work) => self.local.none_runs(work),
                None => self.local.is_quiet(),
            };
            if quiet && stopping.flush.is_none() {
                let token = self.tokens.next();
                stopping.flush = Some(token);
                out.push(HerderEffect::FlushStatus { token });
            }
        }
        if self.appointment.is_some_and(|at| at <= now) {
            self.appointment = None;
            self.rejoin(now, "the rebalance delay is over", out);
        }
        match std::mem::take(&mut self.rebalance) {
            Rebalance::Waiting(at, assigned) if at <= now => self.resolve(now, assigned, out),
            other => self.rebalance = other,
        }
    }

    /// When the group or its work must be looked at again.
    pub(super) fn rebalance_deadline(&self) -> Option<Now> {
        let waiting = match self.rebalance {
            Rebalance::Waiting(at, _) => Some(at),
            _ => None,
        };
        let first = earliest(self.group.deadline(), self.appointment);
        earliest(first, earliest(waiting, self.join_at))
    }

    fn left(&mut self, out: &mut Sink) {
        self.rebalance = Rebalance::Open;
        if self.is_ending() {
            out.push(HerderEffect::Stopped);
        } else {
            // We left because the config topic could not be read; come back when it may have healed.
            self.rejoin_later();
        }
    }
}
