//! Round trips of every converter on generated schemas and values. The seed is printed when one fails;
//! `MILENA_SEED` sets another.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeMap;

use bytes::Bytes;
use milena_api::{ConverterInstance, ConverterUse, RecordConverter};
use milena_converters::{converters, header_converters};
use milena_data::{MapValue, Schema, SchemaAndValue, SchemaType, Struct, Value, values};
use milena_vectors::parity::{Random, dump, generate};

const CASES: usize = 4_000;

fn seed() -> u64 {
    let own = std::env::var("MILENA_SEED").ok();
    own.and_then(|text| text.parse().ok()).unwrap_or(20_261_121)
}

fn made(class: &str, config: &[(&str, &str)]) -> Box<dyn RecordConverter> {
    let config: BTreeMap<String, String> = config
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let all = converters();
    let plugin = all.iter().find(|p| p.class().ends_with(class)).unwrap();
    match plugin.converter(&config, ConverterUse::Value).unwrap() {
        ConverterInstance::PerRecord(converter) => converter,
        ConverterInstance::Batch(_) => panic!("a converter with I/O"),
    }
}

fn written(
    converter: &mut dyn RecordConverter,
    schema: Option<&Schema>,
    value: &Value,
) -> Option<Bytes> {
    let found = converter.from_connect("t", &mut Vec::new(), schema, value);
    found.unwrap_or_else(|error| panic!("{error:?} for {}", dump::value(value)))
}

fn read(converter: &mut dyn RecordConverter, bytes: Option<&Bytes>) -> SchemaAndValue {
    let found = converter.to_connect("t", &[], bytes);
    found.unwrap_or_else(|error| panic!("{error:?} for {bytes:?}"))
}

/// What JSON can hold of a value: no negative zero, no NaN and no infinities.
fn for_json(value: &Value) -> Value {
    match value {
        Value::Float32(x) if !x.is_finite() || *x == 0.0 => Value::Float32(0.0),
        Value::Float64(x) if !x.is_finite() || *x == 0.0 => Value::Float64(0.0),
        Value::Array(items) => Value::Array(items.iter().map(for_json).collect()),
        Value::Map(entries) => {
            let mut map = MapValue::new();
            for (key, value) in entries.iter() {
                // The name of a null key is a text.
                if !key.is_null() {
                    map.insert(for_json(key), for_json(value));
                }
            }
            map.into()
        }
        Value::Struct(fields) => {
            let slots = fields.slots().iter().map(for_json).collect();
            Struct::from_slots(fields.schema().clone(), slots).into()
        }
        other => other.clone(),
    }
}

#[test]
fn json_envelopes_give_back_schema_and_value() {
    for format in ["BASE64", "NUMERIC"] {
        let mut r = Random::new(seed());
        let config = [
            ("replace.null.with.default", "false"),
            ("decimal.format", format),
        ];
        let mut converter = made("JsonConverter", &config);
        for case in 0..CASES {
            let schema = generate::schema(&mut r, 0);
            let value = for_json(&generate::value(&mut r, &schema));
            let bytes = written(&mut *converter, Some(&schema), &value);
            // Defaults that JSON has no number for.
            let text = String::from_utf8_lossy(bytes.as_deref().unwrap_or_default());
            if ["default\":\"NaN", "Infinity\"", "default\":-0.0"]
                .iter()
                .any(|odd| text.contains(odd))
            {
                continue;
            }
            let found = read(&mut *converter, bytes.as_ref());
            let place = format!("case {case} of seed {}, {bytes:?}", seed());
            assert_eq!(
                dump::schema(found.schema.as_ref()),
                dump::schema(Some(&schema)),
                "{place}"
            );
            // A number tells no scale: the value is the same, its digits may not be.
            if format == "BASE64" {
                assert_eq!(dump::sorted(&found.value), dump::sorted(&value), "{place}");
            }
            let again = written(&mut *converter, found.schema.as_ref(), &found.value);
            let once_more = read(&mut *converter, again.as_ref());
            assert_eq!(once_more.value, found.value, "{place}");
        }
    }
}

