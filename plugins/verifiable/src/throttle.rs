//! A steady number of records per second (`ThroughputThrottler`).

use std::time::{Duration, Instant};

/// Records per second since a start: a negative rate is no limit, a rate of 0 lets nothing through.
#[derive(Debug)]
pub(crate) struct Throttle {
    begun: Instant,
    rate: i64,
    given: u64,
}

impl Throttle {
    /// Begins now.
    pub(crate) fn new(rate: i64) -> Self {
        Self {
            begun: Instant::now(),
            rate,
            given: 0,
        }
    }

    /// Waits until the next record is due. It may be dropped and called again.
    pub(crate) async fn wait(&self) {
        match u32::try_from(self.rate) {
            Ok(0) => std::future::pending().await,
            Ok(rate) => {
                let seconds = self.given / u64::from(rate);
                let part = Duration::from_secs(self.given % u64::from(rate)) / rate;
                let due = Duration::from_secs(seconds) + part;
                if let Some(wait) = due.checked_sub(self.begun.elapsed()) {
                    tokio::time::sleep(wait).await;
                }
            }
            // No limit, or one beyond what anybody reaches.
            Err(_) => {}
        }
    }

    /// One record was given.
    pub(crate) fn count(&mut self) {
        self.given += 1;
    }
}
