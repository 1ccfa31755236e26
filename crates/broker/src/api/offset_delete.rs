//! OffsetDelete (KIP-496).

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    OffsetDeleteRequest, OffsetDeleteResponse,
    offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic},
};

use super::{Answer, RequestError, read, write};
use crate::{
    broker::Shared,
    group::{GROUP_ID_NOT_FOUND, GROUP_SUBSCRIBED_TO_TOPIC, NONE, UNKNOWN_TOPIC_OR_PARTITION},
};

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: OffsetDeleteRequest = read(body, version)?;
    let Some(group) = shared.groups.describe(&request.group_id) else {
        return write(
            &OffsetDeleteResponse::default().with_error_code(GROUP_ID_NOT_FOUND),
            version,
        );
    };
    // Which topics the members subscribe to is theirs to know: while there are any, nothing is deleted.
    let error = if group.members.is_empty() {
        NONE
    } else {
        GROUP_SUBSCRIBED_TO_TOPIC
    };
    let mut gone = Vec::new();
    let topics = request.topics.into_iter().map(|topic| {
        let one = |partition: kafka_protocol::messages::offset_delete_request::OffsetDeleteRequestPartition| {
            let index = partition.partition_index;
            let known = shared.store.partition(&topic.name, index).is_some();
            let error = if known { error } else { UNKNOWN_TOPIC_OR_PARTITION };
            if error == NONE {
                gone.push((topic.name.to_string(), index));
            }
            OffsetDeleteResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(error)
        };
        let partitions = topic.partitions.into_iter().map(one).collect();
        OffsetDeleteResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
    });
    let topics = topics.collect();
    let written = if error == NONE {
        shared
            .groups
            .delete_offsets(&shared.store, &request.group_id, gone)
    } else {
        NONE
    };
    write(
        &OffsetDeleteResponse::default()
            .with_error_code(written)
            .with_topics(topics),
        version,
    )
}
