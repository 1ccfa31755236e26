//! All that is known under the one lock of a producer.

use std::{collections::HashSet, sync::Arc};

use tokio::time::Instant;

use super::{
    batch::Batch,
    errors,
    metrics::Metrics,
    partition::ProducerId,
    settings::ProduceSettings,
    topics::{At, Topics},
};
use crate::ports::{Ack, KafkaError, KafkaErrorKind};

/// Buffers kept for the next batches.
const SPARE_MAX: usize = 8;

/// How far a producer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Records are taken.
    Open,
    /// Nothing is taken any more; what was is sent.
    Closing,
    /// Nothing is sent any more.
    Abandoned,
}

/// Under whom is written.
#[derive(Debug)]
pub(super) enum Identity {
    /// Without idempotence.
    None,
    /// An id has to be asked for.
    Wanted,
    /// It is being asked for.
    Asked,
    Known(ProducerId),
    /// There is none to be had.
    Refused(KafkaError),
}

/// How far a transaction is.
#[derive(Clone, Debug)]
pub(super) enum TxnPhase {
    /// The producer has no transactions.
    Never,
    Uninitialised,
    Initialising,
    Ready,
    Open,
    /// Something of it failed: it can only be aborted.
    Failed(KafkaError),
    Committing,
    Aborting,
    /// Nothing can be done with the producer any more.
    Fatal(KafkaError),
}

/// The transaction.
#[derive(Debug)]
pub(super) struct Txn {
    pub(super) phase: TxnPhase,
    /// The coordinator knows, or may know, of it.
    pub(super) started: bool,
    /// Brokers add partitions by themselves, and ends raise the epoch (KIP-890).
    pub(super) v2: bool,
    /// Its end must raise the epoch: a sequence was lost, or something may still be on its way.
    pub(super) bump: bool,
    /// The partitions of it, as far as they were added by us.
    pub(super) added: HashSet<At>,
    /// Those that are to be added.
    pub(super) to_add: HashSet<At>,
    pub(super) adding: bool,
    pub(super) coordinator: Option<i32>,
}

/// The state.
pub(super) struct State {
    pub(super) topics: Topics,
    /// Partitions with something to send, in turn.
    pub(super) active: Vec<At>,
    /// Of `buffer.memory`.
    pub(super) used: usize,
    /// Batches not answered.
    pub(super) incomplete: usize,
    /// The number of the next batch.
    pub(super) next: u64,
    pub(super) acks: Vec<Ack>,
    /// A record failed since the producer was made.
    pub(super) failed: bool,
    pub(super) stops_at_failure: bool,
    /// Callers that wait until all is sent.
    pub(super) flushing: usize,
    /// A caller waits for memory.
    pub(super) blocked: bool,
    pub(super) phase: Phase,
    pub(super) identity: Identity,
    pub(super) txn: Txn,
    /// The topics have to be asked for.
    pub(super) wants_metadata: bool,
    /// Why the cluster cannot be asked, if that will not pass by itself.
    pub(super) refused: Option<(KafkaError, Instant)>,
    pub(super) metrics: Metrics,
    spare: Vec<Vec<u8>>,
}

impl State {
    pub(super) fn new(settings: &ProduceSettings) -> Self {
        let transactional = settings.transactional_id.is_some();
        Self {
            topics: Topics::default(),
            active: Vec::new(),
            used: 0,
            incomplete: 0,
            next: 0,
            acks: Vec::new(),
            failed: false,
            stops_at_failure: false,
            flushing: 0,
            blocked: false,
            phase: Phase::Open,
            identity: match (settings.idempotent, transactional) {
                (false, _) => Identity::None,
                (true, false) => Identity::Wanted,
                // Given by the coordinator.
                (true, true) => Identity::Asked,
            },
            txn: Txn {
                phase: match transactional {
                    true => TxnPhase::Uninitialised,
                    false => TxnPhase::Never,
                },
                started: false,
                v2: false,
                bump: false,
                added: HashSet::new(),
                to_add: HashSet::new(),
                adding: false,
                coordinator: None,
            },
            wants_metadata: false,
            refused: None,
            metrics: Metrics::default(),
            spare: Vec::new(),
        }
    }

    pub(super) const fn is_transactional(&self) -> bool {
        !matches!(self.txn.phase, TxnPhase::Never)
    }

    /// Whether batches are sent before they are full or old enough.
    pub(super) fn hurries(&self) -> bool {
        self.flushing > 0 || self.blocked || self.phase != Phase::Open
    }

    /// A buffer for a batch.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes a partition into the list of those with something to send.
    pub(super) fn activate(&mut self, at: At) {
        if let Some(partition) = self.topics.partition_mut(at)
            && !partition.active
        {
            partition.active = true;
            self.active.push(at);
        }
    }

    /// A record or a batch failed.
    pub(super) fn note_failure(&mut self, error: &KafkaError) {
        self.failed = true;
        if !self.is_transactional() {
            return;
        }
        // Only what speaks of the producer, not of the record, ends all.
        if matches!(error.kind, KafkaErrorKind::Fenced) {
            self.txn.phase = TxnPhase::Fatal(error.clone());
            return;
        }
        match &self.txn.phase {
            TxnPhase::Open | TxnPhase::Committing => {
                self.txn.phase = TxnPhase::Failed(error.clone());
            }
            _ => {}
        }
    }

    /// A batch is done with: its memory is free.
    pub(super) fn release(&mut self, batch: Batch, reuse: usize) {
        self.used = self.used.saturating_sub(batch.charged);
        self.incomplete = self.incomplete.saturating_sub(1);
        if self.incomplete == 0 {
            // Nothing is kept for a producer that may now be idle.
            self.spare.clear();
        } else if self.spare.len() < SPARE_MAX
            && let Some(buffer) = batch.buffer()
            && buffer.capacity() <= reuse
        {
            self.spare.push(buffer);
        }
    }

    /// A batch failed for good.
    pub(super) fn fail(&mut self, at: At, batch: Batch, error: &KafkaError) {
        let topic = self.topics.name(at);
        self.metrics.fails(Instant::now(), &topic, batch.count);
        batch.failed(error, &mut self.acks);
        self.note_failure(error);
        self.release(batch, 0);
    }

    /// All that waits fails.
    pub(super) fn fail_queued(&mut self, error: &KafkaError) {
        for at in std::mem::take(&mut self.active) {
            let Some(partition) = self.topics.partition_mut(at) else {
                continue;
            };
            partition.active = false;
            for batch in std::mem::take(&mut partition.queue) {
                self.doubt(at, &batch);
                self.fail(at, batch, error);
            }
        }
    }

    /// The partition of a batch that expired, or fails in another way without an answer.
    pub(super) fn expire(&mut self, at: At, batch: Batch, now: Instant) {
        let name: Arc<str> = self.topics.name(at);
        let age = now.saturating_duration_since(batch.created);
        let error = errors::expired(batch.count, &name, at.partition, age);
        self.doubt(at, &batch);
        self.fail(at, batch, &error);
    }
}
