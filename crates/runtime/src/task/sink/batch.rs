//! The records of a batch, made in the places of those of an earlier one.
//!
//! A record and what hangs on it are a few pieces of memory: to give them back on the task's thread and to get them again on
//! the one that converts costs as much as the conversion. What is left in a place must not be seen in the next record.

use milena_data::SinkRecord;

/// Places of records, filled from the first on.
pub(super) struct Batch {
    places: Vec<SinkRecord>,
    filled: usize,
}

impl Batch {
    /// An empty batch of so many records, in places that may be those of others.
    pub(super) fn new(mut spare: Vec<SinkRecord>, records: usize) -> Self {
        spare.truncate(records);
        spare.reserve_exact(records.saturating_sub(spare.len()));
        Self {
            places: spare,
            filled: 0,
        }
    }

    /// Adds a record, which is [there](Self::last_mut) then; what it holds is of another.
    pub(super) fn add(&mut self) {
        if self.filled == self.places.len() {
            self.places.push(SinkRecord::default());
        }
        self.filled += 1;
    }

    /// The last that was added.
    pub(super) fn last_mut(&mut self) -> Option<&mut SinkRecord> {
        self.places.get_mut(self.filled.checked_sub(1)?)
    }

    /// Takes it out again.
    pub(super) fn drop_last(&mut self) {
        self.filled = self.filled.saturating_sub(1);
    }

    /// The records.
    pub(super) fn into_records(mut self) -> Vec<SinkRecord> {
        self.places.truncate(self.filled);
        self.places
    }
}
