//! Internal topics that cannot be used, and that go away under a running worker.

use std::{collections::BTreeMap, time::Duration};

use milena_kafka::ports::NewTopic;

use crate::cluster::world::{Cluster, admin, balanced, create, expect, rest, shared_kafka, until};

fn topic(name: &str, partitions: i32, policy: &str) -> NewTopic {
    NewTopic {
        name: name.to_owned(),
        partitions,
        replication_factor: 1,
        configs: BTreeMap::from([("cleanup.policy".to_owned(), policy.to_owned())]),
    }
}

fn refused(cluster: &Cluster, name: &str, new: NewTopic, words: &[&str]) {
    admin(&cluster.client_props(), async |admin| {
        admin.create_topics(vec![new]).await.unwrap();
    });
    let mut worker = cluster.begin(name, &[]);
    let status = worker.ended();
    let log = worker.log();
    assert_ne!(status.code(), Some(0), "{log}");
    for word in words {
        assert!(log.contains(word), "{word:?} is not in: {log}");
    }
}

#[test]
fn an_internal_topic_that_would_lose_data_is_refused() {
    if milena_testing_kafka::oracle_is_missing("an_internal_topic_that_would_lose_data_is_refused")
    {
        return;
    }
    let kafka = shared_kafka();
    let bootstrap = kafka.bootstrap();
    std::thread::scope(|scope| {
        for (kind, setting) in [
            ("offsets", "offset"),
            ("status", "status"),
            ("configs", "config"),
        ] {
            let bootstrap = &bootstrap;
            scope.spawn(move || {
                let cluster = Cluster::new(bootstrap, &[]);
                let name = cluster.topic(kind);
                let words = [
                    format!("Topic '{name}' supplied via the '{setting}.storage.topic' property"),
                    "found the topic currently has 'cleanup.policy=delete'".to_owned(),
                ];
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                refused(&cluster, "a", topic(&name, 1, "delete"), &words);
            });
        }
        scope.spawn(|| {
            let cluster = Cluster::new(&bootstrap, &[]);
            let new = topic(&cluster.topic("configs"), 3, "compact");
            let words = [
                "is required to have a single partition",
                "found 3 partitions",
            ];
            refused(&cluster, "a", new, &words);
        });
    });
}

/// Nothing that runs is stopped because somebody deleted a topic; what is changed afterwards is kept.
#[test]
fn a_worker_outlives_its_internal_topics() {
    if milena_testing_kafka::oracle_is_missing("a_worker_outlives_its_internal_topics") {
        return;
    }
    let kafka = shared_kafka();
    let cluster = Cluster::new(&kafka.bootstrap(), &[]);
    let worker = cluster.joined("a");
    let lines = cluster.topic("lines");
    for n in 0..2 {
        create(
            worker.url(),
            &cluster.source(&format!("s{n}"), &lines, "one\n"),
        );
    }
    balanced(worker.url(), &[worker.id()], 2, 2);
    until("the first lines arrive", || {
        cluster.lines(&lines).len() == 2
    });

    let names = ["configs", "status", "offsets"].map(|kind| cluster.topic(kind));
    let recreate = |partitions: &[i32]| {
        admin(&cluster.client_props(), async |admin| {
            admin.delete_topics(&names).await.unwrap();
            for (name, partitions) in names.iter().zip(partitions) {
                // The deletion takes a moment on the broker.
                for _ in 0..600 {
                    let new = topic(name, *partitions, "compact");
                    let made = admin.create_topics(vec![new]).await.unwrap();
                    if made == [milena_kafka::ports::CreateOutcome::Created] {
                        break;
                    }
                    admin
                        .delete_topics(std::slice::from_ref(name))
                        .await
                        .unwrap();
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        });
    };
    recreate(&[1, 2, 2]);
    cluster.append("s0", "two\n");
    cluster.append("s1", "two\n");
    until("lines go on", || cluster.lines(&lines).len() >= 4);
    let (status, names) = rest("GET", &format!("{}/connectors", worker.url()), None).unwrap();
    assert_eq!(
        (status, names.as_array().unwrap().len()),
        (200, 2),
        "{names}"
    );

    // Changes work again, and everything is in the topic again for a worker that starts anew.
    create(worker.url(), &cluster.source("s2", &lines, "three\n"));
    balanced(worker.url(), &[worker.id()], 3, 3);
    expect(
        "PUT",
        &format!("{}/connectors/s2/pause", worker.url()),
        None,
        202,
    );
    until("it pauses", || {
        let url = format!("{}/connectors/s2/status", worker.url());
        rest("GET", &url, None).is_some_and(|(_, body)| body["connector"]["state"] == "PAUSED")
    });
    expect(
        "PUT",
        &format!("{}/connectors/s2/resume", worker.url()),
        None,
        202,
    );
    let second = cluster.joined("b");
    until("it knows every connector", || {
        let names = rest("GET", &format!("{}/connectors", second.url()), None);
        names.is_some_and(|(_, names)| names.as_array().is_some_and(|names| names.len() == 3))
    });
    balanced(worker.url(), &[worker.id(), second.id()], 3, 3);
}
