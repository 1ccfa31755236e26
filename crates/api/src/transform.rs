//! Single message transforms and predicates.

use async_trait::async_trait;
use milena_data::Record;

use crate::ConnectError;

/// A transform that needs no I/O: called record by record. Each task owns its instances.
pub trait RecordTransform: Send {
    /// Changes the record in its place (records are large: moving one costs more than most of what is done to it);
    /// `false` drops it. After an error nobody looks at what is left of it.
    ///
    /// # Errors
    /// The record does not fit; it fails at the TRANSFORMATION stage.
    fn change(&mut self, record: &mut Record) -> Result<bool, ConnectError>;

    /// The changed record, or `None` if it is dropped.
    ///
    /// # Errors
    /// As [`Self::change`].
    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, ConnectError> {
        Ok(self.change(&mut record)?.then_some(record))
    }
}

/// A transform that does I/O or lives in another process. One answer per record, in order.
#[async_trait]
pub trait BatchTransform: Send {
    /// Applies the transform to each record of a batch.
    async fn apply(&mut self, records: Vec<Record>) -> Vec<Result<Option<Record>, ConnectError>>;
}

/// A configured transform.
pub enum TransformInstance {
    /// Called record by record.
    PerRecord(Box<dyn RecordTransform>),
    /// Called batch by batch.
    Batch(Box<dyn BatchTransform>),
}

/// Decides whether a transform is applied to a record (KIP-585).
pub trait Predicate: Send {
    /// Whether the predicate holds.
    ///
    /// # Errors
    /// The record cannot be judged; it fails at the TRANSFORMATION stage.
    fn test(&mut self, record: &Record) -> Result<bool, ConnectError>;
}
