//! Building schemas with the rules and texts of Java's `SchemaBuilder` (spec `data.md` 1.1).

use std::sync::Arc;

use indexmap::IndexMap;

use crate::{
    DataError, Field, LogicalType, Schema, SchemaType, Text, Value,
    error::SCHEMA_BUILDER_EXCEPTION,
    schema::{Parts, SchemaParts},
    validate_value,
};

/// Builds a [`Schema`]; the checks are those of Java's `SchemaBuilder`. Setters chain; the first
/// broken rule is kept and reported by [`Self::build`].
#[derive(Clone, Debug)]
pub struct SchemaBuilder {
    parts: SchemaParts,
    optional_set: bool,
    error: Option<SchemaBuilderError>,
}

/// A violated rule of schema building, with Java's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SchemaBuilderError {
    /// Java's message.
    pub message: String,
    /// What it was caused by (`Invalid default value` has one).
    #[source]
    pub cause: Option<Box<DataError>>,
}

impl SchemaBuilderError {
    /// An error without a cause.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            cause: None,
        }
    }
}

impl From<SchemaBuilderError> for DataError {
    fn from(error: SchemaBuilderError) -> Self {
        let mut data = Self::of(SCHEMA_BUILDER_EXCEPTION, error.message);
        data.cause = error.cause;
        data
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
                logical: None,
            },
            optional_set: false,
            error: None,
        }
    }

    /// `SchemaBuilder.struct()`.
    #[must_use]
    pub fn structure() -> Self {
        Self::new(SchemaType::Struct)
    }

    /// `SchemaBuilder.array(elements)`.
    #[must_use]
    pub fn array(elements: Schema) -> Self {
        Self::array_of(Some(elements))
    }

    /// `SchemaBuilder.map(keys, values)`.
    #[must_use]
    pub fn map(keys: Schema, values: Schema) -> Self {
        Self::map_of(Some(keys), Some(values))
    }

    /// An array whose element schema may be missing (`SchemaBuilder.arrayOfNull`): only `Values` makes such.
    #[must_use]
    pub fn array_of(elements: Option<Schema>) -> Self {
        let mut builder = Self::new(SchemaType::Array);
        builder.parts.value_schema = elements;
        builder
    }

    /// A map whose key or value schemas may be missing (`SchemaBuilder.mapOfNull`).
    #[must_use]
    pub fn map_of(keys: Option<Schema>, values: Option<Schema>) -> Self {
        let mut builder = Self::new(SchemaType::Map);
        builder.parts.key_schema = keys;
        builder.parts.value_schema = values;
        builder
    }

    /// A builder with the parts of a schema, to be changed; setters replace what is there.
    #[must_use]
    pub fn like(schema: &Schema) -> SchemaCopy {
        SchemaCopy((*schema.0).clone())
    }

    /// Allows null.
    #[must_use]
    pub fn optional(self) -> Self {
        self.set_optional(true)
    }

    /// Forbids null, which is the default.
    #[must_use]
    pub fn required(self) -> Self {
        self.set_optional(false)
    }

    /// [`Self::optional`] or [`Self::required`].
    #[must_use]
    pub fn set_optional(mut self, optional: bool) -> Self {
        if self.optional_set && self.parts.optional != optional {
            return self.already_set("optional");
        }
        self.optional_set = true;
        self.parts.optional = optional;
        self
    }

    /// Sets the default value, which must be valid under what was set so far. Null is no default.
    #[must_use]
    pub fn default_value(mut self, value: Value) -> Self {
        if self.error.is_some() {
            return self;
        }
        if self.parts.default.as_ref().is_some_and(|old| *old != value) {
            return self.already_set("default");
        }
        self.refresh_logical();
        // Java validates against the builder, which never equals the struct's own schema.
        let checked = match (&value, self.parts.kind) {
            (Value::Struct(_), SchemaType::Struct) => {
                Err(DataError::data("Struct schemas do not match."))
            }
            _ => validate_value(&Schema(Parts::Shared(Arc::new(self.parts.clone()))), &value),
        };
        match checked {
            Ok(()) if value.is_null() => self,
            Ok(()) => {
                self.parts.default = Some(value);
                self
            }
            Err(cause) => self.fail(SchemaBuilderError {
                message: "Invalid default value".to_owned(),
                cause: Some(Box::new(cause)),
            }),
        }
    }

    /// Sets a default value without validation, as formats do that carry struct defaults.
    #[must_use]
    pub fn unchecked_default(mut self, value: Value) -> Self {
        self.parts.default = Some(value);
        self
    }

    /// Sets the name.
    #[must_use]
    pub fn name(mut self, name: impl Into<Text>) -> Self {
        let name = name.into();
        if self.parts.name.as_ref().is_some_and(|old| *old != name) {
            return self.already_set("name");
        }
        self.parts.name = Some(name);
        self
    }

    /// Sets the version.
    #[must_use]
    pub fn version(mut self, version: i32) -> Self {
        if self.parts.version.is_some_and(|old| old != version) {
            return self.already_set("version");
        }
        self.parts.version = Some(version);
        self
    }

    /// Sets the documentation.
    #[must_use]
    pub fn doc(mut self, doc: impl Into<Text>) -> Self {
        let doc = doc.into();
        if self.parts.doc.as_ref().is_some_and(|old| *old != doc) {
            return self.already_set("doc");
        }
        self.parts.doc = Some(doc);
        self
    }

    /// Sets one parameter.
    #[must_use]
    pub fn parameter(mut self, key: impl Into<Text>, value: impl Into<Text>) -> Self {
        self.parts
            .parameters
            .get_or_insert_default()
            .insert(key.into(), value.into());
        self
    }

    /// Adds all parameters; an empty map changes nothing.
    #[must_use]
    pub fn parameters(mut self, parameters: &IndexMap<Text, Text>) -> Self {
        if parameters.is_empty() {
            return self;
        }
        let target = self.parts.parameters.get_or_insert_default();
        for (key, value) in parameters {
            target.insert(key.clone(), value.clone());
        }
        self
    }

    /// Appends a field of a struct.
    #[must_use]
    pub fn field(mut self, name: impl Into<Text>, schema: Schema) -> Self {
        let name = name.into();
        if self.parts.kind != SchemaType::Struct {
            let message = format!("Cannot create fields on type {}", self.parts.kind);
            return self.fail(SchemaBuilderError::new(message));
        }
        if name.is_empty() {
            return self.fail(SchemaBuilderError::new("fieldName cannot be null."));
        }
        let index = self.parts.fields.len();
        if self.parts.fields.contains_key(&name) {
            return self.fail(SchemaBuilderError::new(format!(
                "Cannot create field because of field name duplication {name}"
            )));
        }
        let field = Field {
            name: name.clone(),
            index,
            schema,
        };
        self.parts.fields.insert(name, field);
        self
    }

    /// Whether a field of this name was added.
    #[must_use]
    pub fn has_field(&self, name: &str) -> bool {
        self.parts.fields.contains_key(name)
    }

    /// Keeps an error found outside, to be reported by [`Self::build`].
    #[must_use]
    pub fn fail(mut self, error: SchemaBuilderError) -> Self {
        self.error.get_or_insert(error);
        self
    }

    /// The first broken rule so far.
    #[must_use]
    pub fn error(&self) -> Option<&SchemaBuilderError> {
        self.error.as_ref()
    }

    /// The schema, or the first violated rule.
    ///
    /// # Errors
    /// The rule that a call before broke, with Java's text.
    pub fn build(mut self) -> Result<Schema, SchemaBuilderError> {
        self.refresh_logical();
        match self.error {
            Some(error) => Err(error),
            None => Ok(Schema(Parts::Shared(Arc::new(self.parts)))),
        }
    }

    fn refresh_logical(&mut self) {
        self.parts.logical = self.parts.name.as_deref().and_then(LogicalType::of_name);
    }

    fn already_set(self, property: &str) -> Self {
        self.fail(SchemaBuilderError::new(format!(
            "Invalid SchemaBuilder call: {property} has already been set."
        )))
    }
}

