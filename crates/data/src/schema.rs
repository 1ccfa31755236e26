//! Schemas: shared by pointer, compared by pointer first (spec `data.md` 1.1).

use std::sync::Arc;

use indexmap::IndexMap;

use crate::{Text, Value};

/// The Connect schema types (`Schema.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum SchemaType {
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Boolean,
    String,
    Bytes,
    Array,
    Map,
    Struct,
}

/// A schema; cloning shares it. Equality is structural over all parts, after a pointer check.
#[derive(Clone, Debug)]
pub struct Schema(Arc<SchemaParts>);

#[derive(Clone, Debug)]
pub(crate) struct SchemaParts {
    pub(crate) kind: SchemaType,
    pub(crate) optional: bool,
    pub(crate) default: Option<Value>,
    pub(crate) name: Option<Text>,
    pub(crate) version: Option<i32>,
    pub(crate) doc: Option<Text>,
    pub(crate) parameters: Option<IndexMap<Text, Text>>,
    pub(crate) fields: IndexMap<Text, Field>,
    pub(crate) key_schema: Option<Schema>,
    pub(crate) value_schema: Option<Schema>,
}

/// A field of a struct schema: name, index from 0, schema.
#[derive(Clone, Debug)]
pub struct Field {
    pub(crate) name: Text,
    pub(crate) index: usize,
    pub(crate) schema: Schema,
}

/// A value with its schema; `(None, Null)` is Java's `SchemaAndValue.NULL`.
#[derive(Clone, Debug, Default)]
pub struct SchemaAndValue {
    /// The schema, absent for schemaless data.
    pub schema: Option<Schema>,
    /// The value.
    pub value: Value,
}

/// Builds a [`Schema`]; the checks are those of Java's `SchemaBuilder`, at [`Self::build`] at the latest.
#[derive(Clone, Debug)]
pub struct SchemaBuilder {
    parts: SchemaParts,
    error: Option<SchemaBuilderError>,
}

/// A violated rule of schema building, with Java's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SchemaBuilderError {
    /// Java's message.
    pub message: String,
}

impl Field {
    /// The field's name.
    #[must_use]
    pub fn name(&self) -> &Text {
        &self.name
    }
    /// The field's position, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }
    /// The field's schema.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }
}

impl Schema {
    /// The type.
    #[must_use]
    pub fn kind(&self) -> SchemaType {
        self.0.kind
    }
    /// Whether null is allowed.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.0.optional
    }
    /// The default value.
    #[must_use]
    pub fn default_value(&self) -> Option<&Value> {
        self.0.default.as_ref()
    }
    /// The schema's name; the discriminator of logical types.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }
    /// The version.
    #[must_use]
    pub fn version(&self) -> Option<i32> {
        self.0.version
    }
    /// The documentation.
    #[must_use]
    pub fn doc(&self) -> Option<&str> {
        self.0.doc.as_deref()
    }
    /// The parameters in insertion order.
    #[must_use]
    pub fn parameters(&self) -> Option<&IndexMap<Text, Text>> {
        self.0.parameters.as_ref()
    }
    /// The fields of a struct schema by name, in order; empty for other types.
    #[must_use]
    pub fn fields(&self) -> &IndexMap<Text, Field> {
        &self.0.fields
    }
    /// The key schema of a map.
    #[must_use]
    pub fn key_schema(&self) -> Option<&Schema> {
        self.0.key_schema.as_ref()
    }
    /// The value schema of a map, the element schema of an array.
    #[must_use]
    pub fn value_schema(&self) -> Option<&Schema> {
        self.0.value_schema.as_ref()
    }
    /// Whether both are the same shared object.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl SchemaBuilder {
    /// Starts a schema of the given type.
    #[must_use]
    pub fn new(kind: SchemaType) -> Self {
        Self {
            parts: SchemaParts {
                kind,
                optional: false,
                default: None,
                name: None,
                version: None,
                doc: None,
                parameters: None,
                fields: IndexMap::new(),
                key_schema: None,
                value_schema: None,
            },
            error: None,
        }
    }

    /// The schema, or the first violated rule.
    ///
    /// # Errors
    /// The rule that a call before broke, with Java's text.
    pub fn build(self) -> Result<Schema, SchemaBuilderError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(Schema(Arc::new(self.parts))),
        }
    }
}
