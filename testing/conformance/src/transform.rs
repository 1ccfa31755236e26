//! The suite of transforms.

use milena_api::{ConnectError, TransformInstance, TransformPlugin};
use milena_config::Props;
use milena_data::{Record, SchemaAndValue};

use crate::{Broken, descriptor};

/// Runs a transform on records, which it may change, drop or refuse.
pub async fn transform(
    plugin: &dyn TransformPlugin,
    config: &Props,
    records: &[Record],
) -> Vec<Broken> {
    let mut broken = Vec::new();
    descriptor(plugin.class(), plugin.version(), &mut broken);
    if let Err(error) = plugin.config_def().parse(config) {
        broken.push(format!(
            "its own definition refuses the configuration: {error}"
        ));
    }
    // Tombstones and empty records come by, too.
    let tombstones = records.iter().map(|record| Record {
        value: SchemaAndValue::default(),
        ..record.clone()
    });
    let records: Vec<Record> = records.iter().cloned().chain(tombstones).collect();
    let first = match all(plugin, config, &records).await {
        Ok(first) => first,
        Err(error) => {
            broken.push(format!("it cannot be made: {error}"));
            return broken;
        }
    };
    if first.len() != records.len() {
        broken.push(format!(
            "{} answers to {} records",
            first.len(),
            records.len()
        ));
    }
    for (given, found) in records.iter().zip(&first) {
        let Ok(Some(found)) = found else { continue };
        if found.origin != given.origin {
            broken.push("it changes where a record came from".to_owned());
        }
        if found.topic.is_empty() {
            broken.push("it takes the topic away".to_owned());
        }
    }
    // Another instance answers the same: nothing is shared, nothing depends on chance.
    match all(plugin, config, &records).await {
        Ok(second) if second == first => {}
        _ => broken.push("a second instance answers otherwise".to_owned()),
    }
    broken
}

type Answers = Vec<Result<Option<Record>, ConnectError>>;

async fn all(
    plugin: &dyn TransformPlugin,
    config: &Props,
    records: &[Record],
) -> Result<Answers, ConnectError> {
    Ok(match plugin.transform(config)? {
        TransformInstance::PerRecord(mut transform) => {
            let apply = |record: &Record| transform.apply(record.clone());
            records.iter().map(apply).collect()
        }
        TransformInstance::Batch(mut transform) => transform.apply(records.to_vec()).await,
    })
}
