//! The general way, when members want different topics (Java:
//! `AbstractStickyAssignor.GeneralAssignmentBuilder`).

use std::collections::{BTreeMap, BTreeSet};

use super::{Previous, movements::Movements};
use crate::group::{
    GenerationId, MemberId,
    consumer::{
        TopicPartition,
        assignor::{Members, Shares, Topics, partitions_of},
    },
};

struct Builder<'a> {
    topics: &'a Topics,
    members: &'a Members,
    shares: Shares,
    owner: BTreeMap<TopicPartition, MemberId>,
    /// Members by the number of partitions they have, then by id.
    by_load: BTreeSet<(usize, MemberId)>,
    movements: Movements,
    before: BTreeMap<TopicPartition, (MemberId, GenerationId)>,
}

pub(super) fn assign(topics: &Topics, members: &Members, previous: Previous) -> Shares {
    let before = older_claims(&previous);
    let mut builder = Builder {
        topics,
        members,
        shares: previous.owned,
        owner: BTreeMap::new(),
        by_load: BTreeSet::new(),
        movements: Movements::default(),
        before,
    };
    builder.build()
}

/// Who held a partition in an older generation than the newest: it may get it back if that balances.
fn older_claims(previous: &Previous) -> BTreeMap<TopicPartition, (MemberId, GenerationId)> {
    let mut before: BTreeMap<TopicPartition, (MemberId, GenerationId)> = BTreeMap::new();
    for (id, claimed, told) in &previous.claims {
        let generation = told.unwrap_or(GenerationId::NONE);
        if generation >= previous.newest {
            continue;
        }
        for partition in claimed {
            let newer = before
                .get(partition)
                .is_none_or(|(_, other)| generation > *other);
            if newer {
                before.insert(partition.clone(), (id.clone(), generation));
            }
        }
    }
    before
}

