//! A partition as the producer sees it: what waits, what is under way, and the row of sequences.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::batch::{Batch, ahead};
use crate::records::Stamp;

/// An id and an epoch that a producer writes under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProducerId {
    pub(super) id: i64,
    pub(super) epoch: i16,
}

/// The row of sequences of a partition (KIP-98, KIP-360).
#[derive(Debug)]
pub(super) struct Sequences {
    /// Whose row it is.
    id: Option<ProducerId>,
    /// The next to be given.
    next: i32,
    /// The one after the last that was acknowledged.
    acked: i32,
    /// Something under a sequence was given up, and nobody knows whether it was written: nothing new until that is known.
    pub(super) unresolved: bool,
    /// The row has a hole for certain: it begins anew, in a new epoch, when nothing is under way.
    pub(super) reset: bool,
}

impl Sequences {
    const NONE: Self = Self {
        id: None,
        next: 0,
        acked: 0,
        unresolved: false,
        reset: false,
    };

    /// Begins a new row.
    pub(super) fn begin(&mut self, id: ProducerId) {
        *self = Self {
            id: Some(id),
            ..Self::NONE
        };
    }

    pub(super) fn is_of(&self, id: ProducerId) -> bool {
        self.id == Some(id)
    }

    /// The stamp for so many records.
    pub(super) fn stamp(&mut self, records: i32, transactional: bool) -> Option<Stamp> {
        let id = self.id?;
        let sequence = self.next;
        self.next = ahead(sequence, records);
        Some(Stamp {
            producer: id.id,
            epoch: id.epoch,
            sequence,
            transactional,
        })
    }

    /// A batch is written.
    pub(super) fn acknowledge(&mut self, stamp: &Stamp, records: i32) {
        let own = ProducerId {
            id: stamp.producer,
            epoch: stamp.epoch,
        };
        if self.is_of(own) {
            let end = ahead(stamp.sequence, records);
            // Answers come in order, but for duplicates.
            if end.wrapping_sub(self.acked) > 0 || end < records {
                self.acked = end;
            }
        }
    }

    /// Whether nothing before it is missing.
    pub(super) const fn expects(&self, stamp: &Stamp) -> bool {
        self.acked == stamp.sequence
    }

    /// Whether all that was given is acknowledged.
    pub(super) const fn is_whole(&self) -> bool {
        self.acked == self.next
    }
}

/// A partition.
pub(super) struct Partition {
    /// Who leads it, as far as is known.
    pub(super) leader: Option<i32>,
    /// What waits, in order; the last may be open.
    pub(super) queue: VecDeque<Batch>,
    /// Batches under way.
    pub(super) on_wire: u32,
    /// To whom.
    pub(super) wire_leader: Option<i32>,
    /// It is in the list of those with something to send.
    pub(super) active: bool,
    pub(super) sequences: Sequences,
}

impl Default for Partition {
    fn default() -> Self {
        Self {
            leader: None,
            queue: VecDeque::new(),
            on_wire: 0,
            wire_leader: None,
            active: false,
            sequences: Sequences::NONE,
        }
    }
}

impl Partition {
    /// Puts a batch back in its place.
    pub(super) fn put_back(&mut self, batch: Batch) {
        let place = self
            .queue
            .partition_point(|other| other.place < batch.place);
        self.queue.insert(place, batch);
    }

    /// Whether the last batch takes no more.
    pub(super) fn is_full(&self) -> bool {
        self.queue.back().is_none_or(|batch| batch.full)
    }

    /// Whether the first of the queue may be sent by itself: it is full, others wait behind it, or it has waited long enough;
    /// else when it may.
    pub(super) fn ready(&self, linger: Duration, now: Instant, hurry: bool) -> Result<(), Instant> {
        let Some(head) = self.queue.front() else {
            return Err(now + Duration::from_secs(3600));
        };
        if let Some(at) = head.retry_at.filter(|at| *at > now) {
            return Err(at);
        }
        let lingers = !(hurry || head.full || head.attempts > 0 || self.queue.len() > 1);
        match lingers.then(|| head.created.checked_add(linger)).flatten() {
            Some(at) if at > now => Err(at),
            _ => Ok(()),
        }
    }

    /// Whether what was tried waits to be tried again.
    pub(super) fn has_stamped(&self) -> bool {
        self.queue
            .front()
            .is_some_and(|batch| batch.stamp.is_some())
    }

    /// Begins the row anew: what waits gets new sequences.
    pub(super) fn begin_anew(&mut self, id: ProducerId) {
        self.sequences.begin(id);
        for batch in &mut self.queue {
            batch.stamp = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: ProducerId = ProducerId { id: 1, epoch: 0 };

    #[test]
    fn sequences_go_on_and_around() {
        let mut row = Sequences::NONE;
        assert_eq!(row.stamp(1, false), None);
        row.begin(ID);
        let first = row.stamp(3, false).unwrap();
        let second = row.stamp(2, false).unwrap();
        assert_eq!((first.sequence, second.sequence), (0, 3));
        assert!(row.expects(&first) && !row.expects(&second));
        row.acknowledge(&first, 3);
        assert!(row.expects(&second) && !row.is_whole());
        // A duplicate's answer comes again.
        row.acknowledge(&first, 3);
        assert!(row.expects(&second));
        row.acknowledge(&second, 2);
        assert!(row.is_whole());
        (row.next, row.acked) = (i32::MAX, i32::MAX);
        let last = row.stamp(2, false).unwrap();
        row.acknowledge(&last, 2);
        assert_eq!((row.next, row.acked), (1, 1));
    }

    #[test]
    fn what_is_tried_again_goes_back_to_its_place() {
        let now = Instant::now();
        let batch = |number| Batch::new(Vec::new(), 0, number, now);
        let mut partition = Partition::default();
        for number in [3, 1, 4, 2] {
            partition.put_back(batch(number));
        }
        let numbers = partition.queue.iter().map(|batch| batch.place.0);
        assert_eq!(numbers.collect::<Vec<_>>(), [1, 2, 3, 4]);
    }
}
