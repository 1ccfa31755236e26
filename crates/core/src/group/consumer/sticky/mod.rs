//! The sticky assignors (Java: `AbstractStickyAssignor`, without racks): balanced first, then with as little
//! movement as possible. Members that all want the same topics take the short way ([`constrained`]), others the
//! general one ([`general`]).

mod constrained;
mod general;
mod movements;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    TopicPartition,
    assignor::{Assignor, Members, Shares, Topics},
};
use crate::group::{GenerationId, MemberId};

/// An assignment, and what must first be given back by somebody else.
pub(super) struct Outcome {
    pub(super) shares: Shares,
    /// Partitions in `shares` whose previous owner must first give them up; `None` if not known.
    pub(super) transferring: Option<BTreeMap<TopicPartition, MemberId>>,
}

/// What every member held before, as far as it can be believed.
struct Previous {
    /// Each partition once, with the member of the newest generation that claims it.
    owned: BTreeMap<MemberId, Vec<TopicPartition>>,
    /// Partitions two members of one generation claim: neither can be believed.
    disputed: BTreeSet<TopicPartition>,
    /// Older claims that were not believed.
    claims: Vec<(MemberId, Vec<TopicPartition>, Option<GenerationId>)>,
    newest: GenerationId,
    all_want_the_same: bool,
}

pub(super) fn assign(assignor: Assignor, topics: &Topics, members: &Members) -> Outcome {
    let previous = believe(assignor, topics, members);
    if previous.all_want_the_same {
        constrained::assign(topics, previous.owned, previous.disputed)
    } else {
        Outcome {
            shares: general::assign(topics, members, previous),
            transferring: None,
        }
    }
}

/// As [`assign`], without what must first be given back: the next round gives it out (KIP-429).
pub(super) fn assign_cooperative(topics: &Topics, members: &Members) -> Shares {
    let Outcome {
        mut shares,
        transferring,
    } = assign(Assignor::CooperativeSticky, topics, members);
    let transferring = transferring.unwrap_or_else(|| transferring_between(members, &shares));
    for (partition, to) in transferring {
        if let Some(share) = shares.get_mut(&to) {
            share.retain(|p| *p != partition);
        }
    }
    shares
}

fn transferring_between(members: &Members, shares: &Shares) -> BTreeMap<TopicPartition, MemberId> {
    let mut added = BTreeMap::new();
    let mut revoked = BTreeSet::new();
    for (id, share) in shares {
        let owned: BTreeSet<&TopicPartition> = members
            .get(id)
            .into_iter()
            .flat_map(|m| &m.subscription.owned)
            .collect();
        let share: BTreeSet<&TopicPartition> = share.iter().collect();
        added.extend(share.difference(&owned).map(|p| ((*p).clone(), id.clone())));
        revoked.extend(owned.difference(&share).map(|p| (*p).clone()));
    }
    added.retain(|partition, _| revoked.contains(partition));
    added
}

fn believe(assignor: Assignor, topics: &Topics, members: &Members) -> Previous {
    let mut previous = Previous {
        owned: BTreeMap::new(),
        disputed: BTreeSet::new(),
        claims: Vec::new(),
        newest: GenerationId::NONE,
        all_want_the_same: true,
    };
    let mut wanted: Option<BTreeSet<&str>> = None;
    let mut owner: BTreeMap<TopicPartition, (MemberId, GenerationId)> = BTreeMap::new();
    for (id, member) in members {
        let wants: BTreeSet<&str> = member
            .subscription
            .topics
            .iter()
            .map(String::as_str)
            .collect();
        match &wanted {
            Some(first) if *first != wants => previous.all_want_the_same = false,
            Some(_) => {}
            None => wanted = Some(wants).filter(|wants| !wants.is_empty()),
        }
        let (claimed, told) = assignor.previous(&member.subscription);
        let generation = told.unwrap_or(GenerationId::NONE);
        previous.newest = previous.newest.max(generation);
        previous.owned.insert(id.clone(), Vec::new());
        for partition in claimed.iter().filter(|p| topics.contains_key(&p.topic)) {
            match owner.get(partition) {
                Some((other, theirs)) if *theirs == generation => {
                    drop_claim(&mut previous.owned, other, partition);
                    previous.disputed.insert(partition.clone());
                    continue;
                }
                Some((_, theirs)) if *theirs > generation => continue,
                Some((other, _)) => drop_claim(&mut previous.owned, other, partition),
                None => {}
            }
            owner.insert(partition.clone(), (id.clone(), generation));
            previous
                .owned
                .entry(id.clone())
                .or_default()
                .push(partition.clone());
        }
        previous.claims.push((id.clone(), claimed, told));
    }
    previous
}

fn drop_claim(
    owned: &mut BTreeMap<MemberId, Vec<TopicPartition>>,
    member: &MemberId,
    partition: &TopicPartition,
) {
    if let Some(held) = owned.get_mut(member) {
        held.retain(|p| p != partition);
    }
}
