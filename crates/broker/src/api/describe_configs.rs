//! DescribeConfigs, for topics and the broker.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    DescribeConfigsRequest, DescribeConfigsResponse,
    describe_configs_request::DescribeConfigsResource,
    describe_configs_response::{
        DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
    },
};

use super::{Answer, RequestError, configs, read, text, write};
use crate::{
    broker::Shared,
    group::{INVALID_REQUEST, NONE, UNKNOWN_TOPIC_OR_PARTITION},
};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SOURCE_TOPIC: i8 = 1;
const SOURCE_STATIC_BROKER: i8 = 4;
const SOURCE_DEFAULT: i8 = 5;
/// Its default for all topics has another name and unit (`log.retention.hours`), so that none is told.
const UNSET_FOR_ALL: &str = "retention.ms";

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: DescribeConfigsRequest = read(body, version)?;
    let typed = |config: DescribeConfigsResourceResult| {
        // Types came with version 3.
        if version < 3 {
            config.with_config_type(0)
        } else {
            config
        }
    };
    let one = |resource: DescribeConfigsResource| {
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        let configs = match resource.resource_type {
            TOPIC => topic(shared, &resource, request.include_synonyms),
            BROKER if names_this_broker(shared, &resource.resource_name) => Ok(broker(shared)),
            _ => Err(INVALID_REQUEST),
        };
        match configs {
            Ok(configs) => {
                let keys = resource.configuration_keys.as_ref();
                let wanted = |config: &DescribeConfigsResourceResult| {
                    keys.is_none_or(|keys| keys.is_empty() || keys.contains(&config.name))
                };
                result
                    .with_error_code(NONE)
                    .with_configs(configs.into_iter().filter(wanted).map(typed).collect())
            }
            Err(error) => result.with_error_code(error),
        }
    };
    let results = request.resources.into_iter().map(one).collect();
    write(
        &DescribeConfigsResponse::default().with_results(results),
        version,
    )
}

/// The broker is meant by its id, and by no name at all: the defaults of all brokers.
fn names_this_broker(shared: &Shared, name: &str) -> bool {
    name.is_empty() || name.parse() == Ok(shared.config.node_id)
}

fn topic(
    shared: &Shared,
    resource: &DescribeConfigsResource,
    synonyms: bool,
) -> Result<Vec<DescribeConfigsResourceResult>, i16> {
    let topic = shared
        .store
        .topic(&resource.resource_name)
        .ok_or(UNKNOWN_TOPIC_OR_PARTITION)?;
    let one = |config: &configs::TopicConfig| {
        let set = topic.overrides().get(config.name);
        let value = set.map_or(config.default, String::as_str);
        let mut list = Vec::new();
        if synonyms {
            let synonym = |name: &str, value: &str, source: i8| {
                DescribeConfigsSynonym::default()
                    .with_name(text(name))
                    .with_value(Some(text(value)))
                    .with_source(source)
            };
            list.extend(set.map(|value| synonym(config.name, value, SOURCE_TOPIC)));
            if !config.synonym.is_empty() && config.name != UNSET_FOR_ALL {
                list.push(synonym(config.synonym, config.default, SOURCE_DEFAULT));
            }
        }
        DescribeConfigsResourceResult::default()
            .with_name(text(config.name))
            .with_value(Some(text(value)))
            .with_config_source(if set.is_some() {
                SOURCE_TOPIC
            } else {
                SOURCE_DEFAULT
            })
            .with_config_type(config.kind)
            .with_synonyms(list)
    };
    Ok(configs::TOPIC.iter().map(one).collect())
}

fn broker(shared: &Shared) -> Vec<DescribeConfigsResourceResult> {
    let own = [
        (
            "auto.create.topics.enable",
            shared.config.auto_create_topics.to_string(),
            configs::kind::BOOLEAN,
        ),
        (
            "broker.id",
            shared.config.node_id.to_string(),
            configs::kind::INT,
        ),
        (
            "default.replication.factor",
            "1".to_owned(),
            configs::kind::INT,
        ),
        (
            "group.initial.rebalance.delay.ms",
            shared
                .config
                .group_initial_rebalance_delay
                .as_millis()
                .to_string(),
            configs::kind::INT,
        ),
        (
            "log.dirs",
            shared.config.data_dir.display().to_string(),
            configs::kind::STRING,
        ),
        (
            "node.id",
            shared.config.node_id.to_string(),
            configs::kind::INT,
        ),
        (
            "num.partitions",
            shared.config.default_partitions.to_string(),
            configs::kind::INT,
        ),
        (
            "offsets.topic.replication.factor",
            "1".to_owned(),
            configs::kind::INT,
        ),
        (
            "socket.request.max.bytes",
            shared.config.request_bytes_max.to_string(),
            configs::kind::INT,
        ),
    ];
    let own = own
        .into_iter()
        .map(|(name, value, kind)| (name, value, kind, SOURCE_STATIC_BROKER));
    let defaults = configs::TOPIC
        .iter()
        .filter(|c| !c.synonym.is_empty())
        .map(|c| (c.synonym, c.default.to_owned(), c.kind, SOURCE_DEFAULT));
    own.chain(defaults)
        .map(|(name, value, kind, source)| {
            DescribeConfigsResourceResult::default()
                .with_name(text(name))
                .with_value(Some(text(&value)))
                .with_read_only(true)
                .with_config_source(source)
                .with_config_type(kind)
        })
        .collect()
}
