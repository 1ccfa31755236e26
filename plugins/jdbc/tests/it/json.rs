//! Records as the JSON that Java's `JsonConverter` writes, for comparison with what was recorded, and back.

use milena_data::{
    LogicalType, Schema, SchemaAndValue, SchemaBuilder, SchemaType, SourceRecord, Value,
    base64_text::push_base64, logical::to_logical,
};
use serde_json::{Map, Value as Json, json};

use crate::harness::row;

fn schema(schema: &Schema, field: Option<&str>) -> Json {
    let mut map = Map::new();
    map.insert(
        "type".into(),
        match schema.kind() {
            SchemaType::Float32 => "float".into(),
            SchemaType::Float64 => "double".into(),
            kind => kind.lower_name().into(),
        },
    );
    if schema.kind() == SchemaType::Struct {
        map.insert(
            "fields".into(),
            schema
                .fields()
                .values()
                .map(|f| self::schema(f.schema(), Some(f.name())))
                .collect(),
        );
    }
    map.insert("optional".into(), schema.is_optional().into());
    if let Some(name) = schema.name() {
        map.insert("name".into(), name.into());
    }
    if let Some(version) = schema.version() {
        map.insert("version".into(), version.into());
    }
    if let Some(parameters) = schema.parameters() {
        map.insert(
            "parameters".into(),
            parameters
                .iter()
                .map(|(k, v)| (k.to_string(), json!(v.to_string())))
                .collect(),
        );
    }
    if let Some(field) = field {
        map.insert("field".into(), field.into());
    }
    Json::Object(map)
}

fn base64(bytes: &[u8]) -> Json {
    let mut out = String::new();
    push_base64(&mut out, bytes);
    json!(out)
}

fn value(value: &Value, schema: &Schema) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(b) => json!(b),
        Value::Float32(x) => json!(x),
        Value::Float64(x) => json!(x),
        Value::String(text) => json!(text.to_string()),
        Value::Bytes(bytes) => base64(bytes),
        Value::Decimal(decimal) => base64(&decimal.to_bytes()),
        Value::Instant(millis) => match schema.logical() {
            Some(LogicalType::Date) => json!(millis / 86_400_000),
            _ => json!(millis),
        },
        Value::Array(_) => Json::Null,
        other => json!(other.as_i64().unwrap_or_else(|| panic!("{other}"))),
    }
}

/// The value of a record without the fields in `but`.
pub(crate) fn of(record: &SourceRecord, but: &[&str]) -> Json {
    let own = record.record.value.schema.as_ref().unwrap();
    let inner = record.record.value.value.as_struct().unwrap();
    let payload = own
        .fields()
        .values()
        .map(|f| (f.name().to_string(), value(inner.get_field(f), f.schema())));
    without(
        json!({"schema": schema(own, None), "payload": payload.collect::<Map<_, _>>()}),
        but,
    )
}

/// A recorded value without the fields in `but`.
pub(crate) fn without(mut value: Json, but: &[&str]) -> Json {
    for name in but {
        value["payload"].as_object_mut().unwrap().remove(*name);
    }
    let fields = value["schema"]["fields"].as_array_mut().unwrap();
    fields.retain(|field| !but.contains(&field["field"].as_str().unwrap()));
    value
}

/// A recorded schema and value of plain or logical types in a struct; `\\N` is null.
pub(crate) fn read(text: &str) -> SchemaAndValue {
    if text == "\\N" {
        return SchemaAndValue::default();
    }
    let recorded: Json = serde_json::from_str(text).unwrap();
    let mut builder = SchemaBuilder::structure().name(recorded["schema"]["name"].as_str().unwrap());
    let mut values = Vec::new();
    for field in recorded["schema"]["fields"].as_array().unwrap() {
        let name = field["field"].as_str().unwrap();
        let schema = read_schema(field);
        values.push(read_value(&recorded["payload"][name], &schema));
        builder = builder.field(name, schema);
    }
    row(&builder.build().unwrap(), values)
}

fn read_schema(recorded: &Json) -> Schema {
    let mut builder = SchemaBuilder::new(match recorded["type"].as_str().unwrap() {
        "float" => SchemaType::Float32,
        "double" => SchemaType::Float64,
        name => SchemaType::from_lower_name(name).unwrap(),
    });
    if recorded["optional"] == true {
        builder = builder.optional();
    }
    if let Some(name) = recorded["name"].as_str() {
        builder = builder.name(name).version(1);
    }
    if let Some(scale) = recorded["parameters"]["scale"].as_str() {
        builder = builder.parameter("scale", scale);
    }
    builder.build().unwrap()
}

fn read_value(recorded: &Json, schema: &Schema) -> Value {
    let whole = || recorded.as_i64().unwrap();
    let plain = match schema.kind() {
        _ if recorded.is_null() => return Value::Null,
        SchemaType::Int8 => Value::Int8(whole().try_into().unwrap()),
        SchemaType::Int16 => Value::Int16(whole().try_into().unwrap()),
        SchemaType::Int32 => Value::Int32(whole().try_into().unwrap()),
        SchemaType::Int64 => Value::Int64(whole()),
        SchemaType::Float32 => Value::Float32(recorded.as_f64().unwrap() as f32),
        SchemaType::Float64 => Value::Float64(recorded.as_f64().unwrap()),
        SchemaType::Boolean => Value::Boolean(recorded.as_bool().unwrap()),
        SchemaType::String => Value::from(recorded.as_str().unwrap()),
        SchemaType::Bytes => Value::Bytes(unbase64(recorded.as_str().unwrap()).into()),
        other => panic!("{other:?}"),
    };
    match schema.logical() {
        Some(_) => to_logical(schema, &plain).unwrap(),
        None => plain,
    }
}

fn unbase64(text: &str) -> Vec<u8> {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut out) = (0_u32, 0, Vec::new());
    for letter in text.chars().filter(|letter| *letter != '=') {
        bits = bits << 6 | u32::try_from(letters.find(letter).unwrap()).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}
