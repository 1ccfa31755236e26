//! What a log line looks like, and that nothing can forge one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use milena_telemetry::{ContextLayer, JsonLines, TextLines, connector_span, task_span};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt};

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Kept {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(ToOwned::to_owned).collect()
    }
}

fn work() {
    tracing::info!(count = 3, "the worker says");
    connector_span("my-source").in_scope(|| tracing::info!("a connector says"));
    task_span("my-source", 0).in_scope(|| {
        tracing::info_span!("inner").in_scope(|| tracing::warn!("bad\nFORGED \u{1b}[31m line"));
        tracing::debug!("only when asked");
    });
    task_span("other", 1).in_scope(|| tracing::debug!("never asked"));
}

#[test]
fn text_names_connector_and_task() {
    let kept = Kept::default();
    let writer = kept.clone();
    let lines = tracing_subscriber::registry()
        .with(EnvFilter::new("info"))
        .with(ContextLayer)
        .with(
            fmt::layer()
                .event_format(TextLines)
                .with_ansi(false)
                .with_writer(move || writer.clone()),
        );
    tracing::subscriber::with_default(lines, work);
    let lines = kept.lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines[0].ends_with("  INFO logs: the worker says count=3"),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].ends_with("  INFO [my-source|worker] logs: a connector says"),
        "{}",
        lines[1]
    );
    assert!(
        lines[2].contains("  WARN [my-source|task-0] logs: bad\\nFORGED "),
        "{}",
        lines[2]
    );
    assert!(!lines[2].contains('\u{1b}'));
}

#[test]
fn json_names_connector_and_task() {
    let kept = Kept::default();
    let writer = kept.clone();
    let lines = tracing_subscriber::registry()
        .with(EnvFilter::new("info,[work{connector=my-source}]=debug"))
        .with(ContextLayer)
        .with(
            fmt::layer()
                .event_format(JsonLines)
                .with_writer(move || writer.clone()),
        );
    tracing::subscriber::with_default(lines, work);
    let lines: Vec<serde_json::Value> = kept
        .lines()
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // The level of one connector shows its details and those of no other.
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[0]["fields"]["count"], 3);
    assert_eq!(lines[0].get("connector_context"), None);
    assert_eq!(lines[2]["connector_context"], "my-source|task-0");
    assert_eq!(lines[2]["fields"]["message"], "bad\nFORGED \u{1b}[31m line");
    assert_eq!(lines[3]["level"], "DEBUG");
    assert_eq!(lines[3]["fields"]["message"], "only when asked");
}
