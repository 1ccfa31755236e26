//! Bad input of every kind that the data plane must bear: Java's answer, in bounded time and memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use milena_api::{
    ConnectError, ConverterInstance, ConverterUse, RecordConverter, TransformInstance,
};
use milena_converters::{converters, header_converters};
use milena_data::{
    Decimal, MapValue, Record, Schema, SchemaAndValue, SchemaBuilder, Value, logical, values,
};
use milena_transforms::transforms;
use milena_vectors::parity::{answer, dump};

/// Far more than any of these takes; a loop that blows up takes years.
const PATIENCE: Duration = Duration::from_secs(30);

fn props(config: &[(&str, &str)]) -> BTreeMap<String, String> {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    config.iter().map(own).collect()
}

fn try_json(config: &[(&str, &str)]) -> Result<Box<dyn RecordConverter>, ConnectError> {
    let all = converters();
    let plugin = all.iter().find(|p| p.class().ends_with("JsonConverter"));
    match plugin
        .unwrap()
        .converter(&props(config), ConverterUse::Value)?
    {
        ConverterInstance::PerRecord(converter) => Ok(converter),
        ConverterInstance::Batch(_) => panic!("a converter with I/O"),
    }
}

fn json(config: &[(&str, &str)]) -> Box<dyn RecordConverter> {
    try_json(config).unwrap()
}

const PLAIN: [(&str, &str); 1] = [("schemas.enable", "false")];

fn read(converter: &mut dyn RecordConverter, bytes: &[u8]) -> Result<SchemaAndValue, ConnectError> {
    converter.to_connect("t", &[], Some(&Bytes::copy_from_slice(bytes)))
}

