//! What happens to a record that fails: retry, tolerance, dead letter (KIP-298, KIP-610; spec `data.md` 5).
//!
//! Decisions only; the engine waits, produces and logs.

mod dead_letter;
mod report;
mod retry;
mod sink_topics;
mod stage;
mod verdict;

pub use dead_letter::{ConsumedRecord, FailureContext, FailureError, context_headers};
pub use report::{consumed_record_text, log_line};
pub use retry::{RetryPolicy, Tolerance};
pub use sink_topics::check_sink_topics;
pub use stage::Stage;
pub use verdict::{Verdict, verdict};
