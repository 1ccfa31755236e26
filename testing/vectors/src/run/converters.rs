//! The areas of the converters.

use anyhow::{Context, anyhow};
use bytes::Bytes;
use milena_api::{ConverterInstance, ConverterUse, HeaderConverter, RecordConverter};
use serde_json::Value as Json;

use crate::{
    check::{Fault, Outcome, json_equal, same, show_pair},
    notation, plugins,
    report::configuring,
    vector::Vector,
};

fn topic(vector: &Vector) -> &str {
    vector.input_text("topic").unwrap_or("topic")
}

fn converter(vector: &Vector) -> Result<Box<dyn RecordConverter>, Fault> {
    let class = vector.config_text("class").context("no class")?;
    let plugin = plugins::converter(class)?;
    let usage = match vector.input("is_key") {
        Json::Bool(true) => ConverterUse::Key,
        _ => ConverterUse::Value,
    };
    match configuring(plugin.converter(&vector.props(), usage))? {
        ConverterInstance::PerRecord(converter) => Ok(converter),
        ConverterInstance::Batch(_) => Err(anyhow!("a converter with I/O").into()),
    }
}

fn header_converter(vector: &Vector) -> Result<Box<dyn HeaderConverter>, Fault> {
    let class = vector.config_text("class").context("no class")?;
    let plugin = plugins::header_converter(class)?;
    configuring(plugin.header_converter(&vector.props()))
}

/// Bytes to a value. Each message is read twice, so that caches are crossed, too.
pub(super) fn to_connect(vector: &Vector) -> Outcome {
    let mut converter = converter(vector)?;
    let bytes = notation::raw_bytes(&vector.input)?;
    let first = converter.to_connect(topic(vector), &[], bytes.as_ref())?;
    let found = converter.to_connect(topic(vector), &[], bytes.as_ref())?;
    if first != found {
        return Ok(Some(format!(
            "{} at first, then {}",
            show_pair(&first),
            show_pair(&found)
        )));
    }
    let expected = notation::pair(vector.expected("schema"), vector.expected("value"))?;
    Ok(same(&expected, &found, show_pair))
}

/// A value to bytes, twice as well.
pub(super) fn from_connect(vector: &Vector) -> Outcome {
    let mut converter = converter(vector)?;
    let input = notation::pair(vector.input("value_schema"), vector.input("value"))?;
    let schema = input.schema.as_ref();
    let first = converter.from_connect(topic(vector), &mut Vec::new(), schema, &input.value)?;
    let found = converter.from_connect(topic(vector), &mut Vec::new(), schema, &input.value)?;
    if first != found {
        return Ok(Some(format!("{first:?} at first, then {found:?}")));
    }
    compare_bytes(vector, found.as_ref())
}

/// The bytes of a header to a value.
pub(super) fn header_to_connect(vector: &Vector) -> Outcome {
    let mut converter = header_converter(vector)?;
    let bytes = notation::raw_bytes(&vector.input)?;
    let key = vector.input_text("key").unwrap_or("header");
    let found = converter.to_connect(topic(vector), key, bytes.as_ref())?;
    let expected = notation::pair(vector.expected("schema"), vector.expected("value"))?;
    Ok(same(&expected, &found, show_pair))
}

/// The value of a header to bytes.
pub(super) fn header_from_connect(vector: &Vector) -> Outcome {
    let mut converter = header_converter(vector)?;
    let input = notation::pair(vector.input("value_schema"), vector.input("value"))?;
    let key = vector.input_text("key").unwrap_or("header");
    let found = converter.from_connect(topic(vector), key, &input)?;
    compare_bytes(vector, found.as_ref())
}

fn compare_bytes(vector: &Vector, found: Option<&Bytes>) -> Outcome {
    let expect = vector.expect.as_ref().and_then(Json::as_object);
    if let Some(expected) = expect.and_then(|expect| expect.get("json")) {
        let equal = found
            .and_then(|bytes| serde_json::from_slice::<Json>(bytes).ok())
            .is_some_and(|json| json_equal(expected, &json));
        return Ok((!equal).then(|| show_bytes(found)));
    }
    let expected = match expect {
        Some(expect) => notation::raw_bytes(expect)?,
        None => None,
    };
    Ok((expected.as_ref() != found).then(|| show_bytes(found)))
}

fn show_bytes(bytes: Option<&Bytes>) -> String {
    match bytes {
        Some(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        None => "no bytes".to_owned(),
    }
}
