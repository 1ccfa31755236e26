//! The producer port: batches go in, acknowledgements come back as they arrive.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use super::KafkaError;

/// A header of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The key.
    pub key: Arc<str>,
    /// The bytes, which may be null.
    pub value: Option<Bytes>,
}

/// A record to produce.
#[derive(Clone, Debug, Default)]
pub struct OutRecord {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition; `None`: by the key's murmur2 hash, or sticky without a key, as Java does.
    pub partition: Option<i32>,
    /// Milliseconds since the epoch; `None`: the client's clock.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// The headers.
    pub headers: Vec<Header>,
    /// What the acknowledgement names; chosen by the caller.
    pub ticket: u64,
}

/// Where a record was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acked {
    /// The partition.
    pub partition: i32,
    /// The offset; -1 when the broker did not say.
    pub offset: i64,
}

impl Acked {
    /// The offset of a record that was written that many records behind.
    #[must_use]
    pub fn behind(&self, records: u64) -> i64 {
        match self.offset {
            -1 => -1,
            first => first.saturating_add_unsigned(records),
        }
    }
}

/// What became of a record, or of several in a row.
#[derive(Clone, Debug)]
pub struct Ack {
    /// The ticket of the (first) record.
    pub ticket: u64,
    /// How many records it speaks of: those with the tickets that follow, written one behind the other. Of records that
    /// were not written it is always one.
    pub count: u64,
    /// Where it was written, or why not (after the client's own retries).
    pub outcome: Result<Acked, KafkaError>,
}

impl Ack {
    /// What became of one record.
    #[must_use]
    pub fn of(ticket: u64, outcome: Result<Acked, KafkaError>) -> Self {
        Self {
            ticket,
            count: 1,
            outcome,
        }
    }

    /// Takes up another answer, if it is of the next ticket and was written right behind; else gives it back.
    #[must_use]
    pub fn extended(&mut self, next: Self) -> Option<Self> {
        let (Ok(at), Ok(after)) = (&self.outcome, &next.outcome) else {
            return Some(next);
        };
        let behind = i64::try_from(self.count).ok();
        let follows = self.ticket.checked_add(self.count) == Some(next.ticket)
            && at.partition == after.partition
            && at.offset >= 0
            && behind.and_then(|behind| at.offset.checked_add(behind)) == Some(after.offset);
        if !follows {
            return Some(next);
        }
        self.count += next.count;
        None
    }

    /// The same, record by record.
    pub fn each(self) -> impl Iterator<Item = Self> {
        (0..self.count).map(move |behind| {
            let outcome = self.outcome.clone().map(|at| Acked {
                partition: at.partition,
                offset: at.behind(behind),
            });
            Self::of(self.ticket + behind, outcome)
        })
    }
}

/// Takes acknowledgements, on the client's own thread: it must not block.
pub type AckSink = Arc<dyn Fn(Vec<Ack>) + Send + Sync>;

/// Why a transaction could not be committed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// A newer instance has taken over: this one must not write any more.
    #[error("fenced: {0}")]
    Fenced(KafkaError),
    /// The transaction is aborted for certain (a record could not be written, or it timed out).
    #[error("aborted: {0}")]
    Aborted(KafkaError),
    /// Nobody knows: never reuse this producer (R9). Make a new one, read the committed offsets, go on.
    #[error("outcome unknown: {0}")]
    Unknown(KafkaError),
}

/// A producer. One caller at a time.
#[async_trait]
pub trait Producer: Send + Sync {
    /// Hands over a batch; waits while the client's buffer is full. Every accepted record is answered
    /// once through the [`AckSink`] given when the producer was made.
    ///
    /// # Errors
    /// The index of the first record that was not accepted, and why; those before it were.
    async fn send(&self, batch: Vec<OutRecord>) -> Result<(), (usize, KafkaError)>;

    /// From now on nothing is accepted behind a record that failed: [`Self::send`] hands over all answers that there are
    /// and names the first record that it did not take, with an error that is not retriable.
    fn stop_at_failure(&self);

    /// Waits until every accepted record is answered.
    async fn flush(&self) -> Result<(), KafkaError>;

    /// Registers the transactional id: fences older instances, aborts their open transaction.
    async fn init_transactions(&self) -> Result<(), KafkaError>;

    /// Begins a transaction.
    async fn begin(&self) -> Result<(), KafkaError>;

    /// Commits: waits for all sends of the transaction first.
    async fn commit(&self) -> Result<(), CommitError>;

    /// Aborts the open transaction.
    async fn abort(&self) -> Result<(), KafkaError>;

    /// Gives the producer up at once, from any thread, also while [`Self::send`] runs: what is not on its way is thrown away,
    /// and nothing is taken any more. Only [`Self::close`] may follow.
    fn abandon(&self) {}

    /// Ends the producer; what is not answered by the deadline fails.
    async fn close(&self, within: Duration);
}

#[cfg(test)]
mod tests {
    use super::{Ack, Acked};
    use crate::ports::{KafkaError, KafkaErrorKind};

    fn at(ticket: u64, partition: i32, offset: i64) -> Ack {
        Ack::of(ticket, Ok(Acked { partition, offset }))
    }

    #[test]
    fn answers_in_a_row_are_one_and_can_be_told_apart_again() {
        let mut ack = at(7, 0, 100);
        assert!(ack.extended(at(8, 0, 101)).is_none());
        assert!(ack.extended(at(9, 0, 102)).is_none());
        let each: Vec<_> = ack
            .each()
            .map(|ack| (ack.ticket, ack.count, ack.outcome.unwrap().offset))
            .collect();
        assert_eq!(each, [(7, 1, 100), (8, 1, 101), (9, 1, 102)]);
    }

    #[test]
    fn what_is_not_in_a_row_stays_apart() {
        let mut failed = Ack::of(8, Err(KafkaError::new(KafkaErrorKind::Fatal, "no")));
        let others = [at(8, 1, 101), at(9, 0, 101), at(8, 0, 102), failed.clone()];
        for other in others {
            assert!(at(7, 0, 100).extended(other.clone()).is_some(), "{other:?}");
        }
        assert!(failed.extended(at(9, 0, 1)).is_some());
        // Without offsets (acks=0) nothing is known to be in a row.
        assert!(at(7, 0, -1).extended(at(8, 0, 0)).is_some());
        assert!(at(7, 0, -1).extended(at(8, 0, -1)).is_some());
        assert!(at(u64::MAX, 0, 1).extended(at(0, 0, 2)).is_some());
    }
}
