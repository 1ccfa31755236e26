//! The incremental cooperative assignor (Java: `IncrementalCooperativeAssignor`; KIP-415 and its revocation
//! back-off from KIP-828's time): work moves only when it must, and first stops where it runs.
//!
//! One value lives on each worker and is used while that worker leads; a new leader starts blank. It never
//! reads a clock: the moment is part of the input.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use indexmap::IndexSet;

use super::Work;
use crate::{ConnectorName, TaskId, group::MemberId, time::Now};

/// First step of the back-off between rounds that both want to revoke; each further step is 40 times longer.
const BACKOFF_FIRST: Duration = Duration::from_millis(1);
const BACKOFF_FACTOR: u32 = 40;

/// What a round is computed from.
#[derive(Clone, Copy, Debug)]
pub struct RoundInput<'a> {
    /// The moment.
    pub now: Now,
    /// What each member says it runs; empty for a member without allocation.
    pub held: &'a BTreeMap<MemberId, Work>,
    /// All connectors, and the tasks of those whose task configurations are consistent.
    pub configured: &'a Work,
    /// The last generation this worker finished joining, -1 if none.
    pub last_completed_generation: i32,
    /// The generation this round is for.
    pub generation: i32,
}

/// What a member is told to begin and to stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Newly assigned, on top of what it runs.
    pub assigned: Work,
    /// To be stopped now; the next round may give it to somebody.
    pub revoked: Work,
}

/// The result of a round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// What each member is told.
    pub plans: BTreeMap<MemberId, Plan>,
    /// After this time every member joins again; zero: no such appointment.
    pub delay: Duration,
    /// What each member runs once it has followed its plan; answers "who owns it" for forwarded requests.
    pub owners: BTreeMap<MemberId, Work>,
}

/// The leader's memory between rounds.
#[derive(Clone, Debug)]
pub struct IncrementalAssignor {
    max_delay: Duration,
    previous_assignment: Work,
    previous_revocation: Work,
    previous_generation: i32,
    previous_members: BTreeSet<MemberId>,
    scheduled_rebalance: Option<Now>,
    delay: Duration,
    candidates: IndexSet<MemberId>,
    revoked_in_previous: bool,
    successive_revocations: u32,
}

impl IncrementalAssignor {
    /// A blank memory. `max_delay` is `scheduled.rebalance.max.delay.ms`.
    #[must_use]
    pub fn new(max_delay: Duration) -> Self {
        Self {
            max_delay,
            previous_assignment: Work::new(),
            previous_revocation: Work::new(),
            previous_generation: -1,
            previous_members: BTreeSet::new(),
            scheduled_rebalance: None,
            delay: Duration::ZERO,
            candidates: IndexSet::new(),
            revoked_in_previous: false,
            successive_revocations: 0,
        }
    }

    /// Computes one round and remembers it.
    ///
    /// One deviation from Java: deleted work is (previous assignment ∪ running) − configured, not previous
    /// assignment − configured. A leader with a blank memory (it has just taken over) otherwise does not see that
    /// members still run a connector that was deleted, and balances around it (spec distributed 2.5, QUIRK).
    pub fn round(&mut self, input: RoundInput<'_>) -> Round {
        // A plan of ours that never came to force is no reason to call its work lost.
        if self.previous_generation != input.last_completed_generation {
            self.previous_assignment = Work::new();
        }
        let active = Work::union_of(input.held.values());
        if !self.previous_revocation.is_empty() {
            if !self.previous_revocation.is_disjoint(&active) {
                // Somebody did not hear that revocation: believe the members, not our memory.
                self.previous_assignment = active.clone();
            }
            self.previous_revocation = Work::new();
        }

        let deleted = self
            .previous_assignment
            .union(&active)
            .minus(input.configured);
        let duplicated = duplicated(input.held);
        let mut lost = self.previous_assignment.minus(&active).minus(&deleted);
        let created = input
            .configured
            .minus(&self.previous_assignment)
            .minus(&active);

        let stop = deleted.union(&duplicated);
        let mut revoked: BTreeMap<MemberId, Work> = BTreeMap::new();
        let mut current: BTreeMap<MemberId, Work> = BTreeMap::new();
        let mut next: BTreeMap<MemberId, Work> = BTreeMap::new();
        for (member, work) in input.held {
            revoked.insert(member.clone(), work.intersect(&stop));
            current.insert(member.clone(), work.minus(&deleted));
            next.insert(member.clone(), work.minus(&stop));
        }

        let lost_all = lost.clone();
        let fresh = self.settle_lost(input.now, &mut lost, &mut next);
        self.balance(input, &mut next, &mut revoked);
        deal(&mut next, &created, &fresh);

        self.previous_assignment = Work::union_of(next.values())
            .minus(&Work::union_of(revoked.values()))
            .union(&lost_all);
        self.previous_revocation
            .add(&Work::union_of(revoked.values()));
        self.previous_generation = input.generation;
        self.previous_members = input.held.keys().cloned().collect();

        let mut round = Round {
            delay: self.delay,
            ..Round::default()
        };
        for (member, target) in next {
            let before = current.remove(&member).unwrap_or_default();
            let stop = revoked.remove(&member).unwrap_or_default();
            let plan = Plan {
                assigned: target.minus(&before),
                revoked: stop,
            };
            round
                .owners
                .insert(member.clone(), target.minus(&plan.revoked));
            round.plans.insert(member, plan);
        }
        round
    }

