//! Running a text of vectors and the report of it.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
};

use anyhow::Result;
use serde_json::Value as Json;

use crate::{
    check::{Fault, Outcome, Phase, error_matches, show_error},
    run::{NOT_OFFERED, run},
    vector::Vector,
};

/// How an area did.
#[derive(Debug, Default)]
pub struct AreaReport {
    /// Vectors that passed.
    pub passed: usize,
    /// All vectors of the area.
    pub total: usize,
}

/// A vector that did not pass.
#[derive(Debug)]
struct Failure {
    id: String,
    expected: String,
    actual: String,
}

/// How all areas did.
#[derive(Debug, Default)]
pub struct Report {
    /// By area.
    pub areas: BTreeMap<String, AreaReport>,
    /// Vectors of areas that are not offered yet.
    pub not_offered: BTreeMap<String, usize>,
    failures: Vec<Failure>,
}

impl Report {
    /// The number of vectors that failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.failures.len()
    }

    /// The report for a person: a line per area, then each failure.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = String::new();
        for failure in &self.failures {
            let _ = writeln!(
                out,
                "FAILED {}\n  expected {}\n  actual   {}",
                failure.id, failure.expected, failure.actual
            );
        }
        for (area, report) in &self.areas {
            let _ = writeln!(out, "{area} {}/{}", report.passed, report.total);
        }
        for (area, count) in &self.not_offered {
            let _ = writeln!(out, "{area} not offered yet ({count})");
        }
        let passed: usize = self.areas.values().map(|area| area.passed).sum();
        let total: usize = self.areas.values().map(|area| area.total).sum();
        let _ = writeln!(out, "total {passed}/{total}");
        out
    }
}

/// Runs all vectors of a text, one JSON object a line.
///
/// # Errors
/// A line is not a vector.
pub fn run_text(text: &str) -> Result<Report> {
    let mut report = Report::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let vector = Vector::parse(line)?;
        let family = vector.area.split('.').next().unwrap_or_default();
        if NOT_OFFERED.contains(&family) {
            *report.not_offered.entry(vector.area).or_default() += 1;
            continue;
        }
        let found = judge(&vector);
        let area = report.areas.entry(vector.area.clone()).or_default();
        area.total += 1;
        match found {
            None => area.passed += 1,
            Some(actual) => report.failures.push(Failure {
                expected: expected_text(&vector),
                id: vector.id,
                actual,
            }),
        }
    }
    Ok(report)
}

fn expected_text(vector: &Vector) -> String {
    match (&vector.error, &vector.expect) {
        (Some(error), _) => format!("error {}", Json::Object(error.clone())),
        (None, Some(expect)) => expect.to_string(),
        (None, None) => "nothing".to_owned(),
    }
}

/// What came out instead of what was expected; nothing when it is as expected.
fn judge(vector: &Vector) -> Option<String> {
    // A panic is a finding like any other, and must not hide the vectors after it.
    let outcome: Outcome = catch_unwind(AssertUnwindSafe(|| run(vector)))
        .unwrap_or_else(|_| Err(Fault::Broken(anyhow::anyhow!("it panicked"))));
    match (outcome, &vector.error) {
        (Ok(None), None) => None,
        (Ok(Some(actual)), None) => Some(actual),
        (Ok(actual), Some(_)) => Some(actual.unwrap_or_else(|| "no error".to_owned())),
        (Err(Fault::Plugin(phase, error)), Some(expected))
            if error_matches(expected, phase, &error) =>
        {
            None
        }
        (Err(Fault::Plugin(phase, error)), _) => Some(show_error(phase, &error)),
        (Err(Fault::Broken(error)), _) => Some(format!("cannot run: {error:#}")),
    }
}

/// Marks an error as one of configuration.
pub(crate) fn configuring<T>(result: Result<T, milena_api::ConnectError>) -> Result<T, Fault> {
    result.map_err(|error| Fault::Plugin(Phase::Configure, error))
}
