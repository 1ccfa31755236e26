//! States of connectors and tasks: looked at once, watched, or waited for.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    connectors::{Ended, path_of},
    failure::{Failure, Kind},
    output::{self, Shown, Table},
    remote::{About, Worker},
};

/// How long `--wait` waits.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(250);

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or("-")
}

fn tasks(status: &Value) -> impl Iterator<Item = &Value> {
    status
        .get("tasks")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn entries(all: &Value) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = all.as_object().into_iter().flatten().collect();
    entries.sort_by_key(|(name, _)| name.to_owned());
    entries
}

/// How many tasks run, of how many.
fn running(status: &Value) -> String {
    let all = tasks(status).count();
    let state = |wanted: &str| {
        tasks(status)
            .filter(|task| text(task, "/state") == wanted)
            .count()
    };
    match state("FAILED") {
        0 => format!("{}/{all}", state("RUNNING")),
        failed => format!("{}/{all}, {failed} failed", state("RUNNING")),
    }
}

/// `connectors list`.
pub(super) async fn list(worker: &Worker, shown: Shown) -> Ended {
    let all = worker
        .get("/connectors?expand=info&expand=status", About::Worker)
        .await?;
    if shown.json {
        return Ok(output::say_json(&all)?);
    }
    let mut table = Table::new(&["NAME", "TYPE", "STATE", "TASKS", "WORKER", "CLASS"]);
    let nothing = Value::Null;
    for (name, entry) in entries(&all) {
        let status = entry.get("status").unwrap_or(&nothing);
        let config = entry.pointer("/info/config").unwrap_or(&nothing);
        let class = config.get("connector.class").and_then(Value::as_str);
        table.row(&[
            name,
            text(entry, "/info/type"),
            text(status, "/connector/state"),
            &running(status),
            text(status, "/connector/worker_id"),
            class.unwrap_or("-"),
        ]);
    }
    if table.is_empty() {
        return Ok(output::say(
            "no connectors; `milena connectors create FILE` makes one",
        )?);
    }
    Ok(output::say(&table.render(shown.colours()))?)
}

/// `connectors status`.
pub(super) struct Look {
    pub(super) names: Vec<String>,
    pub(super) trace: bool,
    pub(super) shown: Shown,
}

impl Look {
    async fn statuses(&self, worker: &Worker) -> Result<Vec<Value>, Failure> {
        let mut found = Vec::new();
        if self.names.is_empty() {
            let all = worker
                .get("/connectors?expand=status", About::Worker)
                .await?;
            for (_, entry) in entries(&all) {
                found.extend(entry.get("status").cloned());
            }
        }
        for name in &self.names {
            found.push(
                worker
                    .get(&path_of(name, "/status"), About::Connector(name))
                    .await?,
            );
        }
        Ok(found)
    }

    fn render(&self, statuses: &[Value]) -> String {
        if statuses.is_empty() {
            return "no connectors; `milena connectors create FILE` makes one".to_owned();
        }
        let mut table = Table::new(&["CONNECTOR", "TASK", "STATE", "WORKER", "FAILURE"]);
        let mut traces = String::new();
        for status in statuses {
            let name = text(status, "/name");
            let nothing = Value::Null;
            let connector = status.get("connector").unwrap_or(&nothing);
            let numbered = tasks(status).map(|task| {
                let number = task.get("id").map(Value::to_string);
                (number.unwrap_or_default(), task)
            });
            for (number, part) in std::iter::once(("-".to_owned(), connector)).chain(numbered) {
                let trace = part
                    .get("trace")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let first = trace.lines().next().unwrap_or_default();
                table.row(&[
                    name,
                    &number,
                    text(part, "/state"),
                    text(part, "/worker_id"),
                    first,
                ]);
                if self.trace && !trace.is_empty() {
                    let trace = output::plain(trace.trim_end());
                    traces.push_str(&format!("\n{} {number}:\n{trace}\n", output::plain(name)));
                }
            }
        }
        table.render(self.shown.colours()) + &traces
    }

