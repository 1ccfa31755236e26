//! DescribeTopicPartitions (KIP-966): metadata of topics page by page, in the order of their names.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use kafka_protocol::messages::{
    BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicName,
    describe_topic_partitions_response::{
        Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
    },
};

use super::{Answer, LEADER_EPOCH, RequestError, metadata::is_internal, read, text, write};
use crate::{
    broker::Shared,
    group::{INVALID_TOPIC_EXCEPTION, UNKNOWN_TOPIC_OR_PARTITION},
    log::valid_topic_name,
};

/// `max.request.partition.size.limit`.
const PARTITIONS_MAX: usize = 2_000;
/// Everything that can be done to a topic, as without an authorizer.
const ALL_OPERATIONS: i32 = 3_576;

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: DescribeTopicPartitionsRequest = read(body, version)?;
    let mut names: BTreeSet<String> = if request.topics.is_empty() {
        let topics = shared.store.topics();
        topics.iter().map(|topic| topic.name().to_owned()).collect()
    } else {
        request.topics.iter().map(|t| t.name.to_string()).collect()
    };
    let mut from = 0;
    if let Some(cursor) = &request.cursor {
        let first = cursor.topic_name.to_string();
        names.retain(|name| *name >= first);
        // The topic may be gone: the next one begins at its beginning.
        if names.first() == Some(&first) {
            from = usize::try_from(cursor.partition_index).unwrap_or(0);
        }
    }
    let asked = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let mut left = asked.clamp(1, PARTITIONS_MAX);
    let mut topics = Vec::new();
    let mut next = None;
    for name in names {
        let at = |index: usize| {
            Cursor::default()
                .with_topic_name(TopicName(text(&name)))
                .with_partition_index(i32::try_from(index).unwrap_or(i32::MAX))
        };
        if left == 0 {
            next = Some(at(0));
            break;
        }
        let topic = DescribeTopicPartitionsResponseTopic::default()
            .with_name(Some(TopicName(text(&name))))
            .with_is_internal(is_internal(&name))
            .with_topic_authorized_operations(ALL_OPERATIONS);
        let Some(found) = shared.store.topic(&name) else {
            let error = if valid_topic_name(&name) {
                UNKNOWN_TOPIC_OR_PARTITION
            } else {
                INVALID_TOPIC_EXCEPTION
            };
            topics.push(topic.with_error_code(error));
            continue;
        };
        let total = found.partitions().len();
        let end = total.min(from.saturating_add(left));
        let partitions = (from..end).map(|index| partition(shared, index));
        topics.push(
            topic
                .with_topic_id(found.id())
                .with_partitions(partitions.collect()),
        );
        left -= end.saturating_sub(from);
        if end < total {
            next = Some(at(end));
            break;
        }
        from = 0;
    }
    let response = DescribeTopicPartitionsResponse::default()
        .with_topics(topics)
        .with_next_cursor(next);
    write(&response, version)
}

fn partition(shared: &Shared, index: usize) -> DescribeTopicPartitionsResponsePartition {
    let node = BrokerId(shared.config.node_id);
    DescribeTopicPartitionsResponsePartition::default()
        .with_partition_index(i32::try_from(index).unwrap_or(i32::MAX))
        .with_leader_id(node)
        .with_leader_epoch(LEADER_EPOCH)
        .with_replica_nodes(vec![node])
        .with_isr_nodes(vec![node])
        .with_eligible_leader_replicas(Some(Vec::new()))
        .with_last_known_elr(Some(Vec::new()))
}
