//! CreateTopics.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use kafka_protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse,
    create_topics_request::CreatableTopic,
    create_topics_response::{CreatableTopicConfigs, CreatableTopicResult},
};

use super::{Answer, RequestError, configs, read, text, write};
use crate::{
    broker::Shared,
    group::{
        INVALID_CONFIG, INVALID_PARTITIONS, INVALID_REPLICATION_FACTOR, INVALID_TOPIC_EXCEPTION,
        NONE, TOPIC_ALREADY_EXISTS, UNKNOWN_SERVER_ERROR,
    },
    log::{StoreError, valid_topic_name},
};

/// Where a configuration comes from.
const SOURCE_TOPIC: i8 = 1;
const SOURCE_DEFAULT: i8 = 5;

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: CreateTopicsRequest = read(body, version)?;
    let one = |topic: CreatableTopic| {
        let name = topic.name.clone();
        let result = CreatableTopicResult::default().with_name(name);
        let outcome = create(shared, &topic, request.validate_only);
        if version < 5 {
            // Only the error, in these versions.
            return match outcome {
                Ok(_) => result.with_error_code(NONE),
                Err((error, message)) => result
                    .with_error_code(error)
                    .with_error_message(Some(text(&message))),
            };
        }
        match outcome {
            Ok((id, partitions)) => result
                .with_error_code(NONE)
                .with_topic_id(if version >= 7 { id } else { uuid::Uuid::nil() })
                .with_num_partitions(partitions)
                .with_replication_factor(1)
                .with_configs(Some(configured(&topic))),
            Err((error, message)) => result
                .with_error_code(error)
                .with_error_message(Some(text(&message)))
                .with_num_partitions(-1)
                .with_replication_factor(-1)
                .with_configs(Some(Vec::new())),
        }
    };
    let topics = request.topics.into_iter().map(one).collect();
    write(
        &CreateTopicsResponse::default().with_topics(topics),
        version,
    )
}

/// What holds for the new topic, and where it comes from: the topic or the defaults.
fn configured(topic: &CreatableTopic) -> Vec<CreatableTopicConfigs> {
    let one = |config: &configs::TopicConfig| {
        let mut own = topic.configs.iter();
        let own = own.find(|own| own.name.as_str() == config.name);
        let own = own.and_then(|own| own.value.clone());
        let source = if own.is_some() {
            SOURCE_TOPIC
        } else {
            SOURCE_DEFAULT
        };
        CreatableTopicConfigs::default()
            .with_name(text(config.name))
            .with_value(Some(own.unwrap_or_else(|| text(config.default))))
            .with_config_source(source)
    };
    configs::TOPIC.iter().map(one).collect()
}

fn create(
    shared: &Shared,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<(uuid::Uuid, i32), (i16, String)> {
    let name = topic.name.to_string();
    if !valid_topic_name(&name) {
        return Err((
            INVALID_TOPIC_EXCEPTION,
            format!("Topic name '{name}' is invalid"),
        ));
    }
    if shared.store.topic(&name).is_some() {
        return Err((
            TOPIC_ALREADY_EXISTS,
            format!("Topic '{name}' already exists."),
        ));
    }
    // Metric names would be the same: Kafka writes '.' as '_' in them.
    let collides = |other: &str| other.replace('.', "_") == name.replace('.', "_");
    if name.contains(['.', '_'])
        && let Some(other) = shared
            .store
            .topics()
            .iter()
            .find(|other| collides(other.name()))
    {
        let other = other.name();
        return Err((
            INVALID_TOPIC_EXCEPTION,
            format!("Topic '{name}' collides with existing topics: {other}"),
        ));
    }
    let partitions = match topic.num_partitions {
        -1 if !topic.assignments.is_empty() => {
            i32::try_from(topic.assignments.len()).unwrap_or(i32::MAX)
        }
        -1 => shared.config.default_partitions,
        n if n > 0 => n,
        _ => {
            return Err((
                INVALID_PARTITIONS,
                "Number of partitions was set to an invalid non-positive value.".to_owned(),
            ));
        }
    };
    match topic.replication_factor {
        -1 | 1 => {}
        n if n > 1 => {
            return Err((
                INVALID_REPLICATION_FACTOR,
                format!(
                    "Unable to replicate the partition {n} time(s): The target replication factor of {n} cannot be reached because only 1 broker(s) are registered."
                ),
            ));
        }
        _ => {
            return Err((
                INVALID_REPLICATION_FACTOR,
                "Replication factor must be larger than 0, or -1 to use the default value."
                    .to_owned(),
            ));
        }
    }
    let mut overrides = BTreeMap::new();
    for config in &topic.configs {
        if let Some(value) = &config.value {
            overrides.insert(config.name.to_string(), value.to_string());
        }
    }
    configs::checked(&overrides).map_err(|message| (INVALID_CONFIG, message))?;
    if validate_only {
        return Ok((uuid::Uuid::nil(), partitions));
    }
    let count = usize::try_from(partitions).unwrap_or(1);
    match shared.store.create_topic(&name, count, overrides) {
        Ok(created) => Ok((created.id(), partitions)),
        Err(error @ StoreError::TopicExists(_)) => Err((TOPIC_ALREADY_EXISTS, error.to_string())),
        Err(error) => Err((UNKNOWN_SERVER_ERROR, error.to_string())),
    }
}
