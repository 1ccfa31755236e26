//! Polls that give nothing at once: a task that never waits for its source must not keep a processor busy. It never rests
//! after a poll that gave records or took its time.
//!
//! Java's worker polls again at once, however often.

use std::time::Duration;

/// A poll that took less did not wait for anything.
const AT_ONCE: Duration = Duration::from_millis(1);
/// So many are let through: a source may answer nothing between two records.
const FREE: u32 = 8;
/// The longest rest.
const REST_MAX: Duration = Duration::from_millis(10);

/// How often in a row nothing was given.
#[derive(Debug, Default)]
pub(super) struct Idle(u32);

impl Idle {
    /// How long to rest after a poll.
    pub(super) fn after(&mut self, nothing: bool, took: Duration) -> Option<Duration> {
        if !nothing || took >= AT_ONCE {
            self.0 = 0;
            return None;
        }
        self.0 = self.0.saturating_add(1);
        let over = self.0.checked_sub(FREE + 1)?;
        Some((AT_ONCE * (over + 1)).min(REST_MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Idle;

    #[test]
    fn a_source_that_never_waits_is_polled_less_and_less() {
        let mut idle = Idle::default();
        let rests: Vec<_> = (0..30)
            .map(|_| idle.after(true, Duration::ZERO))
            .map(|rest| rest.map_or(0, |rest| rest.as_millis()))
            .collect();
        assert_eq!(rests[..10], [0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(rests[29], 10);
        assert_eq!(idle.after(false, Duration::ZERO), None);
        assert_eq!(idle.after(true, Duration::ZERO), None, "it begins anew");
        assert_eq!(idle.after(true, Duration::from_secs(1)), None);
    }
}
