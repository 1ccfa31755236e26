//! Tasks: each runs on its own, harms only itself, and is reached through a [`TaskHandle`].
//!
//! Answers to `WorkerTask`, `WorkerSourceTask`, `ExactlyOnceWorkerSourceTask` and `WorkerSinkTask`
//! (spec `distributed.md` sections 3, 4, 5). A task never touches a status or the group of the worker:
//! it sends [`TaskEvent`]s to its host, which does.

mod handle;
mod offsets;
mod spec;

pub use handle::{TaskEvent, TaskHandle, TaskReport};
pub use offsets::{OffsetWrite, SourceOffsets};
pub use spec::{ExactlyOnce, TaskId, TaskSpec, TaskTarget, TaskWorld};
