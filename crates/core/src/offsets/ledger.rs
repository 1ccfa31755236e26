//! The ledger of a source task: submitted, acknowledged, committable (`SubmittedRecords` in Java).
//!
//! An offset becomes committable when its record and every record of the same source partition that was
//! submitted before it are acknowledged (`OffsetNeverAhead`). One un-acknowledged head holds back its own
//! partition only (spec `distributed.md` 4.3).

use std::collections::VecDeque;

/// A source partition of this ledger: a small number, so that no map is compared per record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionIndex(u32);

/// One submitted record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submission {
    partition: PartitionIndex,
    sequence: u64,
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
        let Some(queue) = self.queues.get_mut(partition.0 as usize) else {
            return Submission {
                partition,
                sequence: u64::MAX,
            };
        };
        let sequence = queue.first + queue.entries.len() as u64;
        queue.entries.push_back(Entry {
            offset,
            acknowledged: false,
        });
        self.unacknowledged += 1;
        Submission {
            partition,
            sequence,
        }
    }

    /// The record is durable in Kafka, or dropped by declared tolerance. A second time is ignored.
    pub fn acknowledge(&mut self, submission: Submission) {
        let Some(queue) = self.queues.get_mut(submission.partition.0 as usize) else {
            return;
        };
        let Some(at) = submission.sequence.checked_sub(queue.first) else {
            return;
        };
        let Some(entry) = usize::try_from(at)
            .ok()
            .and_then(|at| queue.entries.get_mut(at))
        else {
            return;
        };
        if !std::mem::replace(&mut entry.acknowledged, true) {
            self.unacknowledged -= 1;
        }
        while queue.entries.front().is_some_and(|e| e.acknowledged) {
            if let Some(entry) = queue.entries.pop_front() {
                queue.first += 1;
                queue.committable = Some(entry.offset);
            }
        }
    }

    /// The record was not sent after all and will be submitted again: it must be the newest of its
    /// partition (records are withdrawn from the tail of a batch).
    pub fn withdraw(&mut self, submission: Submission) {
        let Some(queue) = self.queues.get_mut(submission.partition.0 as usize) else {
            return;
        };
        let last = (queue.first + queue.entries.len() as u64).checked_sub(1);
        if last == Some(submission.sequence)
            && let Some(entry) = queue.entries.pop_back()
        {
            self.unacknowledged -= usize::from(!entry.acknowledged);
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
        let a1 = ledger.submit(a, 1);
        let a2 = ledger.submit(a, 2);
        let b1 = ledger.submit(b, 10);
        ledger.acknowledge(a2);
        ledger.acknowledge(b1);
        assert_eq!(ledger.take_committable(), [(&"b", 10)]);
        assert_eq!(ledger.unacknowledged(), 1);
        ledger.acknowledge(a1);
        assert_eq!(ledger.take_committable(), [(&"a", 2)]);
        assert_eq!(ledger.take_committable(), []);
    }

    #[test]
    fn a_withdrawn_record_neither_holds_back_nor_commits() {
        let mut ledger = OffsetLedger::default();
        let a = ledger.partition("a");
        let first = ledger.submit(a, 1);
        let second = ledger.submit(a, 2);
        ledger.withdraw(second);
        ledger.acknowledge(first);
        assert_eq!(ledger.take_committable(), [(&"a", 1)]);
        let again = ledger.submit(a, 2);
        assert_eq!(ledger.unacknowledged(), 1);
        ledger.acknowledge(again);
        ledger.acknowledge(again);
        assert_eq!(ledger.take_committable(), [(&"a", 2)]);
        assert_eq!(ledger.unacknowledged(), 0);
    }
}
