//! Looking at a chain while it runs: preview and live tap.

use bytes::Bytes;
use milena_api::{ConnectError, RawHeader};
use milena_data::Record;

use crate::Stage;

/// One stage has run on one record.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The stage.
    pub stage: Stage,
    /// The alias of the transform, or the configuration key of the converter.
    pub alias: &'a str,
    /// The Java class.
    pub class: &'a str,
    /// The position of the transform in the chain; 0 for converters.
    pub step: usize,
    /// The record before.
    pub before: Option<&'a Record>,
    /// The record after, `None` when it was dropped, or the failure.
    pub after: Result<Option<&'a Record>, &'a ConnectError>,
    /// False when the predicate kept the transform from being applied.
    pub applied: bool,
    /// What a converter read or wrote.
    pub raw: Raw<'a>,
}

/// The side of a converter that faces Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raw<'a> {
    /// Not a converter, or one that failed to write.
    None,
    /// The bytes of a key or value; `None` is null.
    Bytes(Option<&'a Bytes>),
    /// The headers.
    Headers(&'a [RawHeader]),
}

/// Is told of every stage of every record. While there is none, nothing is copied for it.
pub trait Observer: Send {
    /// One stage has run on one record.
    fn seen(&mut self, seen: &Seen<'_>);
}
