//! Task sets of which only a part was written: whoever runs the connector completes them.

use super::*;
use crate::cluster::{ClusterSnapshot, ConfigRecord};

/// What somebody who starts now makes of the topic, once of each key only the last record is left.
fn read_compacted(log: &[TopicRecord]) -> ClusterSnapshot {
    let mut snapshot = ClusterSnapshot::new();
    for (at, record) in log.iter().enumerate() {
        let later = log.get(at + 1..).unwrap_or_default();
        if !later.iter().any(|other| other.key == record.key) {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            snapshot
                .apply(record.offset, key, value)
                .expect("a record of ours");
        }
    }
    snapshot
}

#[test]
fn a_task_set_without_its_commit_is_written_again() {
    let mut world = World::new();
    world.create("c").expect("created");
    // Somebody writes the same tasks again and dies before the commit.
    let task = ConfigRecord::Task {
        id: name("c").task(0),
        config: props(&[("task", "0")]),
    };
    let record = world.record(task.encode());
    world.config_log.push(record);
    assert!(read_compacted(&world.config_log).is_inconsistent("c"));
    world.input(HerderInput::Tick);

    world.now = world.now + Duration::from_secs(5);
    world.input(HerderInput::Tick);
    let read = read_compacted(&world.config_log);
    assert_eq!(read.task_configs("c").len(), 2);
    assert_eq!(world.running(), ["c", "c-0", "c-1"]);

    let written = world.config_log.len();
    world.now = world.now + Duration::from_secs(60);
    world.input(HerderInput::Tick);
    assert_eq!(world.config_log.len(), written, "once is enough");
}
