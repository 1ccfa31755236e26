//! OffsetCommit.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse,
    offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
};

use super::{Answer, RequestError, read, write};
use crate::{
    broker::Shared,
    group::{CommittedOffset, NONE, UNKNOWN_TOPIC_OR_PARTITION},
};

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: OffsetCommitRequest = read(body, version)?;
    let instance = request.group_instance_id.as_ref().map(|id| id.as_str());
    let (group, generation) = (&request.group_id, request.generation_id_or_member_epoch);
    let refused = shared
        .groups
        .may_commit(group, &request.member_id, instance, generation, false);
    let (mut offsets, mut topics) = (Vec::new(), Vec::new());
    for topic in request.topics {
        let mut partitions = Vec::new();
        for at in topic.partitions {
            let known = shared
                .store
                .partition(&topic.name, at.partition_index)
                .is_some();
            let error = match refused {
                NONE if !known => UNKNOWN_TOPIC_OR_PARTITION,
                code => code,
            };
            if error == NONE {
                let offset = CommittedOffset {
                    offset: at.committed_offset,
                    leader_epoch: at.committed_leader_epoch,
                    metadata: at
                        .committed_metadata
                        .map(|text| text.to_string())
                        .unwrap_or_default(),
                };
                offsets.push(((topic.name.to_string(), at.partition_index), offset));
            }
            partitions.push((at.partition_index, error));
        }
        topics.push((topic.name, partitions));
    }
    let written = shared.groups.commit(&shared.store, group, None, offsets);
    let topics = topics.into_iter().map(|(name, partitions)| {
        let one = |(index, error): (i32, i16)| {
            let error = if error == NONE { written } else { error };
            OffsetCommitResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(error)
        };
        let partitions = partitions.into_iter().map(one).collect();
        OffsetCommitResponseTopic::default()
            .with_name(name)
            .with_partitions(partitions)
    });
    write(
        &OffsetCommitResponse::default().with_topics(topics.collect()),
        version,
    )
}
