//! What becomes of an operation that failed for good (`RetryWithToleranceOperator`, spec `data.md` 5.2,
//! 5.3; with the fix of KAFKA-18073).

use super::{Stage, Tolerance};

/// Skip the record or fail the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The record is reported and skipped.
    Skip,
    /// The task fails with a ConnectException of this message, caused by the error itself.
    Fail(&'static str),
}

/// The verdict on an error that will not be tried again; `retriable` tells whether it is a Connect
/// `RetriableException`. Conversions and transforms may fail in any way, elsewhere only retriable errors
/// are tolerable.
#[must_use]
pub fn verdict(stage: Stage, retriable: bool, tolerance: Tolerance) -> Verdict {
    let any_error = matches!(
        stage,
        Stage::Transformation
            | Stage::KeyConverter
            | Stage::ValueConverter
            | Stage::HeaderConverter
    );
    if !any_error && !retriable {
        return Verdict::Fail("Unhandled exception in error handler");
    }
    match tolerance {
        Tolerance::All => Verdict::Skip,
        Tolerance::None => Verdict::Fail("Tolerance exceeded in error handler"),
    }
}
