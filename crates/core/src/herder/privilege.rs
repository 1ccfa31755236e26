//! The leader's write privilege of the config topic (spec `distributed.md` 1.5): one transactional id per cluster,
//! so that whoever claims it last fences every leader before.

use std::time::Duration;

use super::{DistributedHerder, HerderEffect, Outcome, Sink};
use crate::{Now, Token};

/// A failed claim is tried again after this long (Java: 250 ms nominally).
const RETRY: Duration = Duration::from_millis(250);

/// Whether this worker may write as the leader.
#[derive(Debug, Default)]
pub(super) enum Privilege {
    /// Not claimed; a follower, or a cluster without exactly-once.
    #[default]
    None,
    /// It must be claimed before the next write.
    Wanted,
    /// A claim is under way.
    Claiming(Token),
    /// A claim failed: again at this time.
    Waiting(Now),
    /// It is ours, as far as we know.
    Held,
}

impl Privilege {
    /// Another worker took it, or a write went wrong: claim again before the next.
    pub(super) fn lost(&mut self) {
        *self = Self::Wanted;
    }

    /// Whether changes must wait for a claim.
    pub(super) fn is_in_doubt(&self) -> bool {
        matches!(self, Self::Wanted | Self::Claiming(_) | Self::Waiting(_))
    }

    /// When a claim is due.
    pub(super) fn deadline(&self) -> Option<Now> {
        match self {
            Self::Waiting(until) => Some(*until),
            _ => None,
        }
    }
}

impl DistributedHerder {
    /// This worker learned that it leads, or no longer does.
    pub(super) fn leadership_changed(&mut self) {
        let needs = self.settings.exactly_once.leader_writes_in_transactions();
        if !needs || !self.group.is_leader() {
            self.privilege = Privilege::None;
        } else if matches!(self.privilege, Privilege::None) {
            self.privilege = Privilege::Wanted;
        }
    }

    /// Claims the privilege when it is due.
    pub(super) fn claim_privilege(&mut self, now: Now, out: &mut Sink) {
        let due = match self.privilege {
            Privilege::Wanted => true,
            Privilege::Waiting(until) => now >= until,
            _ => false,
        };
        if !due {
            return;
        }
        if !self.group.is_leader() {
            self.privilege = Privilege::None;
            return;
        }
        let token = self.tokens.next();
        self.privilege = Privilege::Claiming(token);
        out.push(HerderEffect::ClaimPrivilege { token });
    }

    /// The outcome of a claim. Answers false when it was for something else.
    pub(super) fn privilege_outcome(&mut self, now: Now, token: Token, outcome: &Outcome) -> bool {
        if !matches!(self.privilege, Privilege::Claiming(current) if current == token) {
            return false;
        }
        self.privilege = match outcome {
            Outcome::Done => Privilege::Held,
            _ => Privilege::Waiting(now + RETRY),
        };
        true
    }
}
