//! Record headers: an ordered multimap (spec `data.md` 1.6).

use crate::{SchemaAndValue, Text};

/// One header.
#[derive(Clone, Debug)]
pub struct Header {
    /// The key.
    pub key: Text,
    /// The value with its schema.
    pub value: SchemaAndValue,
}

/// The headers of a record, in order; a key may stand several times.
#[derive(Clone, Debug, Default)]
pub struct Headers(Vec<Header>);

impl Headers {
    /// The headers in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Header> {
        self.0.iter()
    }
    /// The number of headers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there is no header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// Appends a header without a check.
    pub fn push(&mut self, header: Header) {
        self.0.push(header);
    }
}
