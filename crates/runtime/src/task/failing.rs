//! Carries out what `core::failure` decides for a failing operation: wait, try again, report, skip or
//! fail (`RetryWithToleranceOperator` in Java).

use std::{sync::Arc, time::Duration};

use milena_api::ConnectError;
use milena_config::Props;
use milena_core::{
    TaskId,
    failure::{RetryPolicy, Stage, Tolerance, log_line},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::metrics::TaskMetrics;

/// A failed operation on a record.
#[derive(Debug)]
pub(super) struct StageFailure {
    /// Where.
    pub(super) stage: Stage,
    /// The Java class name of what ran.
    pub(super) class: String,
    /// The error.
    pub(super) error: ConnectError,
}

/// What is configured under `errors.`.
pub(super) struct ErrorPolicy {
    pub(super) tolerance: Tolerance,
    pub(super) retry: RetryPolicy,
    pub(super) log: bool,
    pub(super) log_messages: bool,
    id: TaskId,
    metrics: Arc<TaskMetrics>,
    stopping: CancellationToken,
}

impl ErrorPolicy {
    /// Reads the connector's keys; bad values were refused at validation and fall back to defaults here.
    pub(super) fn new(
        config: &Props,
        id: TaskId,
        metrics: Arc<TaskMetrics>,
        stopping: CancellationToken,
    ) -> Self {
        let number = |key: &str, default: i64| {
            config
                .get(key)
                .and_then(|text| text.trim().parse().ok())
                .unwrap_or(default)
        };
        let flag = |key: &str| {
            config
                .get(key)
                .is_some_and(|text| text.eq_ignore_ascii_case("true"))
        };
        let millis = |number: i64| Duration::from_millis(u64::try_from(number).unwrap_or(0));
        let timeout = number("errors.retry.timeout", 0);
        let all = config
            .get("errors.tolerance")
            .is_some_and(|t| t.eq_ignore_ascii_case("all"));
        Self {
            tolerance: if all { Tolerance::All } else { Tolerance::None },
            retry: RetryPolicy {
                timeout: (timeout >= 0).then(|| millis(timeout)),
                delay_max: millis(number("errors.retry.delay.max.ms", 60_000)),
            },
            log: flag("errors.log.enable"),
            log_messages: flag("errors.log.include.messages"),
            id,
            metrics,
            stopping,
        }
    }

    /// Whether a retriable failure is tried again at all.
    pub(super) fn retries(&self) -> bool {
        self.retry.timeout != Some(Duration::ZERO)
    }

    /// Waits before the next attempt of an operation that failed for the `attempt`th time; `false`: the
    /// time is up or the task stops.
    pub(super) async fn wait_to_retry(&self, attempt: u32, begun: Instant) -> bool {
        let Some(delay) = self.retry.delay(attempt, begun.elapsed(), rand::random()) else {
            return false;
        };
        tokio::select! {
            () = self.stopping.cancelled() => false,
            () = tokio::time::sleep(delay) => {
                self.metrics.retried();
                true
            }
        }
    }

    /// Says that a record could not be converted now.
    pub(super) fn will_be_sent_again(&self, error: &ConnectError) {
        warn!(task = %self.id, %error, "a record will be sent again");
    }

    /// Reports a failure that was not mended and decides: `Ok` skips the record, an error fails the task.
    pub(super) fn judge(
        &self,
        failure: &StageFailure,
        record: impl FnOnce() -> String,
    ) -> Result<(), ConnectError> {
        if self.log {
            let described = self.log_messages.then(record);
            let task = self.id.to_string();
            let line = log_line(&task, failure.stage, &failure.class, described.as_deref());
            error!(connector = %self.id.connector, task = self.id.task, error = %failure.error.to_java_string(), "{line}");
        }
        self.metrics
            .failed(self.tolerance == Tolerance::All, self.log);
        match self.tolerance {
            Tolerance::All => Ok(()),
            Tolerance::None => Err(ConnectError::connect("Tolerance exceeded in error handler")
                .caused_by(failure.error.clone())),
        }
    }
}
