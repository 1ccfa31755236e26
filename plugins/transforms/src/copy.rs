//! Deriving schemas and copying structs, as `SchemaUtil.copySchemaBasics` and `Struct.put` do.

use milena_api::ConnectError;
use milena_data::{Field, Schema, SchemaBuilder, SchemaType, Value, validate_field};

/// A builder of a type with the name, version, doc and parameters of a schema: without its optional
/// and its default.
pub(crate) fn basics(schema: &Schema, kind: SchemaType) -> SchemaBuilder {
    basics_onto(schema, SchemaBuilder::new(kind))
}

/// The same onto a builder that may already have elements.
pub(crate) fn basics_onto(schema: &Schema, mut builder: SchemaBuilder) -> SchemaBuilder {
    if let Some(name) = schema.name_text() {
        builder = builder.name(name.clone());
    }
    if let Some(version) = schema.version() {
        builder = builder.version(version);
    }
    if let Some(doc) = schema.doc() {
        builder = builder.doc(doc);
    }
    if let Some(parameters) = schema.parameters() {
        builder = builder.parameters(parameters);
    }
    builder
}

/// The fields of a schema; other types than structs have none to list.
pub(crate) fn fields(schema: &Schema) -> Result<impl Iterator<Item = &Field>, ConnectError> {
    if schema.kind() == SchemaType::Struct {
        return Ok(schema.fields().values());
    }
    Err(ConnectError::data("Cannot list fields on non-struct type"))
}

/// The field of a name; other types than structs cannot be asked.
pub(crate) fn field<'a>(schema: &'a Schema, name: &str) -> Result<Option<&'a Field>, ConnectError> {
    if schema.kind() == SchemaType::Struct {
        return Ok(schema.field(name));
    }
    Err(ConnectError::data(
        "Cannot look up fields on non-struct type",
    ))
}

/// A slot's value; a null is read as the field's default where that is asked for.
pub(crate) fn read_slot(slot: Value, field: &Field, replace_null: bool) -> Value {
    match slot {
        Value::Null if replace_null => field.schema().default_value().cloned().unwrap_or_default(),
        value => value,
    }
}

/// A value for a field, checked as `Struct.put` does.
pub(crate) fn put(field: &Field, value: Value) -> Result<Value, ConnectError> {
    validate_field(field.name(), field.schema(), &value)?;
    Ok(value)
}

/// Whether a value that was put under a schema fits it for ever. A struct may lack fields until it is put somewhere, so
/// it is checked there, and so is what may hold one.
pub(crate) fn settled(value: &Value) -> bool {
    !matches!(
        value,
        Value::Null | Value::Struct(_) | Value::Array(_) | Value::Map(_)
    )
}

/// A value that goes from a field to another, read as [`read_slot`] and checked as [`put`]; what is [`settled`] under the
/// very same schema is not checked again.
pub(crate) fn carry(
    value: Value,
    from: &Field,
    to: &Field,
    replace_null: bool,
) -> Result<Value, ConnectError> {
    if settled(&value) && from.schema().same(to.schema()) {
        return Ok(value);
    }
    put(to, read_slot(value, from, replace_null))
}
