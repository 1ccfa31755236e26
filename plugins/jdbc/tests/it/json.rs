//! Records as the JSON that Java's `JsonConverter` writes, for comparison with what was recorded.

use milena_data::{LogicalType, Schema, SchemaType, SourceRecord, Value, base64_text::push_base64};
use serde_json::{Map, Value as Json, json};

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
