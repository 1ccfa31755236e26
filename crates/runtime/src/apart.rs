//! Threads for plugin code: whatever a plugin does on its thread, nothing of the worker waits for it
//! (Java: one thread per task and per connector).
//!
//! The future runs on the thread; timers, sockets and what it spawns stay with the worker's runtime, so clients and
//! group memberships go on while a plugin blocks. A thread that a plugin never gives back is left behind.

use std::{any::Any, future::Future, panic::AssertUnwindSafe, thread};

use futures_util::FutureExt;
use tokio::{runtime::Handle, sync::oneshot};
use tracing::Instrument as _;

/// Why a future ended without a result.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Lost {
    /// It panicked.
    #[error("panicked: {0}")]
    Panicked(String),
    /// There is no thread to run it on.
    #[error("there is no thread to run it on: {0}")]
    NoThread(String),
}

/// Runs a future on a thread of its own. Dropping the answer drops the future at its next await.
pub(crate) fn apart<T: Send + 'static>(
    name: &str,
    work: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = Result<T, Lost>> + Send + 'static {
    let runtime = Handle::current();
    // Log lines of the plugin are about what the caller works on.
    // On the heap, in its size: on the thread's stack it would be moved from frame to frame, and every page it was in stays
    // resident as long as the task lives (80 kB a task, measured).
    let work = Box::pin(work.in_current_span());
    let (mut done, answer) = oneshot::channel();
    let body = move || {
        let outcome = runtime.block_on(async {
            tokio::select! {
                outcome = AssertUnwindSafe(work).catch_unwind() => Some(outcome),
                () = done.closed() => None,
            }
        });
        if let Some(outcome) = outcome {
            // Nobody waits any more: nothing to tell.
            let _ = done.send(outcome.map_err(|panic| Lost::Panicked(said(panic.as_ref()))));
        }
    };
    // The system cuts longer names.
    let name: String = name.chars().take(15).collect();
    let started = thread::Builder::new().name(name).spawn(body);
    async move {
        if let Err(error) = started {
            return Err(Lost::NoThread(error.to_string()));
        }
        let gone = || Lost::Panicked("while it was being dropped".to_owned());
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// The message of a panic.
pub(crate) fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::{Lost, apart};

    #[tokio::test]
    async fn a_future_that_blocks_its_thread_blocks_nobody_else() {
        let (release, blocked) = mpsc::channel::<()>();
        let mut stuck = Box::pin(apart("stuck", async move { blocked.recv() }));
        let waited = tokio::time::timeout(Duration::from_millis(50), &mut stuck).await;
        assert!(waited.is_err(), "it still blocks");
        assert_eq!(apart("free", async { 7 }).await, Ok(7));
        release.send(()).unwrap();
        assert_eq!(stuck.await, Ok(Ok(())));
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        async fn bad() {
            panic!("no luck")
        }
        let lost = apart("bad", bad()).await;
        assert_eq!(lost, Err(Lost::Panicked("no luck".to_owned())));
    }

    #[tokio::test]
    async fn a_future_nobody_waits_for_is_dropped() {
        let (kept, dropped) = tokio::sync::oneshot::channel::<()>();
        let waits = apart("waits", async move {
            std::future::pending::<()>().await;
            drop(kept);
        });
        drop(waits);
        assert!(dropped.await.is_err());
    }
}
