//! The JSON notation of schemas and values in vectors.

use anyhow::{Context, Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use milena_data::{
    Decimal, Headers, MapValue, Schema, SchemaAndValue, SchemaBuilder, SchemaType, Struct, Value,
};
use serde_json::Value as Json;

/// A schema; JSON null is none.
pub(crate) fn schema(json: &Json) -> Result<Option<Schema>> {
    let Json::Object(object) = json else {
        return Ok(None);
    };
    let text = |name: &str| object.get(name).and_then(Json::as_str);
    let part = |name: &str| schema(object.get(name).unwrap_or(&Json::Null));
    let kind = text("type").context("a schema without type")?;
    let kind = SchemaType::from_lower_name(kind).with_context(|| format!("type {kind}"))?;
    let mut builder = match kind {
        SchemaType::Array => SchemaBuilder::array_of(part("items")?),
        SchemaType::Map => SchemaBuilder::map_of(part("keys")?, part("values")?),
        other => SchemaBuilder::new(other),
    };
    if let Some(Json::Array(fields)) = object.get("fields") {
        for field in fields {
            let name = field
                .get("field")
                .and_then(Json::as_str)
                .context("a field without name")?;
            let inner = schema(field)?.context("a field without schema")?;
            builder = builder.field(name, inner);
        }
    }
    if object.get("optional").and_then(Json::as_bool) == Some(true) {
        builder = builder.optional();
    }
    if let Some(name) = text("name") {
        builder = builder.name(name);
    }
    if let Some(version) = object.get("version").and_then(Json::as_i64) {
        builder = builder.version(i32::try_from(version)?);
    }
    if let Some(doc) = text("doc") {
        builder = builder.doc(doc);
    }
    if let Some(Json::Object(parameters)) = object.get("parameters") {
        for (key, value) in parameters {
            let value = value.as_str().context("a parameter that is no text")?;
            builder = builder.parameter(key.as_str(), value);
        }
    }
    if let Some(default) = object.get("default").filter(|default| !default.is_null()) {
        let so_far = builder.clone().build()?;
        let default = value(Some(&so_far), default)?;
        builder = match default {
            Value::Struct(_) => builder.unchecked_default(default),
            other => builder.default_value(other),
        };
    }
    Ok(Some(builder.build()?))
}

/// A value under a schema, or without one.
pub(crate) fn value(schema: Option<&Schema>, json: &Json) -> Result<Value> {
    if let Json::Object(object) = json
        && let (1, Some((tag, inner))) = (object.len(), object.iter().next())
        && let Some(found) = tagged(schema, tag, inner)?
    {
        return Ok(found);
    }
    let Some(schema) = schema else {
        return schemaless(json);
    };
    if json.is_null() {
        return Ok(Value::Null);
    }
    typed(schema, json)
}

fn typed(schema: &Schema, json: &Json) -> Result<Value> {
    let text = || json.as_str().with_context(|| format!("{json} is no text"));
    Ok(match schema.kind() {
        SchemaType::Int8 => Value::Int8(i8::try_from(integer(json)?)?),
        SchemaType::Int16 => Value::Int16(i16::try_from(integer(json)?)?),
        SchemaType::Int32 => Value::Int32(i32::try_from(integer(json)?)?),
        SchemaType::Int64 => Value::Int64(integer(json)?),
        SchemaType::Float32 => Value::Float32(real(json)?.parse()?),
        SchemaType::Float64 => Value::Float64(real(json)?.parse()?),
        SchemaType::Boolean => Value::Boolean(json.as_bool().context("no boolean")?),
        SchemaType::String => Value::from(text()?),
        SchemaType::Bytes => bytes(json)?,
        SchemaType::Array => {
            let items = json.as_array().context("no array")?;
            let items: Result<Vec<Value>> = items
                .iter()
                .map(|item| value(schema.value_schema(), item))
                .collect();
            Value::Array(items?)
        }
        SchemaType::Map => {
            let mut map = MapValue::new();
            for (key, member) in json.as_object().context("no object")? {
                map.insert(key.as_str(), value(schema.value_schema(), member)?);
            }
            map.into()
        }
        SchemaType::Struct => structure(schema, json)?.into(),
    })
}

/// A struct of raw slots, not validated; unknown fields are an error of the vector.
fn structure(schema: &Schema, json: &Json) -> Result<Struct> {
    let mut inner = Struct::empty(schema.clone());
    for (name, member) in json.as_object().context("no object")? {
        let field = schema
            .field(name)
            .with_context(|| format!("unknown field {name}"))?;
        let member = value(Some(field.schema()), member)?;
        if let Some(slot) = inner.slots_mut().get_mut(field.index()) {
            *slot = member;
        }
    }
    Ok(inner)
}

fn schemaless(json: &Json) -> Result<Value> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Boolean(*b),
        Json::Number(number) => match number.to_string().parse::<i64>() {
            Ok(integer) => Value::Int64(integer),
            Err(_) => Value::Float64(number.to_string().parse()?),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => {
            let items: Result<Vec<Value>> = items.iter().map(|item| value(None, item)).collect();
            Value::Array(items?)
        }
        Json::Object(members) => {
            let mut map = MapValue::new();
            for (key, member) in members {
                map.insert(key.as_str(), value(None, member)?);
            }
            map.into()
        }
    })
}

