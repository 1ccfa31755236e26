//! What a person looks at while the demo runs: addresses, rates, totals, states.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use milena_broker::RunningBroker;
use milena_rest::client::RestClient;
use milena_runtime::task::TaskMetricsBook;
use serde_json::json;

use super::pipeline::{Pipeline, SINK, SOURCE};
use crate::worker::RunningWorker;

/// Shows the progress.
pub(super) struct Progress {
    json: bool,
    terminal: bool,
    url: String,
    broker: String,
    input: PathBuf,
    output: PathBuf,
    metrics: Arc<TaskMetricsBook>,
    rest: RestClient,
    last: Instant,
    totals: [u64; 2],
    lines_shown: usize,
}

impl Progress {
    pub(super) fn new(
        worker: &RunningWorker,
        broker: &RunningBroker,
        pipeline: &Pipeline,
        json: bool,
    ) -> Self {
        Self {
            json,
            terminal: !json && io::stdout().is_terminal(),
            url: worker.url(),
            broker: broker.bootstrap(),
            input: pipeline.input.clone(),
            output: pipeline.output.clone(),
            metrics: worker.handle.metrics(),
            rest: RestClient::new(&worker.url()),
            last: Instant::now(),
            totals: [0, 0],
            lines_shown: 0,
        }
    }

    fn print(&self, text: &str) {
        let mut out = io::stdout().lock();
        // Nobody looks any more when standard output is gone; the pipeline goes on.
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    /// Addresses and what to try next.
    pub(super) fn banner(&self) {
        if self.json {
            self.print(
                &json!({
                    "event": "started", "rest": self.url, "broker": self.broker,
                    "input": self.input, "output": self.output,
                })
                .to_string(),
            );
            return;
        }
        self.print(&format!(
            "Milena is running: {input} -> source -> transforms -> topic -> sink -> {output}\n\n  \
             REST    {url}\n  broker  {broker}\n\nTry next:\n  \
             curl {url}/connectors?expand=status\n  \
             curl {url}/connectors/{SOURCE}/config\n  \
             curl -X PUT {url}/connectors/{SINK}/pause\n\nCtrl-C stops it; the next start goes on where it was.\n",
            input = self.input.display(),
            output = self.output.display(),
            url = self.url,
            broker = self.broker,
        ));
    }

    async fn state(&self, connector: &str) -> String {
        let path = format!("/connectors/{connector}/status");
        let Ok((200, body)) = self.rest.get(&path).await else {
            return "STARTING".to_owned();
        };
        let status: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        let task = status
            .pointer("/tasks/0/state")
            .or_else(|| status.pointer("/connector/state"));
        task.and_then(|state| state.as_str())
            .unwrap_or("UNASSIGNED")
            .to_owned()
    }

    /// Bytes of the input that are not read yet, as the source's committed position tells.
    async fn source_lag(&self) -> Option<u64> {
        let (200, body) = self
            .rest
            .get(&format!("/connectors/{SOURCE}/offsets"))
            .await
            .ok()?
        else {
            return None;
        };
        let offsets: serde_json::Value = serde_json::from_str(&body).ok()?;
        let position = offsets.pointer("/offsets/0/offset/position")?.as_u64()?;
        Some(
            fs::metadata(&self.input)
                .ok()?
                .len()
                .saturating_sub(position),
        )
    }

    /// One look.
    pub(super) async fn show(&mut self) {
        let elapsed = self.last.elapsed().as_secs_f64().max(0.001);
        self.last = Instant::now();
        let count = |connector: &str| {
            let all = self.metrics.all();
            let of = all
                .iter()
                .filter(|(id, _)| id.connector.as_str() == connector);
            of.map(|(_, metrics)| metrics.records_out.load(Ordering::Relaxed))
                .sum::<u64>()
        };
        let totals = [count(SOURCE), count(SINK)];
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / elapsed;
        let rates = [
            rate(totals[0], self.totals[0]),
            rate(totals[1], self.totals[1]),
        ];
        self.totals = totals;
        let states = [self.state(SOURCE).await, self.state(SINK).await];
        let source_lag = self.source_lag().await;
        let sink_lag = totals[0].saturating_sub(totals[1]);
        if self.json {
            let line = json!({
                "event": "progress",
                "connectors": {
                    SOURCE: {"state": states[0], "records": totals[0], "records_per_second": rates[0].round(), "lag_bytes": source_lag},
                    SINK: {"state": states[1], "records": totals[1], "records_per_second": rates[1].round(), "lag_records": sink_lag},
                },
            });
            self.print(&line.to_string());
            return;
        }
        let lag = source_lag.map_or_else(|| "-".to_owned(), |bytes| format!("{bytes} bytes"));
        let table = format!(
            "{:<20} {:<11} {:>12} {:>14}   {}\n{:<20} {:<11} {:>12} {:>14.0}   {lag}\n{:<20} {:<11} {:>12} {:>14.0}   {sink_lag} records",
            "connector",
            "state",
            "records",
            "records/s",
            "lag",
            SOURCE,
            states[0],
            totals[0],
            rates[0],
            SINK,
            states[1],
            totals[1],
            rates[1],
        );
        if self.terminal {
            if self.lines_shown > 0 {
                // Up to the first line of the table, then clear to the end of the screen.
                let _ = write!(io::stdout(), "\x1b[{}A\x1b[J", self.lines_shown);
            }
            self.lines_shown = table.lines().count();
            self.print(&table);
        } else {
            self.print(&format!(
                "{SOURCE} {} records={} rate={:.0}/s lag={lag}; {SINK} {} records={} rate={:.0}/s lag={sink_lag} records",
                states[0], totals[0], rates[0], states[1], totals[1], rates[1],
            ));
        }
    }

    /// The last words.
    pub(super) fn farewell(&self) {
        if self.json {
            self.print(&json!({"event": "stopped"}).to_string());
        } else {
            self.print("stopped; everything was committed");
        }
    }
}
