//! AlterConfigs and IncrementalAlterConfigs, for topics.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, alter_configs_response,
    incremental_alter_configs_request::AlterableConfig, incremental_alter_configs_response,
};

use super::{Answer, RequestError, configs, read, text, write};
use crate::{
    broker::Shared,
    group::{INVALID_CONFIG, INVALID_REQUEST, NONE, UNKNOWN_TOPIC_OR_PARTITION},
};

const TOPIC: i8 = 2;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// AlterConfigs: the given configurations replace all overrides.
pub(super) fn replace(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: AlterConfigsRequest = read(body, version)?;
    let one = |resource: kafka_protocol::messages::alter_configs_request::AlterConfigsResource| {
        let given = resource.configs.iter().filter_map(|config| {
            Some((config.name.to_string(), config.value.as_ref()?.to_string()))
        });
        let given = given.collect();
        let outcome = match resource.resource_type {
            TOPIC => apply(
                shared,
                &resource.resource_name,
                request.validate_only,
                |_| Ok(given),
            ),
            _ => Err((INVALID_REQUEST, "only topics can be configured".to_owned())),
        };
        let (error, message) =
            outcome.map_or_else(|(code, text)| (code, Some(text)), |()| (NONE, None));
        alter_configs_response::AlterConfigsResourceResponse::default()
            .with_error_code(error)
            .with_error_message(message.map(|message| text(&message)))
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name)
    };
    let responses = request.resources.into_iter().map(one).collect();
    write(
        &AlterConfigsResponse::default().with_responses(responses),
        version,
    )
}

/// IncrementalAlterConfigs: each configuration is set, deleted, appended to or subtracted from.
pub(super) fn change(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: IncrementalAlterConfigsRequest = read(body, version)?;
    let one = |resource: kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource| {
        let outcome = match resource.resource_type {
            TOPIC => apply(shared, &resource.resource_name, request.validate_only, |overrides| {
                changed(overrides, &resource.configs)
            }),
            _ => Err((INVALID_REQUEST, "only topics can be configured".to_owned())),
        };
        let (error, message) = outcome.map_or_else(|(code, text)| (code, Some(text)), |()| (NONE, None));
        incremental_alter_configs_response::AlterConfigsResourceResponse::default()
            .with_error_code(error)
            .with_error_message(message.map(|message| text(&message)))
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name)
    };
    let responses = request.resources.into_iter().map(one).collect();
    write(
        &IncrementalAlterConfigsResponse::default().with_responses(responses),
        version,
    )
}

type Overrides = BTreeMap<String, String>;
type Refusal = (i16, String);

fn apply(
    shared: &Shared,
    name: &str,
    validate_only: bool,
    change: impl FnOnce(Overrides) -> Result<Overrides, Refusal>,
) -> Result<(), Refusal> {
    let topic = shared.store.topic(name);
    let topic = topic.ok_or_else(|| {
        (
            UNKNOWN_TOPIC_OR_PARTITION,
            format!("The topic '{name}' does not exist."),
        )
    })?;
    let overrides = change(topic.overrides().clone())?;
    configs::checked(&overrides).map_err(|message| (INVALID_CONFIG, message))?;
    if validate_only {
        return Ok(());
    }
    shared
        .store
        .set_overrides(name, overrides)
        .map(drop)
        .map_err(|error| (INVALID_CONFIG, error.to_string()))
}

fn changed(mut overrides: Overrides, configs: &[AlterableConfig]) -> Result<Overrides, Refusal> {
    for config in configs {
        let name = config.name.to_string();
        let value = config
            .value
            .as_ref()
            .map(|value| value.to_string())
            .unwrap_or_default();
        let listed = |overrides: &Overrides| -> Vec<String> {
            let default = super::configs::TOPIC
                .iter()
                .find(|c| c.name == name)
                .map(|c| c.default);
            let current = overrides
                .get(&name)
                .map(String::as_str)
                .or(default)
                .unwrap_or_default();
            current
                .split(',')
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect()
        };
        match config.config_operation {
            SET | APPEND | SUBTRACT if config.value.is_none() => {
                return Err((INVALID_REQUEST, format!("no value for {name}")));
            }
            SET => {
                overrides.insert(name, value);
            }
            DELETE => {
                overrides.remove(&name);
            }
            APPEND => {
                let mut list = listed(&overrides);
                list.extend(
                    value
                        .split(',')
                        .filter(|item| !list.iter().any(|old| old == item))
                        .map(str::to_owned)
                        .collect::<Vec<_>>(),
                );
                overrides.insert(name, list.join(","));
            }
            SUBTRACT => {
                let mut list = listed(&overrides);
                list.retain(|item| !value.split(',').any(|gone| gone == item));
                overrides.insert(name, list.join(","));
            }
            other => {
                return Err((
                    INVALID_REQUEST,
                    format!("unknown operation {other} for configuration {name}"),
                ));
            }
        }
    }
    Ok(overrides)
}
