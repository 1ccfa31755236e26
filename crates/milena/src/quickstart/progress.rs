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

use super::{
    orders::{self, Counts, Orders},
    pipeline::{Pipeline, SINK, SOURCE, TOPIC},
};
use crate::{verbs::output, worker::RunningWorker};

/// The demo's connectors in the order of the display: source and sink of each pipeline.
const CONNECTORS: [&str; 4] = [SOURCE, SINK, orders::SOURCE, orders::SINK];

/// One look at a connector.
struct Look {
    name: &'static str,
    state: String,
    records: u64,
    rate: f64,
    lag: String,
}

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
    orders: Orders,
    totals: [u64; 4],
    lines_shown: usize,
}

impl Progress {
    pub(super) fn new(
        worker: &RunningWorker,
        broker: &RunningBroker,
        pipeline: &Pipeline,
        orders: Orders,
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
            orders,
            totals: [0; 4],
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
                    "orders": self.orders.source(), "orders_copy": self.orders.target(),
                })
                .to_string(),
            );
            return;
        }
        // Quoted, because some shells take a `?` for a pattern.
        self.print(&format!(
            "Milena is running two pipelines:\n  \
             a file that grows   -> transforms -> topic {TOPIC} -> another file\n  \
             a table of orders   -> transforms -> topic orders           -> a table of another database\n\n  \
             input   {input}\n  output  {output}\n  orders  {source}\n  copy    {target}\n  \
             REST    {url}\n  broker  {broker}\n\nTry next:\n  \
             milena quickstart --show{dir}\n  \
             curl '{url}/connectors?expand=status'\n  \
             curl {url}/connectors/{SOURCE}/config\n  \
             curl -X PUT {url}/connectors/{SINK}/pause\n  \
             milena connectors status --watch --url {url}\n\n\
             Ctrl-C stops it; the next start goes on where it was.\n",
            input = self.input.display(),
            output = self.output.display(),
            source = self.orders.source().display(),
            target = self.orders.target().display(),
            dir = self.orders.elsewhere(),
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
        let totals = CONNECTORS.map(count);
        let before = std::mem::replace(&mut self.totals, totals);
        let source_lag = self.source_lag().await;
        let [lines_in, lines_out, orders_in, orders_out] = totals;
        let behind = [
            source_lag,
            Some(lines_in.saturating_sub(lines_out)),
            None,
            Some(orders_in.saturating_sub(orders_out)),
        ];
        let units = ["byte", "record", "", "record"];
        let mut looks = Vec::with_capacity(CONNECTORS.len());
        for (name, (((records, before), behind), unit)) in CONNECTORS
            .into_iter()
            .zip(totals.into_iter().zip(before).zip(behind).zip(units))
        {
            looks.push(Look {
                name,
                state: self.state(name).await,
                records,
                rate: records.saturating_sub(before) as f64 / elapsed,
                lag: match behind {
                    None => "-".to_owned(),
                    Some(1) => format!("1 {unit}"),
                    Some(count) => format!("{count} {unit}s"),
                },
            });
        }
        let orders = self.orders.clone();
        let counts = tokio::task::spawn_blocking(move || orders.counts()).await;
        let counts = counts.unwrap_or_default();
        if self.json {
            let mut connectors = serde_json::Map::new();
            for (look, behind) in looks.iter().zip(behind) {
                let key = if look.name == SOURCE {
                    "lag_bytes"
                } else {
                    "lag_records"
                };
                let entry = json!({
                    "state": look.state, "records": look.records, "records_per_second": look.rate.round(), key: behind,
                });
                connectors.insert(look.name.to_owned(), entry);
            }
            let [orders, copy] = counts;
            self.print(
                &json!({
                    "event": "progress", "connectors": connectors, "orders": orders, "orders_copy": copy,
                })
                .to_string(),
            );
            return;
        }
        if self.terminal {
            if self.lines_shown > 0 {
                // Up to the first line of the table, then clear to the end of the screen.
                let _ = write!(io::stdout(), "\x1b[{}A\x1b[J", self.lines_shown);
            }
            let table = self.table(&looks, counts);
            self.lines_shown = table.lines().count();
            // Long lines are cut at the edge, or the way back up would be miscounted.
            self.print(&format!("\x1b[?7l{table}\x1b[?7h"));
        } else {
            let looks: Vec<_> = looks
                .iter()
                .map(|look| {
                    let Look {
                        name,
                        state,
                        records,
                        rate,
                        lag,
                    } = look;
                    format!("{name} {state} records={records} rate={rate:.0}/s lag={lag}")
                })
                .collect();
            self.print(&looks.join("; "));
        }
    }

    /// The table that is redrawn on a terminal, and what to do when something has failed.
    fn table(&self, looks: &[Look], counts: [Option<Counts>; 2]) -> String {
        let mut text = format!(
            "{:<20}{:<12}{:>10}{:>12}   lag",
            "connector", "state", "records", "records/s"
        );
        for look in looks {
            let padded = format!("{:<12}", look.state);
            let painted = match (self.colours, look.state.as_str()) {
                (true, "RUNNING") => format!("\x1b[32m{padded}\x1b[0m"),
                (true, "FAILED") => format!("\x1b[31m{padded}\x1b[0m"),
                (true, _) => format!("\x1b[33m{padded}\x1b[0m"),
                (false, _) => padded,
            };
            text.push_str(&format!(
                "\n{:<20}{painted}{:>10}{:>12.0}   {}",
                look.name, look.records, look.rate, look.lag
            ));
        }
        let shown = |counts: Option<Counts>| {
            counts.map_or_else(
                || "nothing yet".to_owned(),
                |counts| format!("{} orders, {} paid", counts.orders, counts.paid),
            )
        };
        let [orders, copy] = counts.map(shown);
        text.push_str(&format!(
            "\n\norders.db: {orders}   ->   orders-copy.db: {copy}"
        ));
        if looks.iter().any(|look| look.state == "FAILED") {
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