    /// Step 6: what to do with work whose owner is gone. Gives back what is to be dealt out as if it were new;
    /// what a returning worker gets goes straight into `next`; the rest waits.
    fn settle_lost(
        &mut self,
        now: Now,
        lost: &mut Work,
        next: &mut BTreeMap<MemberId, Work>,
    ) -> Work {
        if lost.is_empty() && !self.revoked_in_previous {
            self.reset_delay();
            return Work::new();
        }
        let nobody_left = self
            .previous_members
            .iter()
            .all(|member| next.contains_key(member));
        if self.scheduled_rebalance.is_none() && nobody_left {
            return std::mem::take(lost);
        }
        if self.max_delay.is_zero() {
            return std::mem::take(lost);
        }
        match self.scheduled_rebalance {
            Some(at) if now >= at => {
                let work = std::mem::take(lost);
                let returned: Vec<MemberId> = self
                    .candidates
                    .iter()
                    .filter(|c| next.contains_key(*c))
                    .cloned()
                    .collect();
                self.reset_delay();
                self.revoked_in_previous = false;
                if returned.is_empty() {
                    return work;
                }
                give_in_turn(&returned, work, next);
                Work::new()
            }
            scheduled => {
                let empty = next.iter().filter(|(_, work)| work.is_empty());
                self.candidates
                    .extend(empty.map(|(member, _)| member.clone()));
                self.delay = match scheduled {
                    Some(at) => (at - now).min(self.max_delay),
                    None => self.max_delay,
                };
                self.scheduled_rebalance = Some(now + self.delay);
                Work::new()
            }
        }
    }

    /// Step 7: revoke what overloads a member, unless a delay is running or we revoked just before.
    fn balance(
        &mut self,
        input: RoundInput<'_>,
        next: &mut BTreeMap<MemberId, Work>,
        revoked: &mut BTreeMap<MemberId, Work>,
    ) {
        if !self.delay.is_zero() {
            self.revoked_in_previous = false;
            return;
        }
        let surplus = surplus(input.configured, input.held, next);
        if surplus.is_empty() {
            if self.revoked_in_previous {
                self.revoked_in_previous = false;
                self.successive_revocations = 0;
            }
            return;
        }
        if self.revoked_in_previous {
            self.successive_revocations = self.successive_revocations.saturating_add(1);
            self.delay = self.backoff(self.successive_revocations);
            if !self.delay.is_zero() {
                self.scheduled_rebalance = Some(input.now + self.delay);
                return;
            }
        } else {
            self.revoked_in_previous = true;
        }
        for (member, work) in surplus {
            if let Some(kept) = next.get_mut(&member) {
                kept.remove(&work);
            }
            revoked.entry(member).or_default().add(&work);
        }
    }

    fn backoff(&self, successive: u32) -> Duration {
        let factor = BACKOFF_FACTOR.saturating_pow(successive);
        BACKOFF_FIRST.saturating_mul(factor).min(self.max_delay)
    }

    fn reset_delay(&mut self) {
        self.candidates.clear();
        self.scheduled_rebalance = None;
        self.delay = Duration::ZERO;
    }
}

