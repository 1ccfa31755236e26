//! Sinks in groups whose partitions the broker assigns (`group.protocol=consumer`, KIP-848), as a user sees them.

use std::{collections::BTreeSet, time::Instant};

use milena_kafka::ports::NewTopic;
use serde_json::{Value, json};

use crate::cluster::world::{
    Cluster, admin, balanced, create, eventually, figure, rest, shared_kafka, text, until,
};

/// Lines that are written at once.
const BURST: usize = 200;

/// A cluster whose consumers have no settings of the classic protocol.
fn cluster(bootstrap: &str, more: &[(&str, &str)]) -> Cluster {
    let mut cluster = Cluster::new(bootstrap, more);
    for classic in ["session.timeout.ms", "heartbeat.interval.ms"] {
        cluster.props.remove(&format!("consumer.{classic}"));
    }
    cluster
}

/// A sink of three tasks on two workers: one is killed, another comes.
fn killed(bootstrap: &str) {
    let cluster = cluster(bootstrap, &[("consumer.group.protocol", "CONSUMER")]);
    let topic = cluster.topic("lines");
    admin(&cluster.client_props(), async |admin| {
        let topic = NewTopic {
            name: topic.clone(),
            partitions: 6,
            replication_factor: 1,
            configs: std::collections::BTreeMap::new(),
        };
        admin.create_topics(vec![topic]).await.unwrap();
    });
    let mut first = cluster.joined("a");
    let second = cluster.joined("b");
    create(first.url(), &cluster.source("s", &topic, ""));
    let sink = format!("k-{}", cluster.id);
    create(first.url(), &cluster.sink(&sink, &topic, 3));
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    let mut through = |what: &str| {
        let begun = Instant::now();
        for burst in 0..5 {
            let lines = (0..BURST).map(|n| format!("{what}-{burst}-{n}"));
            let lines: Vec<String> = lines.collect();
            cluster.append("s", &format!("{}\n", lines.join("\n")));
            wanted.extend(lines);
        }
        until(&format!("{what} is through"), || {
            let out = text(&cluster.at(&format!("{sink}.out")));
            let read: BTreeSet<&str> = out.lines().collect();
            wanted.iter().all(|line| read.contains(line.as_str()))
        });
        figure(what, begun);
    };
    balanced(first.url(), &[first.id(), second.id()], 2, 4);
    through("two workers");
    // The classic questions know no such group.
    let group = format!("connect-{sink}");
    admin(&cluster.client_props(), async |admin| {
        assert_eq!(admin.describe_group(&group).await.unwrap().state, "Dead");
    });
    first.kill();
    through("one was killed");
    let third = cluster.joined("c");
    balanced(second.url(), &[second.id(), third.id()], 2, 4);
    through("another came");
}

#[test]
fn a_killed_worker_loses_nothing_where_the_broker_assigns() {
    let test = "a_killed_worker_loses_nothing_where_the_broker_assigns";
    if !milena_testing_kafka::oracle_is_missing(test) {
        killed(&shared_kafka().bootstrap());
    }
}

/// What creating a connector is answered with, and the first line of what its task fails with.
fn failure(url: &str, connector: &Value) -> (u16, String) {
    let created = eventually("an answer", || {
        let answer = rest("POST", &format!("{url}/connectors"), Some(connector))?;
        (answer.0 != 409).then_some(answer.0)
    });
    let name = connector["name"].as_str().unwrap();
    let trace = eventually("the task fails", || {
        let (_, status) = rest("GET", &format!("{url}/connectors/{name}/status"), None)?;
        let trace = status["tasks"][0]["trace"].as_str()?;
        trace.lines().next().map(str::to_owned)
    });
    (created, trace)
}

#[test]
fn what_java_refuses_of_the_group_protocol_is_refused_in_its_words() {
    if milena_testing_kafka::oracle_is_missing("what_java_refuses_of_the_group_protocol") {
        return;
    }
    let kafka = shared_kafka();
    let bootstrap = kafka.bootstrap();
    let (theirs, ours) = (cluster(&bootstrap, &[]), cluster(&bootstrap, &[]));
    let java = std::thread::scope(|scope| {
        let java = scope.spawn(|| theirs.java());
        java.join().unwrap()
    });
    let milena = ours.joined("a");
    let protocol = "consumer.override.group.protocol";
    let strategy = "consumer.override.partition.assignment.strategy";
    let range = "org.apache.kafka.clients.consumer.RangeAssignor";
    let assignor = "consumer.override.group.remote.assignor";
    let settings = [
        json!({protocol: "consumer", strategy: range, "consumer.override.session.timeout.ms": "9000",
            "consumer.override.heartbeat.interval.ms": "1000"}),
        json!({protocol: "Consumer", "consumer.override.heartbeat.interval.ms": "1000"}),
        json!({protocol: "share"}),
        json!({protocol: "classic", assignor: "uniform"}),
        json!({protocol: "consumer", assignor: "odd"}),
        json!({"consumer.override.group.instance.id": ""}),
    ];
    for (at, more) in settings.iter().enumerate() {
        let topic = ours.topic("refused");
        let mut connector = ours.sink(&format!("refused-{at}-{}", ours.id), &topic, 1);
        let config = connector["config"].as_object_mut().unwrap();
        config.extend(more.as_object().unwrap().clone());
        let wanted = failure(java.url(), &connector);
        let answered = failure(milena.url(), &connector);
        assert_eq!(answered, wanted, "{more}");
    }
}
