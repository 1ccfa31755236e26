//! ConsumerGroupHeartbeat (KIP-848) in versions 0 and 1, which differ in what we never send (a pattern for the broker;
//! `topics.regex` is matched by the worker, as Java's does).

use std::time::Duration;

use kafka_protocol::{
    messages::{
        ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupId, TopicName,
        consumer_group_heartbeat_request::TopicPartitions,
    },
    protocol::StrBytes,
};
use uuid::Uuid;

use super::codes;
use crate::ports::{ConsumerHeartbeat, ConsumerHeartbeatAnswer, KafkaError};

/// What -1 means: nothing is said about it.
const UNCHANGED: i32 = -1;

pub(super) fn heartbeat_request(
    group: GroupId,
    beat: ConsumerHeartbeat,
) -> ConsumerGroupHeartbeatRequest {
    let timeout = |timeout: Duration| i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let name = |topic| TopicName(StrBytes::from_string(topic));
    let one = |(topic, partitions)| {
        TopicPartitions::default()
            .with_topic_id(Uuid::from_bytes(topic))
            .with_partitions(partitions)
    };
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group)
        .with_member_id(StrBytes::from_string(beat.member_id))
        .with_member_epoch(beat.epoch)
        .with_instance_id(beat.instance_id.map(StrBytes::from_string))
        .with_rack_id(beat.rack.map(StrBytes::from_string))
        .with_rebalance_timeout_ms(beat.rebalance_timeout.map_or(UNCHANGED, timeout))
        .with_subscribed_topic_names(
            beat.topics
                .map(|topics| topics.into_iter().map(name).collect()),
        )
        .with_server_assignor(beat.assignor.map(StrBytes::from_string))
        .with_topic_partitions(beat.owned.map(|owned| owned.into_iter().map(one).collect()))
}

pub(super) fn heartbeat_answer(answer: ConsumerGroupHeartbeatResponse) -> ConsumerHeartbeatAnswer {
    ConsumerHeartbeatAnswer {
        error: answer.error_code,
        said: answer.error_message.map(|text| text.to_string()),
        member_id: answer.member_id.map(|id| id.to_string()),
        epoch: answer.member_epoch,
        interval: Duration::from_millis(
            u64::try_from(answer.heartbeat_interval_ms).unwrap_or_default(),
        ),
        assignment: answer.assignment.map(|assignment| {
            let topics = assignment.topic_partitions.into_iter();
            topics
                .map(|topic| (*topic.topic_id.as_bytes(), topic.partitions))
                .collect()
        }),
    }
}

/// The answer of a broker that does not know the request; any other error stays one.
pub(super) fn not_supported(error: KafkaError) -> Result<ConsumerHeartbeatAnswer, KafkaError> {
    if error.class != codes::class(codes::UNSUPPORTED_VERSION) {
        return Err(error);
    }
    Ok(ConsumerHeartbeatAnswer {
        error: codes::UNSUPPORTED_VERSION,
        said: Some(error.message),
        member_id: None,
        epoch: 0,
        interval: Duration::ZERO,
        assignment: None,
    })
}