/// A copy of a schema with single parts replaced, without the checks of the builder: what code does
/// that derives a schema from a valid one.
#[derive(Clone, Debug)]
pub struct SchemaCopy(SchemaParts);

impl SchemaCopy {
    /// Replaces whether null is allowed.
    #[must_use]
    pub fn optional(mut self, optional: bool) -> Self {
        self.0.optional = optional;
        self
    }
    /// Replaces or removes the name.
    #[must_use]
    pub fn name(mut self, name: Option<Text>) -> Self {
        self.0.name = name;
        self
    }
    /// Replaces or removes the version.
    #[must_use]
    pub fn version(mut self, version: Option<i32>) -> Self {
        self.0.version = version;
        self
    }
    /// Replaces or removes the documentation.
    #[must_use]
    pub fn doc(mut self, doc: Option<Text>) -> Self {
        self.0.doc = doc;
        self
    }
    /// Replaces or removes the default value.
    #[must_use]
    pub fn default_value(mut self, value: Option<Value>) -> Self {
        self.0.default = value;
        self
    }
    /// Replaces or removes the parameters.
    #[must_use]
    pub fn parameters(mut self, parameters: Option<IndexMap<Text, Text>>) -> Self {
        self.0.parameters = parameters;
        self
    }
    /// The schema.
    #[must_use]
    pub fn build(mut self) -> Schema {
        self.0.logical = self.0.name.as_deref().and_then(LogicalType::of_name);
        Schema(Parts::Shared(Arc::new(self.0)))
    }
}
