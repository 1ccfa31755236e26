//! When to try again: exponential backoff with jitter until a deadline (KIP-580).

use std::time::Duration;

use tokio::time::Instant;

use super::{codes::TIMEOUT_CLASS, settings::WireSettings};
use crate::{
    backoff::Backoff,
    ports::{KafkaError, KafkaErrorKind},
};

/// The attempts of one call.
pub(crate) struct Retry {
    call: &'static str,
    deadline: Instant,
    backoff: Backoff,
    failures: u32,
}

impl Retry {
    /// The attempts of `call`, for at most `within`.
    pub(crate) fn new(settings: &WireSettings, call: &'static str, within: Duration) -> Self {
        Self {
            call,
            deadline: Instant::now() + within,
            backoff: settings.backoff,
            failures: 0,
        }
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// The given error when it cannot be retried; a timeout that quotes it when no time is left.
    pub(crate) async fn again(&mut self, error: KafkaError) -> Result<(), KafkaError> {
        if !error.is_retriable() {
            return Err(error);
        }
        let wait = self.backoff.after(self.failures);
        if Instant::now() + wait >= self.deadline {
            return Err(KafkaError::new(
                KafkaErrorKind::Unknown,
                format!("timed out: {}: {}", self.call, error.message),
            )
            .class(TIMEOUT_CLASS));
        }
        tracing::debug!(call = self.call, %error, ?wait, "trying again");
        tokio::time::sleep(wait).await;
        self.failures = self.failures.saturating_add(1);
        Ok(())
    }
}