    /// Shows the states.
    pub(super) async fn once(&self, worker: &Worker) -> Ended {
        let statuses = self.statuses(worker).await?;
        match self.shown.json {
            true => output::say_json(&self.document(statuses))?,
            false => output::say(&self.render(&statuses))?,
        }
        Ok(())
    }

    /// One status by itself, several by name.
    fn document(&self, mut statuses: Vec<Value>) -> Value {
        if self.names.len() == 1 {
            return statuses.pop().unwrap_or_default();
        }
        let named = |status: Value| (text(&status, "/name").to_owned(), status);
        Value::Object(statuses.into_iter().map(named).collect::<Map<_, _>>())
    }

    /// Shows the states until Ctrl-C: redrawn on a terminal, elsewhere whenever they change, with `--json` one
    /// document a line.
    pub(super) async fn watch(&self, worker: &Worker, every: Duration) -> Ended {
        let terminal = !self.shown.json && io::stdout().is_terminal();
        let (mut last, mut lines) = (String::new(), 0);
        let mut ticks = tokio::time::interval(every);
        loop {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => return Ok(()),
                _ = ticks.tick() => {}
            }
            let now = match self.statuses(worker).await {
                Ok(statuses) if self.shown.json => self.document(statuses).to_string(),
                Ok(statuses) => self.render(&statuses),
                // A worker that restarts is what one watches for.
                Err(failure) if !last.is_empty() && failure.kind == Kind::NoAnswer => {
                    failure.in_json(self.shown.json).render()
                }
                Err(failure) => return Err(failure.into()),
            };
            if now == last {
                continue;
            }
            if terminal && lines > 0 {
                // Up to the first line, then clear to the end of the screen.
                let _ = write!(io::stdout(), "\x1b[{lines}A\x1b[J");
            }
            lines = now.trim_end().lines().count();
            // Long lines are cut at the edge, or the way back up would be miscounted.
            output::say(&match terminal {
                true => format!("\x1b[?7l{}\x1b[?7h", now.trim_end()),
                false => now.clone(),
            })?;
            last = now;
        }
    }
}

/// What `--wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    Running,
    Paused,
    Stopped,
}

impl Goal {
    /// The goal in words, once it is reached.
    pub(super) fn reached(self) -> &'static str {
        match self {
            Self::Running => "runs",
            Self::Paused => "is paused",
            Self::Stopped => "is stopped",
        }
    }

    fn is_reached(self, status: &Value) -> bool {
        let all = |state: &str| {
            text(status, "/connector/state") == state
                && tasks(status).all(|task| text(task, "/state") == state)
        };
        match self {
            Self::Running => all("RUNNING") && tasks(status).next().is_some(),
            Self::Paused => all("PAUSED"),
            Self::Stopped => {
                text(status, "/connector/state") == "STOPPED" && tasks(status).next().is_none()
            }
        }
    }
}

/// Waits for a connector and its tasks to get there.
pub(super) async fn until(worker: &Worker, name: &str, goal: Goal) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = worker
            .get(&path_of(name, "/status"), About::Connector(name))
            .await;
        let status = match answer {
            // A connector that is new has no status for a moment.
            Err(failure) if failure.kind == Kind::NotFound && Instant::now() < deadline => {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            answer => answer?,
        };
        if goal.is_reached(&status) {
            return Ok(());
        }
        let failed = tasks(&status).any(|task| text(task, "/state") == "FAILED")
            || text(&status, "/connector/state") == "FAILED";
        if Instant::now() > deadline {
            let state = text(&status, "/connector/state");
            let what = format!(
                "{name} is {state}, {} tasks run, after {} s",
                running(&status),
                PATIENCE.as_secs()
            );
            let remedy = match failed {
                true => format!("see why with `milena connectors status {name} --trace`"),
                false => "the worker's log says more".to_owned(),
            };
            return Err(Failure::new(Kind::Failed, what).remedy(remedy));
        }
        tokio::time::sleep(LOOK).await;
    }
}
