//! The schema caches of the converter: text to schema, schema to text, and what stands before the fields of a struct.
//!
//! All are bounded by `schemas.cache.size`. The last used entry is kept at hand: most topics carry
//! one schema.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use milena_data::Schema;

use super::encode;

/// Schemas by the exact bytes of their JSON form in a message.
#[derive(Default)]
pub(crate) struct ReadCache {
    last: Option<(Bytes, Schema)>,
    by_text: HashMap<Bytes, Schema>,
    limit: usize,
}

impl ReadCache {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// The last used schema, if the bytes start with its text; with the length of the text. Texts are
    /// whole JSON objects, so none can be the beginning of another.
    pub(crate) fn starting(&self, bytes: &[u8]) -> Option<(usize, &Schema)> {
        let (text, schema) = self.last.as_ref()?;
        bytes.starts_with(text).then_some((text.len(), schema))
    }

    /// The schema of a text.
    pub(crate) fn get(&mut self, text: &[u8]) -> Option<Schema> {
        let (key, schema) = self.by_text.get_key_value(text)?;
        self.last = Some((key.clone(), schema.clone()));
        Some(schema.clone())
    }

    /// Remembers a schema.
    pub(crate) fn insert(&mut self, text: &[u8], schema: &Schema) {
        if self.limit == 0 {
            return;
        }
        // A source of ever new schemas must not grow the cache; starting over is the cheapest bound.
        if self.by_text.len() >= self.limit {
            self.by_text.clear();
        }
        // The text is copied, for a slice would keep the whole message.
        let text = Bytes::copy_from_slice(text);
        self.by_text.insert(text.clone(), schema.clone());
        self.last = Some((text, schema.clone()));
    }
}

/// The beginnings of envelopes by schema, which is compared by pointer.
#[derive(Default)]
pub(crate) struct WriteCache {
    last: Option<(Schema, Bytes)>,
    by_address: HashMap<usize, (Schema, Bytes)>,
    limit: usize,
}

impl WriteCache {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// The text that was remembered for this very schema.
    pub(crate) fn get(&mut self, schema: &Schema) -> Option<Bytes> {
        if let Some((last, text)) = &self.last
            && last.same(schema)
        {
            return Some(text.clone());
        }
        // The entry holds the schema, so no other can have its address.
        let entry = self.by_address.get(&schema.address())?;
        self.last = Some(entry.clone());
        Some(entry.1.clone())
    }

    /// Remembers a text.
    pub(crate) fn insert(&mut self, schema: &Schema, text: Bytes) {
        if self.limit == 0 {
            return;
        }
        if self.by_address.len() >= self.limit {
            self.by_address.clear();
        }
        let entry = (schema.clone(), text);
        self.by_address.insert(schema.address(), entry.clone());
        self.last = Some(entry);
    }
}

/// What stands before the value of each field, by its index: names are escaped once, not with each value.
pub(crate) type Members = Arc<[Box<[u8]>]>;

/// The [`Members`] of struct schemas, which are compared by pointer.
#[derive(Default)]
pub(crate) struct MemberCache {
    last: Option<(Schema, Members)>,
    by_address: HashMap<usize, (Schema, Members)>,
    limit: usize,
}

impl MemberCache {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Those of a schema; none where nothing may be remembered.
    pub(crate) fn of(&mut self, schema: &Schema) -> Members {
        if let Some((last, members)) = &self.last
            && last.same(schema)
        {
            return Arc::clone(members);
        }
        if self.limit == 0 {
            return Members::default();
        }
        // The entry holds the schema, so no other can have its address.
        if let Some(entry) = self.by_address.get(&schema.address()) {
            self.last = Some(entry.clone());
            return Arc::clone(&entry.1);
        }
        if self.by_address.len() >= self.limit {
            self.by_address.clear();
        }
        let member = |field| {
            let mut text = Vec::new();
            encode::push_member(&mut text, field);
            text.into_boxed_slice()
        };
        let members: Members = schema.fields().values().map(member).collect();
        let entry = (schema.clone(), Arc::clone(&members));
        self.by_address.insert(schema.address(), entry.clone());
        self.last = Some(entry);
        members
    }
}
