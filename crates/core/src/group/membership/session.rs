//! Heartbeats, the end of a session, and leaving: everything that can take work away from the owner.
//!
//! AtMostOneRunning and RevokedBeforeStarted are kept here: work stops before the coordinator can hear of it.

use super::{
    Effect, ErrorCode, LossReason, Membership, Node, RequestFailure,
    machine::{AfterStop, Coordinator, HeartbeatSent, State},
};
use crate::{
    effect::{Effects, Token},
    group::{GenerationId, MemberId},
    time::Now,
};

/// Heartbeats in a row that say "other generation" while we wait for the answer to a join, before we take that
/// answer for lost. One can cross the answer on its way; two cannot.
const STALE_HEARTBEATS_MAX: u32 = 2;

/// Heartbeats after a round come this much faster than the interval at first, each pause twice the one before.
const QUICK: u32 = 8;

impl Membership {
    /// Whom to tell about what, if there is anything to tell.
    pub(super) fn heartbeat_identity(&self) -> Option<(Node, MemberId, GenerationId)> {
        match &self.state {
            State::Idle | State::Parked | State::Leaving { .. } => return None,
            State::Stopping { then, .. } if !matches!(then, AfterStop::Leave { .. }) => {
                return None;
            }
            _ => {}
        }
        Some((
            self.coordinator()?.clone(),
            self.member.clone()?,
            self.generation?,
        ))
    }

    /// Whether the owner may still act for its generation.
    pub(super) fn is_lawful(&self) -> bool {
        self.generation.is_some() && self.holding
    }

    pub(super) fn send_heartbeat(&mut self, now: Now, effects: &mut Effects<Effect>) {
        if now < self.heartbeat_due {
            return;
        }
        let Some((to, member, generation)) = self.heartbeat_identity() else {
            return;
        };
        let interval = self.settings.heartbeat_interval;
        if let Some(sent) = self.heartbeat
            && now < sent.at + interval
        {
            self.heartbeat_due = sent.at + interval;
            return;
        }
        // One that is still on its way is given up: a single lost message must not cost the session.
        let token = self.tokens.next();
        self.heartbeat = Some(HeartbeatSent {
            token,
            at: now,
            generation,
        });
        // A round that revokes is followed by another that gives away what was revoked, and the members who had nothing to
        // give up hear of that by a heartbeat: nobody runs those tasks until then.
        let quick = 1_u32.checked_shl(self.beats).unwrap_or(QUICK).min(QUICK);
        self.beats = self.beats.saturating_add(1);
        self.heartbeat_due = now + interval * quick / QUICK;
        effects.push(Effect::Heartbeat {
            token,
            to,
            generation,
            member,
        });
    }

    pub(super) fn heartbeat_answered(
        &mut self,
        now: Now,
        token: Token,
        result: Result<(), RequestFailure>,
        effects: &mut Effects<Effect>,
    ) {
        let Some(sent) = self.heartbeat.filter(|sent| sent.token == token) else {
            return;
        };
        self.heartbeat = None;
        if self.generation.is_none() {
            return;
        }
        match result {
            Ok(()) => {
                self.confirm(sent.at);
                // While a generation is being handed out the coordinator accepts heartbeats, and still drops who does
                // not sync: only a generation we have our assignment of is known to be settled.
                if self.synced == Some(sent.generation) {
                    self.settled = self.settled.max(Some(sent.at));
                }
            }
            Err(RequestFailure::Code(ErrorCode::REBALANCE_IN_PROGRESS)) => {
                // The session lives on while the group rebalances.
                self.confirm(sent.at);
                if self.state == State::Stable {
                    self.rejoin
                        .get_or_insert_with(|| "group is already rebalancing".to_owned());
                }
            }
            Err(RequestFailure::Code(ErrorCode::UNKNOWN_MEMBER_ID)) => self.dropped(now, effects),
            Err(RequestFailure::Code(ErrorCode::ILLEGAL_GENERATION)) => match self.state {
                State::Joining { .. } => {
                    self.stale_heartbeats += 1;
                    if self.stale_heartbeats >= STALE_HEARTBEATS_MAX {
                        self.again(now);
                    }
                }
                State::Stable | State::Syncing { .. } | State::Assigning { .. }
                    if Some(sent.generation) == self.generation =>
                {
                    self.generation = None;
                    self.again(now);
                }
                _ => {}
            },
            Err(RequestFailure::Code(code)) if code.is_fatal_for_member() => {
                self.generation = None;
                self.stop_then(AfterStop::Fail(code), LossReason::Fatal(code), effects);
            }
            Err(RequestFailure::Code(code)) => {
                if code.means_other_coordinator() {
                    self.lose_coordinator(now);
                }
                self.heartbeat_due = now + self.settings.retry_backoff;
            }
            Err(RequestFailure::Unreachable | RequestFailure::Unknown) => {
                self.lose_coordinator(now);
                self.heartbeat_due = now + self.settings.retry_backoff;
            }
        }
    }

