//! The ledger of a source task: submitted, acknowledged, committable (`SubmittedRecords` in Java).
//!
//! An offset becomes committable when its record and every record of the same source partition that was
//! submitted before it are acknowledged (`OffsetNeverAhead`). One un-acknowledged head holds back its own
//! partition only (spec `distributed.md` 4.3).

use std::collections::VecDeque;

/// A source partition of this ledger: a small number, so that no map is compared per record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionIndex(u32);

/// A submitted record. Those that are submitted behind it to the same partition are told by how far behind they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submission {
    partition: PartitionIndex,
    sequence: u64,
}

impl Submission {
    /// The record that many behind.
    #[must_use]
    pub fn behind(self, records: u64) -> Self {
        Self {
            sequence: self.sequence.saturating_add(records),
            ..self
        }
    }
}

#[derive(Debug)]
struct Entry<O> {
    offset: O,
    acknowledged: bool,
}

#[derive(Debug)]
struct Queue<P, O> {
    partition: P,
    /// The sequence of the entry at the front.
    first: u64,
    entries: VecDeque<Entry<O>>,
    /// The newest offset that may be committed and was not yet taken.
    committable: Option<O>,
}

/// Tracks the records of one task. `P` is a source partition, `O` a source offset.
#[derive(Debug)]
pub struct OffsetLedger<P, O> {
    queues: Vec<Queue<P, O>>,
    unacknowledged: usize,
}

impl<P, O> Default for OffsetLedger<P, O> {
    fn default() -> Self {
        Self {
            queues: Vec::new(),
            unacknowledged: 0,
        }
    }
}

