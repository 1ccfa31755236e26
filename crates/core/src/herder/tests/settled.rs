//! Answers that wait until a change is done (standalone mode).

use super::*;

#[test]
fn a_deletion_is_done_when_the_last_word_of_its_runs_is_gone_too() {
    let mut world = World::new();
    world.create("c").expect("created");
    world.ending = Some(Vec::new());
    world
        .ask(Request::DeleteConnector(name("c")))
        .expect("deleted");
    let id = RequestId(99);
    let request = Request::AwaitSettled(name("c"));
    world.input(HerderInput::Request { id, request });
    assert!(!world.answers.contains_key(&99), "it still runs");

    let ended = world.ending.take().expect("it was asked to end");
    assert_eq!(ended.len(), 1);
    for ended in ended {
        world.input(ended);
    }
    assert_eq!(world.answers.remove(&99), Some(Ok(Reply::Done)));
    assert_eq!(world.unread_at_answer[&99], 0, "no status is still to come");
    assert_eq!(
        world.ask(Request::TaskStatus(name("c").task(0))),
        Err(RequestError::NotFound(
            "No status found for task c-0".to_owned()
        ))
    );
}
