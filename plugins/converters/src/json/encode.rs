//! A value to JSON bytes, written directly (spec `data.md` 2.1.4, 2.1.5).

use milena_api::ConnectError;
use milena_data::{
    DecimalBytes, Field, LogicalType, MapValue, Schema, SchemaType, Struct, Value, base64_text,
    error, float_text, logical,
};

use super::{cache::MemberCache, config::JsonConfig, scan};

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// What writing goes by.
pub(crate) struct With<'c> {
    pub(crate) config: &'c JsonConfig,
    pub(crate) members: &'c mut MemberCache,
}

/// `convertToJson`: appends the JSON of a value under a schema, or without one.
pub(crate) fn push(
    out: &mut Vec<u8>,
    schema: Option<&Schema>,
    value: &Value,
    with: &mut With<'_>,
) -> Result<(), ConnectError> {
    let Some(schema) = schema else {
        return push_schemaless(out, value, with);
    };
    if value.is_null() {
        return match schema.default_value() {
            Some(default) if with.config.replace_null_with_default => {
                push(out, Some(schema), default, with)
            }
            _ if schema.is_optional() => {
                out.extend_from_slice(b"null");
                Ok(())
            }
            _ => Err(ConnectError::data(
                "Conversion error: null value for field that is required and has no default value",
            )),
        };
    }
    if let Some(logical) = schema.logical() {
        return push_logical(out, logical, schema, value, with);
    }
    match (schema.kind(), value) {
        (SchemaType::Struct, Value::Struct(inner)) => push_struct(out, schema, inner, with),
        (SchemaType::Array, Value::Array(items)) => {
            push_array(out, schema.value_schema(), items, with)
        }
        (SchemaType::Map, Value::Map(map)) => push_map(out, schema, map, with),
        (SchemaType::Int8, Value::Int8(_))
        | (SchemaType::Int16, Value::Int16(_))
        | (SchemaType::Int32, Value::Int32(_))
        | (SchemaType::Int64, Value::Int64(_))
        | (SchemaType::Float32, Value::Float32(_))
        | (SchemaType::Float64, Value::Float64(_))
        | (SchemaType::Boolean, Value::Boolean(_))
        | (SchemaType::String, Value::String(_))
        | (SchemaType::Bytes, Value::Bytes(_)) => push_schemaless(out, value, with),
        (SchemaType::Bytes, other) => Err(ConnectError::data(format!(
            "Invalid type for bytes type: class {}",
            other.java_class()
        ))),
        (kind, other) => Err(ConnectError::data(format!(
            "Invalid type for {kind}: class {}",
            other.java_class()
        ))),
    }
}

fn push_schemaless(
    out: &mut Vec<u8>,
    value: &Value,
    with: &mut With<'_>,
) -> Result<(), ConnectError> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Boolean(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
        Value::Int8(n) => push_integer(out, i64::from(*n)),
        Value::Int16(n) => push_integer(out, i64::from(*n)),
        Value::Int32(n) => push_integer(out, i64::from(*n)),
        Value::Int64(n) => push_integer(out, *n),
        Value::Float32(x) => push_real(out, x.is_finite(), |out| float_text::push_float(out, *x)),
        Value::Float64(x) => push_real(out, x.is_finite(), |out| float_text::push_double(out, *x)),
        Value::String(text) => push_string(out, text),
        Value::Bytes(bytes) => push_base64(out, bytes),
        Value::Array(items) => return push_array(out, None, items, with),
        Value::Map(map) => return push_schemaless_map(out, map, with),
        Value::Struct(_) => return Err(ConnectError::data("Mismatching schema.")),
        Value::Decimal(_) | Value::Instant(_) | Value::BigInteger(_) => {
            return Err(ConnectError::data(format!(
                "Java class class {} does not have corresponding schema type.",
                value.java_class()
            )));
        }
    }
    Ok(())
}

fn push_integer(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Numbers that JSON does not have are strings.
fn push_real(out: &mut Vec<u8>, finite: bool, text: impl FnOnce(&mut Vec<u8>)) {
    if finite {
        text(out);
    } else {
        out.push(b'"');
        text(out);
        out.push(b'"');
    }
}

fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    base64_text::push_base64_bytes(out, bytes);
    out.push(b'"');
}

fn push_array(
    out: &mut Vec<u8>,
    schema: Option<&Schema>,
    items: &[Value],
    with: &mut With<'_>,
) -> Result<(), ConnectError> {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push(out, schema, item, with)?;
    }
    out.push(b']');
    Ok(())
}

fn push_struct(
    out: &mut Vec<u8>,
    schema: &Schema,
    inner: &Struct,
    with: &mut With<'_>,
) -> Result<(), ConnectError> {
    if inner.schema() != schema {
        return Err(ConnectError::data("Mismatching schema."));
    }
    let members = with.members.of(schema);
    for (field, slot) in schema.fields().values().zip(inner.slots()) {
        match members.get(field.index()) {
            Some(member) => out.extend_from_slice(member),
            None => push_member(out, field),
        }
        push(out, Some(field.schema()), slot, with)?;
    }
    if schema.fields().is_empty() || inner.slots().is_empty() {
        out.push(b'{');
    }
    out.push(b'}');
    Ok(())
}

