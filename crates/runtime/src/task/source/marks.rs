//! What a connector says about its transactions (`transaction.boundary=connector`, KIP-618; Java:
//! `WorkerTransactionContext`).

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use milena_api::{ConnectError, TransactionContext};
use milena_core::task::BoundaryRequest;
use milena_data::SourceRecord;

#[derive(Default)]
struct Said {
    commit: bool,
    abort: bool,
    commit_after: BTreeSet<usize>,
    abort_after: BTreeSet<usize>,
}

/// The marks that a task has made since its last batch was taken up.
#[derive(Default)]
pub(super) struct Marks(Mutex<Said>);

impl Marks {
    fn say(&self, what: impl FnOnce(&mut Said)) {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Cuts a batch after the marked records; what is asked for after each part, in Java's order of checks.
    /// The last part may be empty: a mark of the batch also holds for an empty one.
    ///
    /// # Errors
    /// Commit and abort at the same place.
    pub(super) fn cut(&self, batch: Vec<SourceRecord>) -> Result<Vec<Part>, ConnectError> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let said = std::mem::take(&mut *said);
        let both = |what: &str| {
            ConnectError::of(
                "java.lang.IllegalStateException",
                format!("Connector requested both commit and abort of same transaction{what}"),
            )
        };
        let mut parts = Vec::new();
        let mut records = Vec::new();
        for (index, record) in batch.into_iter().enumerate() {
            records.push(record);
            let (commit, abort) = (
                said.commit_after.contains(&index),
                said.abort_after.contains(&index),
            );
            if commit && abort {
                return Err(both(" for a record"));
            }
            if commit || abort {
                parts.push(Part {
                    records: std::mem::take(&mut records),
                    then: Some(request(abort)),
                });
            }
        }
        if said.commit && said.abort {
            return Err(both(""));
        }
        let then = (said.commit || said.abort).then(|| request(said.abort));
        if !records.is_empty() || then.is_some() {
            parts.push(Part { records, then });
        }
        Ok(parts)
    }
}

/// Records that belong together, and what is asked for after them.
#[derive(Debug, PartialEq)]
pub(super) struct Part {
    pub(super) records: Vec<SourceRecord>,
    pub(super) then: Option<BoundaryRequest>,
}

fn request(abort: bool) -> BoundaryRequest {
    match abort {
        true => BoundaryRequest::Abort,
        false => BoundaryRequest::Commit,
    }
}

impl TransactionContext for Marks {
    fn commit_transaction(&self) {
        self.say(|said| said.commit = true);
    }
    fn commit_transaction_after(&self, index: usize) {
        self.say(|said| {
            said.commit_after.insert(index);
        });
    }
    fn abort_transaction(&self) {
        self.say(|said| said.abort = true);
    }
    fn abort_transaction_after(&self, index: usize) {
        self.say(|said| {
            said.abort_after.insert(index);
        });
    }
}

#[cfg(test)]
mod tests {
    use milena_api::TransactionContext;
    use milena_core::task::BoundaryRequest::{Abort, Commit};
    use milena_data::SourceRecord;

    use super::Marks;

    fn cut(
        marks: &Marks,
        count: usize,
    ) -> Vec<(usize, Option<milena_core::task::BoundaryRequest>)> {
        let parts = marks.cut(vec![SourceRecord::default(); count]).unwrap();
        parts
            .iter()
            .map(|part| (part.records.len(), part.then))
            .collect()
    }

    #[test]
    fn a_batch_is_cut_where_the_connector_says() {
        let marks = Marks::default();
        marks.commit_transaction_after(0);
        marks.abort_transaction_after(2);
        marks.commit_transaction();
        let parts = [(1, Some(Commit)), (2, Some(Abort)), (1, Some(Commit))];
        assert_eq!(cut(&marks, 4), parts);
        assert_eq!(cut(&marks, 2), [(2, None)], "marks are used once");
        marks.abort_transaction();
        assert_eq!(cut(&marks, 0), [(0, Some(Abort))]);
    }

    #[test]
    fn commit_and_abort_at_one_place_are_refused() {
        let marks = Marks::default();
        marks.commit_transaction();
        marks.abort_transaction();
        assert!(marks.cut(Vec::new()).is_err());
    }
}
