//! What a sink task offers its consumer group and takes from it: the range assignor under the eager
//! protocol, which is what Java's defaults agree on.

use std::{collections::BTreeMap, sync::Arc};

use milena_core::group::{
    MemberId,
    consumer::TopicPartition,
    membership::{MemberMetadata, OfferedProtocol},
    protocol::consumer::{
        ConsumerAssignment, Subscription, read_assignment, read_subscription, write_assignment,
        write_subscription,
    },
};

const RANGE: &str = "range";

/// What to offer for these topics.
pub(super) fn offer(topics: &[String]) -> Vec<OfferedProtocol> {
    let subscription = Subscription {
        topics: topics.to_vec(),
        ..Subscription::default()
    };
    let metadata = write_subscription(&subscription);
    vec![OfferedProtocol {
        name: RANGE.to_owned(),
        metadata,
    }]
}

/// The topics that the members want.
pub(super) fn wanted(members: &[MemberMetadata]) -> BTreeMap<String, Vec<MemberId>> {
    let mut wanted: BTreeMap<String, Vec<MemberId>> = BTreeMap::new();
    for member in members {
        // A member that cannot be understood gets nothing, as in Java.
        let topics = read_subscription(&member.metadata)
            .map(|s| s.topics)
            .unwrap_or_default();
        for topic in topics {
            wanted.entry(topic).or_default().push(member.member.clone());
        }
    }
    wanted
}

/// The range assignment: for each topic the members in order of their ids get consecutive partitions.
pub(super) fn assign(
    members: &[MemberMetadata],
    partitions: &BTreeMap<String, Vec<i32>>,
) -> Vec<(MemberId, Vec<u8>)> {
    let mut shares: BTreeMap<MemberId, Vec<TopicPartition>> = members
        .iter()
        .map(|member| (member.member.clone(), Vec::new()))
        .collect();
    for (topic, mut interested) in wanted(members) {
        interested.sort();
        let list = partitions
            .get(&topic)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let topic: Arc<str> = topic.into();
        let (each, extra) = (list.len() / interested.len(), list.len() % interested.len());
        let mut rest = list.iter();
        for (place, member) in interested.iter().enumerate() {
            let count = each + usize::from(place < extra);
            let share = rest
                .by_ref()
                .take(count)
                .map(|p| TopicPartition::new(Arc::clone(&topic), *p));
            shares.entry(member.clone()).or_default().extend(share);
        }
    }
    let bytes = |partitions| {
        write_assignment(&ConsumerAssignment {
            partitions,
            user_data: None,
        })
    };
    shares
        .into_iter()
        .map(|(member, share)| (member, bytes(share)))
        .collect()
}

/// What we got; nothing when the bytes cannot be understood.
pub(super) fn taken(bytes: &[u8]) -> Vec<TopicPartition> {
    read_assignment(bytes)
        .map(|assignment| assignment.partitions)
        .unwrap_or_default()
}
