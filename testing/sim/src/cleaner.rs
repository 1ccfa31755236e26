//! A model of the log cleaner (Java: `LogCleaner`, `Cleaner`), kept honest by a parity test against Apache Kafka.

use std::collections::BTreeMap;

use milena_core::herder::TopicRecord;

/// Cleans a log: of each key only the last record before `clean_to` stays there, in its place; what is in the active segment,
/// from `clean_to` on, is neither cleaned nor counted. Tombstones before `tombstones_to` go, too. Answers how many
/// records went.
pub fn clean(log: &mut Vec<TopicRecord>, clean_to: i64, tombstones_to: i64) -> usize {
    let mut last = BTreeMap::new();
    for record in log.iter().filter(|record| record.offset < clean_to) {
        last.insert(record.key.clone(), record.offset);
    }
    let before = log.len();
    log.retain(|record| {
        let superseded = last.get(&record.key).is_some_and(|at| *at > record.offset);
        let dead = record.value.is_none() && record.offset < tombstones_to;
        record.offset >= clean_to || !(superseded || dead)
    });
    before - log.len()
}
