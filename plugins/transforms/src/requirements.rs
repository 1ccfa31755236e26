//! What a transform demands of its input (`Requirements` in Java), with Java's messages.

use milena_api::ConnectError;
use milena_data::{MapValue, Record, SinkOrigin, Struct, Value};

pub(crate) fn class_name(value: &Value) -> &'static str {
    value.java_class()
}

pub(crate) fn not_a_map(value: &Value, purpose: &str) -> ConnectError {
    ConnectError::data(format!(
        "Only Map objects supported in absence of schema for [{purpose}], found: {}",
        class_name(value)
    ))
}

pub(crate) fn not_a_struct(value: &Value, purpose: &str) -> ConnectError {
    ConnectError::data(format!(
        "Only Struct objects supported for [{purpose}], found: {}",
        class_name(value)
    ))
}

pub(crate) fn require_map(value: Value, purpose: &str) -> Result<MapValue, ConnectError> {
    match value {
        Value::Map(map) => Ok(*map),
        other => Err(not_a_map(&other, purpose)),
    }
}

pub(crate) fn require_struct(value: Value, purpose: &str) -> Result<Struct, ConnectError> {
    match value {
        Value::Struct(inner) => Ok(*inner),
        other => Err(not_a_struct(&other, purpose)),
    }
}

/// The struct in its place: to take it out and put it back is to give its memory back and get it again.
pub(crate) fn require_struct_mut<'a>(
    value: &'a mut Value,
    purpose: &str,
) -> Result<&'a mut Struct, ConnectError> {
    match value {
        Value::Struct(inner) => Ok(inner),
        other => Err(not_a_struct(other, purpose)),
    }
}

pub(crate) fn require_sink_record<'a>(
    record: &'a Record,
    purpose: &str,
) -> Result<&'a SinkOrigin, ConnectError> {
    record.origin.as_ref().ok_or_else(|| {
        ConnectError::data(format!(
            "Only SinkRecord supported for [{purpose}], found: org.apache.kafka.connect.source.SourceRecord"
        ))
    })
}

/// A key of a map that Java casts to a string.
pub(crate) fn not_a_string(key: &Value) -> ConnectError {
    ConnectError::of(
        "java.lang.ClassCastException",
        format!(
            "class {0} cannot be cast to class java.lang.String ({0} and java.lang.String are in module java.base of loader 'bootstrap')",
            key.java_class()
        ),
    )
}