impl Builder<'_> {
    fn build(&mut self) -> Shares {
        // Java tries to balance by new partitions alone only if nobody lost a topic it held.
        let mut must_revoke = false;
        for (id, share) in &mut self.shares {
            let member = self.members.get(id);
            share.retain(|partition| {
                let kept = member.is_some_and(|member| member.wants(&partition.topic));
                must_revoke |= !kept;
                kept
            });
            for partition in share.iter() {
                self.owner.insert(partition.clone(), id.clone());
            }
        }
        let mut ordered: Vec<(usize, &std::sync::Arc<str>, i32)> = self
            .topics
            .iter()
            .map(|(topic, count)| (self.wanting(topic).count(), topic, *count))
            .collect();
        ordered.sort_unstable();
        let mut movable: Vec<TopicPartition> = ordered
            .iter()
            .flat_map(|(_, topic, count)| partitions_of(topic, *count))
            .collect();
        let mut unassigned: Vec<TopicPartition> = movable
            .iter()
            .filter(|p| !self.owner.contains_key(*p))
            .cloned()
            .collect();
        self.by_load = self
            .shares
            .iter()
            .map(|(id, share)| (share.len(), id.clone()))
            .collect();

        let initializing = self.by_load.last().is_none_or(|(load, _)| *load == 0);
        for partition in &unassigned {
            if let Some(to) = self.least_loaded(&partition.topic) {
                self.give(partition, &to);
            }
        }
        let fixed: BTreeSet<&str> = ordered
            .iter()
            .filter(|(wanting, _, _)| *wanting < 2)
            .map(|(_, topic, _)| &***topic)
            .collect();
        movable.retain(|p| !fixed.contains(&*p.topic));
        unassigned.retain(|p| !fixed.contains(&*p.topic));
        let aside = self.set_fixed_members_aside();

        let shares_before = self.shares.clone();
        let owner_before = self.owner.clone();
        if !must_revoke {
            self.improve(&unassigned);
        }
        let improved = self.improve(&movable);
        if !initializing && improved && score(&self.shares) >= score(&shares_before) {
            self.shares = shares_before;
            self.owner = owner_before;
        }
        self.shares.extend(aside);
        std::mem::take(&mut self.shares)
    }

    fn wanting<'s>(&'s self, topic: &'s str) -> impl Iterator<Item = &'s MemberId> {
        self.members
            .iter()
            .filter(move |(_, member)| member.wants(topic))
            .map(|(id, _)| id)
    }

    fn wants(&self, id: &MemberId, topic: &str) -> bool {
        self.members
            .get(id)
            .is_some_and(|member| member.wants(topic))
    }

    fn load(&self, id: &MemberId) -> Option<usize> {
        self.shares.get(id).map(Vec::len)
    }

    fn least_loaded(&self, topic: &str) -> Option<MemberId> {
        self.by_load
            .iter()
            .map(|(_, id)| id)
            .find(|id| self.wants(id, topic))
            .cloned()
    }

    fn give(&mut self, partition: &TopicPartition, to: &MemberId) {
        let share = self.shares.entry(to.clone()).or_default();
        self.by_load.remove(&(share.len(), to.clone()));
        share.push(partition.clone());
        self.by_load.insert((share.len(), to.clone()));
        self.owner.insert(partition.clone(), to.clone());
    }

    fn take(&mut self, partition: &TopicPartition, from: &MemberId) {
        let Some(share) = self.shares.get_mut(from) else {
            return;
        };
        self.by_load.remove(&(share.len(), from.clone()));
        share.retain(|p| p != partition);
        self.by_load.insert((share.len(), from.clone()));
    }

    /// The most partitions a member could have.
    fn room(&self, id: &MemberId) -> usize {
        let wanted = self
            .topics
            .iter()
            .filter(|(topic, _)| self.wants(id, topic));
        wanted
            .map(|(_, count)| usize::try_from(*count).unwrap_or(0))
            .sum()
    }

    /// Members that have all they can have, none of which anybody else wants.
    fn set_fixed_members_aside(&mut self) -> Shares {
        let fixed: Vec<MemberId> = self
            .shares
            .iter()
            .filter(|(id, share)| {
                share.len() >= self.room(id)
                    && share
                        .iter()
                        .all(|p| self.wanting(&p.topic).nth(1).is_none())
            })
            .map(|(id, _)| id.clone())
            .collect();
        let mut aside = Shares::new();
        for id in fixed {
            if let Some(share) = self.shares.remove(&id) {
                self.by_load.remove(&(share.len(), id.clone()));
                aside.insert(id, share);
            }
        }
        aside
    }

    /// Moves partitions to members with less until no move improves the balance. Ends: each move lowers the sum
    /// of the squares of the loads.
    fn improve(&mut self, partitions: &[TopicPartition]) -> bool {
        let mut any = false;
        loop {
            let mut moved = false;
            for partition in partitions {
                if self.is_balanced() {
                    break;
                }
                let Some(target) = self.better_owner(partition) else {
                    continue;
                };
                self.transfer(partition, &target);
                moved = true;
            }
            any |= moved;
            if !moved {
                return any;
            }
        }
    }

    fn better_owner(&self, partition: &TopicPartition) -> Option<MemberId> {
        let load = self.load(self.owner.get(partition)?)?;
        if let Some((before, _)) = self.before.get(partition)
            && self.wants(before, &partition.topic)
            && self.load(before).is_some_and(|theirs| load > theirs + 1)
        {
            return Some(before.clone());
        }
        let better = self
            .wanting(&partition.topic)
            .any(|id| self.load(id).is_some_and(|theirs| load > theirs + 1));
        if better {
            self.least_loaded(&partition.topic)
        } else {
            None
        }
    }

    fn transfer(&mut self, partition: &TopicPartition, to: &MemberId) {
        let Some(from) = self.owner.get(partition) else {
            return;
        };
        let partition = self.movements.rather(partition, from, to);
        let Some(from) = self.owner.get(&partition).cloned() else {
            return;
        };
        self.movements.moved(&partition, &from, to);
        self.take(&partition, &from);
        self.give(&partition, to);
    }

    fn is_balanced(&self) -> bool {
        let (Some((least, _)), Some((most, _))) = (self.by_load.first(), self.by_load.last())
        else {
            return true;
        };
        if least + 1 >= *most {
            return true;
        }
        self.by_load.iter().all(|(load, id)| {
            // Nobody it could take a partition from has two more than it.
            *load == self.room(id)
                || self
                    .topics
                    .iter()
                    .filter(|(topic, _)| self.wants(id, topic))
                    .all(|(topic, count)| {
                        partitions_of(topic, *count)
                            .filter_map(|p| self.load(self.owner.get(&p)?))
                            .all(|theirs| load + 1 >= theirs)
                    })
        })
    }
}

/// How far from balanced: the sum of the differences of all pairs.
fn score(shares: &Shares) -> usize {
    let mut total = 0;
    let mut rest: Vec<usize> = shares.values().map(Vec::len).collect();
    while let Some(load) = rest.pop() {
        total += rest
            .iter()
            .map(|other| load.abs_diff(*other))
            .sum::<usize>();
    }
    total
}
