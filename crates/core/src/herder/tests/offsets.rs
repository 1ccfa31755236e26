//! Offsets of stopped connectors under exactly-once: the producers of the tasks that were are fenced first.

use super::*;

#[test]
fn zombies_of_a_source_are_fenced_before_its_offsets_change() {
    let mut world = World::with(ExactlyOnceMode::Enabled);
    world.create("c").expect("created");
    world
        .ask(Request::FenceBeforeStart(name("c")))
        .expect("fenced");
    world
        .ask(Request::StopConnector(name("c")))
        .expect("stopped");
    world.forget_history();
    assert!(world.ask(offset_change(false)).is_ok());
    assert!(world.forget_history().is_empty(), "a sink has no zombies");
    assert!(matches!(
        world.ask(offset_change(true)),
        Ok(Reply::OffsetsFree(_))
    ));
    assert_eq!(world.forget_history(), ["fence g-c-0 g-c-1"]);
}
