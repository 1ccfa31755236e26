//! How long to wait before the next attempt (KIP-580).
//!
//! Answers to `org.apache.kafka.common.utils.ExponentialBackoff` with a factor of two and a jitter of a fifth.

use std::time::Duration;

use crate::{client_props::Read, ports::KafkaError};

/// Doublings that count: of more the most is reached anyway.
const DOUBLINGS_MAX: u32 = 20;

/// The pauses between attempts: the first, and what none is longer than.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    /// `retry.backoff.ms` or `reconnect.backoff.ms`.
    pub(crate) first: Duration,
    /// `retry.backoff.max.ms` or `reconnect.backoff.max.ms`; the first pause when that is longer.
    pub(crate) most: Duration,
}

impl Backoff {
    /// Between attempts at a request.
    ///
    /// # Errors
    /// A setting is no time.
    pub(crate) fn retries(read: &Read<'_>) -> Result<Self, KafkaError> {
        Ok(Self {
            first: read.millis("retry.backoff.ms", 100_u64)?,
            most: read.millis("retry.backoff.max.ms", 1_000_u64)?,
        })
    }

    /// Between attempts to connect to a broker.
    ///
    /// # Errors
    /// A setting is no time.
    pub(crate) fn reconnects(read: &Read<'_>) -> Result<Self, KafkaError> {
        Ok(Self {
            first: read.millis("reconnect.backoff.ms", 50_u64)?,
            most: read.millis("reconnect.backoff.max.ms", 1_000_u64)?,
        })
    }

    /// The pause after so many failures that came before this one.
    pub(crate) fn after(&self, failures: u32) -> Duration {
        let most = self.most.max(self.first);
        let doubled = self.first.saturating_mul(1 << failures.min(DOUBLINGS_MAX));
        doubled
            .min(most)
            .mul_f64(rand::random_range(0.8..=1.2))
            .min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_most() {
        let (first, most) = (Duration::from_millis(100), Duration::from_secs(1));
        let backoff = Backoff { first, most };
        for (failures, least, longest) in [
            (0, 80, 120),
            (1, 160, 240),
            (3, 640, 960),
            (4, 800, 1_000),
            (u32::MAX, 800, 1_000),
        ] {
            let pause = backoff.after(failures).as_millis();
            assert!((least..=longest).contains(&pause), "{failures}: {pause}");
        }
        let most = Duration::ZERO;
        assert!(Backoff { first, most }.after(9) <= first);
    }
}
