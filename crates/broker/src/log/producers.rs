//! What a partition knows of its producers: epochs, the last batches for duplicate detection, open
//! transactions and with them the last stable offset.
//!
//! A pure state machine: rebuilt on open by replaying what was stored, so the same batches always
//! give the same state. Answers to Java's `ProducerStateManager`, `ProducerAppendInfo`; KIP-98,
//! KIP-360, KIP-890.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::append::{AppendError, AppendOrigin};
use super::batch::{BatchHeader, NO_SEQUENCE};
use super::partition::{OpenTransaction, ProducerSummary};
use super::recovery::{Marker, ScannedBatch};

/// Batches remembered per producer: Kafka's limit of requests in flight for idempotence.
pub(super) const BATCHES_KEPT: usize = 5;
pub(super) const NO_EPOCH: i16 = -1;

/// One remembered batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchMeta {
    pub(super) first_sequence: i32,
    pub(super) last_sequence: i32,
    pub(super) first_offset: i64,
    pub(super) last_offset: i64,
    pub(super) timestamp: i64,
}

/// One producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Producer {
    pub(super) epoch: i16,
    pub(super) coordinator_epoch: i32,
    pub(super) last_timestamp: i64,
    /// Oldest first; of the current epoch only.
    pub(super) batches: Vec<BatchMeta>,
    pub(super) txn_first_offset: Option<i64>,
}

impl Producer {
    fn new() -> Producer {
        Producer {
            epoch: NO_EPOCH,
            coordinator_epoch: -1,
            last_timestamp: -1,
            batches: Vec::new(),
            txn_first_offset: None,
        }
    }

    fn last_sequence(&self) -> i32 {
        self.batches
            .last()
            .map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }

    fn adopt_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batches.clear();
        }
    }
}

/// What a batch is to its producer's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// To be appended.
    Fresh,
    /// Appended before as this batch.
    Duplicate(BatchMeta),
}

/// A transaction that a marker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EndedTransaction {
    pub(super) producer_id: i64,
    pub(super) first_offset: i64,
}

/// All producers of a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Producers {
    by_id: HashMap<i64, Producer>,
    /// Open transactions by the offset of their first record.
    open: BTreeMap<i64, i64>,
}

impl Producers {
    /// Restores one producer of a checkpoint.
    pub(super) fn restore(&mut self, id: i64, producer: Producer) {
        if let Some(first) = producer.txn_first_offset {
            self.open.insert(first, id);
        }
        self.by_id.insert(id, producer);
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&i64, &Producer)> {
        self.by_id.iter()
    }

    /// First offset of the oldest open transaction.
    pub(super) fn first_unstable_offset(&self) -> Option<i64> {
        self.open.first_key_value().map(|(offset, _)| *offset)
    }

    /// Judges a data batch of a producer before it is appended.
    pub(super) fn check(
        &self,
        header: &BatchHeader,
        origin: AppendOrigin,
    ) -> Result<Verdict, AppendError> {
        let Some(producer) = self.by_id.get(&header.producer_id) else {
            return Ok(Verdict::Fresh);
        };
        if origin == AppendOrigin::Client
            && header.producer_epoch == producer.epoch
            && let Some(batch) = producer.batches.iter().find(|batch| {
                batch.first_sequence == header.base_sequence
                    && batch.last_sequence == header.last_sequence()
            })
        {
            return Ok(Verdict::Duplicate(*batch));
        }
        check_epoch(header.producer_id, producer, header.producer_epoch)?;
        if origin == AppendOrigin::Client {
            check_sequence(header, producer)?;
        }
        if producer.txn_first_offset.is_some() && !header.is_transactional() {
            return Err(AppendError::InvalidTxnState {
                producer_id: header.producer_id,
            });
        }
        Ok(Verdict::Fresh)
    }

    /// Judges a marker before it is appended.
    pub(super) fn check_marker(
        &self,
        producer_id: i64,
        epoch: i16,
        coordinator_epoch: i32,
    ) -> Result<(), AppendError> {
        let Some(producer) = self.by_id.get(&producer_id) else {
            return Ok(());
        };
        check_epoch(producer_id, producer, epoch)?;
        if coordinator_epoch < producer.coordinator_epoch {
            return Err(AppendError::CoordinatorFenced {
                found: coordinator_epoch,
                current: producer.coordinator_epoch,
            });
        }
        Ok(())
    }

    /// Takes in a data batch that was appended.
    pub(super) fn apply_data(&mut self, header: &BatchHeader) {
        if !header.has_producer() {
            return;
        }
        let producer = self
            .by_id
            .entry(header.producer_id)
            .or_insert_with(Producer::new);
        producer.adopt_epoch(header.producer_epoch);
        producer.last_timestamp = header.max_timestamp;
        if header.base_sequence != NO_SEQUENCE {
            if producer.batches.len() >= BATCHES_KEPT {
                producer.batches.remove(0);
            }
            producer.batches.push(BatchMeta {
                first_sequence: header.base_sequence,
                last_sequence: header.last_sequence(),
                first_offset: header.base_offset,
                last_offset: header.last_offset(),
                timestamp: header.max_timestamp,
            });
        }
        if header.is_transactional() && producer.txn_first_offset.is_none() {
            producer.txn_first_offset = Some(header.base_offset);
            self.open.insert(header.base_offset, header.producer_id);
        }
    }

