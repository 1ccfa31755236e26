//! Writes statuses in the background, in order per key; only the newest of a key is kept while the broker is away.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use indexmap::IndexMap;
use milena_core::{cluster::KeyValue, status::StatusRecord};
use tokio::sync::{Notify, oneshot};
use tracing::warn;

use super::{
    appender::{Appender, Entry},
    topic_log::TopicLog,
};

const RETRY: Duration = Duration::from_millis(200);

#[derive(Default)]
struct Pending {
    /// By key: bounded by the number of connectors, tasks and topics, whatever happens.
    records: IndexMap<String, Option<Vec<u8>>>,
    flushes: Vec<oneshot::Sender<()>>,
}

/// Takes statuses to write; never waits.
#[derive(Clone)]
pub(super) struct StatusWriter {
    pending: Arc<Mutex<Pending>>,
    wake: Arc<Notify>,
    _log: Arc<TopicLog>,
}

impl StatusWriter {
    /// Begins to write to the topic.
    /// The reader of the topic lives as long as the writer.
    pub(super) fn start(appender: Appender, topic: Arc<str>, log: TopicLog) -> Self {
        let writer = Self {
            pending: Arc::default(),
            wake: Arc::default(),
            _log: Arc::new(log),
        };
        tokio::spawn(writer.clone().run(appender, topic));
        writer
    }

    /// Writes soon.
    pub(super) fn write(&self, record: &StatusRecord) {
        let KeyValue { key, value } = record.encode();
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        // A newer status of the same key takes its place at the end of the line.
        pending.records.shift_remove(&key);
        pending.records.insert(key, value);
        drop(pending);
        self.wake.notify_one();
    }

    /// Waits until everything written so far is durable.
    pub(super) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            pending.flushes.push(done);
        }
        self.wake.notify_one();
        // A writer that is gone has nothing to flush.
        let _ = flushed.await;
    }

    async fn run(self, appender: Appender, topic: Arc<str>) {
        loop {
            let (records, flushes) = {
                let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
                let records = std::mem::take(&mut pending.records);
                (records, std::mem::take(&mut pending.flushes))
            };
            if records.is_empty() && flushes.is_empty() {
                self.wake.notified().await;
                continue;
            }
            let entries = records.iter().map(|(key, value)| Entry {
                key: key.clone().into_bytes().into(),
                value: value.clone().map(Into::into),
            });
            match appender.append(&topic, None, entries.collect()).await {
                Ok(()) => {
                    for flush in flushes {
                        // Whoever waited may have given up.
                        let _ = flush.send(());
                    }
                }
                Err(error) => {
                    let again = error.is_retriable();
                    warn!(%error, again, "writing statuses failed");
                    self.put_back(again.then_some(records), flushes);
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// What failed waits again, unless something newer of its key came meanwhile.
    fn put_back(
        &self,
        failed: Option<IndexMap<String, Option<Vec<u8>>>>,
        flushes: Vec<oneshot::Sender<()>>,
    ) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failed) = failed {
            let newer = std::mem::replace(&mut pending.records, failed);
            for (key, value) in newer {
                pending.records.shift_remove(&key);
                pending.records.insert(key, value);
            }
        }
        pending.flushes.extend(flushes);
    }
}
