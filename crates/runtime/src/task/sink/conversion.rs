//! Converts what was read: the next batch on a thread of its own while the task is given the one before it.
//!
//! Ahead of the task it works only when nothing is reported of a record that fails: a report must not be made of a record
//! that the task is perhaps never given. What is converted and not taken can be forgotten, by partition.

use std::{collections::BTreeSet, collections::VecDeque, sync::Arc};

use milena_api::ConnectError;
use milena_core::task::SinkPartition;
use milena_data::SinkRecord;
use milena_kafka::ports::PartitionBatch;
use tokio::{runtime::Handle, task::JoinHandle};

use super::{decode::Decoder, reporter::Originals};

/// Fewer records than this are not worth another thread.
const BESIDE_MIN: usize = 64;

/// Records of one partition, converted.
pub(super) struct Converted {
    pub(super) partition: SinkPartition,
    /// How many were read; some may have been dropped.
    pub(super) read: usize,
    /// One past the last that was read.
    pub(super) next: i64,
    pub(super) records: Vec<SinkRecord>,
    /// What the task fails with.
    pub(super) failure: Option<ConnectError>,
}

/// The converting end of a sink task.
pub(super) struct Conversion {
    /// Away while it works.
    decoder: Option<Decoder>,
    working: Option<JoinHandle<(Decoder, Vec<Converted>)>>,
    ready: VecDeque<Converted>,
    /// What the reporter needs of each record; nothing is converted ahead then.
    originals: Option<Arc<Originals>>,
}

impl Conversion {
    pub(super) fn new(decoder: Decoder, originals: Option<Arc<Originals>>) -> Self {
        Self {
            decoder: Some(decoder),
            working: None,
            ready: VecDeque::new(),
            originals,
        }
    }

    /// Whether batches may be converted that the task is not given next.
    pub(super) fn works_ahead(&self) -> bool {
        self.originals.is_none()
    }

    /// Whether something is being converted, or waits to be taken, of partitions that are not held.
    pub(super) fn has_work(&self, held: &BTreeSet<SinkPartition>) -> bool {
        let free = |converted: &Converted| !held.contains(&converted.partition);
        self.working.is_some() || self.ready.iter().any(free)
    }

    /// Begins to convert; what was begun before must be finished.
    pub(super) async fn begin(&mut self, batches: Vec<PartitionBatch>) {
        let Some(mut decoder) = self.decoder.take() else {
            return;
        };
        let count: usize = batches.iter().map(|batch| batch.records.len()).sum();
        if !self.works_ahead() || count < BESIDE_MIN {
            let converted = convert(&mut decoder, batches, self.originals.as_deref()).await;
            self.ready.extend(converted);
            self.decoder = Some(decoder);
            return;
        }
        // Plugins work here: a thread that nobody else waits for.
        let runtime = Handle::current();
        self.working = Some(tokio::task::spawn_blocking(move || {
            let converted = runtime.block_on(convert(&mut decoder, batches, None));
            (decoder, converted)
        }));
    }

    /// Waits until what was begun is done. Nothing is lost when it is dropped.
    pub(super) async fn finished(&mut self) {
        let Some(working) = &mut self.working else {
            return;
        };
        let outcome = working.await;
        self.working = None;
        match outcome {
            Ok((decoder, converted)) => {
                self.decoder = Some(decoder);
                self.ready.extend(converted);
            }
            // A plugin's panic is the task's.
            Err(error) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }

    /// Takes what is ready, in order, but nothing of partitions that are held.
    pub(super) fn take(&mut self, held: &BTreeSet<SinkPartition>) -> VecDeque<Converted> {
        if held.is_empty() {
            return std::mem::take(&mut self.ready);
        }
        let ready = std::mem::take(&mut self.ready).into_iter();
        let (kept, taken) = ready.partition(|one| held.contains(&one.partition));
        self.ready = kept;
        taken
    }

    /// Forgets what belongs to these partitions.
    pub(super) async fn forget(&mut self, gone: &(dyn Fn(&str, i32) -> bool + Sync)) {
        self.finished().await;
        self.ready
            .retain(|one| !gone(&one.partition.0, one.partition.1));
    }
}

async fn convert(
    decoder: &mut Decoder,
    batches: Vec<PartitionBatch>,
    originals: Option<&Originals>,
) -> Vec<Converted> {
    let mut all = Vec::with_capacity(batches.len());
    for batch in batches {
        let Some(last) = batch.records.last() else {
            continue;
        };
        let mut converted = Converted {
            partition: (Arc::clone(&batch.topic), batch.partition),
            read: batch.records.len(),
            next: last.offset + 1,
            records: Vec::with_capacity(batch.records.len()),
            failure: None,
        };
        decoder.begin_batch(&batch.topic);
        for record in batch.records {
            if let Some(originals) = originals {
                originals.keep(&batch.topic, batch.partition, &record);
            }
            let records = &mut converted.records;
            let (topic, partition) = (&batch.topic, batch.partition);
            let begun = decoder.begin(partition, &record, records);
            if begun.is_done() {
                continue;
            }
            let finished = decoder.finish(begun, topic, partition, &record, records);
            if let Err(error) = finished.await {
                converted.failure = Some(error);
                break;
            }
        }
        let failed = converted.failure.is_some();
        all.push(converted);
        if failed {
            break;
        }
    }
    all
}
