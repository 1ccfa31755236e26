//! The offsets of a sink task: delivered, confirmed, committed (spec `distributed.md` 5.2, 5.4).
//!
//! `SinkNeverAhead`: what may be committed is never past what was delivered and confirmed by the task,
//! and only for partitions that are owned.

use std::collections::BTreeMap;

/// A partition as the sink engine names it.
pub type SinkPartition = (std::sync::Arc<str>, i32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    /// The next offset to deliver: one past the last record that `put` took.
    delivered: i64,
    /// What Kafka holds.
    committed: i64,
}

/// The book of one task.
#[derive(Debug, Default)]
pub struct SinkOffsets {
    partitions: BTreeMap<SinkPartition, Position>,
}

impl SinkOffsets {
    /// A partition was assigned, to be read from this position.
    pub fn assign(&mut self, partition: SinkPartition, position: i64) {
        let start = Position {
            delivered: position,
            committed: position,
        };
        self.partitions.insert(partition, start);
    }

    /// A partition went away.
    pub fn remove(&mut self, partition: &SinkPartition) {
        self.partitions.remove(partition);
    }

    /// The partitions that are owned.
    pub fn assigned(&self) -> impl Iterator<Item = &SinkPartition> {
        self.partitions.keys()
    }

    /// `put` took all records before this offset.
    pub fn delivered(&mut self, partition: &SinkPartition, next: i64) {
        if let Some(position) = self.partitions.get_mut(partition) {
            position.delivered = position.delivered.max(next);
        }
    }

    /// The task asked to read again from this offset.
    pub fn rewind(&mut self, partition: &SinkPartition, offset: i64) {
        if let Some(position) = self.partitions.get_mut(partition) {
            *position = Position {
                delivered: offset,
                committed: offset,
            };
        }
    }

    /// What `pre_commit` is asked about: all delivered positions.
    #[must_use]
    pub fn current(&self) -> BTreeMap<SinkPartition, i64> {
        self.partitions
            .iter()
            .map(|(tp, at)| (tp.clone(), at.delivered))
            .collect()
    }

    /// What of the task's answer may be committed: owned, not past what was delivered, and not what
    /// Kafka holds already.
    #[must_use]
    pub fn committable(
        &self,
        confirmed: &BTreeMap<SinkPartition, i64>,
    ) -> BTreeMap<SinkPartition, i64> {
        let allowed = |(tp, offset): (&SinkPartition, &i64)| {
            let position = self.partitions.get(tp)?;
            let take = *offset <= position.delivered && *offset != position.committed;
            take.then(|| (tp.clone(), *offset))
        };
        confirmed.iter().filter_map(allowed).collect()
    }

    /// Kafka has confirmed a commit.
    pub fn committed(&mut self, offsets: &BTreeMap<SinkPartition, i64>) {
        for (partition, offset) in offsets {
            if let Some(position) = self.partitions.get_mut(partition) {
                position.committed = *offset;
            }
        }
    }

    /// `pre_commit` failed: everything since the last commit must be delivered again. Answers where each
    /// partition goes on.
    pub fn rewind_to_committed(&mut self) -> BTreeMap<SinkPartition, i64> {
        let mut back = BTreeMap::new();
        for (partition, position) in &mut self.partitions {
            position.delivered = position.committed;
            back.insert(partition.clone(), position.committed);
        }
        back
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::SinkOffsets;

    #[test]
    fn nothing_past_delivery_and_nothing_foreign_is_committed() {
        let (a, b, c) = (("t".into(), 0), ("t".into(), 1), ("x".into(), 0));
        let mut offsets = SinkOffsets::default();
        offsets.assign(a.clone(), 5);
        offsets.assign(b.clone(), 7);
        offsets.delivered(&a, 9);
        let claim = BTreeMap::from([(a.clone(), 9), (b.clone(), 8), (c, 1)]);
        let allowed = offsets.committable(&claim);
        assert_eq!(allowed, BTreeMap::from([(a.clone(), 9)]));
        offsets.committed(&allowed);
        assert_eq!(offsets.committable(&claim), BTreeMap::new());
        offsets.delivered(&a, 20);
        assert_eq!(
            offsets.rewind_to_committed(),
            BTreeMap::from([(a, 9), (b, 7)])
        );
    }
}
