//! What compaction keeps of a batch: the decisions, without any file.
//!
//! Kafka's promises: order and offsets stay; the last value of a key stays; a tombstone stays
//! `delete.retention.ms` after the pass that first reached it; records of aborted transactions go;
//! a marker goes only once its transaction has no records left, and its own horizon has passed; the
//! last batch of each producer stays as a header, for it carries the sequence. Answers to Java's
//! `Cleaner.cleanInto`, `CleanedTransactionMetadata`; KIP-534.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::BuildHasher;
use std::io;

use bytes::BytesMut;

use super::aborted::AbortedEntry;
use super::batch::{BatchHeader, HEADER_LEN, LOG_OVERHEAD};
use super::build::MarkerKind;
use super::producers::LastBatch;
use super::records::{self, RawRecord};

/// Distinct keys one pass covers (about 12 MB); the next pass goes on behind them.
const KEYS_MAX: usize = 450_000;

/// Last offset of each key, keys as 128 bits of keyed hash.
#[derive(Debug, Default)]
pub(super) struct KeyMap {
    hashers: (RandomState, RandomState),
    last_offsets: HashMap<(u64, u64), i64>,
    /// Offset up to which keys were read.
    pub(super) up_to: i64,
}

impl KeyMap {
    fn hash(&self, key: &[u8]) -> (u64, u64) {
        (self.hashers.0.hash_one(key), self.hashers.1.hash_one(key))
    }

    pub(super) fn is_full(&self) -> bool {
        self.last_offsets.len() >= KEYS_MAX
    }

    /// Takes in the keys of a batch; one that cannot be decoded has none.
    pub(super) fn add(&mut self, header: &BatchHeader, payload: &[u8]) {
        let Ok(plain) = decoded(header, payload) else {
            return;
        };
        for record in records::raw_records(&plain).map_while(Result::ok) {
            if let Some(key) = record.key {
                let offset = header.base_offset + i64::from(record.offset_delta);
                let hash = self.hash(key);
                self.last_offsets.insert(hash, offset);
            }
        }
    }

    /// Whether no later record of the pass has the key.
    fn is_last(&self, key: &[u8], offset: i64) -> bool {
        self.last_offsets
            .get(&self.hash(key))
            .is_none_or(|last| offset >= *last)
    }
}

/// Which transactions ended how, followed batch by batch.
#[derive(Debug, Default, Clone)]
pub(super) struct TransactionFilter {
    /// Not reached yet, by first offset.
    coming: VecDeque<AbortedEntry>,
    /// Aborted transactions reached, and whether records of them were seen.
    aborted: HashMap<i64, bool>,
    committed: HashSet<i64>,
}

impl TransactionFilter {
    pub(super) fn new(mut aborted: Vec<AbortedEntry>) -> TransactionFilter {
        aborted.sort_unstable_by_key(|entry| entry.first_offset);
        TransactionFilter {
            coming: aborted.into(),
            ..TransactionFilter::default()
        }
    }

    fn reach(&mut self, header: &BatchHeader) {
        let offset = header.last_offset();
        while let Some(entry) = self
            .coming
            .pop_front_if(|entry| entry.first_offset <= offset)
        {
            // One that ended before (in a segment not read) says nothing about what comes.
            if entry.last_offset >= header.base_offset {
                self.aborted.entry(entry.producer_id).or_insert(false);
            }
        }
    }

    /// Whether the records of a data batch belong to an aborted transaction.
    pub(super) fn is_aborted(&mut self, header: &BatchHeader) -> bool {
        if !header.is_transactional() {
            return false;
        }
        self.reach(header);
        if let Some(seen) = self.aborted.get_mut(&header.producer_id) {
            *seen = true;
            return true;
        }
        self.committed.insert(header.producer_id);
        false
    }

    /// Goes past a marker whose kind does not matter.
    pub(super) fn pass_marker(&mut self, header: &BatchHeader) {
        self.reach(header);
        self.committed.remove(&header.producer_id);
        self.aborted.remove(&header.producer_id);
    }

    /// Whether a marker has no records left before it.
    fn is_bare_marker(&mut self, header: &BatchHeader, kind: MarkerKind) -> bool {
        self.reach(header);
        let had_committed = self.committed.remove(&header.producer_id);
        match kind {
            MarkerKind::Abort => self.aborted.remove(&header.producer_id) != Some(true),
            MarkerKind::Commit => !had_committed,
        }
    }
}

/// What becomes of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// Nothing.
    Nothing,
    /// The batch as it is.
    AsItIs,
    /// Another batch in its place.
    Instead(BatchHeader, Vec<u8>),
}

