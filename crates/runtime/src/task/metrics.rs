//! What tasks count while they run. Cheap atomics; readers take a snapshot.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use milena_core::TaskId;

/// The counters of one task since it was started.
#[derive(Debug, Default)]
pub struct TaskMetrics {
    /// Records that `poll` gave, or that were read for a sink.
    pub records_in: AtomicU64,
    /// Records that Kafka acknowledged, or that `put` took.
    pub records_out: AtomicU64,
    /// Records that were skipped by tolerance.
    pub records_skipped: AtomicU64,
}

impl TaskMetrics {
    /// Adds to a counter.
    pub(super) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// The counters of all tasks that run in this process.
#[derive(Debug, Default)]
pub struct TaskMetricsBook(Mutex<BTreeMap<TaskId, Arc<TaskMetrics>>>);

impl TaskMetricsBook {
    /// The counters of a task that starts now, from zero.
    pub(super) fn open(&self, id: &TaskId) -> Arc<TaskMetrics> {
        let metrics = Arc::new(TaskMetrics::default());
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        book.insert(id.clone(), Arc::clone(&metrics));
        metrics
    }

    /// Forgets a task that ended, unless a newer run has taken its place.
    pub(super) fn close(&self, id: &TaskId, metrics: &Arc<TaskMetrics>) {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if book.get(id).is_some_and(|held| Arc::ptr_eq(held, metrics)) {
            book.remove(id);
        }
    }

    /// The counters of all running tasks, by task.
    #[must_use]
    pub fn all(&self) -> Vec<(TaskId, Arc<TaskMetrics>)> {
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        book.iter()
            .map(|(id, metrics)| (id.clone(), Arc::clone(metrics)))
            .collect()
    }
}