#[test]
fn plain_json_that_was_read_is_read_the_same_again() {
    let mut r = Random::new(seed());
    let mut converter = made("JsonConverter", &[("schemas.enable", "false")]);
    for case in 0..CASES {
        let schema = generate::schema(&mut r, 0);
        let value = for_json(&generate::value(&mut r, &schema));
        let bytes = written(&mut *converter, Some(&schema), &value);
        let found = read(&mut *converter, bytes.as_ref());
        let again = written(&mut *converter, None, &found.value);
        let once_more = read(&mut *converter, again.as_ref());
        assert_eq!(
            dump::sorted(&once_more.value),
            dump::sorted(&found.value),
            "case {case} of seed {}, {bytes:?}",
            seed()
        );
    }
}

#[test]
fn primitives_give_back_their_value() {
    for (class, kind) in [
        ("BooleanConverter", SchemaType::Boolean),
        ("ByteArrayConverter", SchemaType::Bytes),
        ("DoubleConverter", SchemaType::Float64),
        ("FloatConverter", SchemaType::Float32),
        ("IntegerConverter", SchemaType::Int32),
        ("LongConverter", SchemaType::Int64),
        ("ShortConverter", SchemaType::Int16),
    ] {
        let mut r = Random::new(seed());
        let mut converter = made(class, &[]);
        let schema = Schema::primitive(kind, true);
        for case in 0..CASES {
            let value = generate::value(&mut r, &schema);
            let bytes = written(&mut *converter, Some(&schema), &value);
            let found = read(&mut *converter, bytes.as_ref());
            assert_eq!(
                dump::pair(&found),
                dump::pair(&SchemaAndValue::new(Some(schema.clone()), value)),
                "{class}, case {case} of seed {}",
                seed()
            );
        }
    }
}

#[test]
fn texts_survive_every_encoding_that_has_them() {
    for (encoding, all) in [
        ("UTF-8", true),
        ("UTF-16", true),
        ("UTF-16LE", true),
        ("UTF-16BE", true),
        ("UTF-32", true),
        ("ISO-8859-1", false),
        ("US-ASCII", false),
        ("windows-1252", false),
    ] {
        let mut r = Random::new(seed());
        let mut converter = made(
            "storage.StringConverter",
            &[("converter.encoding", encoding)],
        );
        for case in 0..CASES {
            let mut text = generate::text(&mut r);
            if !all {
                text.retain(|c| c.is_ascii());
            }
            let value = Value::from(text);
            let bytes = written(&mut *converter, Some(&Schema::string()), &value);
            let found = read(&mut *converter, bytes.as_ref());
            assert_eq!(
                found.value,
                value,
                "{encoding}, case {case} of seed {}",
                seed()
            );
        }
    }
}

#[test]
fn headers_that_were_read_are_read_the_same_again() {
    let all = header_converters();
    let plugin = all
        .iter()
        .find(|p| p.class().ends_with("SimpleHeaderConverter"))
        .unwrap();
    let mut converter = plugin.header_converter(&BTreeMap::new()).unwrap();
    let mut r = Random::new(seed());
    let mut tried = 0;
    for case in 0..CASES {
        let text = generate::literal(&mut r, 0);
        let first = converter
            .to_connect("t", "h", Some(&Bytes::from(text.clone())))
            .unwrap();
        // Strings may look like something else without their quotes, as in Java.
        if dump::pair(&first).contains('S') {
            continue;
        }
        tried += 1;
        let bytes = converter.from_connect("t", "h", &first).unwrap();
        let again = converter.to_connect("t", "h", bytes.as_ref()).unwrap();
        // What is written has the least type that holds it; reading settles after one round.
        let bytes_again = converter.from_connect("t", "h", &again).unwrap();
        let settled = converter
            .to_connect("t", "h", bytes_again.as_ref())
            .unwrap();
        assert_eq!(
            dump::pair(&settled),
            dump::pair(&again),
            "case {case} of seed {}: {text:?}",
            seed()
        );
    }
    assert!(tried > CASES / 4, "{tried} cases");
}

#[test]
fn rendered_values_parse_to_what_renders_the_same() {
    let mut r = Random::new(seed());
    for case in 0..CASES {
        let schema = generate::logical(&mut r);
        let value = generate::value(&mut r, &schema);
        let Ok(Some(text)) = values::convert_to_string(&value) else {
            continue;
        };
        let Some(pair) = values::parse_string(&text) else {
            continue;
        };
        let again = values::convert_to_string(&pair.value).unwrap();
        // A number without a point is an integer again, whatever its scale was.
        if pair.schema.as_ref().and_then(Schema::logical).is_some() {
            assert_eq!(
                again.as_deref(),
                Some(&*text),
                "case {case} of seed {}",
                seed()
            );
        }
    }
}
