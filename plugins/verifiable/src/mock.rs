//! `MockSourceConnector` and `MockSinkConnector`: they do nothing, and fail when told to.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use milena_api::{
    ConnectError, ErrorKind, SinkTask, SinkTaskContext, SinkTaskRequest, SourceTask,
    SourceTaskContext,
};
use milena_config::Props;
use milena_data::{SinkRecord, SourceRecord};

const MODE: &str = "mock_mode";
const DELAY: &str = "delay_ms";
const DELAY_DEFAULT: Duration = Duration::from_secs(15);
/// How long an idle sink waits for `put`, as in Java.
const SINK_TIMEOUT_MAX: Duration = Duration::from_millis(250);
/// How long a poll without records takes, unless the failure comes before; Java's returns at once, and so its worker spins.
const IDLE: Duration = Duration::from_secs(1);

/// `mock_mode`: `task-failure`, `connector-failure`, or anything else for none.
pub(crate) fn mode(config: &Props) -> Option<&str> {
    config.get(MODE).map(String::as_str)
}

/// `delay_ms`: when the failure comes.
pub(crate) fn delay(config: &Props) -> Result<Duration, ConnectError> {
    let Some(text) = config.get(DELAY) else {
        return Ok(DELAY_DEFAULT);
    };
    let millis: i64 = text.parse().map_err(|_| not_a_number(text))?;
    Ok(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}

/// `Long.parseLong` of what is no number.
pub(crate) fn not_a_number(text: &str) -> ConnectError {
    ConnectError::of(
        "java.lang.NumberFormatException",
        format!("For input string: \"{text}\""),
    )
}

/// `new RuntimeException()`.
pub(crate) fn failure() -> ConnectError {
    ConnectError {
        class: Cow::Borrowed("java.lang.RuntimeException"),
        message: None,
        kind: ErrorKind::Fatal,
        cause: None,
    }
}

/// A task of either kind.
#[derive(Default)]
pub(crate) struct MockTask {
    /// When it began and how long after that it fails.
    failing: Option<(Instant, Duration)>,
}

impl MockTask {
    fn begin(&mut self, config: &Props) -> Result<(), ConnectError> {
        if mode(config) == Some("task-failure") {
            self.failing = Some((Instant::now(), delay(config)?));
        }
        Ok(())
    }

    fn idle(&self) -> Duration {
        let Some((begun, delay)) = self.failing else {
            return IDLE;
        };
        let left = delay.saturating_sub(begun.elapsed());
        IDLE.min(left + Duration::from_millis(1))
    }

    fn check(&self) -> Result<(), ConnectError> {
        match self.failing {
            Some((begun, delay)) if begun.elapsed() > delay => Err(failure()),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl SourceTask for MockTask {
    async fn start(
        &mut self,
        _context: SourceTaskContext,
        config: Props,
    ) -> Result<(), ConnectError> {
        self.begin(&config)
    }

    async fn poll(&mut self) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        self.check()?;
        tokio::time::sleep(self.idle()).await;
        Ok(Some(Vec::new()))
    }

    async fn stop(&mut self) {}
}

#[async_trait]
impl SinkTask for MockTask {
    async fn start(&mut self, context: SinkTaskContext, config: Props) -> Result<(), ConnectError> {
        self.begin(&config)?;
        if let Some((_, delay)) = self.failing {
            (context.requests)(SinkTaskRequest::RetryAfter(delay.min(SINK_TIMEOUT_MAX)));
        }
        Ok(())
    }

    async fn put(&mut self, _records: &[SinkRecord]) -> Result<(), ConnectError> {
        self.check()
    }

    async fn stop(&mut self) {}
}
