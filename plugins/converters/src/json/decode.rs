//! A JSON tree to a value: Jackson's coercions and Java's texts (spec `data.md` 2.1.4, 2.1.5).

use bytes::Bytes;
use milena_data::{
    DataError, Decimal, LogicalType, MapValue, Schema, SchemaType, Struct, Value, logical,
    low_bits, validate_field,
};

use super::{config::JsonConfig, scan, tree::Node};

/// `convertToConnect`: a node under a schema, or without one.
pub(crate) fn value(
    schema: Option<&Schema>,
    node: &Node,
    config: &JsonConfig,
) -> Result<Value, DataError> {
    let Some(schema) = schema else {
        return schemaless(node, config);
    };
    if matches!(node, Node::Null) {
        return match schema.default_value() {
            Some(default) if config.replace_null_with_default => Ok(default.clone()),
            _ if schema.is_optional() => Ok(Value::Null),
            _ => Err(DataError::data(format!(
                "Invalid null value for required {} field",
                schema.kind()
            ))),
        };
    }
    match schema.logical() {
        Some(logical) => logical_value(logical, schema, node),
        None => plain(schema, node, config),
    }
}

fn schemaless(node: &Node, config: &JsonConfig) -> Result<Value, DataError> {
    Ok(match node {
        Node::Missing | Node::Null => Value::Null,
        Node::Boolean(b) => Value::Boolean(*b),
        Node::Integer(_) | Node::BigInteger(_) => Value::Int64(long_value(node)),
        Node::Real(_) => Value::Float64(double_value(node)),
        Node::Text(text) => Value::String(text.clone()),
        Node::Array(_) => Value::Array(elements(None, node, config)?),
        Node::Object(members) => {
            let mut map = MapValue::with_capacity(members.len());
            for (name, member) in members {
                map.insert(name.clone(), value(None, member, config)?);
            }
            map.into()
        }
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing casts are the behaviour"
)]
fn plain(schema: &Schema, node: &Node, config: &JsonConfig) -> Result<Value, DataError> {
    Ok(match schema.kind() {
        SchemaType::Boolean => Value::Boolean(matches!(node, Node::Boolean(true))),
        SchemaType::Int8 => Value::Int8(long_value(node) as i8),
        SchemaType::Int16 => Value::Int16(long_value(node) as i16),
        SchemaType::Int32 => Value::Int32(long_value(node) as i32),
        SchemaType::Int64 => Value::Int64(long_value(node)),
        SchemaType::Float32 => Value::Float32(float_value(node)),
        SchemaType::Float64 => Value::Float64(double_value(node)),
        SchemaType::String => match node {
            Node::Text(text) => Value::String(text.clone()),
            _ => Value::Null,
        },
        SchemaType::Bytes => match node {
            Node::Text(text) => match scan::base64(text) {
                Ok(bytes) => Value::Bytes(Bytes::from(bytes)),
                Err(reason) => {
                    let error = DataError::data("Invalid bytes field");
                    return Err(error.caused_by(broken_base64(&reason)));
                }
            },
            _ => Value::Null,
        },
        SchemaType::Array => Value::Array(elements(schema.value_schema(), node, config)?),
        SchemaType::Map => map(schema, node, config)?,
        SchemaType::Struct => structure(schema, node, config)?,
    })
}

/// The children of an array or object; nothing of others.
fn elements(
    schema: Option<&Schema>,
    node: &Node,
    config: &JsonConfig,
) -> Result<Vec<Value>, DataError> {
    match node {
        Node::Array(items) => items
            .iter()
            .map(|item| value(schema, item, config))
            .collect(),
        Node::Object(members) => members
            .values()
            .map(|member| value(schema, member, config))
            .collect(),
        _ => Ok(Vec::new()),
    }
}

fn map(schema: &Schema, node: &Node, config: &JsonConfig) -> Result<Value, DataError> {
    let key_schema = schema.key_schema();
    let value_schema = schema.value_schema();
    let mut map = MapValue::new();
    if key_schema.is_none_or(|schema| schema.kind() == SchemaType::String) {
        let Node::Object(members) = node else {
            return Err(DataError::data(format!(
                "Maps with string fields should be encoded as JSON objects, but found {}",
                node.kind()
            )));
        };
        for (name, member) in members {
            map.insert(name.clone(), value(value_schema, member, config)?);
        }
        return Ok(map.into());
    }
    let Node::Array(entries) = node else {
        return Err(DataError::data(format!(
            "Maps with non-string fields should be encoded as JSON array of tuples, but found {}",
            node.kind()
        )));
    };
    for entry in entries {
        let Node::Array(pair) = entry else {
            return Err(DataError::data(format!(
                "Found invalid map entry instead of array tuple: {}",
                entry.kind()
            )));
        };
        let [key, member] = pair.as_slice() else {
            return Err(DataError::data(format!(
                "Found invalid map entry, expected length 2 but found :{}",
                pair.len()
            )));
        };
        let key = value(key_schema, key, config)?;
        map.insert(key, value(value_schema, member, config)?);
    }
    Ok(map.into())
}

fn structure(schema: &Schema, node: &Node, config: &JsonConfig) -> Result<Value, DataError> {
    let Node::Object(members) = node else {
        return Err(DataError::data(format!(
            "Structs should be encoded as JSON objects, but found {}",
            node.kind()
        )));
    };
    let mut slots = Vec::with_capacity(schema.fields().len());
    for field in schema.fields().values() {
        let node = members.get(field.name()).unwrap_or(&Node::Null);
        let slot = value(Some(field.schema()), node, config)?;
        validate_field(field.name(), field.schema(), &slot)?;
        slots.push(slot);
    }
    Ok(Struct::from_slots(schema.clone(), slots).into())
}

fn logical_value(logical: LogicalType, schema: &Schema, node: &Node) -> Result<Value, DataError> {
    let invalid = |name: &str, wanted: &str| {
        DataError::data(format!(
            "Invalid type for {name}, underlying representation should be {wanted} but was {}",
            node.kind()
        ))
    };
    let int = || match node {
        Node::Integer(n) => i32::try_from(*n).ok(),
        _ => None,
    };
    match logical {
        LogicalType::Decimal => match node {
            Node::Integer(n) => Ok(Value::Decimal(Decimal::new((*n).into(), 0))),
            Node::BigInteger(n) => Ok(Value::Decimal(Decimal::new(n.clone(), 0))),
            Node::Real(decimal) => Ok(Value::Decimal(decimal.clone())),
            Node::Text(text) => match scan::base64(text) {
                Ok(bytes) => decimal_of_bytes(schema, &bytes),
                Err(reason) => {
                    let error = DataError::data("Invalid bytes for Decimal field");
                    Err(error.caused_by(broken_base64(&reason)))
                }
            },
            _ => Err(invalid("Decimal", "numeric or bytes")),
        },
        LogicalType::Date => {
            let days = int().ok_or_else(|| invalid("Date", "integer"))?;
            logical::date_to_logical(schema, days).map(Value::Instant)
        }
        LogicalType::Time => {
            let millis = int().ok_or_else(|| invalid("Time", "integer"))?;
            logical::time_to_logical(schema, millis).map(Value::Instant)
        }
        LogicalType::Timestamp => match node {
            Node::Integer(_) | Node::BigInteger(_) => Ok(Value::Instant(long_value(node))),
            _ => Err(invalid("Timestamp", "integral")),
        },
    }
}

/// Jackson's error of a text that is no base64.
fn broken_base64(reason: &str) -> DataError {
    DataError::of(
        "com.fasterxml.jackson.databind.exc.InvalidFormatException",
        format!(
            "Cannot access contents of TextNode as binary due to broken Base64 encoding: {reason}"
        ),
    )
}

/// Java wraps every failure of the conversion.
fn decimal_of_bytes(schema: &Schema, bytes: &[u8]) -> Result<Value, DataError> {
    logical::decimal_to_logical(schema, bytes)
        .map(Value::Decimal)
        .map_err(|cause| DataError::data("Invalid bytes for Decimal field").caused_by(cause))
}

/// `JsonNode.longValue()`: 0 for anything but a number.
fn long_value(node: &Node) -> i64 {
    match node {
        Node::Integer(n) => *n,
        Node::BigInteger(n) => low_bits(n),
        Node::Real(decimal) => decimal.long_value(),
        _ => 0,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Java's numeric cast is the behaviour"
)]
fn double_value(node: &Node) -> f64 {
    match node {
        Node::Integer(n) => *n as f64,
        Node::BigInteger(n) => Decimal::new(n.clone(), 0).double_value(),
        Node::Real(decimal) if decimal.signum() == 0 => 0.0,
        Node::Real(decimal) => decimal.double_value(),
        _ => 0.0,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Java's numeric cast is the behaviour"
)]
fn float_value(node: &Node) -> f32 {
    match node {
        Node::Integer(n) => *n as f32,
        Node::BigInteger(n) => Decimal::new(n.clone(), 0).float_value(),
        Node::Real(decimal) if decimal.signum() == 0 => 0.0,
        Node::Real(decimal) => decimal.float_value(),
        _ => 0.0,
    }
}