impl<P: PartialEq, O> OffsetLedger<P, O> {
    /// The index of a source partition, which is remembered when it is new.
    pub fn partition(&mut self, partition: P) -> PartitionIndex {
        let known = self.queues.iter().position(|q| q.partition == partition);
        let index = known.unwrap_or_else(|| {
            self.queues.push(Queue {
                partition,
                first: 0,
                entries: VecDeque::new(),
                committable: None,
            });
            self.queues.len() - 1
        });
        PartitionIndex(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

impl<P, O> OffsetLedger<P, O> {
    /// Notes a record before it is sent, in the order of `poll`.
    pub fn submit(&mut self, partition: PartitionIndex, offset: O) -> Submission {
        self.submit_row(partition, [offset])
    }

    /// The record is durable in Kafka, or dropped by declared tolerance. A second time is ignored.
    pub fn acknowledge(&mut self, submission: Submission) {
        self.acknowledge_row(submission, 1);
    }

    /// Notes records before they are sent, in the order of `poll`; answers the first of them.
    pub fn submit_row(
        &mut self,
        partition: PartitionIndex,
        offsets: impl IntoIterator<Item = O>,
    ) -> Submission {
        let Some(queue) = self.queues.get_mut(partition.0 as usize) else {
            return Submission {
                partition,
                sequence: u64::MAX,
            };
        };
        let before = queue.entries.len();
        let sequence = queue.first + before as u64;
        queue
            .entries
            .extend(offsets.into_iter().map(|offset| Entry {
                offset,
                acknowledged: false,
            }));
        self.unacknowledged += queue.entries.len() - before;
        Submission {
            partition,
            sequence,
        }
    }

    /// This record and those behind it, so many in all, are durable in Kafka, or dropped by declared tolerance. A second
    /// time is ignored.
    pub fn acknowledge_row(&mut self, first: Submission, count: u64) {
        let Some(queue) = self.queues.get_mut(first.partition.0 as usize) else {
            return;
        };
        // Of those that are committable already nothing is left.
        let begin = first.sequence.saturating_sub(queue.first);
        let end = first.sequence.saturating_add(count);
        let end = end.saturating_sub(queue.first);
        let place =
            |at: u64| usize::try_from(at).map_or(usize::MAX, |at| at.min(queue.entries.len()));
        let (begin, end) = (place(begin), place(end));
        if begin > 0 {
            for entry in queue.entries.range_mut(begin..end) {
                if !std::mem::replace(&mut entry.acknowledged, true) {
                    self.unacknowledged -= 1;
                }
            }
            return;
        }
        // Most answers are of what is at the front.
        for entry in queue.entries.drain(..end) {
            if !entry.acknowledged {
                self.unacknowledged -= 1;
            }
            queue.committable = Some(entry.offset);
        }
        queue.first += end as u64;
        while let Some(entry) = queue.entries.pop_front_if(|entry| entry.acknowledged) {
            queue.first += 1;
            queue.committable = Some(entry.offset);
        }
    }

    /// This record was not sent after all, nor anything behind it in its partition: they will be submitted again.
    pub fn withdraw(&mut self, first: Submission) {
        let Some(queue) = self.queues.get_mut(first.partition.0 as usize) else {
            return;
        };
        let Some(kept) = first.sequence.checked_sub(queue.first) else {
            return;
        };
        let kept = usize::try_from(kept).unwrap_or(usize::MAX);
        if kept < queue.entries.len() {
            let gone = queue.entries.range(kept..);
            self.unacknowledged -= gone.filter(|entry| !entry.acknowledged).count();
            queue.entries.truncate(kept);
        }
    }

    /// How many submitted records are not acknowledged.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        self.unacknowledged
    }

    /// Takes the newest committable offset of each partition that has a new one.
    pub fn take_committable(&mut self) -> Vec<(&P, O)> {
        let take = |queue: &'_ mut Queue<P, O>| queue.committable.take();
        self.queues
            .iter_mut()
            .filter_map(|queue| take(queue).map(|offset| (&queue.partition, offset)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::OffsetLedger;

    #[test]
    fn an_offset_waits_for_all_before_it_in_its_partition_only() {
        let mut ledger = OffsetLedger::default();
        let (a, b) = (ledger.partition("a"), ledger.partition("b"));
        let a1 = ledger.submit_row(a, [1, 2]);
        let b1 = ledger.submit(b, 10);
        ledger.acknowledge(a1.behind(1));
        ledger.acknowledge(b1);
        assert_eq!(ledger.take_committable(), [(&"b", 10)]);
        assert_eq!(ledger.unacknowledged(), 1);
        ledger.acknowledge(a1);
        assert_eq!(ledger.take_committable(), [(&"a", 2)]);
        assert_eq!(ledger.take_committable(), []);
    }

    #[test]
    fn a_row_is_acknowledged_at_once_or_in_pieces() {
        let mut ledger = OffsetLedger::default();
        let a = ledger.partition("a");
        let first = ledger.submit_row(a, 0..10);
        ledger.acknowledge_row(first.behind(4), 3);
        assert_eq!(ledger.take_committable(), []);
        ledger.acknowledge_row(first, 4);
        assert_eq!(ledger.take_committable(), [(&"a", 6)]);
        // Some of it again, and more than there is.
        ledger.acknowledge_row(first.behind(5), 100);
        assert_eq!(ledger.take_committable(), [(&"a", 9)]);
        assert_eq!(ledger.unacknowledged(), 0);
        let next = ledger.submit(a, 10);
        ledger.acknowledge_row(first, 10);
        assert_eq!(ledger.unacknowledged(), 1);
        ledger.acknowledge(next);
        assert_eq!(ledger.take_committable(), [(&"a", 10)]);
    }

    #[test]
    fn withdrawn_records_neither_hold_back_nor_commit() {
        let mut ledger = OffsetLedger::default();
        let a = ledger.partition("a");
        let first = ledger.submit_row(a, [1, 2, 3]);
        // The last was dropped: it counts as done, and yet goes with those before it.
        ledger.acknowledge(first.behind(2));
        ledger.withdraw(first.behind(1));
        ledger.acknowledge(first);
        assert_eq!(ledger.take_committable(), [(&"a", 1)]);
        let again = ledger.submit_row(a, [2, 3]);
        assert_eq!(ledger.unacknowledged(), 2);
        ledger.acknowledge_row(again, 2);
        ledger.acknowledge_row(again, 2);
        assert_eq!(ledger.take_committable(), [(&"a", 3)]);
        assert_eq!(ledger.unacknowledged(), 0);
        ledger.withdraw(first);
        assert_eq!(ledger.unacknowledged(), 0);
    }
}
