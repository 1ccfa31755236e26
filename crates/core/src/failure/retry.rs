//! How long a failing operation is tried again, and whether its failure is tolerated.

use std::time::Duration;

/// The first delay; it doubles with each attempt (`RetryWithToleranceOperator.RETRIES_DELAY_MIN_MS`).
const DELAY_FIRST: Duration = Duration::from_millis(300);
/// Doublings after which the delay is beyond any setting; caps the shift (Java's overflows at 55).
const DOUBLINGS_MAX: u32 = 40;

/// `errors.tolerance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Tolerance {
    /// The first failed record fails the task.
    #[default]
    None,
    /// Failed records are reported and skipped.
    All,
}

/// `errors.retry.timeout` and `errors.retry.delay.max.ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How long one operation is tried; `None`: for ever.
    pub timeout: Option<Duration>,
    /// Delays above this are drawn at random below it.
    pub delay_max: Duration,
}

impl RetryPolicy {
    /// The delay before the next attempt, or `None` when the time is up.
    ///
    /// `attempt` counts from 1 (the attempt that just failed), `elapsed` since the first began, `random`
    /// is any number drawn by the caller; it is used only for delays above the maximum.
    #[must_use]
    pub fn delay(&self, attempt: u32, elapsed: Duration, random: u64) -> Option<Duration> {
        let left = match self.timeout {
            Some(timeout) => Some(
                timeout
                    .checked_sub(elapsed)
                    .filter(|left| !left.is_zero())?,
            ),
            None => None,
        };
        let doublings = attempt.saturating_sub(1).min(DOUBLINGS_MAX);
        let mut delay = DELAY_FIRST.saturating_mul(1 << doublings.min(31));
        if doublings > 31 || delay > self.delay_max {
            let max = u64::try_from(self.delay_max.as_millis()).unwrap_or(u64::MAX);
            delay = Duration::from_millis(random.checked_rem(max).unwrap_or(0));
        }
        Some(left.map_or(delay, |left| delay.min(left)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::RetryPolicy;

    fn delays(timeout_ms: u64, max_ms: u64) -> Vec<u64> {
        let policy = RetryPolicy {
            timeout: Some(Duration::from_millis(timeout_ms)),
            delay_max: Duration::from_millis(max_ms),
        };
        let (mut elapsed, mut found) = (Duration::ZERO, Vec::new());
        while let Some(delay) = policy.delay(found.len() as u32 + 1, elapsed, 7) {
            elapsed += delay;
            found.push(delay.as_millis() as u64);
        }
        found
    }

    #[test]
    fn the_sequence_is_javas() {
        assert_eq!(delays(6000, 60_000), [300, 600, 1200, 2400, 1500]);
        assert_eq!(delays(0, 60_000), Vec::<u64>::new());
    }

    #[test]
    fn above_the_maximum_the_delay_is_drawn_below_it() {
        let found = delays(1000, 500);
        assert_eq!(found.iter().sum::<u64>(), 1000);
        assert_eq!(found.first(), Some(&300));
        assert!(found.iter().skip(1).all(|delay| *delay <= 7));
    }
}
