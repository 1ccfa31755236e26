//! The batch in hand: what was read and not yet taken by `put`.

use std::collections::BTreeMap;

use milena_core::task::SinkPartition;
use milena_data::SinkRecord;

/// Records waiting for `put`, with the positions that they stand for.
#[derive(Default)]
pub(super) struct Delivery {
    pub(super) records: Vec<SinkRecord>,
    /// What their keys and values took in Kafka, about.
    pub(super) bytes: usize,
    /// One past the last record read of each partition, dropped records included.
    pub(super) positions: BTreeMap<SinkPartition, i64>,
    /// `put` asked for the same batch again.
    pub(super) again: bool,
}

impl Delivery {
    /// Forgets what belongs to these partitions, by where the records came from, not by what transforms
    /// made of them.
    pub(super) fn forget(&mut self, gone: &dyn Fn(&str, i32) -> bool) {
        self.records.retain(|record| {
            record
                .origin
                .as_ref()
                .is_none_or(|at| !gone(&at.topic, at.partition))
        });
        self.positions
            .retain(|(topic, partition), _| !gone(topic, *partition));
        if self.records.is_empty() {
            self.again = false;
        }
    }
}
