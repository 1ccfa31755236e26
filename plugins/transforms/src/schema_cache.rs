//! What a transform derives from a schema, kept for the last schemas seen, by pointer
//! (`SynchronizedCache` over an `LRUCache` of 16 in Java).

use milena_api::ConnectError;
use milena_data::Schema;

/// Java's size; a topic has one schema, or a few during an evolution.
const SCHEMAS_MAX: usize = 16;

/// Derived values of the last schemas. The schemas are kept alive, so an address stays theirs.
pub(crate) struct SchemaCache<T> {
    entries: Vec<(Schema, T)>,
}

impl<T> Default for SchemaCache<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
        }
    }
}

impl<T> SchemaCache<T> {
    /// What was derived from a schema, or derives it now. A failure is not kept.
    pub(crate) fn get(
        &mut self,
        schema: &Schema,
        derive: impl FnOnce(&Schema) -> Result<T, ConnectError>,
    ) -> Result<&T, ConnectError> {
        let place = match self.entries.iter().position(|(own, _)| own.same(schema)) {
            Some(place) => place,
            None => {
                let derived = derive(schema)?;
                if self.entries.len() >= SCHEMAS_MAX {
                    self.entries.remove(0);
                }
                self.entries.push((schema.clone(), derived));
                self.entries.len() - 1
            }
        };
        match self.entries.get(place) {
            Some((_, derived)) => Ok(derived),
            None => Err(ConnectError::connect("the schema cache lost an entry")),
        }
    }
}
