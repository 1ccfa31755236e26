//! Failed tasks that are started again of their own: when, how often, and what is said about it.

use super::*;
use crate::herder::healing::TaskHealing;

const POLICY: TaskRestarts = TaskRestarts {
    backoff: Duration::from_secs(1),
    backoff_max: Duration::from_secs(5),
    attempts_max: 4,
    recovered_after: Duration::from_secs(60),
};

fn world(policy: Option<TaskRestarts>) -> World {
    let mut world = World::new();
    world.herder.settings.task_restarts = policy;
    world.tasks = 1;
    world.fail_tasks = true;
    world.create("c").expect("created");
    world.forget_history();
    world
}

fn seen(world: &mut World) -> TaskHealing {
    match world.ask(Request::ConnectorHealing(name("c"))) {
        Ok(Reply::Healing(healing)) => healing.tasks[0].1.clone().expect("it failed"),
        other => panic!("{other:?}"),
    }
}

/// Lets the time go on to the herder's own deadlines, this long at most; the pauses between starts, in seconds.
fn pauses(world: &mut World, within: Duration) -> Vec<u64> {
    let (begun, mut last) = (world.now, world.now);
    let mut pauses = Vec::new();
    while world.now.since(begun) < within {
        let next = world.herder.deadline(world.now);
        let step = next.map_or(within, |at| at.since(world.now));
        world.now = world.now + step.min(Duration::from_millis(500));
        world.input(HerderInput::Tick);
        if world.forget_history().contains(&"start c-0".to_owned()) {
            pauses.push((world.now.since(last) + Duration::from_millis(500)).as_secs());
            last = world.now;
        }
    }
    pauses
}

#[test]
fn a_failed_task_is_started_again_with_growing_pauses_and_given_up_at_last() {
    let mut world = world(Some(POLICY));
    let first = seen(&mut world);
    assert_eq!((first.restarts, first.failures_in_a_row), (0, 1));
    let wait = Duration::from_secs(1);
    assert_eq!(first.next_restart_at, Some(first.failed_at + wait));
    assert_eq!(pauses(&mut world, Duration::from_secs(600)), [1, 2, 4, 5]);
    assert_eq!(world.states("c"), (Running, vec![Failed]));
    let last = seen(&mut world);
    assert_eq!((last.restarts, last.failures_in_a_row), (4, 5));
    assert!(last.given_up && last.next_restart_at.is_none());
    assert_eq!(last.last_error, "boom");
}

#[test]
fn a_user_who_restarts_it_gives_it_all_its_attempts_again() {
    let mut world = world(Some(POLICY));
    pauses(&mut world, Duration::from_secs(600));
    world
        .ask(Request::RestartTask(name("c").task(0)))
        .expect("restarted");
    world.forget_history();
    let again = seen(&mut world);
    assert_eq!((again.failures_in_a_row, again.given_up), (1, false));
    assert_eq!(pauses(&mut world, Duration::from_secs(600)), [1, 2, 4, 5]);
}

#[test]
fn a_task_that_worked_for_a_while_begins_anew() {
    let mut world = world(Some(POLICY));
    world.now = world.now + Duration::from_secs(1);
    world.fail_tasks = false;
    world.input(HerderInput::Tick);
    assert_eq!(world.states("c"), (Running, vec![Running]));
    world.forget_history();
    assert!(pauses(&mut world, POLICY.recovered_after).is_empty());
    let incarnation = world.running.remove("c-0").expect("runs");
    world.fail_tasks = true;
    world.input(HerderInput::Task {
        id: name("c").task(0),
        incarnation,
        event: TaskEvent::Failed {
            trace: "again".to_owned(),
            version: None,
        },
    });
    let healing = seen(&mut world);
    assert_eq!((healing.restarts, healing.failures_in_a_row), (1, 1));
    assert_eq!(healing.last_error, "again");
}

#[test]
fn without_the_policy_a_failed_task_stays_failed_and_its_failure_is_known() {
    let mut world = world(None);
    assert!(pauses(&mut world, Duration::from_secs(600)).is_empty());
    assert_eq!(world.states("c"), (Running, vec![Failed]));
    let healing = seen(&mut world);
    assert_eq!((healing.restarts, healing.failures_in_a_row), (0, 1));
    assert!(!healing.given_up && healing.next_restart_at.is_none());
}
