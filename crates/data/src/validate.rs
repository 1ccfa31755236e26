//! `ConnectSchema.validateValue`: whether a value fits a schema, with Java's texts (spec `data.md` 1.2).

use std::fmt;

use crate::{DataError, LogicalType, Schema, SchemaType, Struct, Value};

/// Where in a value the check stands; rendered only for a message.
#[derive(Clone, Copy)]
enum Location<'a> {
    Value,
    Field(&'a str),
    Element(&'a Location<'a>),
    Key(&'a Location<'a>),
    MapValue(&'a Location<'a>),
}

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value => f.write_str("value"),
            Self::Field(name) => write!(f, "field: \"{name}\""),
            Self::Element(outer) => write!(f, "element of array {outer}"),
            Self::Key(outer) => write!(f, "key of map {outer}"),
            Self::MapValue(outer) => write!(f, "value of map {outer}"),
        }
    }
}

/// Checks a value against a schema.
///
/// # Errors
/// The first violation, with Java's text.
pub fn validate_value(schema: &Schema, value: &Value) -> Result<(), DataError> {
    check(schema, value, Location::Value)
}

/// Checks a value of a struct's field against a schema; the field is named in the message.
///
/// # Errors
/// The first violation, with Java's text.
pub fn validate_field(name: &str, schema: &Schema, value: &Value) -> Result<(), DataError> {
    check(schema, value, Location::Field(name))
}

/// Whether the class of the value is among those expected for the schema; containers are not entered.
fn class_fits(schema: &Schema, value: &Value) -> bool {
    match schema.logical() {
        Some(LogicalType::Decimal) => matches!(value, Value::Decimal(_)),
        Some(_) => matches!(value, Value::Instant(_)),
        None => class_fits_type(schema.kind(), value),
    }
}

pub(crate) fn class_fits_type(kind: SchemaType, value: &Value) -> bool {
    matches!(
        (kind, value),
        (SchemaType::Int8, Value::Int8(_))
            | (SchemaType::Int16, Value::Int16(_))
            | (SchemaType::Int32, Value::Int32(_))
            | (SchemaType::Int64, Value::Int64(_))
            | (SchemaType::Float32, Value::Float32(_))
            | (SchemaType::Float64, Value::Float64(_))
            | (SchemaType::Boolean, Value::Boolean(_))
            | (SchemaType::String, Value::String(_))
            | (SchemaType::Bytes, Value::Bytes(_))
            | (SchemaType::Array, Value::Array(_))
            | (SchemaType::Map, Value::Map(_))
            | (SchemaType::Struct, Value::Struct(_))
    )
}

fn check(schema: &Schema, value: &Value, location: Location<'_>) -> Result<(), DataError> {
    if value.is_null() {
        if schema.is_optional() {
            return Ok(());
        }
        return Err(DataError::data(format!(
            "Invalid value: null used for required {location}, schema type: {}",
            schema.kind()
        )));
    }
    if !class_fits(schema, value) {
        return Err(wrong_class(schema, value, location));
    }
    match value {
        Value::Struct(inner) => check_struct(schema, inner),
        Value::Array(items) => {
            let inside = Location::Element(&location);
            let element = required_schema(schema.value_schema(), inside)?;
            items
                .iter()
                .try_for_each(|item| check(element, item, inside))
        }
        Value::Map(map) => {
            let in_key = Location::Key(&location);
            let in_value = Location::MapValue(&location);
            let key_schema = required_schema(schema.key_schema(), in_key)?;
            let value_schema = required_schema(schema.value_schema(), in_value)?;
            map.iter().try_for_each(|(key, value)| {
                check(key_schema, key, in_key)?;
                check(value_schema, value, in_value)
            })
        }
        _ => Ok(()),
    }
}

fn check_struct(schema: &Schema, inner: &Struct) -> Result<(), DataError> {
    if inner.schema() != schema {
        return Err(DataError::data("Struct schemas do not match."));
    }
    inner.validate()
}

fn wrong_class(schema: &Schema, value: &Value, location: Location<'_>) -> DataError {
    let name = schema
        .name()
        .map_or_else(String::new, |name| format!(" \"{name}\""));
    DataError::data(format!(
        "Invalid Java object for schema{name} with type {}: class {} for {location}",
        schema.kind(),
        value.java_class()
    ))
}

fn required_schema<'s>(
    schema: Option<&'s Schema>,
    location: Location<'_>,
) -> Result<&'s Schema, DataError> {
    schema.ok_or_else(|| DataError::data(format!("No schema defined for {location}")))
}
