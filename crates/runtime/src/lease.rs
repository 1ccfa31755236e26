//! Until when a worker's tasks may act: `AtMostOneRunning` for a process that stood still.
//!
//! The membership says by when a session must have been confirmed; a task compares this with the clock before each
//! poll, send and commit. It never decides anything: the herder stops what was lost, this only keeps a task from
//! acting in the moment between waking up and being stopped.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// How often a task looks whether it may act again.
const LOOK: Duration = Duration::from_millis(20);
/// A lease without an end.
const ENDLESS: u64 = u64::MAX;

/// The lease of a worker on what was assigned to it.
#[derive(Debug)]
pub struct Lease {
    origin: Instant,
    /// Nanoseconds after the origin; 0: not held.
    until: AtomicU64,
}

impl Lease {
    /// A lease that is held for ever: there is nobody else.
    #[must_use]
    pub fn endless() -> Self {
        Self {
            origin: Instant::now(),
            until: AtomicU64::new(ENDLESS),
        }
    }

    /// A lease that is not held yet; its times count from this origin.
    #[must_use]
    pub fn since(origin: Instant) -> Self {
        Self {
            origin,
            until: AtomicU64::new(0),
        }
    }

    /// When its times count from.
    #[must_use]
    pub fn origin(&self) -> Instant {
        self.origin
    }

    /// Sets its end; `None`: it is not held.
    pub fn set(&self, until: Option<Duration>) {
        let nanos = until.map_or(0, |until| {
            u64::try_from(until.as_nanos()).unwrap_or(ENDLESS)
        });
        self.until.store(nanos, Ordering::Release);
    }

    /// Whether a task may act now.
    #[must_use]
    pub fn holds(&self) -> bool {
        let until = self.until.load(Ordering::Acquire);
        until == ENDLESS || self.origin.elapsed().as_nanos() < u128::from(until)
    }

    /// Resolves when a task may act.
    pub async fn held(&self) {
        while !self.holds() {
            tokio::time::sleep(LOOK).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_held_until_its_end_and_no_longer() {
        let lease = Lease::since(Instant::now());
        assert!(!lease.holds(), "nothing was assigned yet");
        lease.set(Some(Duration::from_secs(3600)));
        assert!(lease.holds());
        lease.set(Some(Duration::ZERO));
        assert!(!lease.holds());
        lease.set(Some(Duration::MAX));
        assert!(lease.holds());
        lease.set(None);
        assert!(!lease.holds());
        assert!(Lease::endless().holds());
    }
}
