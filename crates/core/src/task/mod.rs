//! What a task decides: which topic to create, when to commit, which offsets a sink may commit.
//!
//! Answers to the deciding parts of `AbstractWorkerSourceTask`, `ExactlyOnceWorkerSourceTask` and
//! `WorkerSinkTask` (spec `distributed.md` 3 to 5).

mod boundary;
mod sink_offsets;

pub use boundary::{BoundaryRequest, TransactionBoundary, parse_boundary};
pub use sink_offsets::{SinkOffsets, SinkPartition};