fn tagged(schema: Option<&Schema>, tag: &str, json: &Json) -> Result<Option<Value>> {
    let keys = schema.and_then(Schema::key_schema);
    let values = schema.and_then(Schema::value_schema);
    Ok(Some(match tag {
        "$int8" => Value::Int8(i8::try_from(integer(json)?)?),
        "$int16" => Value::Int16(i16::try_from(integer(json)?)?),
        "$int32" => Value::Int32(i32::try_from(integer(json)?)?),
        "$int64" => Value::Int64(integer(json)?),
        "$float32" => Value::Float32(real(json)?.parse()?),
        "$float64" => Value::Float64(real(json)?.parse()?),
        "$string" => Value::from(json.as_str().context("$string")?),
        "$boolean" => Value::Boolean(json.as_bool().context("$boolean")?),
        "$bytes" | "$bytebuffer" => bytes(json)?,
        "$decimal" => Value::Decimal(Decimal::parse(&real(json)?)?),
        "$date_ms" => Value::Instant(integer(json)?),
        "$biginteger" => Value::BigInteger(real(json)?.parse()?),
        "$list" => {
            let items = json.as_array().context("$list")?;
            let items: Result<Vec<Value>> = items.iter().map(|item| value(values, item)).collect();
            Value::Array(items?)
        }
        "$map" => {
            let mut map = MapValue::new();
            for entry in json.as_array().context("$map")? {
                let (Some(key), Some(member)) = (entry.get(0), entry.get(1)) else {
                    bail!("an entry of $map is no pair");
                };
                map.insert(value(keys, key)?, value(values, member)?);
            }
            map.into()
        }
        "$struct" => {
            let inner = self::schema(json.get("schema").unwrap_or(&Json::Null))?;
            let inner = inner.context("$struct without schema")?;
            structure(&inner, json.get("fields").unwrap_or(&Json::Null))?.into()
        }
        _ => return Ok(None),
    }))
}

fn integer(json: &Json) -> Result<i64> {
    let text = real(json)?;
    text.parse().or_else(|_| {
        let whole = Decimal::parse(&text)?.to_i64_exact();
        whole.with_context(|| format!("{text} is no 64-bit integer"))
    })
}

/// The text of a number, or of a text that stands for one (`NaN`, `-Infinity`).
fn real(json: &Json) -> Result<String> {
    Ok(match json {
        Json::Number(number) => number.to_string(),
        Json::String(text) => match text.as_str() {
            "Infinity" => "inf".to_owned(),
            "-Infinity" => "-inf".to_owned(),
            other => other.to_owned(),
        },
        other => bail!("{other} is no number"),
    })
}

fn bytes(json: &Json) -> Result<Value> {
    let text = json.as_str().context("bytes that are no text")?;
    Ok(Value::Bytes(Bytes::from(STANDARD.decode(text)?)))
}

/// A value with its schema from two members of an object.
pub(crate) fn pair(schema_json: &Json, value_json: &Json) -> Result<SchemaAndValue> {
    let schema = schema(schema_json)?;
    let value = value(schema.as_ref(), value_json)?;
    Ok(SchemaAndValue::new(schema, value))
}

/// The headers of a record.
pub(crate) fn headers(json: &Json) -> Result<Headers> {
    let mut headers = Headers::default();
    for header in json.as_array().into_iter().flatten() {
        let key = header
            .get("key")
            .and_then(Json::as_str)
            .context("a header without key")?;
        let part = |name: &str| header.get(name).unwrap_or(&Json::Null);
        headers.push(milena_data::Header {
            key: key.into(),
            value: pair(part("schema"), part("value"))?,
        });
    }
    Ok(headers)
}

/// Bytes in one of the notations of the input: `bytes_utf8`, `bytes_hex`, `bytes_b64`; null is no bytes.
pub(crate) fn raw_bytes(object: &serde_json::Map<String, Json>) -> Result<Option<Bytes>> {
    let text = |name: &str| object.get(name).and_then(Json::as_str);
    if let Some(text) = text("bytes_utf8") {
        return Ok(Some(Bytes::copy_from_slice(text.as_bytes())));
    }
    if let Some(text) = text("bytes_hex") {
        return Ok(Some(unhex(text)?.into()));
    }
    if let Some(text) = text("bytes_b64") {
        return Ok(Some(STANDARD.decode(text)?.into()));
    }
    Ok(None)
}

/// Bytes of hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Result<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits.context("no hexadecimal digits")?;
    digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Ok(u8::try_from(high * 16 + low)?),
            _ => bail!("an odd number of digits"),
        })
        .collect()
}