/// The decisions of one pass.
#[derive(Debug)]
pub(super) struct BatchFilter {
    pub(super) keys: KeyMap,
    pub(super) transactions: TransactionFilter,
    pub(super) last_batches: HashMap<i64, LastBatch>,
    pub(super) now_ms: i64,
    /// Horizon given to tombstones and markers reached for the first time.
    pub(super) horizon_ms: i64,
}

impl BatchFilter {
    /// Decides on a batch; batches come in order.
    pub(super) fn keep(&mut self, header: &BatchHeader, payload: &[u8]) -> io::Result<Kept> {
        if header.is_control() {
            return Ok(self.keep_marker(header, payload));
        }
        if self.transactions.is_aborted(header) || header.records_count == 0 {
            return Ok(self.emptied(header));
        }
        // Keys behind the map are the next pass's.
        if header.last_offset() >= self.keys.up_to {
            return Ok(Kept::AsItIs);
        }
        let Ok(plain) = decoded(header, payload) else {
            return Ok(Kept::AsItIs);
        };
        let tombstones_stay = header
            .delete_horizon()
            .is_none_or(|horizon| self.now_ms < horizon);
        let mut kept = Vec::new();
        let mut tombstones = false;
        for record in records::raw_records(&plain) {
            // A batch that is not what it says is left alone.
            let Ok(record) = record else {
                return Ok(Kept::AsItIs);
            };
            let offset = header.base_offset + i64::from(record.offset_delta);
            let last = record.key.is_some_and(|key| self.keys.is_last(key, offset));
            if last && (record.has_value || tombstones_stay) {
                tombstones |= !record.has_value;
                kept.push(record);
            }
        }
        if kept.is_empty() {
            return Ok(self.emptied(header));
        }
        let new_horizon = tombstones && header.delete_horizon().is_none();
        if !new_horizon && kept.len() == usize::try_from(header.records_count).unwrap_or(0) {
            return Ok(Kept::AsItIs);
        }
        self.rewritten(header, &kept, new_horizon)
    }

    fn keep_marker(&mut self, header: &BatchHeader, payload: &[u8]) -> Kept {
        let Some(marker) = records::marker(payload) else {
            return Kept::AsItIs;
        };
        if !self.transactions.is_bare_marker(header, marker.kind) {
            return Kept::AsItIs;
        }
        match header.delete_horizon() {
            None => self
                .rewritten(
                    header,
                    &records::raw_records(payload)
                        .map_while(Result::ok)
                        .collect::<Vec<_>>(),
                    true,
                )
                .unwrap_or(Kept::AsItIs),
            Some(horizon) if horizon <= self.now_ms && !self.is_last_of_producer(header) => {
                Kept::Nothing
            }
            Some(_) => Kept::AsItIs,
        }
    }

    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        self.last_batches
            .get(&header.producer_id)
            .is_some_and(|last| match last.data_offset {
                Some(offset) => offset == header.last_offset(),
                None => header.is_control() && header.producer_epoch == last.epoch,
            })
    }

    /// A batch without records, if its header must stay.
    fn emptied(&self, header: &BatchHeader) -> Kept {
        if !self.is_last_of_producer(header) {
            return Kept::Nothing;
        }
        if header.records_count == 0 {
            return Kept::AsItIs;
        }
        let mut empty = *header;
        empty.records_count = 0;
        empty.set_compression(0);
        empty.length = (HEADER_LEN - LOG_OVERHEAD) as i32;
        Kept::Instead(empty.sealed(&[]), Vec::new())
    }

    fn rewritten(
        &self,
        header: &BatchHeader,
        kept: &[RawRecord<'_>],
        new_horizon: bool,
    ) -> io::Result<Kept> {
        let mut out = *header;
        if new_horizon {
            out.set_delete_horizon(self.horizon_ms);
        }
        let shift = header.base_timestamp.wrapping_sub(out.base_timestamp);
        let mut plain = BytesMut::new();
        let mut max_timestamp = i64::MIN;
        for record in kept {
            let delta = record.timestamp_delta.wrapping_add(shift);
            record.write(&mut plain, delta);
            max_timestamp = max_timestamp.max(out.base_timestamp.wrapping_add(delta));
        }
        if !header.is_log_append_time() {
            out.max_timestamp = max_timestamp;
        }
        out.records_count = kept.len() as i32;
        let payload = records::compress(header.compression(), &plain)?;
        out.length = (HEADER_LEN - LOG_OVERHEAD + payload.len()) as i32;
        Ok(Kept::Instead(out.sealed(&payload), payload))
    }
}

fn decoded<'a>(header: &BatchHeader, payload: &'a [u8]) -> io::Result<std::borrow::Cow<'a, [u8]>> {
    records::decompress(header.compression(), payload, records::DECOMPRESSED_LEN_MAX)
}
