//! The notation of schemas and values on the pipe: one letter per type, texts in hexadecimal. Maps are
//! shown sorted when an answer is compared, as their order means nothing in Java.

use std::fmt::Write as _;

use milena_data::{Schema, SchemaAndValue, SchemaType, Value};

/// The letter of a type.
fn letter(kind: SchemaType) -> char {
    match kind {
        SchemaType::Int8 => 'b',
        SchemaType::Int16 => 's',
        SchemaType::Int32 => 'i',
        SchemaType::Int64 => 'l',
        SchemaType::Float32 => 'f',
        SchemaType::Float64 => 'd',
        SchemaType::Boolean => 'z',
        SchemaType::String => 'S',
        SchemaType::Bytes => 'B',
        SchemaType::Array => 'A',
        SchemaType::Map => 'M',
        SchemaType::Struct => 'R',
    }
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// A schema, or `-`.
#[must_use]
pub fn schema(schema: Option<&Schema>) -> String {
    let mut out = String::new();
    push_schema(&mut out, schema);
    out
}

fn push_schema(out: &mut String, schema: Option<&Schema>) {
    let Some(schema) = schema else {
        out.push('-');
        return;
    };
    out.push(letter(schema.kind()));
    match schema.kind() {
        SchemaType::Array => push_schema(out, schema.value_schema()),
        SchemaType::Map => {
            push_schema(out, schema.key_schema());
            push_schema(out, schema.value_schema());
        }
        SchemaType::Struct => {
            for field in schema.fields().values() {
                let _ = write!(out, "{}:", hex(field.name().as_bytes()));
                push_schema(out, Some(field.schema()));
            }
            out.push(')');
        }
        _ => {}
    }
    if schema.is_optional() {
        out.push('?');
    }
    if let Some(name) = schema.name() {
        let _ = write!(out, "N{};", hex(name.as_bytes()));
    }
    if let Some(version) = schema.version() {
        let _ = write!(out, "V{version};");
    }
    if let Some(doc) = schema.doc() {
        let _ = write!(out, "C{};", hex(doc.as_bytes()));
    }
    for (key, value) in schema.parameters().into_iter().flatten() {
        let _ = write!(out, "P{}={};", hex(key.as_bytes()), hex(value.as_bytes()));
    }
    if let Some(default) = schema.default_value() {
        out.push('=');
        push_value(out, default, true);
        out.push(';');
    }
    out.push('.');
}

/// A value with its maps in their order, as input.
#[must_use]
pub fn value(value: &Value) -> String {
    let mut out = String::new();
    push_value(&mut out, value, false);
    out
}

/// A value with its maps sorted, to be compared.
#[must_use]
pub fn sorted(value: &Value) -> String {
    let mut out = String::new();
    push_value(&mut out, value, true);
    out
}

/// Schema and value, to be compared.
#[must_use]
pub fn pair(pair: &SchemaAndValue) -> String {
    format!("{} {}", schema(pair.schema.as_ref()), sorted(&pair.value))
}

fn push_value(out: &mut String, value: &Value, sort: bool) {
    let _ = match value {
        Value::Null => write!(out, "n"),
        Value::Boolean(b) => write!(out, "z{}", u8::from(*b)),
        Value::Int8(n) => write!(out, "b{n};"),
        Value::Int16(n) => write!(out, "s{n};"),
        Value::Int32(n) => write!(out, "i{n};"),
        Value::Int64(n) => write!(out, "l{n};"),
        Value::Float32(x) if sort && x.is_nan() => write!(out, "f7fc00000;"),
        Value::Float32(x) => write!(out, "f{:x};", x.to_bits()),
        Value::Float64(x) if sort && x.is_nan() => write!(out, "d7ff8000000000000;"),
        Value::Float64(x) => write!(out, "d{:x};", x.to_bits()),
        Value::String(text) => write!(out, "S{};", hex(text.as_bytes())),
        Value::Bytes(bytes) => write!(out, "B{};", hex(bytes)),
        Value::Decimal(d) => write!(out, "D{}:{};", d.unscaled(), d.scale()),
        Value::Instant(millis) => write!(out, "t{millis};"),
        Value::BigInteger(_) => write!(out, "<java.math.BigInteger>"),
        Value::Array(items) => {
            out.push('[');
            for item in items {
                push_value(out, item, sort);
            }
            write!(out, "]")
        }
        Value::Map(map) => {
            let mut entries: Vec<String> = map
                .iter()
                .map(|(key, value)| {
                    let mut entry = String::new();
                    push_value(&mut entry, key, sort);
                    push_value(&mut entry, value, sort);
                    entry
                })
                .collect();
            if sort {
                entries.sort_unstable();
            }
            write!(out, "{{{}}}", entries.concat())
        }
        Value::Struct(inner) => {
            out.push('(');
            push_schema(out, Some(inner.schema()));
            for slot in inner.slots() {
                push_value(out, slot, sort);
            }
            write!(out, ")")
        }
    };
}
