//! Every transform against the conformance suite.

use milena_data::{Record, SinkOrigin, TimestampType, Value};
use milena_transforms::transforms;

use super::{of_map, props, ten_fields};

/// A configuration that each transform takes.
fn config(name: &str) -> &'static [(&'static str, &'static str)] {
    match name {
        "Cast" => &[("spec", "f0:string,a:string")],
        "DropHeaders" => &[("headers", "h")],
        "ExtractField" => &[("field", "a")],
        "HeaderFrom" => &[("fields", "a"), ("headers", "h"), ("operation", "copy")],
        "HoistField" => &[("field", "whole")],
        "InsertField" => &[("static.field", "s"), ("static.value", "v")],
        "InsertHeader" => &[("header", "h"), ("value.literal", "1")],
        "MaskField" => &[("fields", "a")],
        "RegexRouter" => &[("regex", "(.*)"), ("replacement", "x-$1")],
        "ReplaceField" => &[("exclude", "a")],
        "SetSchemaMetadata" => &[("schema.name", "n")],
        "TimestampConverter" => &[("target.type", "unix"), ("field", "a")],
        "ValueToKey" => &[("fields", "a")],
        _ => &[],
    }
}

#[tokio::test]
async fn every_transform_keeps_its_promises() {
    let mut records = vec![ten_fields(), of_map(&[("a", Value::from("text"))])];
    records.push(Record {
        origin: Some(SinkOrigin {
            topic: "t".into(),
            partition: 3,
            offset: 42,
            timestamp_type: TimestampType::CreateTime,
        }),
        ..of_map(&[("a", Value::Int64(7))])
    });
    for plugin in transforms() {
        let name = plugin.class().rsplit('.').next().unwrap();
        let config = props(config(name.split('$').next().unwrap()));
        let broken = milena_conformance::transform(&*plugin, &config, &records).await;
        assert!(broken.is_empty(), "{name}: {broken:#?}");
    }
}
