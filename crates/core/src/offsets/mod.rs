//! Source offsets: which of them may be committed, and how they stand in the offsets topic.

mod ledger;

pub use ledger::{OffsetLedger, PartitionIndex, Submission};
