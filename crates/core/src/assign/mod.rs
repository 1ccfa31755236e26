//! Who runs what: Connect's two assignors as functions without side effects, and the check of what they promise.
//!
//! Answers to `EagerAssignor` and `IncrementalCooperativeAssignor` (KIP-415, KIP-828). They never look at a clock
//! (the moment is an argument) and never at a record of the config topic (the configured work is an argument).

mod check;
mod eager;
mod incremental;
mod work;

pub use check::{Violation, check_round};
pub use eager::assign_eager;
pub use incremental::{IncrementalAssignor, Plan, Round, RoundInput};
pub use work::Work;
