//! What happens to a record that fails: retry, tolerance, dead letter (KIP-298, KIP-610; spec `data.md` 5).
//!
//! Decisions only; the engine waits, produces and logs.

mod dead_letter;
mod report;
mod retry;
mod stage;

pub use dead_letter::{ConsumedRecord, FailureContext, FailureError, context_headers};
pub use report::log_line;
pub use retry::{RetryPolicy, Tolerance};
pub use stage::Stage;
