//! Metadata: brokers and topics, with auto-creation.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use kafka_protocol::messages::{
    BrokerId, MetadataRequest, MetadataResponse, TopicName,
    metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic},
};
use uuid::Uuid;

use super::{Answer, Client, RequestError, read, text, write};
use crate::{
    broker::Shared,
    group::{
        INVALID_TOPIC_EXCEPTION, NONE, OFFSETS_TOPIC, UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION,
    },
    log::{Topic, valid_topic_name},
};

pub(super) fn answer(
    shared: &Arc<Shared>,
    client: &Client,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: MetadataRequest = read(body, version)?;
    let all = version == 0 && request.topics.as_ref().is_some_and(Vec::is_empty);
    let topics = match request.topics.filter(|_| !all) {
        None => shared
            .store
            .topics()
            .iter()
            .map(|topic| described(shared, topic, version))
            .collect(),
        Some(wanted) => wanted
            .into_iter()
            .map(|topic| {
                let create = request.allow_auto_topic_creation || version < 4;
                one(shared, topic.name.as_ref(), topic.topic_id, create, version)
            })
            .collect(),
    };
    let response = MetadataResponse::default()
        .with_brokers(vec![
            MetadataResponseBroker::default()
                .with_node_id(BrokerId(shared.config.node_id))
                .with_host(text(&client.listener.host))
                .with_port(i32::from(client.listener.port)),
        ])
        .with_cluster_id((version >= 2).then(|| text(&shared.cluster_id)))
        .with_controller_id(BrokerId(if version >= 1 {
            shared.config.node_id
        } else {
            -1
        }))
        .with_topics(topics);
    write(&response, version)
}

fn one(
    shared: &Arc<Shared>,
    name: Option<&TopicName>,
    id: Uuid,
    create: bool,
    version: i16,
) -> MetadataResponseTopic {
    let unknown = |error: i16| {
        MetadataResponseTopic::default()
            .with_error_code(error)
            .with_name(name.cloned())
            .with_topic_id(id)
    };
    let Some(name) = name else {
        let known = shared.store.topic_by_id(id);
        return known.map_or_else(
            || unknown(UNKNOWN_TOPIC_ID),
            |topic| described(shared, &topic, version),
        );
    };
    if let Some(topic) = shared.store.topic(name) {
        return described(shared, &topic, version);
    }
    if !valid_topic_name(name) {
        return unknown(INVALID_TOPIC_EXCEPTION);
    }
    if create && shared.config.auto_create_topics {
        let partitions = usize::try_from(shared.config.default_partitions).unwrap_or(1);
        match shared.store.create_topic(name, partitions, BTreeMap::new()) {
            Ok(topic) => return described(shared, &topic, version),
            // Another connection may have created it between the look-up and now.
            Err(_) => {
                if let Some(topic) = shared.store.topic(name) {
                    return described(shared, &topic, version);
                }
            }
        }
    }
    unknown(UNKNOWN_TOPIC_OR_PARTITION)
}

fn described(shared: &Arc<Shared>, topic: &Topic, version: i16) -> MetadataResponseTopic {
    let node = BrokerId(shared.config.node_id);
    let partition = |index: usize| {
        MetadataResponsePartition::default()
            .with_error_code(NONE)
            .with_partition_index(i32::try_from(index).unwrap_or(i32::MAX))
            .with_leader_id(node)
            .with_leader_epoch(if version >= 7 { 0 } else { -1 })
            .with_replica_nodes(vec![node])
            .with_isr_nodes(vec![node])
    };
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(topic.name()))))
        .with_topic_id(if version >= 10 {
            topic.id()
        } else {
            Uuid::nil()
        })
        .with_is_internal(version >= 1 && is_internal(topic.name()))
        .with_partitions((0..topic.partitions().len()).map(partition).collect())
}

/// The topics that hold the broker's own state.
pub(super) fn is_internal(name: &str) -> bool {
    name == OFFSETS_TOPIC || name == "__transaction_state"
}