    pub(super) fn confirm(&mut self, sent: Now) {
        self.confirmed = self.confirmed.max(Some(sent));
    }

    /// Our time is over, whatever the coordinator thinks.
    pub(super) fn lapse(&mut self, effects: &mut Effects<Effect>) {
        self.generation = None;
        self.coordinator = Coordinator::Unknown {
            not_before: Now::ZERO,
        };
        let then = match std::mem::replace(&mut self.state, State::Idle) {
            // Already stopping: that goes on, but without the coordinator's consent.
            State::Stopping { token, then } => {
                self.holding = false;
                self.confirmed = None;
                self.settled = None;
                self.state = State::Stopping { token, then };
                return;
            }
            _ => AfterStop::Rejoin,
        };
        self.stop_then(then, LossReason::SessionLapsed, effects);
    }

    /// The coordinator dropped us.
    pub(super) fn dropped(&mut self, now: Now, effects: &mut Effects<Effect>) {
        self.member = None;
        self.generation = None;
        match &self.state {
            State::Stopping { .. } | State::Leaving { .. } | State::Idle | State::Parked => {}
            _ if self.holding => {
                self.stop_then(AfterStop::Rejoin, LossReason::Dropped, effects);
            }
            _ => self.again(now),
        }
    }

    /// Whether the owner's polls are counted: from joining until it leaves.
    pub(super) fn counts_polls(&self) -> bool {
        !matches!(
            self.state,
            State::Idle | State::Parked | State::Stopping { .. } | State::Leaving { .. }
        )
    }

    pub(super) fn stop_then(
        &mut self,
        then: AfterStop,
        reason: LossReason,
        effects: &mut Effects<Effect>,
    ) {
        self.heartbeat = self
            .heartbeat
            .filter(|_| matches!(then, AfterStop::Leave { .. }));
        if !matches!(then, AfterStop::Leave { .. }) {
            self.holding = false;
            self.confirmed = None;
            self.settled = None;
        }
        let token = self.tokens.next();
        self.state = State::Stopping { token, then };
        effects.push(Effect::Lost { token, reason });
    }

    pub(super) fn stopped(&mut self, now: Now, answered: Token, effects: &mut Effects<Effect>) {
        let State::Stopping { token, then } = &self.state else {
            return;
        };
        if *token != answered {
            return;
        }
        self.holding = false;
        self.confirmed = None;
        self.settled = None;
        match then.clone() {
            AfterStop::Rejoin => self.prepare(effects),
            AfterStop::Park => {
                self.state = State::Parked;
                // It has polled since: it is alive again.
                if now < self.polled + self.settings.rebalance_timeout {
                    self.prepare(effects);
                }
            }
            AfterStop::Leave { reason } => self.say_goodbye(now, reason),
            AfterStop::Fail(error) => {
                self.state = State::Idle;
                effects.push(Effect::Failed { error });
            }
        }
    }

    pub(super) fn leave(&mut self, now: Now, reason: String, effects: &mut Effects<Effect>) {
        match &mut self.state {
            State::Idle | State::Parked => self.out(effects),
            State::Leaving { .. } => {}
            State::Stopping { then, .. } => *then = AfterStop::Leave { reason },
            // RevokedBeforeStarted: others may start our work as soon as we have left, so it stops first.
            _ if self.holding => {
                self.stop_then(AfterStop::Leave { reason }, LossReason::Leaving, effects);
            }
            _ => self.say_goodbye(now, reason),
        }
    }

    pub(super) fn say_goodbye(&mut self, now: Now, reason: String) {
        // Longer than a session makes no sense: by then the coordinator has dropped us anyway.
        let until = match self.member {
            Some(_) => now + self.settings.session_timeout,
            None => now,
        };
        self.heartbeat = None;
        self.state = State::Leaving {
            token: None,
            reason,
            until,
        };
    }

    pub(super) fn send_leave(&mut self, effects: &mut Effects<Effect>) {
        let (Some(to), Some(member)) = (self.coordinator().cloned(), self.member.clone()) else {
            return;
        };
        let State::Leaving {
            token: waiting @ None,
            reason,
            ..
        } = &mut self.state
        else {
            return;
        };
        let token = self.tokens.next();
        *waiting = Some(token);
        effects.push(Effect::Leave {
            token,
            to,
            member,
            reason: reason.clone(),
        });
    }

    pub(super) fn out(&mut self, effects: &mut Effects<Effect>) {
        self.state = State::Idle;
        self.member = None;
        self.generation = None;
        self.rejoin = None;
        effects.push(Effect::Left);
    }
}
