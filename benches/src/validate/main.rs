//! How long the validation of a connector's configuration takes, all its plugins included; it needs no network.
//!
//! `cargo run --release -p milena-benches --bin validate -- 2000`: median and slowest of so many validations.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use milena_config::{Props, StandaloneConfig};
use milena_file::{FileStreamSinkPlugin, FileStreamSourcePlugin};
use milena_registry::Registry;
use milena_rest_model::{PluginPort, RawProps};
use milena_validation::{ConnectorValidator, WorkerView};

/// A configuration with five transforms, a predicate, converters of its own and client overrides.
const CONNECTOR: &[(&str, &str)] = &[
    ("name", "bench"),
    ("connector.class", "FileStreamSource"),
    ("tasks.max", "4"),
    ("file", "/var/log/messages"),
    ("topic", "lines"),
    ("key.converter", "StringConverter"),
    ("value.converter", "JsonConverter"),
    ("value.converter.schemas.enable", "false"),
    ("producer.override.linger.ms", "20"),
    ("producer.override.compression.type", "zstd"),
    ("transforms", "hoist,stamp,cast,route,mask"),
    ("transforms.hoist.type", "HoistField$Value"),
    ("transforms.hoist.field", "line"),
    ("transforms.stamp.type", "InsertField$Value"),
    ("transforms.stamp.timestamp.field", "at"),
    ("transforms.cast.type", "Cast$Value"),
    ("transforms.cast.spec", "line:string"),
    ("transforms.route.type", "RegexRouter"),
    ("transforms.route.regex", "(.*)"),
    ("transforms.route.replacement", "logs-$1"),
    ("transforms.mask.type", "MaskField$Value"),
    ("transforms.mask.fields", "line"),
    ("transforms.mask.predicate", "empty"),
    ("predicates", "empty"),
    ("predicates.empty.type", "RecordIsTombstone"),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let runs: usize = match std::env::args().nth(1) {
        Some(text) => text.parse().context("the number of validations")?,
        None => 2000,
    };
    let text = |pairs: &[(&str, &str)]| -> Props {
        let owned = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        owned.collect()
    };
    let worker = StandaloneConfig::parse(&text(&[
        ("bootstrap.servers", "localhost:9092"),
        ("key.converter", "StringConverter"),
        ("value.converter", "StringConverter"),
        ("offset.storage.file.filename", "offsets"),
    ]))?;
    let registry = Registry::builder()
        .connector(Arc::new(FileStreamSinkPlugin))
        .connector(Arc::new(FileStreamSourcePlugin))
        .converters(milena_converters::converters())
        .header_converters(milena_converters::header_converters())
        .predicates(milena_predicates::predicates())
        .transforms(milena_transforms::transforms())
        .build();
    let view = WorkerView::new(&worker.worker);
    let validator = ConnectorValidator::new(Arc::new(registry), view)?;
    let config: RawProps = text(CONNECTOR)
        .into_iter()
        .map(|(key, value)| (key, Some(value)))
        .collect();
    let mut times: Vec<Duration> = Vec::with_capacity(runs);
    for _ in 0..runs {
        let began = Instant::now();
        let infos = validator.validate(&config).await?;
        times.push(began.elapsed());
        ensure!(
            infos.error_count == 0,
            "the configuration is good: {infos:?}"
        );
    }
    times.sort_unstable();
    let at = |part: usize| {
        times
            .get(times.len() * part / 1000)
            .or(times.last())
            .copied()
    };
    println!(
        "{runs} validations of {} keys: median {:?}, 99 % {:?}, slowest {:?}",
        config.len(),
        at(500).unwrap_or_default(),
        at(990).unwrap_or_default(),
        times.last().copied().unwrap_or_default()
    );
    Ok(())
}
