//! A worker that is told to stop, and told again: the first signal is an orderly end, the second the end at once.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use crate::cluster::world::{Cluster, balanced, create, shared_kafka, text, until};

/// How long the hanging task may take to stop: longer than the test waits for anything.
const GRACE: Duration = Duration::from_secs(600);

#[test]
fn a_second_signal_ends_a_worker_that_cannot_stop_and_nothing_is_lost() {
    let name = "a_second_signal_ends_a_worker_that_cannot_stop_and_nothing_is_lost";
    if milena_testing_kafka::oracle_is_missing(name) {
        return;
    }
    let kafka = shared_kafka();
    let grace = GRACE.as_millis().to_string();
    let patient = [("task.shutdown.graceful.timeout.ms", grace.as_str())];
    let cluster = Cluster::new(&kafka.bootstrap(), &patient);
    let mut worker = cluster.joined("a");
    let topic = cluster.topic("lines");
    // A sink whose file is a pipe that nobody reads: it hangs in a call, and cannot be stopped.
    let pipe = cluster.at("k.out");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    create(worker.url(), &cluster.source("s", &topic, "one\n"));
    create(worker.url(), &cluster.sink("k", &topic, 1));
    until("the first line is in the topic", || {
        cluster.lines(&topic) == ["one"]
    });
    let topics = "/connectors/s/topics";
    until("the source is known to use the topic", || {
        let answer = super::world::rest("GET", &format!("{}{topics}", worker.url()), None);
        answer.is_some_and(|(_, body)| body["s"]["topics"][0] == topic.as_str())
    });
    worker.signal("-TERM");
    until("it says what a second signal does", || {
        worker
            .log()
            .contains("a second signal ends the process at once")
    });
    let begun = Instant::now();
    worker.signal("-INT");
    assert_eq!(worker.ended().code(), Some(130), "{}", worker.log());
    assert!(begun.elapsed() < GRACE);
    assert!(
        worker.log().contains("told to stop twice"),
        "{}",
        worker.log()
    );

    // What came meanwhile and what the sink never took is there when the next worker is.
    cluster.append("s", "two\n");
    fs::remove_file(&pipe).unwrap();
    let mut next = cluster.worker("b", &[]);
    until("every line is through", || {
        let out = text(&pipe);
        ["one", "two"]
            .iter()
            .all(|line| out.lines().any(|found| found == *line))
    });
    balanced(next.url(), &[next.id()], 2, 2);
    assert_eq!(next.terminate().code(), Some(0));
}
