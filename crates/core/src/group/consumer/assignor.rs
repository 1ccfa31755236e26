//! The assignors a consumer can name in `partition.assignment.strategy`, as a closed list.

use std::{collections::BTreeMap, sync::Arc};

use super::{TopicPartition, range, round_robin, sticky};
use crate::group::{
    GenerationId, MemberId,
    protocol::consumer::{
        Subscription, read_cooperative, read_sticky, write_cooperative, write_sticky,
    },
};

/// How many partitions each topic has.
pub type Topics = BTreeMap<Arc<str>, i32>;
/// All members of a group.
pub type Members = BTreeMap<MemberId, GroupMember>;
/// Who gets what.
pub type Shares = BTreeMap<MemberId, Vec<TopicPartition>>;

/// A member as the leader sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMember {
    /// What it said.
    pub subscription: Subscription,
    /// Its `group.instance.id`, if it has one.
    pub instance: Option<String>,
}

impl GroupMember {
    pub(super) fn wants(&self, topic: &str) -> bool {
        self.subscription
            .topics
            .iter()
            .any(|wanted| wanted == topic)
    }
}

/// How a group moves partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RebalanceProtocol {
    /// Everybody gives everything back first.
    Eager,
    /// A partition is given back by one round and given out by the next (KIP-429).
    Cooperative,
}

/// An assignor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assignor {
    /// Neighbouring partitions of each topic together (Java: `RangeAssignor`, without racks).
    Range,
    /// All partitions in turn (Java: `RoundRobinAssignor`).
    RoundRobin,
    /// Balanced, with as little movement as possible (Java: `StickyAssignor`, KIP-54).
    Sticky,
    /// As sticky, and cooperative (Java: `CooperativeStickyAssignor`, KIP-429).
    CooperativeSticky,
}

impl Assignor {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Range,
        Self::RoundRobin,
        Self::Sticky,
        Self::CooperativeSticky,
    ];

    /// The name in JoinGroup.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
            Self::Sticky => "sticky",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// The class name in `partition.assignment.strategy`.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Range => "org.apache.kafka.clients.consumer.RangeAssignor",
            Self::RoundRobin => "org.apache.kafka.clients.consumer.RoundRobinAssignor",
            Self::Sticky => "org.apache.kafka.clients.consumer.StickyAssignor",
            Self::CooperativeSticky => {
                "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
            }
        }
    }

    /// The assignor with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|assignor| assignor.name() == name)
    }

    /// The assignor with this class name.
    #[must_use]
    pub fn from_class(class: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|assignor| assignor.class() == class)
    }

    const fn highest_protocol(self) -> RebalanceProtocol {
        match self {
            Self::CooperativeSticky => RebalanceProtocol::Cooperative,
            Self::Range | Self::RoundRobin | Self::Sticky => RebalanceProtocol::Eager,
        }
    }

    /// The highest protocol all of `assignors` can do; every assignor can do eager. The default list, range and
    /// cooperative sticky, is therefore eager.
    #[must_use]
    pub fn common_protocol(assignors: &[Self]) -> RebalanceProtocol {
        assignors
            .iter()
            .map(|a| a.highest_protocol())
            .min()
            .unwrap_or(RebalanceProtocol::Eager)
    }

    /// What the assignor wants its leader to know: `partitions` of the last assignment it heard of, if any, and
    /// that assignment's generation.
    #[must_use]
    pub fn user_data(self, last: Option<(&[TopicPartition], GenerationId)>) -> Option<Vec<u8>> {
        match self {
            Self::Range | Self::RoundRobin => None,
            Self::Sticky => {
                last.map(|(partitions, generation)| write_sticky(partitions, Some(generation)))
            }
            Self::CooperativeSticky => Some(write_cooperative(
                last.map_or(GenerationId::NONE, |(_, generation)| generation),
            )),
        }
    }

    /// What a member held before, and since which generation, as this assignor reads it.
    pub(super) fn previous(
        self,
        subscription: &Subscription,
    ) -> (Vec<TopicPartition>, Option<GenerationId>) {
        let data = subscription.user_data.as_deref();
        match self {
            Self::Range | Self::RoundRobin => (Vec::new(), None),
            // What it owns now is nothing, as it is eager; what it owned stands in the user data.
            Self::Sticky => data
                .and_then(|data| read_sticky(data).ok())
                .unwrap_or_default(),
            Self::CooperativeSticky => {
                let told = subscription.generation;
                (
                    subscription.owned.clone(),
                    told.or_else(|| data.and_then(read_cooperative)),
                )
            }
        }
    }

    /// Computes who gets what. A topic that is not in `topics` or has no partitions is left out; every member is
    /// in the result.
    #[must_use]
    pub fn assign(self, topics: &Topics, members: &Members) -> Shares {
        let topics = topics
            .iter()
            .filter(|(topic, count)| **count > 0 && members.values().any(|m| m.wants(topic)))
            .map(|(topic, count)| (topic.clone(), *count))
            .collect();
        match self {
            Self::Range => range::assign(&topics, members),
            Self::RoundRobin => round_robin::assign(&topics, members),
            Self::Sticky => sticky::assign(self, &topics, members).shares,
            Self::CooperativeSticky => sticky::assign_cooperative(&topics, members),
        }
    }
}

/// Members as Java sorts them: those with an instance id first and by it, the others by member id.
pub(super) fn sorted(members: &Members) -> Vec<(&MemberId, &GroupMember)> {
    let mut sorted: Vec<(&MemberId, &GroupMember)> = members.iter().collect();
    sorted.sort_by_key(|(id, member)| (member.instance.is_none(), member.instance.as_deref(), *id));
    sorted
}

/// All partitions of a topic.
pub(super) fn partitions_of(topic: &Arc<str>, count: i32) -> impl Iterator<Item = TopicPartition> {
    (0..count).map(|partition| TopicPartition {
        topic: Arc::clone(topic),
        partition,
    })
}
