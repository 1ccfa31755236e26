//! Properties of the incremental cooperative assignor over any history of workers that come, go, miss a round or
//! claim what others run: disjoint, nothing given out while it still runs, complete, balanced, and sticky.

use std::{collections::BTreeMap, time::Duration};

use milena_core::{
    ConnectorName,
    assign::{IncrementalAssignor, RoundInput, Work, check_round},
    group::MemberId,
    time::Now,
};
use proptest::{collection::vec, prelude::*};

#[derive(Clone, Debug)]
enum Change {
    Join,
    Leave(usize),
    Create(u32),
    Delete(usize),
    Miss(usize),
    Claim(usize, usize),
    NewLeader,
    Wait(u64),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::Join),
        (0..8usize).prop_map(Change::Leave),
        (0..6u32).prop_map(Change::Create),
        (0..8usize).prop_map(Change::Delete),
        (0..8usize).prop_map(Change::Miss),
        (0..8usize, 0..8usize).prop_map(|(a, b)| Change::Claim(a, b)),
        Just(Change::NewLeader),
        prop_oneof![Just(1), Just(50), Just(70_000), Just(301_000)].prop_map(Change::Wait),
    ]
}

struct World {
    now: u64,
    generation: i32,
    workers: BTreeMap<MemberId, Work>,
    connectors: BTreeMap<ConnectorName, u32>,
    assignor: IncrementalAssignor,
    completed: i32,
    joined: usize,
}

impl World {
    fn configured(&self) -> Work {
        let tasks = self
            .connectors
            .iter()
            .flat_map(|(c, n)| (0..*n).map(|t| c.task(t)))
            .collect();
        Work {
            connectors: self.connectors.keys().cloned().collect(),
            tasks,
        }
    }

    fn nth(&self, n: usize) -> Option<MemberId> {
        self.workers
            .keys()
            .nth(n % self.workers.len().max(1))
            .cloned()
    }

    /// One round, followed by everybody except `deaf`. Says whether it is the last one needed, and by how much it moved.
    fn round(&mut self, deaf: Option<&MemberId>) -> Result<(bool, usize), TestCaseError> {
        self.generation += 1;
        let configured = self.configured();
        let round = self.assignor.round(RoundInput {
            now: Now::from_millis(self.now),
            held: &self.workers,
            configured: &configured,
            last_completed_generation: self.completed,
            generation: self.generation,
        });
        check_round(&self.workers, &configured, &round)
            .map_err(|violation| TestCaseError::fail(violation.to_string()))?;
        self.completed = self.generation;
        let mut moved = 0;
        let mut again = false;
        for (member, plan) in &round.plans {
            if Some(member) == deaf {
                again = true;
                continue;
            }
            moved += plan.assigned.len() + plan.revoked.len();
            again |= !plan.revoked.is_empty();
            let held = self.workers.get_mut(member).unwrap();
            held.remove(&plan.revoked);
            held.add(&plan.assigned);
        }
        if !round.delay.is_zero() {
            self.now += u64::try_from(round.delay.as_millis()).unwrap();
            again = true;
        }
        Ok((!again, moved))
    }

    fn settle(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..32 {
            if self.round(None)?.0 {
                return Ok(());
            }
        }
        Err(TestCaseError::fail("Progresses: the group does not settle"))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn any_history_keeps_every_promise(
        delay in prop_oneof![Just(0u64), Just(60_000), Just(300_000)],
        history in vec(change(), 1..40),
    ) {
        let max_delay = Duration::from_millis(delay);
        let mut world = World {
            now: 1_000_000,
            generation: 0,
            workers: BTreeMap::from([("w00".into(), Work::new())]),
            connectors: BTreeMap::new(),
            assignor: IncrementalAssignor::new(max_delay),
            completed: -1,
            joined: 1,
        };
        for change in history {
            let mut deaf = None;
            match change {
                Change::Join => {
                    world.workers.insert(format!("w{:02}", world.joined).into(), Work::new());
                    world.joined += 1;
                }
                Change::Leave(n) if world.workers.len() > 1 => {
                    let member = world.nth(n).unwrap();
                    world.workers.remove(&member);
                }
                Change::Create(tasks) => {
                    let name = format!("c{}", world.generation);
                    world.connectors.insert(name.as_str().into(), tasks);
                }
                Change::Delete(n) => {
                    let name = world.connectors.keys().nth(n).cloned();
                    name.map(|name| world.connectors.remove(&name));
                }
                Change::Miss(n) => deaf = world.nth(n),
                Change::Claim(a, b) => {
                    let (a, b) = (world.nth(a).unwrap(), world.nth(b).unwrap());
                    let claimed = world.workers[&a].clone();
                    world.workers.get_mut(&b).unwrap().add(&claimed);
                }
                Change::NewLeader => {
                    world.assignor = IncrementalAssignor::new(max_delay);
                    world.completed = -1;
                }
                Change::Wait(by) => world.now += by,
                Change::Leave(_) => {}
            }
            world.round(deaf.as_ref())?;
        }
        world.settle()?;
        // Sticky: a settled group that nothing happens to does not move anything.
        let (settled, moved) = world.round(None)?;
        prop_assert!(settled && moved == 0, "a settled group moved {moved} items");
        let all = Work::union_of(world.workers.values());
        prop_assert_eq!(all, world.configured());
    }
}
