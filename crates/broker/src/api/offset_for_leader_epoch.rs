//! OffsetForLeaderEpoch: one epoch, 0, ends at the log's end.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult},
};

use super::{Answer, LEADER_EPOCH, RequestError, read, write};
use crate::{
    broker::Shared,
    group::{NONE, UNKNOWN_LEADER_EPOCH, UNKNOWN_SERVER_ERROR, UNKNOWN_TOPIC_OR_PARTITION},
};

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: OffsetForLeaderEpochRequest = read(body, version)?;
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| {
            let end = EpochEndOffset::default().with_partition(wanted.partition);
            let Some(log) = shared.store.partition(&topic.topic, wanted.partition) else {
                return end
                    .with_error_code(UNKNOWN_TOPIC_OR_PARTITION)
                    .with_leader_epoch(-1)
                    .with_end_offset(-1);
            };
            if wanted.current_leader_epoch > LEADER_EPOCH {
                return end
                    .with_error_code(UNKNOWN_LEADER_EPOCH)
                    .with_leader_epoch(-1)
                    .with_end_offset(-1);
            }
            match log.high_watermark() {
                Ok(offset) if wanted.leader_epoch == 0 => end
                    .with_error_code(NONE)
                    .with_leader_epoch(0)
                    .with_end_offset(offset),
                Ok(_) => end
                    .with_error_code(NONE)
                    .with_leader_epoch(-1)
                    .with_end_offset(-1),
                Err(_) => end
                    .with_error_code(UNKNOWN_SERVER_ERROR)
                    .with_leader_epoch(-1)
                    .with_end_offset(-1),
            }
        });
        let partitions = partitions.collect();
        OffsetForLeaderTopicResult::default()
            .with_topic(topic.topic)
            .with_partitions(partitions)
    });
    write(
        &OffsetForLeaderEpochResponse::default().with_topics(topics.collect()),
        version,
    )
}
