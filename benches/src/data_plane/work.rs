//! What is measured on our side.

use std::{collections::BTreeMap, hint::black_box};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use milena_api::{
    ConverterInstance, ConverterUse, RecordConverter, RecordTransform, TransformInstance,
};
use milena_data::{Record, SchemaAndValue};

use crate::{messages, timing::rate};

/// A measured rate and the one that is wanted.
pub(crate) struct Figure {
    /// The name, the same on both sides.
    pub(crate) name: &'static str,
    /// Records per second.
    pub(crate) rate: f64,
    /// What the project asks for.
    pub(crate) wanted: f64,
}

fn converter(class: &str, props: &[(&str, &str)]) -> Result<Box<dyn RecordConverter>> {
    let all = milena_converters::converters();
    let plugin = all
        .iter()
        .find(|plugin| plugin.class() == class)
        .context("no such converter")?;
    let props: BTreeMap<String, String> = props
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    match plugin.converter(&props, ConverterUse::Value)? {
        ConverterInstance::PerRecord(converter) => Ok(converter),
        ConverterInstance::Batch(_) => bail!("a converter with I/O"),
    }
}

fn decoding(converter: &mut dyn RecordConverter, bytes: &Bytes) -> f64 {
    rate(|| {
        let found = converter.to_connect("orders", &[], Some(black_box(bytes)));
        black_box(&found);
    })
}

fn encoding(converter: &mut dyn RecordConverter, record: &SchemaAndValue) -> f64 {
    let mut headers = Vec::new();
    rate(|| {
        let schema = record.schema.as_ref();
        let found =
            converter.from_connect("orders", &mut headers, schema, black_box(&record.value));
        black_box(&found);
    })
}

fn transform(class: &str, props: &[(&str, &str)]) -> Result<Box<dyn RecordTransform>> {
    let all = milena_transforms::transforms();
    let class = format!("org.apache.kafka.connect.transforms.{class}");
    let plugin = all
        .iter()
        .find(|plugin| plugin.class() == class)
        .context("no such transform")?;
    let props: BTreeMap<String, String> = props
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    match plugin.transform(&props)? {
        TransformInstance::PerRecord(transform) => Ok(transform),
        TransformInstance::Batch(_) => bail!("a transform with I/O"),
    }
}

/// Three transforms on the struct of ten fields, as a sink would run them.
fn chain(value: &SchemaAndValue) -> Result<f64> {
    let mut links = [
        transform(
            "InsertField$Value",
            &[("static.field", "origin"), ("static.value", "shop")],
        )?,
        transform(
            "MaskField$Value",
            &[("fields", "email"), ("replacement", "hidden")],
        )?,
        transform(
            "ReplaceField$Value",
            &[("renames", "country:land"), ("exclude", "note")],
        )?,
    ];
    let record = Record {
        topic: "orders".into(),
        value: value.clone(),
        ..Record::default()
    };
    Ok(rate(|| {
        let mut current = black_box(&record).clone();
        let kept = links
            .iter_mut()
            .all(|link| matches!(link.change(&mut current), Ok(true)));
        black_box((kept, &current));
    }))
}

/// Measures everything.
pub(crate) fn run() -> Result<Vec<Figure>> {
    let json = "org.apache.kafka.connect.json.JsonConverter";
    let mut enveloped = converter(json, &[])?;
    let mut plain = converter(json, &[("schemas.enable", "false")])?;
    let mut string = converter("org.apache.kafka.connect.storage.StringConverter", &[])?;
    let envelope = Bytes::from_static(messages::ENVELOPE.as_bytes());
    let object = Bytes::from_static(messages::PLAIN.as_bytes());
    // A message of Kafka lies in a shared buffer, as this does.
    let text = Bytes::from(messages::TEXT.as_bytes().to_vec());
    let record = enveloped.to_connect("orders", &[], Some(&envelope))?;
    let map = plain.to_connect("orders", &[], Some(&object))?;
    let word = string.to_connect("orders", &[], Some(&text))?;
    let shared_envelope = Bytes::from(envelope.to_vec());
    let shared_object = Bytes::from(object.to_vec());
    let mut figures = vec![
        Figure {
            name: "envelope to record",
            rate: decoding(&mut *enveloped, &shared_envelope),
            wanted: 300_000.0,
        },
        Figure {
            name: "record to envelope",
            rate: encoding(&mut *enveloped, &record),
            wanted: 400_000.0,
        },
        Figure {
            name: "plain to map",
            rate: decoding(&mut *plain, &shared_object),
            wanted: 600_000.0,
        },
        Figure {
            name: "map to plain",
            rate: encoding(&mut *plain, &map),
            wanted: 0.0,
        },
        Figure {
            name: "bytes to string",
            rate: decoding(&mut *string, &text),
            wanted: 5_000_000.0,
        },
        Figure {
            name: "string to bytes",
            rate: encoding(&mut *string, &word),
            wanted: 5_000_000.0,
        },
    ];
    figures.push(Figure {
        name: "three transforms",
        rate: chain(&record)?,
        wanted: 1_000_000.0,
    });
    Ok(figures)
}
