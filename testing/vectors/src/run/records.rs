//! The areas of transforms and predicates: records in, records out.

use anyhow::{Context, anyhow};
use milena_api::{Predicate, RecordTransform, TransformInstance};
use milena_config::Props;
use milena_data::{Record, SinkOrigin, TimestampType};
use serde_json::Value as Json;

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

/// A link of a chain.
struct Link {
    transform: Box<dyn RecordTransform>,
    condition: Option<(Box<dyn Predicate>, bool)>,
}

fn part_of(props: &Props, prefix: &str) -> Props {
    props
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone())))
        .collect()
}

fn links(props: &Props) -> Result<Vec<Link>, Fault> {
    let aliases = props
        .get("transforms")
        .map(String::as_str)
        .unwrap_or_default();
    let mut links = Vec::new();
    for alias in aliases
        .split(',')
        .map(str::trim)
        .filter(|alias| !alias.is_empty())
    {
        let own = part_of(props, &format!("transforms.{alias}."));
        let class = own.get("type").context("a transform without type")?;
        let condition = match own.get("predicate") {
            Some(name) => {
                let config = part_of(props, &format!("predicates.{name}."));
                let class = config.get("type").context("a predicate without type")?;
                let plugin = plugins::predicate(class)?;
                let negate = own.get("negate").is_some_and(|negate| negate == "true");
                Some((configuring(plugin.predicate(&config))?, negate))
            }
            None => None,
        };
        links.push(Link {
            transform: transform_of(class, &own)?,
            condition,
        });
    }
    Ok(links)
}

/// A chain of transforms under predicates, configured as a connector is.
pub(super) fn chain(vector: &Vector) -> Outcome {
    let mut links = links(&vector.props())?;
    let input = record(vector)?;
    let mut current = Some(input.clone());
    for link in &mut links {
        let Some(record) = current else { break };
        let applies = match &mut link.condition {
            Some((predicate, negate)) => predicate.test(&record)? != *negate,
            None => true,
        };
        current = if applies {
            link.transform.apply(record)?
        } else {
            Some(record)
        };
    }
    compare(vector, &input, current.as_ref())
}

/// The steps of a field path (KIP-821).
pub(super) fn field_path(_vector: &Vector) -> Outcome {
    Err(anyhow!("field paths are not there yet").into())
}
