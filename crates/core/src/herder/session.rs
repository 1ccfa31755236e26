//! Session keys: when the leader distributes a new one (KIP-507, spec `distributed.md` 2.11).

use super::{
    DistributedHerder, HerderEffect, Outcome, Sink,
    ops::{Finish, Op},
};
use crate::{
    Now, Token, WallClock,
    cluster::{ConfigRecord, SessionKey},
};

/// A failed distribution is tried again after this long.
const RETRY: std::time::Duration = std::time::Duration::from_millis(250);

/// Where the distribution of a key is.
#[derive(Debug, Default)]
pub(super) enum SessionKeys {
    /// Nothing under way.
    #[default]
    Idle,
    /// The shell makes a key.
    Generating(Token),
    /// It is being written.
    Writing,
    /// It failed: not before then.
    Waiting(Option<Now>),
}

impl SessionKeys {
    pub(super) fn written(&mut self) {
        *self = Self::Idle;
    }

    pub(super) fn failed(&mut self) {
        *self = Self::Waiting(None);
    }
}

impl DistributedHerder {
    /// Begins to distribute a key when this worker leads a sessioned group and there is none that fits.
    pub(super) fn check_session_key(&mut self, now: Now, wall: WallClock, out: &mut Sink) {
        if let SessionKeys::Waiting(until) = &mut self.session {
            let until = *until.get_or_insert(now + RETRY);
            if now < until {
                return;
            }
            self.session = SessionKeys::Idle;
        }
        let due = matches!(self.session, SessionKeys::Idle)
            && self.is_ready()
            && self.group.is_leader()
            && self.group.is_sessioned()
            && self.key_is_stale(wall);
        if due {
            let token = self.tokens.next();
            self.session = SessionKeys::Generating(token);
            out.push(HerderEffect::GenerateSessionKey { token });
        }
    }

    /// When the key must be looked at again.
    pub(super) fn session_deadline(&self, now: Now, wall: WallClock) -> Option<Now> {
        match self.session {
            SessionKeys::Waiting(until) => Some(until.unwrap_or(now)),
            SessionKeys::Idle if self.group.is_leader() && self.group.is_sessioned() => {
                let ttl = self.settings.key_ttl;
                let key = self.cluster.session_key().filter(|_| !ttl.is_zero())?;
                let age = wall.as_millis().saturating_sub(key.created_ms).max(0);
                let age = std::time::Duration::from_millis(age.unsigned_abs());
                Some(now + ttl.saturating_sub(age))
            }
            _ => None,
        }
    }

    fn key_is_stale(&self, wall: WallClock) -> bool {
        let Some(key) = self.cluster.session_key() else {
            return true;
        };
        let ttl = i64::try_from(self.settings.key_ttl.as_millis()).unwrap_or(i64::MAX);
        let expired = ttl > 0 && key.created_ms.saturating_add(ttl) <= wall.as_millis();
        let wrong_size = self
            .settings
            .key_bytes
            .is_some_and(|bytes| bytes != key.byte_len());
        expired || wrong_size || key.algorithm != self.settings.key_algorithm
    }

    /// The shell's answer to a request for a key. Answers false when it was for something else.
    pub(super) fn session_outcome(
        &mut self,
        token: Token,
        outcome: &Outcome,
        wall: WallClock,
    ) -> bool {
        if !matches!(self.session, SessionKeys::Generating(current) if current == token) {
            return false;
        }
        match outcome {
            Outcome::SessionKey(base64) => {
                self.session = SessionKeys::Writing;
                let key = SessionKey {
                    base64: base64.clone(),
                    algorithm: self.settings.key_algorithm.clone(),
                    created_ms: wall.as_millis(),
                };
                self.ops.push_own(Op::write(
                    vec![ConfigRecord::SessionKey(key)],
                    Finish::SessionKey,
                    "Error writing session key to Kafka",
                    "writing a new session key to the config topic".to_owned(),
                ));
            }
            _ => self.session.failed(),
        }
        true
    }
}
