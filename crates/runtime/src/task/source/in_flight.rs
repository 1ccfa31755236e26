//! Records that were handed to the producer and are not answered, in rows: what is kept is kept of a row, not of each record.
//!
//! It must never take two answers for one record, nor an answer for a record that was taken back.

use std::{collections::VecDeque, sync::Arc};

use milena_core::offsets::Submission;
use milena_data::SourceRecord;

/// Records with tickets that follow each other, of one topic and one source partition.
struct Row {
    first: u64,
    count: u64,
    unanswered: u64,
    topic: Arc<str>,
    /// The first in the ledger; the others follow it.
    submission: Option<Submission>,
    /// Kept only for tasks that want them back; each until it is answered.
    records: Vec<Option<SourceRecord>>,
}

/// What an answer is about.
pub(super) struct Answered {
    pub(super) topic: Arc<str>,
    pub(super) count: usize,
    /// The first of them.
    pub(super) submission: Option<Submission>,
    /// For tasks that want them back.
    pub(super) records: Vec<SourceRecord>,
}

/// The records in flight, by ticket. Tickets count up.
#[derive(Default)]
pub(super) struct InFlight {
    rows: VecDeque<Row>,
    unanswered: u64,
}

impl InFlight {
    /// Adds records with the tickets from `first` on. `records` is empty, or has each of them.
    pub(super) fn add(
        &mut self,
        first: u64,
        count: usize,
        topic: Arc<str>,
        submission: Option<Submission>,
        records: Vec<Option<SourceRecord>>,
    ) {
        let count = count as u64;
        self.unanswered += count;
        self.rows.push_back(Row {
            first,
            count,
            unanswered: count,
            topic,
            submission,
            records,
        });
    }

    /// Takes the first records in a row of these tickets; `None` when the first is unknown.
    pub(super) fn answer(&mut self, ticket: u64, count: u64) -> Option<Answered> {
        let behind = self.rows.partition_point(|row| row.first <= ticket);
        let row = self.rows.get_mut(behind.checked_sub(1)?)?;
        let from = ticket - row.first;
        let count = row.count.checked_sub(from)?.min(count).min(row.unanswered);
        if count == 0 {
            return None;
        }
        row.unanswered -= count;
        self.unanswered -= count;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let places = usize::try_from(from).unwrap_or(usize::MAX)..;
        let places = row.records.get_mut(places).unwrap_or_default();
        let places = places.iter_mut().take(count);
        let answered = Answered {
            topic: Arc::clone(&row.topic),
            count,
            submission: row.submission.map(|submission| submission.behind(from)),
            records: places.filter_map(Option::take).collect(),
        };
        while self.rows.front().is_some_and(|row| row.unanswered == 0) {
            self.rows.pop_front();
        }
        Some(answered)
    }

    /// Takes back the newest records, which were not sent after all: all with this ticket and those behind it. Answers the
    /// first of each row in the ledger, the newest row first.
    pub(super) fn take_back(&mut self, from: u64) -> Vec<Submission> {
        let mut submissions = Vec::new();
        while let Some(row) = self.rows.back_mut() {
            let Some(gone) = (row.first + row.count).checked_sub(from.max(row.first)) else {
                break;
            };
            if gone == 0 {
                break;
            }
            row.count -= gone;
            let unanswered = gone.min(row.unanswered);
            row.unanswered -= unanswered;
            self.unanswered -= unanswered;
            row.records
                .truncate(usize::try_from(row.count).unwrap_or(usize::MAX));
            submissions.extend(row.submission.map(|first| first.behind(row.count)));
            if row.count > 0 {
                break;
            }
            self.rows.pop_back();
        }
        while self.rows.front().is_some_and(|row| row.unanswered == 0) {
            self.rows.pop_front();
        }
        submissions
    }

    /// How many records are not answered.
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.unanswered).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use milena_core::offsets::{OffsetLedger, Submission};
    use milena_data::SourceRecord;

    use super::InFlight;

    fn submission() -> Submission {
        let mut ledger: OffsetLedger<(), u64> = OffsetLedger::default();
        let partition = ledger.partition(());
        ledger.submit(partition, 0)
    }

    fn in_flight() -> InFlight {
        let mut in_flight = InFlight::default();
        let topic: Arc<str> = "t".into();
        in_flight.add(0, 3, Arc::clone(&topic), Some(submission()), Vec::new());
        // Tickets 3 and 4 were never used.
        let records = vec![Some(SourceRecord::default()); 2];
        in_flight.add(5, 2, topic, None, records);
        in_flight
    }

    #[test]
    fn answers_come_in_any_order_and_pieces() {
        let mut in_flight = in_flight();
        assert_eq!(in_flight.len(), 5);
        let last = in_flight.answer(6, 1).unwrap();
        assert_eq!(
            (last.count, last.records.len(), last.submission),
            (1, 1, None)
        );
        let middle = in_flight.answer(1, 1).unwrap();
        assert_eq!(middle.submission, Some(submission().behind(1)));
        assert_eq!(in_flight.len(), 3);
        // An answer of a row goes no further than the row.
        let rest = in_flight.answer(2, 4).unwrap();
        assert_eq!(
            (rest.count, rest.submission),
            (1, Some(submission().behind(2)))
        );
        assert!(in_flight.answer(3, 1).is_none(), "never used");
        assert!(in_flight.answer(u64::MAX, 1).is_none(), "unknown");
        assert_eq!(in_flight.answer(0, 1).unwrap().count, 1);
        assert!(in_flight.answer(0, 3).is_none(), "answered");
        assert_eq!(in_flight.answer(5, 1).unwrap().count, 1);
        assert_eq!(in_flight.len(), 0);
    }

    #[test]
    fn what_was_not_sent_is_taken_back() {
        let mut all = in_flight();
        assert_eq!(all.take_back(1), [submission().behind(1)]);
        assert_eq!(all.len(), 1);
        assert!(all.answer(5, 1).is_none());
        assert!(all.answer(1, 1).is_none());
        assert_eq!(all.answer(0, 2).unwrap().count, 1);
        assert_eq!(all.len(), 0);
        let mut some = in_flight();
        assert_eq!(some.take_back(6), []);
        assert_eq!(some.len(), 4);
        assert_eq!(some.take_back(9), []);
        assert_eq!(some.take_back(0), [submission()]);
        assert_eq!(some.len(), 0);
    }
}