/// Work more than one member runs. Every holder loses it: nobody knows which of them is the rightful one.
fn duplicated(held: &BTreeMap<MemberId, Work>) -> Work {
    let mut seen = Work::new();
    let mut twice = Work::new();
    for work in held.values() {
        twice.add(&work.intersect(&seen));
        seen.add(work);
    }
    twice
}

fn give_in_turn(to: &[MemberId], work: Work, next: &mut BTreeMap<MemberId, Work>) {
    for (connector, member) in work.connectors.into_iter().zip(to.iter().cycle()) {
        next.entry(member.clone())
            .or_default()
            .connectors
            .insert(connector);
    }
    for (task, member) in work.tasks.into_iter().zip(to.iter().cycle()) {
        next.entry(member.clone()).or_default().tasks.insert(task);
    }
}

/// Step 8: new work, then lost work, each to the members with the least of its kind.
fn deal(next: &mut BTreeMap<MemberId, Work>, created: &Work, lost: &Work) {
    let connectors: Vec<&ConnectorName> =
        created.connectors.iter().chain(&lost.connectors).collect();
    for (connector, member) in connectors
        .iter()
        .zip(fill_order(next, connectors.len(), |work| {
            work.connectors.len()
        }))
    {
        next.entry(member)
            .or_default()
            .connectors
            .insert((*connector).clone());
    }
    let tasks: Vec<&TaskId> = created.tasks.iter().chain(&lost.tasks).collect();
    for (task, member) in tasks
        .iter()
        .zip(fill_order(next, tasks.len(), |work| work.tasks.len()))
    {
        next.entry(member)
            .or_default()
            .tasks
            .insert((*task).clone());
    }
}

/// Who gets each of `items` items: members by (load, id); all of those with the lowest load get one each, again
/// and again, so that the level rises until it meets the next member.
fn fill_order(
    next: &BTreeMap<MemberId, Work>,
    items: usize,
    load: impl Fn(&Work) -> usize,
) -> Vec<MemberId> {
    let mut members: Vec<(usize, &MemberId)> = next
        .iter()
        .map(|(member, work)| (load(work), member))
        .collect();
    members.sort_unstable();
    let mut order = Vec::with_capacity(items);
    while order.len() < items {
        let Some(level) = members.first().map(|(load, _)| *load) else {
            break;
        };
        for (load, member) in members.iter_mut().take_while(|(load, _)| *load <= level) {
            if order.len() == items {
                break;
            }
            order.push(member.clone());
            *load += 1;
        }
    }
    order
}

/// What must leave which member for the loads to differ by one at most. The share of each is counted from what
/// is configured, not from what runs. What a member holds goes before what this round has just dealt to it.
fn surplus(
    configured: &Work,
    held: &BTreeMap<MemberId, Work>,
    next: &BTreeMap<MemberId, Work>,
) -> BTreeMap<MemberId, Work> {
    let mut surplus: BTreeMap<MemberId, Work> = BTreeMap::new();
    if configured.is_empty() || next.values().all(Work::is_empty) {
        return surplus;
    }
    let connectors = excess(
        configured.connectors.len(),
        next.values().map(|w| w.connectors.len()),
    );
    let tasks = excess(configured.tasks.len(), next.values().map(|w| w.tasks.len()));
    for (((member, work), connectors), tasks) in next.iter().zip(connectors).zip(tasks) {
        if connectors + tasks > 0 {
            let old = held
                .get(member)
                .map(|held| work.intersect(held))
                .unwrap_or_default();
            let new = work.minus(&old);
            let over = Work {
                connectors: (old.connectors.iter().chain(&new.connectors))
                    .take(connectors)
                    .cloned()
                    .collect(),
                tasks: (old.tasks.iter().chain(&new.tasks))
                    .take(tasks)
                    .cloned()
                    .collect(),
            };
            surplus.insert(member.clone(), over);
        }
    }
    surplus
}

/// How many instances each member has too many, in the order of the members.
fn excess(total: usize, loads: impl ExactSizeIterator<Item = usize> + Clone) -> Vec<usize> {
    let members = loads.len().max(1);
    let least = total / members;
    let extra = total % members;
    let mut granted = 0;
    loads
        .map(|load| {
            if load <= least {
                0
            } else if granted < extra {
                granted += 1;
                load - (least + 1)
            } else {
                load - least
            }
        })
        .collect()
}
