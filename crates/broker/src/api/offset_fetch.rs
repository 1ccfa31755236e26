//! OffsetFetch, for one group or several (KIP-709).

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use kafka_protocol::messages::{
    OffsetFetchRequest, OffsetFetchResponse, TopicName,
    offset_fetch_response::{
        OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
        OffsetFetchResponseTopic, OffsetFetchResponseTopics,
    },
};

use super::{Answer, RequestError, read, text, write};
use crate::{
    broker::Shared,
    group::{CommittedOffset, NONE, UNSTABLE_OFFSET_COMMIT},
};

type Found = (i32, CommittedOffset, i16);

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: OffsetFetchRequest = read(body, version)?;
    let stable = request.require_stable;
    if version < 8 {
        let wanted = request.topics.map(|topics| {
            topics
                .into_iter()
                .map(|topic| (topic.name.to_string(), topic.partition_indexes))
                .collect()
        });
        let topics = look_up(shared, &request.group_id, wanted, stable)
            .into_iter()
            .map(|(name, found)| {
                let one = |(index, at, error): Found| {
                    OffsetFetchResponsePartition::default()
                        .with_partition_index(index)
                        .with_committed_offset(at.offset)
                        .with_committed_leader_epoch(if version >= 5 {
                            at.leader_epoch
                        } else {
                            -1
                        })
                        .with_metadata(Some(text(&at.metadata)))
                        .with_error_code(error)
                };
                OffsetFetchResponseTopic::default()
                    .with_name(TopicName(text(&name)))
                    .with_partitions(found.into_iter().map(one).collect())
            });
        return write(
            &OffsetFetchResponse::default().with_topics(topics.collect()),
            version,
        );
    }
    let groups = request.groups.into_iter().map(|group| {
        let wanted = group.topics.map(|topics| {
            topics
                .into_iter()
                .map(|topic| (topic.name.to_string(), topic.partition_indexes))
                .collect()
        });
        let topics = look_up(shared, &group.group_id, wanted, stable)
            .into_iter()
            .map(|(name, found)| {
                let one = |(index, at, error): Found| {
                    OffsetFetchResponsePartitions::default()
                        .with_partition_index(index)
                        .with_committed_offset(at.offset)
                        .with_committed_leader_epoch(at.leader_epoch)
                        .with_metadata(Some(text(&at.metadata)))
                        .with_error_code(error)
                };
                OffsetFetchResponseTopics::default()
                    .with_name(TopicName(text(&name)))
                    .with_partitions(found.into_iter().map(one).collect())
            });
        OffsetFetchResponseGroup::default()
            .with_group_id(group.group_id)
            .with_topics(topics.collect())
    });
    write(
        &OffsetFetchResponse::default().with_groups(groups.collect()),
        version,
    )
}

fn look_up(
    shared: &Shared,
    group: &str,
    wanted: Option<Vec<(String, Vec<i32>)>>,
    stable: bool,
) -> BTreeMap<String, Vec<Found>> {
    let wanted: Vec<(String, i32)> = match wanted {
        Some(topics) => topics
            .into_iter()
            .flat_map(|(topic, partitions)| partitions.into_iter().map(move |p| (topic.clone(), p)))
            .collect(),
        None => shared.groups.partitions(group),
    };
    let mut found: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    for partition in wanted {
        let (committed, pending) = shared.groups.offset(group, &partition);
        let none = CommittedOffset {
            offset: -1,
            leader_epoch: -1,
            metadata: String::new(),
        };
        let (at, error) = if stable && pending {
            (none, UNSTABLE_OFFSET_COMMIT)
        } else {
            (committed.unwrap_or(none), NONE)
        };
        found
            .entry(partition.0)
            .or_default()
            .push((partition.1, at, error));
    }
    found
}