/// What stands before the value of a field: a bracket or a comma, the name, a colon.
pub(crate) fn push_member(out: &mut Vec<u8>, field: &Field) {
    out.push(if field.index() == 0 { b'{' } else { b',' });
    push_string(out, field.name());
    out.push(b':');
}

fn push_map(
    out: &mut Vec<u8>,
    schema: &Schema,
    map: &MapValue,
    with: &mut With<'_>,
) -> Result<(), ConnectError> {
    let Some(key_schema) = schema.key_schema() else {
        return Err(ConnectError::of(
            error::NULL_POINTER_EXCEPTION,
            "Cannot invoke \"org.apache.kafka.connect.data.Schema.type()\" because the return value \
             of \"org.apache.kafka.connect.data.Schema.keySchema()\" is null",
        ));
    };
    let value_schema = schema.value_schema();
    if key_schema.kind() != SchemaType::String {
        return push_pairs(out, Some(key_schema), value_schema, map, with);
    }
    out.push(b'{');
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_key(out, key_schema, key, with)?;
        out.push(b':');
        push(out, value_schema, value, with)?;
    }
    out.push(b'}');
    Ok(())
}

/// `JsonNode.asText` of the key's node: a null key is the text `null`.
fn push_key(
    out: &mut Vec<u8>,
    schema: &Schema,
    key: &Value,
    with: &mut With<'_>,
) -> Result<(), ConnectError> {
    let start = out.len();
    push(out, Some(schema), key, with)?;
    if out.get(start) != Some(&b'"') {
        out.insert(start, b'"');
        out.push(b'"');
    }
    Ok(())
}

fn push_schemaless_map(
    out: &mut Vec<u8>,
    map: &MapValue,
    with: &mut With<'_>,
) -> Result<(), ConnectError> {
    if !map.iter().all(|(key, _)| matches!(key, Value::String(_))) {
        return push_pairs(out, None, None, map, with);
    }
    out.push(b'{');
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_schemaless(out, key, with)?;
        out.push(b':');
        push_schemaless(out, value, with)?;
    }
    out.push(b'}');
    Ok(())
}

fn push_pairs(
    out: &mut Vec<u8>,
    key_schema: Option<&Schema>,
    value_schema: Option<&Schema>,
    map: &MapValue,
    with: &mut With<'_>,
) -> Result<(), ConnectError> {
    out.push(b'[');
    for (index, (key, value)) in map.iter().enumerate() {
        out.extend_from_slice(if index > 0 { b",[" } else { b"[" });
        push(out, key_schema, key, with)?;
        out.push(b',');
        push(out, value_schema, value, with)?;
        out.push(b']');
    }
    out.push(b']');
    Ok(())
}

fn push_logical(
    out: &mut Vec<u8>,
    logical: LogicalType,
    schema: &Schema,
    value: &Value,
    with: &mut With<'_>,
) -> Result<(), ConnectError> {
    let invalid = |name: &str, wanted: &str| {
        ConnectError::data(format!(
            "Invalid type for {name}, expected {wanted} but was class {}",
            value.java_class()
        ))
    };
    match (logical, value) {
        (LogicalType::Decimal, Value::Decimal(decimal)) => {
            if with.config.decimal_numeric {
                out.extend_from_slice(decimal.to_string().as_bytes());
            } else {
                let mut place = DecimalBytes::default();
                push_base64(
                    out,
                    logical::decimal_bytes(schema, decimal, &mut place)?.as_ref(),
                );
            }
        }
        (LogicalType::Date, Value::Instant(at)) => {
            push_integer(out, i64::from(logical::date_from_logical(schema, *at)?));
        }
        (LogicalType::Time, Value::Instant(at)) => {
            push_integer(out, i64::from(logical::time_from_logical(schema, *at)?));
        }
        (LogicalType::Timestamp, Value::Instant(at)) => push_integer(out, *at),
        (LogicalType::Decimal, _) => return Err(invalid("Decimal", "BigDecimal")),
        (LogicalType::Date, _) => return Err(invalid("Date", "Date")),
        (LogicalType::Time, _) => return Err(invalid("Time", "Date")),
        (LogicalType::Timestamp, _) => return Err(invalid("Timestamp", "Date")),
    }
    Ok(())
}

/// Appends a quoted string; only what JSON requires is escaped.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut rest = bytes;
    // Characters beyond the basic plane (four bytes) are written as two escapes, as Jackson does.
    loop {
        let (plain, tail) = rest.split_at(scan::written_plain(rest));
        out.extend_from_slice(plain);
        let Some((byte, after)) = tail.split_first() else {
            break;
        };
        if *byte >= 0xf0 {
            let (c, after) = tail.split_at(tail.len().min(4));
            push_surrogates(out, c);
            rest = after;
        } else {
            push_escape(out, *byte);
            rest = after;
        }
    }
    out.push(b'"');
}

fn push_surrogates(out: &mut Vec<u8>, utf8: &[u8]) {
    let text = std::str::from_utf8(utf8).unwrap_or_default();
    for unit in text.encode_utf16() {
        out.extend_from_slice(b"\\u");
        for shift in [12, 8, 4, 0] {
            let digit = usize::from(unit >> shift & 15);
            out.push(HEX.get(digit).copied().unwrap_or(b'0'));
        }
    }
}

fn push_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            out.extend_from_slice(b"\\u00");
            for digit in [byte >> 4, byte & 15] {
                out.push(HEX.get(usize::from(digit)).copied().unwrap_or(b'0'));
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}
