//! A batch on its way: records of one partition, known by runs of their tickets.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    ports::{Ack, Acked, KafkaError, OutRecord},
    records::{self, BatchWriter, Compression, Stamp},
};

/// Records with tickets in a row.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: u64,
    count: u64,
}

/// What a batch consists of.
enum Body {
    /// Records may still be added.
    Open(BatchWriter),
    /// As it goes over the wire, but perhaps for the stamp.
    Sealed(Bytes),
}

/// A batch.
pub(super) struct Batch {
    body: Body,
    runs: Vec<Run>,
    /// How many records.
    pub(super) count: i32,
    /// Its place in the order: which batch it was begun as, and with which of that one's records it begins. One that is tried
    /// again goes back to its place.
    pub(super) place: (u64, i32),
    /// When its first record came.
    pub(super) created: Instant,
    /// How often it was sent.
    pub(super) attempts: u32,
    /// It is not sent again before.
    pub(super) retry_at: Option<Instant>,
    /// Nothing is added any more.
    pub(super) full: bool,
    /// Under which id and sequence it is sent, once it was; a repetition has the same.
    pub(super) stamp: Option<Stamp>,
    /// The stamp that the bytes bear.
    borne: Option<Option<Stamp>>,
    /// What it takes of `buffer.memory`.
    pub(super) charged: usize,
}

impl Batch {
    pub(super) fn new(buffer: Vec<u8>, timestamp: i64, number: u64, now: Instant) -> Self {
        Self {
            body: Body::Open(BatchWriter::new(buffer, timestamp)),
            runs: Vec::new(),
            count: 0,
            place: (number, 0),
            created: now,
            attempts: 0,
            retry_at: None,
            full: false,
            stamp: None,
            borne: None,
            charged: 0,
        }
    }

    /// Bytes, compressed once it is sealed.
    pub(super) fn len(&self) -> usize {
        match &self.body {
            Body::Open(writer) => writer.len(),
            Body::Sealed(bytes) => bytes.len(),
        }
    }

    /// How many bytes a record would take; `None` when nothing may be added.
    pub(super) fn room_for(&self, record: &OutRecord, timestamp: i64) -> Option<usize> {
        match &self.body {
            Body::Open(writer) if !self.full => Some(writer.size_of(record, timestamp)),
            _ => None,
        }
    }

    /// Adds a record.
    pub(super) fn add(&mut self, record: &OutRecord, timestamp: i64) {
        let Body::Open(writer) = &mut self.body else {
            return;
        };
        writer.append(record, timestamp);
        self.count = writer.count();
        match self.runs.last_mut() {
            Some(run) if run.first.checked_add(run.count) == Some(record.ticket) => run.count += 1,
            _ => self.runs.push(Run {
                first: record.ticket,
                count: 1,
            }),
        }
    }

    /// The bytes to send, sealed and stamped. Answers with them how well they were compressed.
    ///
    /// # Errors
    /// The compressor failed.
    pub(super) fn wire(
        &mut self,
        compression: Compression,
    ) -> std::io::Result<(Bytes, Option<f32>)> {
        let mut ratio = None;
        self.full = true;
        if let Body::Open(writer) = &mut self.body {
            let writer = std::mem::replace(writer, BatchWriter::new(Vec::new(), 0));
            let plain = writer.len();
            let (sealed, _) = writer.seal(compression)?;
            #[expect(clippy::cast_precision_loss, reason = "an estimate")]
            let share = sealed.len() as f32 / plain.max(1) as f32;
            ratio = (compression != Compression::None).then_some(share);
            self.body = Body::Sealed(sealed.into());
        }
        let Body::Sealed(bytes) = &mut self.body else {
            return Err(std::io::Error::other("a batch cannot be sealed"));
        };
        if self.borne != Some(self.stamp) {
            let mut sealed = Vec::from(std::mem::take(bytes));
            records::stamp(&mut sealed, self.stamp);
            *bytes = sealed.into();
            self.borne = Some(self.stamp);
        }
        Ok((bytes.clone(), ratio))
    }

    /// Two batches of about half its records each; `None` when there is nothing to halve.
    pub(super) fn halved(&self) -> Option<[Self; 2]> {
        let Body::Sealed(bytes) = &self.body else {
            return None;
        };
        let [left, right] = records::halves(bytes)?;
        let cut = u64::try_from(left.count()).ok()?;
        let (runs_left, runs_right) = self.runs_cut(cut);
        let right_stamp = self.stamp.map(|stamp| Stamp {
            sequence: ahead(stamp.sequence, left.count()),
            ..stamp
        });
        let charged = self.charged / 2;
        let (number, from) = self.place;
        let right_from = from.saturating_add(left.count());
        let half = |writer: BatchWriter, runs, stamp, charged, from| Self {
            count: writer.count(),
            body: Body::Open(writer),
            runs,
            place: (number, from),
            created: self.created,
            attempts: 0,
            retry_at: None,
            full: true,
            stamp,
            borne: None,
            charged,
        };
        Some([
            half(left, runs_left, self.stamp, charged, from),
            half(
                right,
                runs_right,
                right_stamp,
                self.charged - charged,
                right_from,
            ),
        ])
    }

