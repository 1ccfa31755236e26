//! What several fuzz targets share: configurations and records out of bytes.

use std::collections::BTreeMap;

use milena_data::{
    Decimal, Header, Headers, MapValue, Record, Schema, SchemaAndValue, SchemaBuilder, Struct, Text, Value,
};

/// What stands before and after the first of a byte; nothing after it when it is not there.
#[must_use]
pub fn halves(data: &[u8], at: u8) -> (&[u8], &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == at);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// Lines of `key=value`.
#[must_use]
pub fn props(data: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(data);
    let entries = text.lines().filter_map(|line| line.split_once('='));
    entries.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// A record with a field of each kind: with schemas, or as maps.
///
/// # Panics
/// Never: the schema is built of constants.
#[must_use]
pub fn record(schemas: bool) -> Record {
    let fields = [
        ("a", Schema::int32(), Value::Int32(7)),
        ("b", Schema::string(), Value::from("2020-01-31")),
        ("c", Schema::float64(), Value::Float64(1.5)),
        ("d", Schema::bytes(), Value::Bytes(bytes::Bytes::from_static(b"x"))),
        ("e.f", Schema::boolean(), Value::Boolean(true)),
        ("t", Schema::timestamp(), Value::Instant(1_700_000_000_000)),
        ("m", Schema::decimal(2), Value::Decimal(Decimal::parse("12.34").expect("a decimal"))),
    ];
    let pair = if schemas {
        let mut builder = SchemaBuilder::structure();
        for (name, schema, _) in &fields {
            builder = builder.field(*name, schema.clone());
        }
        let schema = builder.build().expect("a schema");
        let slots = fields.into_iter().map(|(_, _, value)| value).collect();
        SchemaAndValue::new(Some(schema.clone()), Struct::from_slots(schema, slots).into())
    } else {
        let mut map = MapValue::new();
        for (name, _, value) in fields {
            map.insert(Text::from(name), value);
        }
        SchemaAndValue::new(None, map.into())
    };
    let mut headers = Headers::default();
    headers.push(Header { key: "a".into(), value: SchemaAndValue::new(Some(Schema::string()), Value::from("x")) });
    Record {
        topic: "topic-1".into(),
        partition: Some(3),
        key: pair.clone(),
        value: pair,
        timestamp: Some(1_700_000_000_123),
        headers,
        origin: None,
    }
}
