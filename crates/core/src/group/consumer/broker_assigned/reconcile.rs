//! From what we hold to what we should hold: first give back, then say so, then take.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    super::{TaskEvent, TopicPartition},
    BrokerAssigned, GroupRequest, MemberOutput, TopicId, TopicPartitions,
    machine::{Revoking, State, task},
};
use crate::{
    effect::{Effects, Token},
    group::GenerationId,
    time::Now,
};

/// What is in `of` and not in `without`.
fn difference(of: &TopicPartitions, without: &TopicPartitions) -> TopicPartitions {
    let rest = |(topic, partitions): (&TopicId, &BTreeSet<i32>)| {
        let rest: BTreeSet<i32> = match without.get(topic) {
            Some(known) => partitions.difference(known).copied().collect(),
            None => partitions.clone(),
        };
        (!rest.is_empty()).then_some((*topic, rest))
    };
    of.iter().filter_map(rest).collect()
}

impl BrokerAssigned {
    /// Whether the coordinator wants us to hold partitions of topics whose names we do not know.
    pub(super) fn nameless(&self) -> bool {
        self.target.as_ref().is_some_and(|target| {
            target
                .partitions
                .keys()
                .any(|id| !self.names.contains_key(id))
        })
    }

    pub(super) fn name_all(&self, partitions: &TopicPartitions) -> BTreeSet<TopicPartition> {
        let one = |(id, numbers): (&TopicId, &BTreeSet<i32>)| {
            let name = self.names.get(id).cloned();
            let numbers: Vec<i32> = numbers.iter().copied().collect();
            name.into_iter().flat_map(move |name| {
                let of = move |number| TopicPartition::new(Arc::clone(&name), number);
                numbers.clone().into_iter().map(of)
            })
        };
        partitions.iter().flat_map(one).collect()
    }

    pub(super) fn reconcile(&mut self, now: Now, out: &mut Effects<MemberOutput>) {
        if self.state != State::Member || self.epoch <= 0 || self.revoking.is_some() {
            return;
        }
        let Some(target) = &self.target else {
            if self.announced != self.epoch {
                self.announce(&TopicPartitions::new(), out);
            }
            return;
        };
        // A topic without a name (yet) is taken when it has one.
        let mut wanted = target.partitions.clone();
        wanted.retain(|id, partitions| self.names.contains_key(id) && !partitions.is_empty());
        let since = target.since;
        let revoked = difference(&self.owned, &wanted);
        if !revoked.is_empty() {
            let token = self.tokens.next();
            let partitions = self.name_all(&revoked);
            self.revoking = Some(Revoking {
                token,
                partitions: revoked,
                since,
            });
            task(
                out,
                TaskEvent::Revoked {
                    token,
                    partitions,
                    leaving: false,
                },
            );
            return;
        }
        let added = difference(&wanted, &self.owned);
        let complete = !self.nameless();
        self.owned = wanted;
        if complete {
            self.target = None;
        }
        if complete || !added.is_empty() {
            self.acknowledge = true;
            self.hurry(now);
        }
        if !added.is_empty() || self.announced != self.epoch {
            self.announce(&added, out);
        }
    }

    fn announce(&mut self, added: &TopicPartitions, out: &mut Effects<MemberOutput>) {
        self.announced = self.epoch;
        let event = TaskEvent::Assigned {
            generation: GenerationId(self.epoch),
            added: self.name_all(added),
            all: self.name_all(&self.owned),
        };
        task(out, event);
    }

    /// The task has given back.
    pub(super) fn revoked(&mut self, now: Now, answered: Token) {
        let Some(revoking) = self.revoking.take_if(|of| of.token == answered) else {
            return;
        };
        self.owned = difference(&self.owned, &revoking.partitions);
        self.acknowledge = true;
        self.hurry(now);
    }

    // --- names -------------------------------------------------------------------------------------------------

    pub(super) fn ask_names(&mut self, now: Now, out: &mut Effects<MemberOutput>) {
        if self.naming.is_some() || now < self.name_not_before || !self.nameless() {
            return;
        }
        let token = self.tokens.next();
        self.naming = Some(token);
        out.push(MemberOutput::Request(GroupRequest::NameTopics {
            token,
            topics: self.topics.clone(),
        }));
    }

    pub(super) fn named(
        &mut self,
        now: Now,
        answered: Token,
        names: Option<BTreeMap<TopicId, String>>,
    ) {
        if self.naming.take_if(|token| *token == answered).is_none() {
            return;
        }
        let (owned, target) = (&self.owned, &self.target);
        let used = |id: &TopicId| {
            owned.contains_key(id)
                || target
                    .as_ref()
                    .is_some_and(|target| target.partitions.contains_key(id))
        };
        self.names.retain(|id, _| used(id));
        let names = names.unwrap_or_default();
        let new = names.into_iter().filter(|(id, _)| used(id));
        self.names
            .extend(new.map(|(id, name)| (id, Arc::from(name))));
        // A topic that is not there (yet) is asked for again.
        self.name_not_before = now + self.settings.retry_backoff_max;
    }
}
