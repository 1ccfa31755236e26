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

use super::pipeline::{Pipeline, SINK, SOURCE, TOPIC};
use crate::{verbs::output, worker::RunningWorker};

/// Shows the progress.
pub(super) struct Progress {
    json: bool,
    terminal: bool,
    colours: bool,
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
            colours: output::colours(),
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
        // Quoted, because some shells take a `?` for a pattern.
        self.print(&format!(
            "Milena is running: input -> source -> transforms -> topic {TOPIC} -> sink -> output\n\n  \
             input   {input}\n  output  {output}\n  REST    {url}\n  broker  {broker}\n\nTry next:\n  \
             curl '{url}/connectors?expand=status'\n  \
             curl {url}/connectors/{SOURCE}/config\n  \
             curl -X PUT {url}/connectors/{SINK}/pause\n  \
             milena connectors status --watch --url {url}\n\n\
             Ctrl-C stops it; the next start goes on where it was.\n",
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
        let counted = |count: u64, one: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {one}s"),
        };
        let lag = source_lag.map_or_else(|| "-".to_owned(), |bytes| counted(bytes, "byte"));
        let lags = [lag, counted(sink_lag, "record")];
        if self.terminal {
            if self.lines_shown > 0 {
                // Up to the first line of the table, then clear to the end of the screen.
                let _ = write!(io::stdout(), "\x1b[{}A\x1b[J", self.lines_shown);
            }
            let table = self.table([SOURCE, SINK], &states, totals, rates, &lags);
            self.lines_shown = table.lines().count();
            // Long lines are cut at the edge, or the way back up would be miscounted.
            self.print(&format!("\x1b[?7l{table}\x1b[?7h"));
        } else {
            self.print(&format!(
                "{SOURCE} {} records={} rate={:.0}/s lag={}; {SINK} {} records={} rate={:.0}/s lag={}",
                states[0], totals[0], rates[0], lags[0], states[1], totals[1], rates[1], lags[1],
            ));
        }
    }

    /// The table that is redrawn on a terminal, and what to do when something has failed.
    fn table(
        &self,
        names: [&str; 2],
        states: &[String; 2],
        totals: [u64; 2],
        rates: [f64; 2],
        lags: &[String; 2],
    ) -> String {
        let mut text = format!(
            "{:<20}{:<12}{:>10}{:>12}   lag",
            "connector", "state", "records", "records/s"
        );
        let failed = |state: &String| state == "FAILED";
        for (at, name) in names.into_iter().enumerate() {
            let (Some(state), Some(total), Some(rate), Some(lag)) =
                (states.get(at), totals.get(at), rates.get(at), lags.get(at))
            else {
                continue;
            };
            let padded = format!("{state:<12}");
            let painted = match (self.colours, state.as_str()) {
                (true, "RUNNING") => format!("\x1b[32m{padded}\x1b[0m"),
                (true, "FAILED") => format!("\x1b[31m{padded}\x1b[0m"),
                (true, _) => format!("\x1b[33m{padded}\x1b[0m"),
                (false, _) => padded,
            };
            text.push_str(&format!(
                "\n{name:<20}{painted}{total:>10}{rate:>12.0}   {lag}"
            ));
        }
        if states.iter().any(failed) {
            text.push_str(&format!(
                "\nA task has failed; see why: milena connectors status --trace --url {}",
                self.url
            ));
        }
        text
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
