//! The short way, when all members want the same topics: everybody keeps up to its quota, what is over goes to
//! those below in turn (Java: `AbstractStickyAssignor.ConstrainedAssignmentBuilder`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Outcome;
use crate::group::{
    MemberId,
    consumer::{
        TopicPartition,
        assignor::{Shares, Topics, partitions_of},
    },
};

pub(super) fn assign(
    topics: &Topics,
    owned: BTreeMap<MemberId, Vec<TopicPartition>>,
    disputed: BTreeSet<TopicPartition>,
) -> Outcome {
    let all: Vec<TopicPartition> = topics
        .iter()
        .flat_map(|(topic, count)| partitions_of(topic, *count))
        .collect();
    let members = owned.len().max(1);
    let least = all.len() / members;
    let most = all.len().div_ceil(members);
    let with_extra = all.len() % members;

    let mut shares = Shares::new();
    let mut revoked: BTreeSet<TopicPartition> = disputed.clone();
    let mut below: Vec<MemberId> = Vec::new();
    let mut at_least: Vec<MemberId> = Vec::new();
    let mut granted = 0;
    for (id, mut share) in owned {
        share.retain(|partition| !disputed.contains(partition));
        // What stays is spread over the topics, as Java does.
        share.sort_unstable_by(|a, b| (a.partition, &a.topic).cmp(&(b.partition, &b.topic)));
        if share.len() < least {
            below.push(id.clone());
        } else if share.len() >= most && granted < with_extra {
            granted += 1;
            if granted == with_extra {
                at_least.clear();
            }
            revoked.extend(share.split_off(most));
        } else {
            revoked.extend(share.split_off(least));
            if granted < with_extra {
                at_least.push(id.clone());
            }
        }
        shares.insert(id, share);
    }

    let taken: BTreeSet<TopicPartition> = shares.values().flatten().cloned().collect();
    let mut at_least = VecDeque::from(at_least);
    let mut turn: usize = 0;
    let mut transferring = BTreeMap::new();
    for partition in all
        .into_iter()
        .filter(|partition| !taken.contains(partition))
    {
        if turn >= below.len() {
            turn = 0;
        }
        let to = match below.get(turn) {
            Some(id) => id.clone(),
            None => match at_least.pop_front() {
                Some(id) => id,
                None => break,
            },
        };
        if revoked.contains(&partition) {
            transferring.insert(partition.clone(), to.clone());
        }
        let share = shares.entry(to.clone()).or_default();
        share.push(partition);
        if turn < below.len() {
            if share.len() >= least {
                below.remove(turn);
                if with_extra > 0 {
                    at_least.push_back(to);
                }
            } else {
                turn += 1;
            }
        }
    }
    Outcome {
        shares,
        transferring: Some(transferring),
    }
}
