//! A struct value: a vector of values by field index under a shared schema.

use crate::{Schema, Value};

/// `org.apache.kafka.connect.data.Struct`: slots by field index, never a map.
#[derive(Clone, Debug)]
pub struct Struct {
    schema: Schema,
    values: Vec<Value>,
}

impl Struct {
    /// A struct with all slots null. The schema must be a struct schema (checked by the caller or
    /// by `validate`).
    #[must_use]
    pub fn empty(schema: Schema) -> Self {
        let values = vec![Value::Null; schema.fields().len()];
        Self { schema, values }
    }

    /// A struct of the given slots, in field order, without validation.
    #[must_use]
    pub fn from_slots(schema: Schema, values: Vec<Value>) -> Self {
        Self { schema, values }
    }

    /// The schema.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The raw slots in field order.
    #[must_use]
    pub fn slots(&self) -> &[Value] {
        &self.values
    }

    /// The raw slots, to be replaced in place; the caller keeps them valid under the schema.
    pub fn slots_mut(&mut self) -> &mut [Value] {
        &mut self.values
    }
}
