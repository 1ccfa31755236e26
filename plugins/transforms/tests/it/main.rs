//! What a user sees of the transforms beyond the golden vectors: errors, quirks, headers, and the chain
//! of three that its speed is measured with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod conformance;

use milena_api::{RecordTransform, TransformInstance};
use milena_config::Props;
use milena_data::{
    MapValue, Record, Schema, SchemaAndValue, SchemaBuilder, SchemaType, Struct, Value,
};
use milena_transforms::transforms;

fn props(config: &[(&str, &str)]) -> Props {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    config.iter().map(own).collect()
}

fn made(name: &str, config: &[(&str, &str)]) -> Box<dyn RecordTransform> {
    let class = format!("org.apache.kafka.connect.transforms.{name}");
    let all = transforms();
    let plugin = all.iter().find(|plugin| plugin.class() == class).unwrap();
    match plugin.transform(&props(config)).unwrap() {
        TransformInstance::PerRecord(transform) => transform,
        TransformInstance::Batch(_) => panic!("no transform of ours does I/O"),
    }
}

fn of_map(entries: &[(&str, Value)]) -> Record {
    let mut map = MapValue::new();
    for (key, value) in entries {
        map.insert(*key, value.clone());
    }
    Record {
        topic: "t".into(),
        value: SchemaAndValue::new(None, map.into()),
        ..Record::default()
    }
}

fn ten_fields() -> Record {
    let mut builder = SchemaBuilder::structure().name("row");
    let mut slots = Vec::new();
    for index in 0..10 {
        let (schema, value) = match index % 3 {
            0 => (Schema::int64(), Value::Int64(index)),
            1 => (Schema::string(), Value::from("some text")),
            _ => (Schema::optional_float64(), Value::Float64(1.5)),
        };
        builder = builder.field(format!("f{index}"), schema);
        slots.push(value);
    }
    let schema = builder.build().unwrap();
    Record {
        topic: "t".into(),
        partition: Some(1),
        value: SchemaAndValue::new(
            Some(schema.clone()),
            Struct::from_slots(schema, slots).into(),
        ),
        timestamp: Some(0),
        ..Record::default()
    }
}

#[test]
fn the_list_is_alphabetical_and_has_both_variants() {
    let names: Vec<String> = transforms().iter().map(|p| p.class().to_owned()).collect();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(names, sorted);
    assert_eq!(names.len(), 26);
    assert!(transforms().iter().all(|p| p.version() == "4.3.1"));
}

#[test]
fn a_needed_list_that_is_empty_is_refused_by_the_definition_in_the_words_of_4_3() {
    let all = transforms();
    let mask = all.iter().find(|p| p.class().ends_with("MaskField$Value"));
    let refused = mask.unwrap().config_def().parse(&props(&[("fields", "")]));
    assert_eq!(
        refused.unwrap_err().message,
        "Configuration 'fields' must not be empty. Valid values include: any non-empty value"
    );
}

#[test]
fn casting_reports_the_value_and_its_cause() {
    let mut cast = made("Cast$Value", &[("spec", "a:int8")]);
    let error = cast
        .apply(of_map(&[("a", Value::from("300"))]))
        .unwrap_err();
    assert_eq!(
        error.to_java_string(),
        "org.apache.kafka.connect.errors.DataException: Value (300) was out of range for requested data type"
    );
    assert_eq!(
        error.cause.unwrap().to_java_string(),
        "java.lang.NumberFormatException: Value out of range. Value:\"300\" Radix:10"
    );
}

#[test]
fn a_moved_field_can_become_several_headers() {
    let config = [("fields", "a,a"), ("headers", "x,y"), ("operation", "move")];
    let mut header_from = made("HeaderFrom$Value", &config);
    let out = header_from
        .apply(of_map(&[("a", Value::Int64(1))]))
        .unwrap()
        .unwrap();
    let values: Vec<Value> = out.headers.iter().map(|h| h.value.value.clone()).collect();
    assert_eq!(values, [Value::Int64(1), Value::Int64(1)]);
    assert_eq!(out.value.value, MapValue::new().into());
}

#[test]
fn a_derived_schema_is_made_once_for_a_schema() {
    let mut insert = made("InsertField$Value", &[("topic.field", "topic!")]);
    let record = ten_fields();
    let first = insert.apply(record.clone()).unwrap().unwrap();
    let second = insert.apply(record).unwrap().unwrap();
    let (first, second) = (first.value.schema.unwrap(), second.value.schema.unwrap());
    assert!(first.same(&second));
    assert_eq!(first.fields().len(), 11);
}

