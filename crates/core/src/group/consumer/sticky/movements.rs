//! Which partitions moved between whom while balancing, so that no two partitions of a topic cross
//! (Java: `AbstractStickyAssignor.PartitionMovements`).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::group::{MemberId, consumer::TopicPartition};

type Pair = (MemberId, MemberId);

#[derive(Default)]
pub(super) struct Movements {
    by_topic: BTreeMap<Arc<str>, BTreeMap<Pair, BTreeSet<TopicPartition>>>,
    of: BTreeMap<TopicPartition, Pair>,
}

impl Movements {
    pub(super) fn moved(&mut self, partition: &TopicPartition, from: &MemberId, to: &MemberId) {
        let Some(pair) = self.of.remove(partition) else {
            self.record(partition, (from.clone(), to.clone()));
            return;
        };
        if let Some(pairs) = self.by_topic.get_mut(&partition.topic) {
            if let Some(partitions) = pairs.get_mut(&pair) {
                partitions.remove(partition);
                if partitions.is_empty() {
                    pairs.remove(&pair);
                }
            }
            if pairs.is_empty() {
                self.by_topic.remove(&partition.topic);
            }
        }
        // Back where it came from: it did not move at all.
        if pair.0 != *to {
            self.record(partition, (pair.0, to.clone()));
        }
    }

    fn record(&mut self, partition: &TopicPartition, pair: Pair) {
        let pairs = self.by_topic.entry(partition.topic.clone()).or_default();
        pairs
            .entry(pair.clone())
            .or_default()
            .insert(partition.clone());
        self.of.insert(partition.clone(), pair);
    }

    /// Instead of moving `partition` from `from` to `to`: one that moved the other way before, if there is any.
    pub(super) fn rather(
        &self,
        partition: &TopicPartition,
        from: &MemberId,
        to: &MemberId,
    ) -> TopicPartition {
        let origin = self.of.get(partition).map_or(from, |pair| &pair.0);
        let reverse = (to.clone(), origin.clone());
        let back = self
            .by_topic
            .get(&partition.topic)
            .and_then(|pairs| pairs.get(&reverse));
        back.and_then(BTreeSet::first).unwrap_or(partition).clone()
    }
}