    /// Takes in a marker that was appended; answers the transaction it ended, if any was open.
    pub(super) fn apply_marker(
        &mut self,
        header: &BatchHeader,
        marker: Marker,
    ) -> Option<EndedTransaction> {
        let producer = self
            .by_id
            .entry(header.producer_id)
            .or_insert_with(Producer::new);
        producer.adopt_epoch(header.producer_epoch);
        producer.coordinator_epoch = marker.coordinator_epoch;
        producer.last_timestamp = header.max_timestamp;
        let first_offset = producer.txn_first_offset.take()?;
        self.open.remove(&first_offset);
        Some(EndedTransaction {
            producer_id: header.producer_id,
            first_offset,
        })
    }

    /// Takes in a batch found on disk, without judging it.
    pub(super) fn replay(&mut self, batch: &ScannedBatch) -> Option<EndedTransaction> {
        match batch.marker {
            Some(marker) => self.apply_marker(&batch.header, marker),
            None if batch.header.is_control() => None,
            None => {
                // Compaction leaves a producer's last batch without records: it carries the
                // sequence, but opens no transaction.
                let mut header = batch.header;
                if header.records_count == 0 {
                    header.set_transactional(false);
                }
                self.apply_data(&header);
                None
            }
        }
    }

    /// Forgets producers idle for longer than `expiration`, but never one with a transaction open.
    pub(super) fn expire(&mut self, now_ms: i64, expiration: Duration) {
        let limit =
            now_ms.saturating_sub(i64::try_from(expiration.as_millis()).unwrap_or(i64::MAX));
        self.by_id.retain(|_, producer| {
            producer.txn_first_offset.is_some() || producer.last_timestamp >= limit
        });
    }

    pub(super) fn summaries(&self) -> Vec<ProducerSummary> {
        let mut all: Vec<_> = self
            .by_id
            .iter()
            .map(|(id, producer)| ProducerSummary {
                producer_id: *id,
                producer_epoch: producer.epoch,
                last_sequence: producer.last_sequence(),
                last_timestamp: producer.last_timestamp,
                coordinator_epoch: producer.coordinator_epoch,
                current_txn_first_offset: producer.txn_first_offset,
            })
            .collect();
        all.sort_unstable_by_key(|producer| producer.producer_id);
        all
    }

    pub(super) fn open_transactions(&self) -> Vec<OpenTransaction> {
        self.open
            .iter()
            .map(|(first_offset, id)| OpenTransaction {
                producer_id: *id,
                producer_epoch: self
                    .by_id
                    .get(id)
                    .map_or(NO_EPOCH, |producer| producer.epoch),
                first_offset: *first_offset,
            })
            .collect()
    }

    pub(super) fn has_open_transaction(&self, producer_id: i64, epoch: i16) -> bool {
        self.by_id
            .get(&producer_id)
            .is_some_and(|producer| producer.txn_first_offset.is_some() && producer.epoch == epoch)
    }

    /// The batch each producer's state rests on: compaction keeps its header.
    pub(super) fn last_batches(&self) -> HashMap<i64, LastBatch> {
        self.by_id
            .iter()
            .map(|(id, producer)| {
                let last = LastBatch {
                    epoch: producer.epoch,
                    data_offset: producer.batches.last().map(|batch| batch.last_offset),
                };
                (*id, last)
            })
            .collect()
    }
}

/// See [`Producers::last_batches`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastBatch {
    pub(super) epoch: i16,
    /// Last offset of the last data batch; `None` when a marker carries the state.
    pub(super) data_offset: Option<i64>,
}

fn check_epoch(producer_id: i64, producer: &Producer, epoch: i16) -> Result<(), AppendError> {
    if epoch < producer.epoch {
        return Err(AppendError::InvalidProducerEpoch {
            producer_id,
            found: epoch,
            current: producer.epoch,
        });
    }
    Ok(())
}

fn check_sequence(header: &BatchHeader, producer: &Producer) -> Result<(), AppendError> {
    let found = header.base_sequence;
    let last = producer.last_sequence();
    let accepted = if producer.epoch == NO_EPOCH {
        true
    } else if header.producer_epoch != producer.epoch {
        found == 0
    } else {
        i64::from(found) == i64::from(last) + 1 || (found == 0 && last == i32::MAX)
    };
    if accepted {
        return Ok(());
    }
    Err(AppendError::OutOfOrderSequence {
        producer_id: header.producer_id,
        found,
        last,
    })
}
