//! Converts what was read: the next batch on a thread of its own while the task is given the one before it.
//!
//! Ahead of the task it works only when nothing is reported of a record that fails: a report must not be made of a record
//! that the task is perhaps never given. What is converted and not taken can be forgotten, by partition.

use std::{collections::BTreeSet, collections::VecDeque, sync::Arc};

use bytes::Bytes;
use milena_api::ConnectError;
use milena_core::task::SinkPartition;
use milena_data::SinkRecord;
use milena_kafka::ports::PartitionBatch;
use tokio::{runtime::Handle, task::JoinHandle};

use super::{batch::Batch, decode::Decoder, reporter::Originals};

/// Fewer records than this are not worth another thread.
const BESIDE_MIN: usize = 64;

/// Records of more bytes than this are not kept until the next take their places.
const SPARE_BYTES_MAX: usize = 16 << 20;

/// Records of one partition, converted.
pub(super) struct Converted {
    pub(super) partition: SinkPartition,
    /// How many were read; some may have been dropped.
    pub(super) read: usize,
    /// One past the last that was read.
    pub(super) next: i64,
    pub(super) records: Vec<SinkRecord>,
    /// What their keys and values take, about.
    pub(super) bytes: usize,
    /// What the task fails with.
    pub(super) failure: Option<ConnectError>,
}

/// The converting end of a sink task.
pub(super) struct Conversion {
    /// Away while it works.
    decoder: Option<Decoder>,
    working: Option<JoinHandle<(Decoder, Vec<Converted>)>>,
    ready: VecDeque<Converted>,
    /// Records that the task is done with: the next are made in their places.
    spare: Vec<SinkRecord>,
    /// What the reporter needs of each record; nothing is converted ahead then.
    originals: Option<Arc<Originals>>,
}

impl Conversion {
    pub(super) fn new(decoder: Decoder, originals: Option<Arc<Originals>>) -> Self {
        Self {
            decoder: Some(decoder),
            working: None,
            ready: VecDeque::new(),
            spare: Vec::new(),
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

    /// Takes records that the task is done with, to make the next in their places.
    pub(super) fn reuse(&mut self, records: &mut Vec<SinkRecord>, bytes: usize) {
        if bytes > SPARE_BYTES_MAX {
            records.clear();
        } else if !records.is_empty() {
            self.spare = std::mem::take(records);
        }
    }

    /// Gives the memory of such records back: nobody knows when the next come.
    pub(super) fn rest(&mut self) {
        self.spare = Vec::new();
    }

    /// Begins to convert; what was begun before must be finished.
    pub(super) async fn begin(&mut self, batches: Vec<PartitionBatch>) {
        let Some(mut decoder) = self.decoder.take() else {
            return;
        };
        let mut spare = std::mem::take(&mut self.spare);
        let count: usize = batches.iter().map(|batch| batch.records.len()).sum();
        if !self.works_ahead() || count < BESIDE_MIN {
            let converted =
                convert(&mut decoder, batches, &mut spare, self.originals.as_deref()).await;
            self.ready.extend(converted);
            self.decoder = Some(decoder);
            return;
        }
        // Plugins work here: a thread that nobody else waits for.
        let runtime = Handle::current();
        self.working = Some(tokio::task::spawn_blocking(move || {
            let converted = runtime.block_on(convert(&mut decoder, batches, &mut spare, None));
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
    spare: &mut Vec<SinkRecord>,
    originals: Option<&Originals>,
) -> Vec<Converted> {
    let mut all = Vec::with_capacity(batches.len());
    for batch in batches {
        let Some(last) = batch.records.last() else {
            continue;
        };
        let count = batch.records.len();
        let spare = match spare.len() {
            more if more > count => spare.split_off(more - count),
            _ => std::mem::take(spare),
        };
        decoder.begin_batch(&batch.topic, spare.first());
        let mut records = Batch::new(spare, count);
        let mut converted = Converted {
            partition: (Arc::clone(&batch.topic), batch.partition),
            read: count,
            next: last.offset + 1,
            records: Vec::new(),
            bytes: 0,
            failure: None,
        };
        for record in batch.records {
            if let Some(originals) = originals {
                originals.keep(&batch.topic, batch.partition, &record);
            }
            let sizes = [&record.key, &record.value].map(|one| one.as_ref().map_or(0, Bytes::len));
            converted.bytes += sizes.iter().sum::<usize>();
            let (topic, partition) = (&batch.topic, batch.partition);
            let begun = decoder.begin(partition, &record, &mut records);
            if begun.is_done() {
                continue;
            }
            let finished = decoder.finish(begun, topic, partition, &record, &mut records);
            if let Err(error) = finished.await {
                converted.failure = Some(error);
                break;
            }
        }
        converted.records = records.into_records();
        let failed = converted.failure.is_some();
        all.push(converted);
        if failed {
            break;
        }
    }
    all
}

#[cfg(test)]
#[path = "conversion_tests.rs"]
mod tests;
