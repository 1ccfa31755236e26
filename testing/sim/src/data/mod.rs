//! The data plane: tasks that move records while brokers, networks and workers fail, over the parts of the core that decide
//! what may be committed. One history is one task, or one group of sink tasks.
//!
//! The core's own: the offset ledger, the book of a sink, the membership of sink tasks and its assignors. Modelled: the log
//! with transactions and messages that come late, the coordinator, plugins and what they read and write. The order of acts
//! of an exactly-once source is modelled after the runtime's, which is async; [`Careless`] shows that the checks bite.

mod queue;
mod sink;
mod source;
pub mod txn;

use std::collections::BTreeMap;

pub use sink::{SinkTrouble, run_sink, run_sink_through};
pub use source::{Scenario as SourceScenario, run_source};

/// A mistake that a task makes on purpose, so that a check that never fails is seen to be able to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Careless {
    /// None.
    No,
    /// After a commit without an answer it goes on with the same epoch (R9).
    ReusesEpoch,
    /// A fencing that fails once fails the task for ever, as in Java (R10, R15).
    FencesOnce,
    /// It writes its records to its own offsets topic, and reads that within the transaction (R13).
    WritesToOwnOffsets,
    /// It commits what was polled, not what was acknowledged (R1).
    CommitsPolled,
    /// The sink confirms what it has not written.
    ConfirmsEarly,
    /// It wakes up and goes on, however long it stood still.
    IgnoresLease,
}

/// Which history.
#[derive(Clone, Copy, Debug)]
pub struct DataOptions {
    /// The seed.
    pub seed: u64,
    /// Simulated minutes with faults; the world then heals and must come to its end.
    pub minutes: u64,
    /// A mistake made on purpose.
    pub careless: Careless,
}

/// What became of it.
#[derive(Debug, Default)]
pub struct DataReport {
    /// Equal for equal histories.
    pub hash: u64,
    /// Events.
    pub steps: u64,
    /// How often what happened that a run should have seen.
    pub sometimes: BTreeMap<&'static str, u64>,
    /// The broken promise, when, and how.
    pub violation: Option<(&'static str, u64, String)>,
}

impl DataReport {
    fn seen(&mut self, what: &'static str) {
        *self.sometimes.entry(what).or_default() += 1;
    }

    fn broken(&mut self, name: &'static str, at: u64, text: String) {
        self.violation.get_or_insert((name, at, text));
    }

    /// Mixes one more thing that happened into the hash (FNV-1a by words).
    fn mix(&mut self, of: u64) {
        self.hash = (self.hash ^ of).wrapping_mul(0x0000_0100_0000_01b3);
    }
}
