//! Time as an input. A state machine is told the time with every step; it never asks a clock.
//!
//! `Now` is monotonic and counts from an origin the shell chose (its start). Every timer uses it: a wall clock
//! that is set back must not hold a deadline. `WallClock` is only for what is written down for others: timestamps
//! of records, ages of session keys.

use std::{
    fmt,
    ops::{Add, Sub},
    time::Duration,
};

/// A moment of the monotonic clock, as time since an origin the shell chose. Never goes back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Now(Duration);

/// A moment by which a state machine wants to be stepped again.
pub type Deadline = Now;

impl Now {
    /// The origin.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// The moment this long after the origin.
    #[must_use]
    pub const fn since_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// The moment this many milliseconds after the origin; for tests and simulations.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// Time since the origin.
    #[must_use]
    pub const fn elapsed(self) -> Duration {
        self.0
    }

    /// Time from `earlier` to this moment; zero when `earlier` is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Now {
    type Output = Self;

    /// Saturates: a deadline past the end of time is "never".
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }
}

impl Sub<Now> for Now {
    type Output = Duration;

    fn sub(self, earlier: Now) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t+{:?}", self.0)
    }
}

/// The wall clock, as time since 1970-01-01T00:00Z. It may jump either way; no timer uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallClock(Duration);

impl WallClock {
    /// This long after the epoch.
    #[must_use]
    pub const fn since_epoch(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// Milliseconds after the epoch, as Kafka's timestamps count them.
    #[must_use]
    pub fn as_millis(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }
}

impl Add<Duration> for WallClock {
    type Output = Self;

    /// Saturates.
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }
}

/// The earlier of two optional deadlines.
#[must_use]
pub fn earliest(a: Option<Deadline>, b: Option<Deadline>) -> Option<Deadline> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
