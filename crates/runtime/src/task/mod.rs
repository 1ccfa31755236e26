//! Tasks: each runs on its own, harms only itself, and is reached through a [`TaskHandle`].
//!
//! Answers to `WorkerTask`, `WorkerSourceTask`, `ExactlyOnceWorkerSourceTask` and `WorkerSinkTask`
//! (spec `distributed.md` sections 3, 4, 5). A task never touches a status or the group of the worker:
//! it sends [`TaskEvent`]s to its host, which does.

mod ack_inbox;
mod clients;
mod failing;
mod handle;
mod metrics;
mod offset_reader;
mod offsets;
mod pipeline;
mod sink;
mod source;
mod spec;
mod start;
mod topic_use;
mod topics;
mod watch;

pub use handle::{TaskEvent, TaskHandle, TaskReport};
pub use metrics::{TaskMetrics, TaskMetricsBook, TaskState};
pub use offsets::{OffsetWrite, SourceOffsets};
pub use spec::{ExactlyOnce, StartGate, TaskSpec, TaskTarget, TaskWorld};
pub use start::start_task;
