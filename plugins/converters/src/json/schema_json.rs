//! A schema to its JSON form, in Java's order of members (spec `data.md` 2.1.3).

use milena_api::ConnectError;
use milena_data::{Schema, SchemaType};

use super::{cache::MemberCache, config::JsonConfig, encode};

/// Appends the JSON of a schema; null for none.
pub(crate) fn push(
    out: &mut Vec<u8>,
    schema: Option<&Schema>,
    config: &JsonConfig,
) -> Result<(), ConnectError> {
    match schema {
        Some(schema) => push_schema(out, schema, None, config),
        None => {
            out.extend_from_slice(b"null");
            Ok(())
        }
    }
}

fn push_schema(
    out: &mut Vec<u8>,
    schema: &Schema,
    field: Option<&str>,
    config: &JsonConfig,
) -> Result<(), ConnectError> {
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(type_name(schema.kind()).as_bytes());
    out.push(b'"');
    match schema.kind() {
        SchemaType::Array => {
            out.extend_from_slice(b",\"items\":");
            push(out, schema.value_schema(), config)?;
        }
        SchemaType::Map => {
            out.extend_from_slice(b",\"keys\":");
            push(out, schema.key_schema(), config)?;
            out.extend_from_slice(b",\"values\":");
            push(out, schema.value_schema(), config)?;
        }
        SchemaType::Struct => {
            out.extend_from_slice(b",\"fields\":[");
            for (index, field) in schema.fields().values().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                push_schema(out, field.schema(), Some(field.name()), config)?;
            }
            out.push(b']');
        }
        _ => {}
    }
    out.extend_from_slice(b",\"optional\":");
    out.extend_from_slice(if schema.is_optional() {
        b"true"
    } else {
        b"false"
    });
    if let Some(name) = schema.name() {
        push_text(out, "name", name);
    }
    if let Some(version) = schema.version() {
        out.extend_from_slice(b",\"version\":");
        out.extend_from_slice(itoa::Buffer::new().format(version).as_bytes());
    }
    if let Some(doc) = schema.doc() {
        push_text(out, "doc", doc);
    }
    if let Some(parameters) = schema.parameters() {
        out.extend_from_slice(b",\"parameters\":{");
        for (index, (key, value)) in parameters.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            encode::push_string(out, key);
            out.push(b':');
            encode::push_string(out, value);
        }
        out.push(b'}');
    }
    if let Some(default) = schema.default_value() {
        out.extend_from_slice(b",\"default\":");
        let mut with = encode::With {
            config,
            members: &mut MemberCache::default(),
        };
        encode::push(out, Some(schema), default, &mut with)?;
    }
    if let Some(field) = field {
        push_text(out, "field", field);
    }
    out.push(b'}');
    Ok(())
}

fn push_text(out: &mut Vec<u8>, member: &str, text: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(member.as_bytes());
    out.extend_from_slice(b"\":");
    encode::push_string(out, text);
}

fn type_name(kind: SchemaType) -> &'static str {
    match kind {
        SchemaType::Float32 => "float",
        SchemaType::Float64 => "double",
        other => other.lower_name(),
    }
}