    fn runs_cut(&self, cut: u64) -> (Vec<Run>, Vec<Run>) {
        let (mut left, mut right, mut before) = (Vec::new(), Vec::new(), 0);
        for run in &self.runs {
            let own = cut.saturating_sub(before).min(run.count);
            if own > 0 {
                left.push(Run { count: own, ..*run });
            }
            if own < run.count {
                right.push(Run {
                    first: run.first + own,
                    count: run.count - own,
                });
            }
            before += run.count;
        }
        (left, right)
    }

    /// Answers for all records: written from this offset on (-1: not known).
    pub(super) fn written(&self, partition: i32, offset: i64, acks: &mut Vec<Ack>) {
        let mut next = offset;
        for run in &self.runs {
            push(
                acks,
                Ack {
                    ticket: run.first,
                    count: run.count,
                    outcome: Ok(Acked {
                        partition,
                        offset: next,
                    }),
                },
            );
            if next >= 0 {
                next = next.saturating_add_unsigned(run.count);
            }
        }
    }

    /// Answers for all records: not written.
    pub(super) fn failed(&self, error: &KafkaError, acks: &mut Vec<Ack>) {
        for run in &self.runs {
            let tickets = (0..run.count).map(|behind| run.first.wrapping_add(behind));
            acks.extend(tickets.map(|ticket| Ack::of(ticket, Err(error.clone()))));
        }
    }

    /// The buffer, to be used again, if nobody else holds it.
    pub(super) fn buffer(self) -> Option<Vec<u8>> {
        match self.body {
            Body::Sealed(bytes) if bytes.is_unique() => Some(bytes.into()),
            _ => None,
        }
    }

    /// Whether it may no longer be tried.
    pub(super) fn is_expired(&self, within: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.created) >= within
    }
}

/// Most answers are right behind the one before.
pub(super) fn push(acks: &mut Vec<Ack>, ack: Ack) {
    let left = match acks.last_mut() {
        Some(last) => last.extended(ack),
        None => Some(ack),
    };
    acks.extend(left);
}

/// The sequence that many records behind, beginning anew at 0 after the largest.
pub(super) const fn ahead(sequence: i32, records: i32) -> i32 {
    match sequence.checked_add(records) {
        Some(next) => next,
        None => records - (i32::MAX - sequence) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(tickets: &[u64]) -> Batch {
        let mut batch = Batch::new(Vec::new(), 0, 0, Instant::now());
        for ticket in tickets {
            let record = OutRecord {
                value: Some("some value".into()),
                ticket: *ticket,
                ..OutRecord::default()
            };
            batch.add(&record, 5);
        }
        batch
    }

    fn told(batch: &Batch) -> Vec<(u64, i64)> {
        let mut acks = Vec::new();
        batch.written(3, 100, &mut acks);
        let each = acks.into_iter().flat_map(Ack::each);
        each.map(|ack| (ack.ticket, ack.outcome.unwrap().offset))
            .collect()
    }

    #[test]
    fn tickets_are_answered_in_order_whether_in_a_row_or_not() {
        let batch = batch(&[7, 8, 9, 9, 9, 3]);
        let all = [(7, 100), (8, 101), (9, 102), (9, 103), (9, 104), (3, 105)];
        assert_eq!(told(&batch), all);
        let mut acks = Vec::new();
        batch.failed(&super::super::errors::network(), &mut acks);
        let tickets = acks.iter().map(|ack| (ack.ticket, ack.count));
        let ones = [7, 8, 9, 9, 9, 3].map(|ticket| (ticket, 1));
        assert_eq!(tickets.collect::<Vec<_>>(), ones);
    }

    #[test]
    fn halves_keep_tickets_and_sequences() {
        let mut whole = batch(&[1, 2, 3, 4, 10, 11, 12, 13]);
        whole.stamp = Some(Stamp {
            producer: 1,
            epoch: 0,
            sequence: i32::MAX - 1,
            transactional: false,
        });
        whole.charged = 101;
        whole.wire(Compression::None).unwrap();
        let [left, right] = whole.halved().unwrap();
        assert_eq!(left.count + right.count, 8);
        assert_eq!(left.charged + right.charged, 101);
        let sequence = ahead(i32::MAX - 1, left.count);
        assert_eq!(right.stamp.unwrap().sequence, sequence);
        let tickets: Vec<u64> = [told(&left), told(&right)]
            .concat()
            .into_iter()
            .map(|(ticket, _)| ticket)
            .collect();
        assert_eq!(tickets, [1, 2, 3, 4, 10, 11, 12, 13]);
        assert_eq!(ahead(i32::MAX, 1), 0);
        assert_eq!(ahead(i32::MAX - 1, 3), 1);
    }
}