fn deepest(error: &ConnectError) -> String {
    let mut error = error;
    while let Some(cause) = &error.cause {
        error = cause;
    }
    error.message.clone().unwrap_or_default()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn malformed_json_is_answered_as_java_does() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../golden/bad-json.tsv");
    let text = std::fs::read_to_string(file).unwrap();
    let (mut seen, mut wrong) = (0, Vec::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut parts = line.splitn(3, '\t');
        let (form, bytes) = (parts.next().unwrap(), unhex(parts.next().unwrap()));
        let mut converter = json(if form == "plain" { &PLAIN } else { &[] });
        let found = answer(read(&mut *converter, &bytes).map(|pair| dump::pair(&pair)));
        let shown = String::from_utf8_lossy(&bytes);
        let java = parts.next().unwrap();
        if found != java {
            wrong.push(format!("{form} {shown:?}\n  ours {found}\n  Java {java}"));
        }
        seen += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(seen, 81);
}

#[test]
fn nesting_of_a_hundred_thousand_is_refused_everywhere() {
    let start = Instant::now();
    let limit = "Document nesting depth (1001) exceeds the maximum allowed (1000, from \
                 `StreamReadConstraints.getMaxNestingDepth()`)";
    for open in ["[", "{\"a\":", "[[0],"] {
        let bytes = open.repeat(100_000);
        let error = read(&mut *json(&PLAIN), bytes.as_bytes()).unwrap_err();
        assert_eq!(deepest(&error), limit);
        let payload = format!("{{\"schema\":null,\"payload\":{bytes}");
        let error = read(&mut *json(&[]), payload.as_bytes()).unwrap_err();
        assert_eq!(deepest(&error), limit);
        // Literals of headers and `Values`: a string, as in Java's recursion limit.
        let _ = values::parse_string(&bytes);
        for plugin in header_converters() {
            let mut header = plugin.header_converter(&BTreeMap::new()).unwrap();
            let _ = header.to_connect("t", "h", Some(&Bytes::from(bytes.clone())));
        }
    }
    let items = "{\"type\":\"array\",\"items\":";
    let schema = format!(
        "{}{{\"type\":\"int8\"}}{}",
        items.repeat(100_000),
        "}".repeat(100_000)
    );
    let envelope = format!("{{\"schema\":{schema},\"payload\":[]}}");
    let error = read(&mut *json(&[]), envelope.as_bytes()).unwrap_err();
    assert_eq!(deepest(&error), limit);
    let error = try_json(&[("schema.content", &schema)]).err().unwrap();
    assert_eq!(deepest(&error), limit);
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn schemas_nested_to_the_limit_are_read_written_and_dropped() {
    let depth = 998;
    let items = "{\"type\":\"array\",\"items\":";
    let schema = format!(
        "{}{{\"type\":\"int8\"}}{}",
        items.repeat(depth),
        "}".repeat(depth)
    );
    let envelope = format!("{{\"schema\":{schema},\"payload\":[]}}");
    let mut converter = json(&[]);
    let found = read(&mut *converter, envelope.as_bytes()).unwrap();
    let written = converter
        .from_connect("t", &mut Vec::new(), found.schema.as_ref(), &found.value)
        .unwrap();
    assert!(written.is_some());
    assert!(try_json(&[("schema.content", &schema)]).is_ok());
}

#[test]
fn decimals_of_a_billion_digits_cost_nothing() {
    let start = Instant::now();
    for text in ["1e999999999", "-1e-999999999", "9e2147483647"] {
        let decimal = Decimal::parse(text).unwrap();
        assert_eq!(decimal.to_plain_string(), None, "too long to be written");
        let _ = (
            decimal.long_value(),
            decimal.double_value(),
            decimal.float_value(),
        );
        let schema = Schema::decimal(2);
        assert!(logical::decimal_from_logical(&schema, &decimal).is_err());
        let value = Value::Decimal(decimal);
        for format in ["NUMERIC", "BASE64"] {
            let mut converter = json(&[("decimal.format", format)]);
            let _ = converter.from_connect("t", &mut Vec::new(), Some(&schema), &value);
            let _ = converter.from_connect("t", &mut Vec::new(), None, &value);
        }
        for to in ["string", "int64", "float64"] {
            let _ = applied("Cast$Value", &[("spec", to)], value.clone());
        }
        let _ = values::convert_to_decimal(&Value::from(text), 2);
        let _ = values::convert_to_string(&value);
    }
    // Digits in full: a text as long as a message can be, which JSON refuses at 1,000.
    let digits = "9".repeat(2 << 20);
    let error = read(&mut *json(&PLAIN), digits.as_bytes()).unwrap_err();
    assert!(deepest(&error).starts_with("Number value length (2097152) exceeds the maximum"));
    assert!(Decimal::parse(&digits).is_err());
    let _ = values::parse_string(&digits);
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn schemas_have_no_cycles() {
    // A schema is built of finished parts and its JSON has no references: a name is no type.
    let own = r#"{"schema":{"type":"node","name":"node"},"payload":{}}"#;
    let error = read(&mut *json(&[]), own.as_bytes()).unwrap_err();
    assert_eq!(error.message.as_deref(), Some("Unknown schema type: node"));
    // The same part many times is shared, not copied: 2^64 leaves in 64 steps.
    let mut schema = Schema::int8();
    for _ in 0..64 {
        let twice = SchemaBuilder::structure()
            .field("a", schema.clone())
            .field("b", schema);
        schema = twice.build().unwrap();
    }
    assert_eq!(schema, schema.clone());
}

#[test]
fn duplicate_keys_are_the_last_value_and_duplicate_fields_an_error() {
    let found = read(&mut *json(&PLAIN), br#"{"a":1,"b":2,"a":3}"#).unwrap();
    let mut expected = MapValue::new();
    expected.insert("a", Value::Int64(3));
    expected.insert("b", Value::Int64(2));
    assert_eq!(found.value, expected.into());
    let many = format!("{{{}\"a\":7}}", "\"a\":1,".repeat(100_000));
    let found = read(&mut *json(&PLAIN), many.as_bytes()).unwrap();
    let mut expected = MapValue::new();
    expected.insert("a", Value::Int64(7));
    assert_eq!(found.value, expected.into());
}

#[test]
fn numbers_out_of_range_wrap_as_java_s_casts_do() {
    for (kind, number, expected) in [
        ("int8", "300", Value::Int8(44)),
        ("int16", "-40000", Value::Int16(25_536)),
        ("int32", "4294967297", Value::Int32(1)),
        (
            "int64",
            "99999999999999999999",
            Value::Int64(7_766_279_631_452_241_919),
        ),
        ("float", "1e400", Value::Float32(f32::INFINITY)),
        ("double", "-1e400", Value::Float64(f64::NEG_INFINITY)),
    ] {
        let text = format!(r#"{{"schema":{{"type":"{kind}"}},"payload":{number}}}"#);
        let found = read(&mut *json(&[]), text.as_bytes()).unwrap();
        assert_eq!(found.value, expected, "{kind}");
    }
}

#[test]
fn invalid_utf8_is_replaced_in_strings_and_refused_in_json() {
    let all = converters();
    let plugin = all
        .iter()
        .find(|p| p.class().ends_with("storage.StringConverter"));
    let made = plugin
        .unwrap()
        .converter(&BTreeMap::new(), ConverterUse::Value);
    let Ok(ConverterInstance::PerRecord(mut converter)) = made else {
        panic!("a converter");
    };
    for (bytes, expected) in [
        (&b"a\xffb"[..], "a\u{fffd}b"),
        (b"\xc3(", "\u{fffd}("),
        (b"\xe2\x82", "\u{fffd}"),
        (b"\xf0\x9f\x98", "\u{fffd}"),
        (b"\xed\xa0\x80", "\u{fffd}"),
    ] {
        let found = read(&mut *converter, bytes).unwrap();
        assert_eq!(found.value, Value::from(expected), "{bytes:?}");
    }
    let error = read(&mut *json(&PLAIN), b"\"\xf0\x9f\"").unwrap_err();
    assert!(deepest(&error).starts_with("Invalid UTF-8 middle byte 0x22"));
}

fn applied(
    name: &str,
    config: &[(&str, &str)],
    value: Value,
) -> Result<Option<Record>, ConnectError> {
    let all = transforms();
    let plugin = all
        .iter()
        .find(|p| p.class().ends_with(&format!(".{name}")))
        .unwrap();
    let record = Record {
        topic: format!("{}!", "a".repeat(240)).into(),
        value: SchemaAndValue::new(None, value),
        ..Record::default()
    };
    match plugin.transform(&props(config))? {
        TransformInstance::PerRecord(mut transform) => transform.apply(record),
        TransformInstance::Batch(_) => panic!("a transform with I/O"),
    }
}

#[test]
fn regular_expressions_that_blow_up_end_as_errors() {
    let start = Instant::now();
    for regex in [
        "(a+)+$",
        "(a|a)*$",
        "(a|aa)+$",
        "(.*)*\\1$",
        "^(a?){60}a{60}$",
    ] {
        let config = [("regex", regex), ("replacement", "x")];
        if let Err(error) = applied("RegexRouter", &config, Value::Null) {
            let text = error.message.unwrap_or_default();
            assert!(text.contains("takes too many steps"), "{regex}: {text}");
        }
    }
    // A pattern that is huge once unrolled is refused when it is read.
    for regex in [
        "((a{1000}){1000}){1000}",
        &"(".repeat(10_000),
        &"a?".repeat(2_000),
        &"a?".repeat(50_000),
    ] {
        let _ = applied(
            "RegexRouter",
            &[("regex", regex), ("replacement", "x")],
            Value::Null,
        );
    }
    assert!(start.elapsed() < PATIENCE);
}
