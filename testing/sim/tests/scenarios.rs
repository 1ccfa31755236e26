//! The named regressions R1 to R16 of `reliability.md`, as far as the core decides them.
//!
//! R9 (a delayed EndTxn), R10 and R15 (fencing is tried again) and R13 (a task that writes to its own offsets topic) are in
//! `data_plane.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeMap;

use milena_core::{offsets::OffsetLedger, task::SinkOffsets};
use milena_sim::Scenario;

fn plays(scenario: Scenario) {
    let mut seen = 0;
    for seed in 1..=12 {
        let report = scenario.play(seed, false);
        if let Some(violation) = report.violation {
            let (name, at, text) = (violation.name, violation.at, violation.text);
            panic!("{scenario:?}, seed {seed}: {name} at {at} ms: {text}");
        }
        seen += report.sometimes.get(scenario.sees()).copied().unwrap_or(0);
    }
    assert!(seen > 0, "{scenario:?} never saw {}", scenario.sees());
}

fn committable(ledger: &mut OffsetLedger<&'static str, u64>) -> Vec<(&'static str, u64)> {
    let found = ledger.take_committable();
    found.into_iter().map(|(p, o)| (*p, o)).collect()
}

#[test]
fn r1_nothing_is_committed_before_its_record_is_durable() {
    let mut ledger = OffsetLedger::default();
    let p = ledger.partition("p");
    let (first, second) = (ledger.submit(p, 1), ledger.submit(p, 2));
    assert!(committable(&mut ledger).is_empty());
    // The second is acknowledged and the worker dies: a source that prunes on commit still has the first.
    ledger.acknowledge(second);
    assert!(committable(&mut ledger).is_empty());
    ledger.acknowledge(first);
    assert_eq!(committable(&mut ledger), [("p", 2)]);
}

#[test]
fn r2_a_source_that_waits_for_its_callback_gets_it_without_polling_again() {
    let mut ledger = OffsetLedger::default();
    let p = ledger.partition("p");
    let only = ledger.submit(p, 7);
    ledger.acknowledge(only);
    assert_eq!(ledger.unacknowledged(), 0);
    assert_eq!(
        committable(&mut ledger),
        [("p", 7)],
        "no later record is needed"
    );
}

#[test]
fn r3_batch_shapes_filtered_in_front_in_the_middle_and_at_the_end() {
    for dropped in [vec![0], vec![2], vec![4], vec![0, 1, 2, 3, 4], vec![]] {
        let mut ledger = OffsetLedger::default();
        let p = ledger.partition("p");
        let batch: Vec<_> = (0..5_usize)
            .map(|n| {
                let submission = ledger.submit(p, n as u64);
                if dropped.contains(&n) {
                    // R14: what is dropped by tolerance counts as done.
                    ledger.acknowledge(submission);
                }
                (n, submission)
            })
            .collect();
        for (n, submission) in batch.into_iter().rev() {
            if !dropped.contains(&n) {
                ledger.acknowledge(submission);
            }
        }
        assert_eq!(committable(&mut ledger), [("p", 4)], "{dropped:?}");
        assert_eq!(ledger.unacknowledged(), 0);
    }
}

#[test]
fn r4_a_zombie_worker_starts_nothing() {
    plays(Scenario::R4ZombieWorker);
}

#[test]
fn r5_no_revocation_is_skipped_when_rebalances_follow_closely() {
    plays(Scenario::R5RebalancesInARow);
}

#[test]
fn r6_a_worker_that_cannot_read_the_config_topic_stops_before_others_take_over() {
    plays(Scenario::R6BlindWorker);
}

#[test]
fn r7_compaction_revives_nothing_and_loses_nothing() {
    plays(Scenario::R7Compaction);
}

#[test]
fn r8_a_slow_flush_is_no_death_spiral() {
    // While a flush is under way polling goes on; what was acknowledged since goes with the next flush, whole.
    let mut ledger = OffsetLedger::default();
    let p = ledger.partition("p");
    let mut last = Vec::new();
    for round in 0..100_u64 {
        for n in 0..10 {
            let submission = ledger.submit(p, round * 10 + n);
            ledger.acknowledge(submission);
        }
        last = committable(&mut ledger);
    }
    assert_eq!(last, [("p", 999)]);
    assert_eq!(ledger.unacknowledged(), 0, "nothing piles up");
}

#[test]
fn r11_a_stuck_stop_holds_up_nobody_else() {
    plays(Scenario::R11StuckStop);
}

#[test]
fn r12_a_fenced_leader_looks_whether_it_still_leads_and_tries_again() {
    plays(Scenario::R12FencedLeader);
}

#[test]
fn r14_a_dropped_record_holds_nothing_back() {
    let mut ledger = OffsetLedger::default();
    let p = ledger.partition("p");
    for n in 0..1_000 {
        let submission = ledger.submit(p, n);
        ledger.acknowledge(submission);
    }
    assert_eq!(ledger.unacknowledged(), 0);
    assert_eq!(committable(&mut ledger), [("p", 999)]);
}

#[test]
fn r16_a_failed_put_commits_nothing() {
    let mut book = SinkOffsets::default();
    let partition: (std::sync::Arc<str>, i32) = ("t".into(), 0);
    book.assign(partition.clone(), 10);
    // `put` of the records 10 to 19 failed; a task that confirms them in `pre_commit` all the same is not believed.
    let confirmed = BTreeMap::from([(partition.clone(), 20)]);
    assert!(book.committable(&confirmed).is_empty());
    book.delivered(&partition, 20);
    assert_eq!(book.committable(&confirmed), confirmed);
    // Nor for a partition that went away meanwhile.
    book.remove(&partition);
    assert!(book.committable(&confirmed).is_empty());
}
