//! Records through tasks under faults: nothing lost, no offset ahead, exactly once where that is promised; and mistakes made
//! on purpose, which must be noticed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use milena_sim::data::{
    Careless, DataOptions, DataReport, SinkTrouble, SourceScenario as Scenario, run_sink,
    run_sink_through, run_source,
};

const SEEDS: u64 = 40;

fn options(seed: u64, careless: Careless) -> DataOptions {
    DataOptions {
        seed,
        minutes: 10,
        careless,
    }
}

fn keeps(what: &str, sees: &[&str], run: impl Fn(u64) -> DataReport) {
    let mut seen = std::collections::BTreeMap::new();
    for seed in 1..=SEEDS {
        let report = run(seed);
        if let Some((name, at, text)) = report.violation {
            panic!("{what}, seed {seed}: {name} at {at} ms: {text}");
        }
        for (what, times) in report.sometimes {
            *seen.entry(what).or_insert(0) += times;
        }
    }
    for sees in sees {
        assert!(
            seen.get(sees).is_some_and(|times| *times > 0),
            "{what} never saw {sees}: {seen:?}"
        );
    }
}

/// The check that must notice a mistake.
fn bites(promise: &str, run: impl Fn(u64) -> DataReport) {
    let broken = (1..=SEEDS).find_map(|seed| run(seed).violation);
    let (name, _, text) = broken.expect("the mistake is noticed");
    assert_eq!(name, promise, "{text}");
}

fn source(scenario: Scenario, careless: Careless) -> impl Fn(u64) -> DataReport {
    move |seed| run_source(scenario, options(seed, careless))
}

#[test]
fn at_least_once_loses_nothing_and_commits_nothing_too_early() {
    let sees = [
        "acks out of order",
        "callbacks",
        "instances killed",
        "sends given up",
        "instances frozen",
        "sessions over",
        "acts held back by the lease",
        "zombies told",
    ];
    keeps(
        "at least once",
        &sees,
        source(Scenario::AtLeastOnce, Careless::No),
    );
    bites(
        "OffsetNeverAhead",
        source(Scenario::AtLeastOnce, Careless::CommitsPolled),
    );
}

#[test]
fn a_worker_that_wakes_up_after_its_lease_and_goes_on_is_noticed() {
    let scenario = Scenario::AtLeastOnce;
    bites("AtMostOneRunning", source(scenario, Careless::IgnoresLease));
}

#[test]
fn exactly_once_is_exactly_once() {
    let sees = [
        "zombies fenced",
        "outcomes unknown",
        "instances frozen",
        "answers lost",
    ];
    keeps(
        "exactly once",
        &sees,
        source(Scenario::ExactlyOnce, Careless::No),
    );
}

#[test]
fn r9_a_delayed_end_of_a_transaction_ends_no_other() {
    let scenario = Scenario::R9DelayedEndTxn;
    keeps(
        "R9",
        &[scenario.sees(), "outcomes unknown"],
        source(scenario, Careless::No),
    );
    bites("ExactlyOnce", source(scenario, Careless::ReusesEpoch));
}

#[test]
fn r10_a_failed_fencing_is_tried_again() {
    let scenario = Scenario::R10FencingFails;
    keeps("R10", &[scenario.sees()], source(scenario, Careless::No));
    bites("Progresses", source(scenario, Careless::FencesOnce));
}

#[test]
fn r13_a_task_that_writes_to_its_own_offsets_topic_fails_before_it_can_wait_for_itself() {
    let scenario = Scenario::R13OwnOffsetsTopic;
    keeps("R13", &[scenario.sees()], source(scenario, Careless::No));
    bites("Progresses", source(scenario, Careless::WritesToOwnOffsets));
}

#[test]
fn r15_concurrent_transactions_are_waited_for() {
    let scenario = Scenario::R15ConcurrentTransactions;
    keeps("R15", &[scenario.sees()], source(scenario, Careless::No));
    bites("Progresses", source(scenario, Careless::FencesOnce));
}

#[test]
fn sinks_lose_nothing_and_commit_only_what_is_written() {
    let sees = [
        "commits of sinks",
        "commits of sinks refused",
        "sink partitions lost",
        "sink partitions revoked",
        "sink tasks frozen",
        "sink tasks killed",
    ];
    keeps("sinks", &sees, |seed| run_sink(options(seed, Careless::No)));
    bites("SinkNeverAhead", |seed| {
        run_sink(options(seed, Careless::ConfirmsEarly))
    });
}

fn through(trouble: SinkTrouble) -> DataReport {
    let report = run_sink_through(trouble, 1);
    if let Some((name, at, text)) = report.violation {
        panic!("{trouble:?}: {name} at {at} ms: {text}");
    }
    report
}

/// No round, no loss, no second batch held; afterwards everything is written and committed.
#[test]
fn a_sink_that_refuses_for_an_hour_keeps_its_place_and_loses_nothing() {
    let report = through(SinkTrouble::PutRefused(60));
    // Three tasks ask ten times a second.
    assert!(report.sometimes["batches refused"] > 100_000);
}

/// Everything is closed while no session is certain; afterwards everything is written and committed.
#[test]
fn a_broker_that_is_away_for_five_minutes_costs_no_record() {
    let report = through(SinkTrouble::BrokerAway(5));
    assert!(report.sometimes["sink partitions lost"] > 0);
}

#[test]
fn a_seed_is_one_history() {
    let hash = |seed| run_sink(options(seed, Careless::No)).hash;
    assert_eq!(hash(3), hash(3));
    assert_ne!(hash(3), hash(4));
    let hash = |seed| source(Scenario::ExactlyOnce, Careless::No)(seed).hash;
    assert_eq!(hash(3), hash(3));
    assert_ne!(hash(3), hash(4));
}
