//! A struct value: a vector of values by field index under a shared schema (spec `data.md` 1.3).

use bytes::Bytes;

use crate::{
    DataError, Field, Schema, SchemaType, Text, Value, validate::class_fits_type, validate_field,
};

/// `org.apache.kafka.connect.data.Struct`: slots by field index, never a map.
#[derive(Clone, Debug)]
pub struct Struct {
    schema: Schema,
    values: Vec<Value>,
}

impl Struct {
    /// A struct with all slots null.
    ///
    /// # Errors
    /// The schema is not a struct schema: `Not a struct schema: …`.
    pub fn new(schema: Schema) -> Result<Self, DataError> {
        if schema.kind() != SchemaType::Struct {
            return Err(DataError::data(format!("Not a struct schema: {schema}")));
        }
        Ok(Self::empty(schema))
    }

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

    /// Takes the slots out, for their memory. There are none then, until they are [set](Self::set_slots).
    pub fn take_slots(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.values)
    }

    /// Makes this the struct of a schema and the given slots, in field order, without validation, whatever it was.
    pub fn set_slots(&mut self, schema: &Schema, values: Vec<Value>) {
        self.set_schema(schema);
        self.values = values;
    }

    /// Schema and slots, to be changed in place; the caller keeps the slots valid under the schema, or [sets](Self::set_schema)
    /// the one under which they are.
    pub fn parts_mut(&mut self) -> (&Schema, &mut Vec<Value>) {
        (&self.schema, &mut self.values)
    }

    /// Makes this a struct of another schema, under which the caller has put the slots.
    pub fn set_schema(&mut self, schema: &Schema) {
        // Holders are not counted where nothing changes.
        if !self.schema.same(schema) {
            self.schema = schema.clone();
        }
    }

    /// Schema and slots, to be taken apart.
    #[must_use]
    pub fn into_parts(self) -> (Schema, Vec<Value>) {
        (self.schema, self.values)
    }

    /// The field of a name.
    ///
    /// # Errors
    /// `<name> is not a valid field name`.
    pub fn field(&self, name: &str) -> Result<&Field, DataError> {
        self.schema
            .field(name)
            .ok_or_else(|| DataError::data(format!("{name} is not a valid field name")))
    }

    /// The value of a field, or its default when the slot is null.
    ///
    /// # Errors
    /// `<name> is not a valid field name`.
    pub fn get(&self, name: &str) -> Result<&Value, DataError> {
        Ok(self.get_field(self.field(name)?))
    }

    /// The value of a field of this struct's schema, or its default when the slot is null.
    #[must_use]
    pub fn get_field<'a>(&'a self, field: &'a Field) -> &'a Value {
        match self.slot(field.index) {
            Value::Null => field.schema.default_value().unwrap_or(&Value::Null),
            value => value,
        }
    }

    /// The value at an index, or its default when the slot is null; null beyond the end.
    #[must_use]
    pub fn get_at(&self, index: usize) -> &Value {
        self.schema
            .field_at(index)
            .map_or(&Value::Null, |field| self.get_field(field))
    }

    /// The raw slot of a field.
    ///
    /// # Errors
    /// `<name> is not a valid field name`.
    pub fn get_without_default(&self, name: &str) -> Result<&Value, DataError> {
        Ok(self.slot(self.field(name)?.index))
    }

    /// The raw slot at an index; null beyond the end.
    #[must_use]
    pub fn slot(&self, index: usize) -> &Value {
        self.values.get(index).unwrap_or(&Value::Null)
    }

    /// Validates the value against the field's schema, without regard to defaults, and sets the slot.
    ///
    /// # Errors
    /// `<name> is not a valid field name`, or the value does not fit.
    pub fn put(&mut self, name: &str, value: impl Into<Value>) -> Result<&mut Self, DataError> {
        let value = value.into();
        let field = self.field(name)?;
        validate_field(&field.name, &field.schema, &value)?;
        let index = field.index;
        if let Some(slot) = self.values.get_mut(index) {
            *slot = value;
        }
        Ok(self)
    }

    /// Checks all slots: a null slot is fine when the field is optional or has a default.
    ///
    /// # Errors
    /// The first violation, with Java's text.
    pub fn validate(&self) -> Result<(), DataError> {
        for (field, value) in self.schema.fields().values().zip(&self.values) {
            let schema = &field.schema;
            if value.is_null() && (schema.is_optional() || schema.default_value().is_some()) {
                continue;
            }
            validate_field(&field.name, schema, value)?;
        }
        Ok(())
    }

    /// The raw slot of a field whose schema has the given type, as Java's typed getters.
    ///
    /// # Errors
    /// `<name> is not a valid field name`, `Field '<name>' is not of type <TYPE>`.
    pub fn get_checked(&self, name: &str, kind: SchemaType) -> Result<&Value, DataError> {
        let field = self.field(name)?;
        if field.schema.kind() != kind {
            return Err(DataError::data(format!(
                "Field '{name}' is not of type {kind}"
            )));
        }
        let value = self.slot(field.index);
        if value.is_null() || class_fits_type(kind, value) {
            return Ok(value);
        }
        Err(DataError::of(
            "java.lang.ClassCastException",
            format!(
                "class {} cannot be cast to the class of {kind}",
                value.java_class()
            ),
        ))
    }

    /// `getInt32`; null is `None`.
    ///
    /// # Errors
    /// As [`Self::get_checked`].
    pub fn get_int32(&self, name: &str) -> Result<Option<i32>, DataError> {
        Ok(match self.get_checked(name, SchemaType::Int32)? {
            Value::Int32(n) => Some(*n),
            _ => None,
        })
    }

    /// `getInt64`; null is `None`.
    ///
    /// # Errors
    /// As [`Self::get_checked`].
    pub fn get_int64(&self, name: &str) -> Result<Option<i64>, DataError> {
        Ok(match self.get_checked(name, SchemaType::Int64)? {
            Value::Int64(n) => Some(*n),
            _ => None,
        })
    }

    /// `getBoolean`; null is `None`.
    ///
    /// # Errors
    /// As [`Self::get_checked`].
    pub fn get_boolean(&self, name: &str) -> Result<Option<bool>, DataError> {
        Ok(match self.get_checked(name, SchemaType::Boolean)? {
            Value::Boolean(b) => Some(*b),
            _ => None,
        })
    }

    /// `getString`; null is `None`.
    ///
    /// # Errors
    /// As [`Self::get_checked`].
    pub fn get_string(&self, name: &str) -> Result<Option<&Text>, DataError> {
        Ok(match self.get_checked(name, SchemaType::String)? {
            Value::String(text) => Some(text),
            _ => None,
        })
    }

    /// `getBytes`; null is `None`.
    ///
    /// # Errors
    /// As [`Self::get_checked`].
    pub fn get_bytes(&self, name: &str) -> Result<Option<&Bytes>, DataError> {
        Ok(match self.get_checked(name, SchemaType::Bytes)? {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        })
    }

    /// `getStruct`; null is `None`.
    ///
    /// # Errors
    /// As [`Self::get_checked`].
    pub fn get_struct(&self, name: &str) -> Result<Option<&Struct>, DataError> {
        Ok(match self.get_checked(name, SchemaType::Struct)? {
            Value::Struct(inner) => Some(inner),
            _ => None,
        })
    }
}

impl PartialEq for Struct {
    fn eq(&self, other: &Self) -> bool {
        self.schema == other.schema && self.values == other.values
    }
}

impl Eq for Struct {}

impl std::hash::Hash for Struct {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.schema.hash(state);
        self.values.hash(state);
    }
}
