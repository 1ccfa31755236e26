//! The areas of transforms and predicates: records in, records out.

use anyhow::{Context, anyhow};
use milena_api::{RecordTransform, TransformInstance};
use milena_chain::TransformChain;
use milena_config::Props;
use milena_data::{Record, SinkOrigin, TimestampType};
use serde_json::Value as Json;

use milena_transforms::field_path::{FieldPath, FieldSyntax};

use crate::{
    check::{Fault, Outcome, same},
    notation, plugins,
    report::configuring,
    vector::Vector,
};

fn record(vector: &Vector) -> anyhow::Result<Record> {
    let topic = vector.input_text("topic").unwrap_or("topic");
    let partition = match vector.input.get("partition") {
        None => Some(0),
        Some(json) => json.as_i64().map(i32::try_from).transpose()?,
    };
    let timestamp_type = match vector.input_text("timestamp_type") {
        Some("CreateTime") => TimestampType::CreateTime,
        Some("LogAppendTime") => TimestampType::LogAppendTime,
        _ => TimestampType::None,
    };
    // An offset makes it a sink record.
    let origin = vector.input_integer("offset").map(|offset| SinkOrigin {
        topic: topic.into(),
        partition: partition.unwrap_or(0),
        offset,
        timestamp_type,
    });
    Ok(Record {
        topic: topic.into(),
        partition,
        key: notation::pair(vector.input("key_schema"), vector.input("key"))?,
        value: notation::pair(vector.input("value_schema"), vector.input("value"))?,
        timestamp: vector.input_integer("timestamp"),
        headers: notation::headers(vector.input("headers"))?,
        origin,
    })
}

fn transform_of(class: &str, props: &Props) -> Result<Box<dyn RecordTransform>, Fault> {
    let plugin = plugins::transform(class)?;
    match configuring(plugin.transform(props))? {
        TransformInstance::PerRecord(transform) => Ok(transform),
        TransformInstance::Batch(_) => Err(anyhow!("a transform with I/O").into()),
    }
}

/// One transform on one record.
pub(super) fn transform(vector: &Vector) -> Outcome {
    let class = vector.config_text("class").context("no class")?;
    let mut transform = transform_of(class, &vector.props())?;
    let input = record(vector)?;
    let found = transform.apply(input.clone())?;
    compare(vector, &input, found.as_ref())
}

/// What is expected: the input with the named parts changed.
fn compare(vector: &Vector, input: &Record, found: Option<&Record>) -> Outcome {
    let changes = vector.expected("record");
    let expected = match changes {
        Json::Object(changes) => {
            let mut record = input.clone();
            let part = |name: &str| changes.get(name).unwrap_or(&Json::Null);
            if let Some(topic) = part("topic").as_str() {
                record.topic = topic.into();
            }
            if changes.contains_key("partition") {
                let partition = part("partition").as_i64();
                record.partition = partition
                    .map(i32::try_from)
                    .transpose()
                    .context("partition")?;
            }
            if changes.contains_key("timestamp") {
                record.timestamp = part("timestamp").as_i64();
            }
            if changes.contains_key("key") || changes.contains_key("key_schema") {
                record.key = notation::pair(part("key_schema"), part("key"))?;
            }
            if changes.contains_key("value") || changes.contains_key("value_schema") {
                record.value = notation::pair(part("value_schema"), part("value"))?;
            }
            if changes.contains_key("headers") {
                record.headers = notation::headers(part("headers"))?;
            }
            Some(record)
        }
        _ => None,
    };
    Ok(same(&expected.as_ref(), &found, |found| match found {
        Some(record) => format!("{record} {record:?}"),
        None => "dropped".to_owned(),
    }))
}

/// One predicate on one record.
pub(super) fn predicate(vector: &Vector) -> Outcome {
    let class = vector.config_text("class").context("no class")?;
    let plugin = plugins::predicate(class)?;
    let mut predicate = configuring(plugin.predicate(&vector.props()))?;
    let found = predicate.test(&record(vector)?)?;
    let expected = vector.expected("result").as_bool().context("no result")?;
    Ok(same(&expected, &found, bool::to_string))
}

/// A chain of transforms under predicates, configured as a connector is.
pub(super) fn chain(vector: &Vector) -> Outcome {
    let plugins = (
        milena_transforms::transforms(),
        milena_predicates::predicates(),
    );
    let mut chain = configuring(TransformChain::new(&plugins, &vector.props()))?;
    let input = record(vector)?;
    let found = chain
        .apply(input.clone())
        .map_err(|failure| failure.error)?;
    compare(vector, &input, found.as_ref())
}

/// The steps of a field path (KIP-821).
pub(super) fn field_path(vector: &Vector) -> Outcome {
    let syntax = match vector.config_text("field.syntax.version") {
        Some("V2") => FieldSyntax::V2,
        _ => FieldSyntax::V1,
    };
    let path = vector.input("path").as_str().context("no path")?;
    let found = FieldPath::new(path, syntax)?;
    let found: Vec<&str> = found.steps().iter().map(|step| &**step).collect();
    let expected = vector.expected("steps").as_array().context("no steps")?;
    let expected: Vec<&str> = expected.iter().filter_map(|step| step.as_str()).collect();
    Ok(same(&expected, &found, |steps| format!("{steps:?}")))
}
