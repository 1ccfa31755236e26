//! Processor time of the three that share the machine, from `/proc`.

use std::{
    fs,
    ops::{Add, Sub},
};

use anyhow::{Context as _, Result};

/// `CLK_TCK` of Linux on every machine this runs on.
const TICKS: f64 = 100.0;

/// Seconds of processor time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    pub(crate) worker: f64,
    pub(crate) kafka: f64,
    pub(crate) database: f64,
}

impl Cpu {
    /// Since their start.
    pub(crate) fn of(worker: u32, kafka: u32, database: u32) -> Result<Self> {
        let mut backends = 0.0;
        for entry in fs::read_dir("/proc")?.flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // One that has just ended counts with its parent.
            if let Ok((parent, own, _)) = times(pid)
                && parent == database
            {
                backends += own;
            }
        }
        let (_, own, ended) = times(database)?;
        Ok(Self {
            worker: times(worker)?.1,
            kafka: times(kafka)?.1,
            database: own + ended + backends,
        })
    }

    /// `worker 1.2, Kafka 0.3, PostgreSQL 0.9 CPU s per million rows`.
    pub(crate) fn shown(self, rows: f64) -> String {
        let per = |seconds: f64| seconds * 1e6 / rows;
        format!(
            "CPU s per million rows: worker {:.2}, Kafka {:.2}, PostgreSQL {:.2}",
            per(self.worker),
            per(self.kafka),
            per(self.database)
        )
    }
}

impl Add for Cpu {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            worker: self.worker + other.worker,
            kafka: self.kafka + other.kafka,
            database: self.database + other.database,
        }
    }
}

impl Sub for Cpu {
    type Output = Self;
    fn sub(self, before: Self) -> Self {
        Self {
            worker: self.worker - before.worker,
            kafka: self.kafka - before.kafka,
            database: self.database - before.database,
        }
    }
}

/// The parent of a process, its own seconds and those of its children that ended.
fn times(pid: u32) -> Result<(u32, f64, f64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold spaces.
    let (_, rest) = text.rsplit_once(')').context("no name")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |at: usize| -> Result<f64> { Ok(fields.get(at).context("short")?.parse()?) };
    let parent = fields.get(1).context("no parent")?.parse()?;
    let own = (number(11)? + number(12)?) / TICKS;
    let ended = (number(13)? + number(14)?) / TICKS;
    Ok((parent, own, ended))
}

/// What the children of a process took that have ended.
pub(crate) fn of_ended_children(pid: u32) -> Result<f64> {
    Ok(times(pid)?.2)
}
