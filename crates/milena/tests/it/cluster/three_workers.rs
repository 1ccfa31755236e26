//! Three worker processes share the work; one is killed, one stands still, one is stopped.

use std::time::{Duration, Instant};

use crate::cluster::world::{
    Cluster, SESSION, balanced, create, figure, long, shared_kafka, text, until,
};

const SOURCES: usize = 6;
const SINK_TASKS: usize = 3;
const CONNECTORS: usize = SOURCES + 1;
const TASKS: usize = SOURCES + SINK_TASKS;

#[test]
fn three_workers_survive_kill_pause_and_stop() {
    if milena_testing_kafka::oracle_is_missing("three_workers_survive_kill_pause_and_stop") {
        return;
    }
    let kafka = shared_kafka();
    let cluster = Cluster::new(&kafka.bootstrap(), &[]);
    let a = cluster.joined("a");
    let mut b = cluster.joined("b");
    let mut c = cluster.joined("c");
    let topic = cluster.topic("lines");
    for n in 0..SOURCES {
        // A follower passes it on to the leader.
        let source = cluster.source(&format!("s{n}"), &topic, "first\n");
        create(b.url(), &source);
    }
    create(c.url(), &cluster.sink("k", &topic, SINK_TASKS));
    balanced(a.url(), &[a.id(), b.id(), c.id()], CONNECTORS, TASKS);
    until("all first lines arrive", || {
        cluster.lines(&topic).len() == SOURCES
    });

    // kill -9: its work runs elsewhere when its session is over.
    let begun = Instant::now();
    b.kill();
    balanced(a.url(), &[a.id(), c.id()], CONNECTORS, TASKS);
    figure("kill -9: all runs again after", begun);
    let b = cluster.joined("b");
    balanced(a.url(), &[a.id(), b.id(), c.id()], CONNECTORS, TASKS);

    // SIGSTOP of the leader: the others take over; awake again it touches nothing that is not its own.
    let begun = Instant::now();
    a.signal("-STOP");
    balanced(c.url(), &[b.id(), c.id()], CONNECTORS, TASKS);
    figure("SIGSTOP of the leader: all runs elsewhere after", begun);
    let appended = |word: &str| {
        for n in 0..SOURCES {
            cluster.append(&format!("s{n}"), &format!("{word}-{n}\n"));
        }
    };
    appended("during");
    let arrived = |word: &str| {
        let lines = cluster.lines(&topic);
        (0..SOURCES).all(|n| lines.contains(&format!("{word}-{n}")))
    };
    until("lines arrive while one worker stands", || arrived("during"));
    if long() {
        std::thread::park_timeout(Duration::from_secs(60).saturating_sub(begun.elapsed()));
    }
    a.signal("-CONT");
    appended("awake");
    until("lines arrive afterwards", || arrived("awake"));
    balanced(b.url(), &[a.id(), b.id(), c.id()], CONNECTORS, TASKS);
    figure("SIGSTOP and SIGCONT: even again after", begun);
    let lines = cluster.lines(&topic);
    for word in ["during", "awake"] {
        for n in 0..SOURCES {
            let line = format!("{word}-{n}");
            let copies = lines.iter().filter(|found| **found == line).count();
            assert_eq!(copies, 1, "{line}: no second instance may produce it");
        }
    }
    until("the sink has every line", || {
        let out = text(&cluster.at("k.out"));
        lines
            .iter()
            .all(|line| out.lines().any(|found| found == line))
    });

    // SIGTERM: at once, and nobody waits for a session.
    let begun = Instant::now();
    assert_eq!(c.terminate().code(), Some(0));
    figure("SIGTERM: the process ended after", begun);
    assert!(begun.elapsed() < SESSION, "it says goodbye");
    balanced(b.url(), &[a.id(), b.id()], CONNECTORS, TASKS);
    figure("SIGTERM: its work runs elsewhere after", begun);
    drop(a);
    drop(b);
}

/// Two workers that call themselves the same: Java allows it, so nothing breaks, but the leader says so; statuses
/// cannot tell them apart.
#[test]
fn two_workers_with_one_advertised_address_share_the_work() {
    if milena_testing_kafka::oracle_is_missing("two_workers_with_one_advertised_address") {
        return;
    }
    let kafka = shared_kafka();
    let cluster = Cluster::new(&kafka.bootstrap(), &[]);
    let mut a = cluster.joined("a");
    let advertised = [
        ("rest.advertised.host.name", "127.0.0.1"),
        ("rest.advertised.port", a.id().rsplit(':').next().unwrap()),
    ];
    let b = cluster.worker("b", &advertised);
    until("the second is healthy", || b.health().0 == 200);
    let id = a.id().to_owned();
    let topic = cluster.topic("lines");
    for n in 0..2 {
        create(b.url(), &cluster.source(&format!("s{n}"), &topic, "one\n"));
    }
    balanced(b.url(), &[&id], 2, 2);
    until("both lines arrive", || cluster.lines(&topic).len() == 2);
    until("the leader says so", || {
        a.log().contains("two workers of the group advertise")
    });
    a.kill();
    cluster.append("s0", "three\n");
    cluster.append("s1", "four\n");
    until("the other one has it all", || {
        let lines = cluster.lines(&topic);
        ["three", "four"]
            .iter()
            .all(|line| lines.iter().any(|found| found == line))
    });
    balanced(b.url(), &[&id], 2, 2);
}
