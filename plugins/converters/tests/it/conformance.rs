//! Every converter against the conformance suite.

use bytes::Bytes;
use milena_converters::converters;
use milena_data::{Schema, SchemaAndValue, SchemaBuilder, Struct, Value};

fn samples(class: &str) -> Vec<SchemaAndValue> {
    let of = |schema: Schema, value: Value| SchemaAndValue::new(Some(schema), value);
    match class.rsplit('.').next().unwrap() {
        "BooleanConverter" => vec![of(Schema::boolean(), Value::Boolean(true))],
        "ByteArrayConverter" => vec![of(
            Schema::bytes(),
            Value::Bytes(Bytes::from_static(b"\0\xff")),
        )],
        "DoubleConverter" => vec![of(Schema::float64(), Value::Float64(-1.5))],
        "FloatConverter" => vec![of(Schema::float32(), Value::Float32(-1.5))],
        "IntegerConverter" => vec![of(Schema::int32(), Value::Int32(i32::MIN))],
        "LongConverter" => vec![of(Schema::int64(), Value::Int64(i64::MIN))],
        "ShortConverter" => vec![of(Schema::int16(), Value::Int16(i16::MIN))],
        "StringConverter" => vec![of(Schema::string(), Value::from("äöü 漢字 😀"))],
        _ => {
            let schema = SchemaBuilder::structure()
                .field("a", Schema::int32())
                .field("b", Schema::optional_string())
                .build()
                .unwrap();
            let value = Struct::from_slots(schema.clone(), vec![Value::Int32(1), Value::Null]);
            vec![
                of(schema, value.into()),
                of(Schema::string(), Value::from("\"\\\u{1}")),
            ]
        }
    }
}

#[tokio::test]
async fn every_converter_keeps_its_promises() {
    for plugin in converters() {
        let samples = samples(plugin.class());
        let broken = milena_conformance::converter(&*plugin, &Default::default(), &samples).await;
        assert!(broken.is_empty(), "{}: {broken:#?}", plugin.class());
    }
}