/// Fields of all sorts: what is settled, what may lack something, and nulls with and without a default.
fn of_all_sorts() -> (Schema, Struct) {
    let inner = SchemaBuilder::structure().field("n", Schema::int32());
    let inner = inner.build().unwrap();
    let with_default = SchemaBuilder::new(SchemaType::Int32)
        .optional()
        .default_value(Value::Int32(7));
    let schema = SchemaBuilder::structure()
        .field("id", Schema::int64())
        .field("name", Schema::optional_string())
        .field("inner", inner.clone())
        .field("count", with_default.build().unwrap())
        .field("none", Schema::optional_string())
        .field("amount", Schema::float64());
    let schema = schema.build().unwrap();
    let slots = vec![
        Value::Int64(-5),
        "text".into(),
        Struct::from_slots(inner, vec![Value::Int32(1)]).into(),
        Value::Null,
        Value::Null,
        Value::Float64(10.25),
    ];
    let value = Struct::from_slots(schema.clone(), slots);
    (schema, value)
}

/// A transform, its configuration, and the fields that come of [`of_all_sorts`].
type Case = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

/// What is changed in its place is what is made anew, as it is for a struct whose schema is another object.
#[test]
fn a_struct_is_changed_in_its_place() {
    let cases: [Case; 9] = [
        (
            "ReplaceField$Value",
            &[("renames", "name:called")],
            "id called inner count none amount",
        ),
        (
            "ReplaceField$Value",
            &[("exclude", "id,inner")],
            "name count none amount",
        ),
        (
            "ReplaceField$Value",
            &[("include", "inner,amount"), ("renames", "inner:x")],
            "x amount",
        ),
        // Values that change places.
        (
            "ReplaceField$Value",
            &[("renames", "id:name,name:id")],
            "name id inner count none amount",
        ),
        (
            "InsertField$Value",
            &[("topic.field", "t"), ("timestamp.field", "ts")],
            "id name inner count none amount t ts",
        ),
        (
            "Cast$Value",
            &[("spec", "id:string,amount:float32,count:int8")],
            "id name inner count none amount",
        ),
        (
            "Cast$Value",
            &[("spec", "id:boolean")],
            "id name inner count none amount",
        ),
        (
            "MaskField$Value",
            &[("fields", "id,name,none")],
            "id name inner count none amount",
        ),
        (
            "MaskField$Value",
            &[("fields", "id,name"), ("replacement", "9")],
            "id name inner count none amount",
        ),
    ];
    for (name, config, fields) in cases {
        for replace_null in ["true", "false"] {
            let config = [config, &[("replace.null.with.default", replace_null)]].concat();
            let (schema, value) = of_all_sorts();
            let record = |schema| Record {
                topic: "t".into(),
                timestamp: Some(3),
                value: SchemaAndValue::new(Some(schema), value.clone().into()),
                ..Record::default()
            };
            let other = of_all_sorts().0;
            assert!(other == schema && !other.same(&schema));
            let [in_place, anew] = [schema, other].map(|schema| {
                let changed = made(name, &config).apply(record(schema)).unwrap();
                changed.unwrap().value
            });
            assert_eq!(in_place, anew, "{name} {config:?}");
            let made = in_place.schema.unwrap();
            let names: Vec<&str> = made.fields().keys().map(|name| &**name).collect();
            assert_eq!(names.join(" "), fields, "{name} {config:?}");
            let Value::Struct(inner) = &in_place.value else {
                panic!("{name}: no struct");
            };
            assert_eq!(inner.schema(), &made);
            assert_eq!(inner.slots().len(), made.fields().len());
            inner.validate().unwrap();
            let count = inner.get_without_default("count").map(Value::is_null);
            assert!(
                count.is_err() || count == Ok(replace_null == "false"),
                "{name} {config:?}"
            );
        }
    }
}

/// `cargo test --release -p milena-transforms speed -- --ignored --nocapture`
#[test]
#[ignore = "a measurement, for release builds"]
fn speed_of_a_chain_of_three_on_ten_fields() {
    let mut chain = [
        made(
            "InsertField$Value",
            &[("static.field", "s"), ("static.value", "v")],
        ),
        made(
            "ReplaceField$Value",
            &[("renames", "f0:g0"), ("exclude", "f9")],
        ),
        made("MaskField$Value", &[("fields", "f1")]),
    ];
    let records = vec![ten_fields(); 1_000_000];
    let begun = std::time::Instant::now();
    let mut kept = 0;
    for record in records {
        let mut current = Some(record);
        for transform in &mut chain {
            let Some(record) = current else { break };
            current = transform.apply(record).unwrap();
        }
        kept += usize::from(current.is_some());
    }
    let rate = kept as f64 / begun.elapsed().as_secs_f64();
    println!("chain of three on ten fields: {rate:.0} records/s on one core");
}
