//! Milena and the Java worker in one group: each leads, each follows and passes requests on, each is killed.

use std::time::Instant;

use milena_testing_kafka::JavaWorker;
use serde_json::{Value, json};

use crate::cluster::world::{
    Cluster, balanced, create, expect, figure, java_id, rest, shared_kafka, until,
};

/// Sources 1 to 3, of which 2 is paused and 3 is stopped; and a sink of two tasks.
struct Work {
    cluster: Cluster,
    topic: String,
}

impl Work {
    fn new(bootstrap: &str, protocol: &str) -> Self {
        let cluster = Cluster::new(bootstrap, &[("connect.protocol", protocol)]);
        let topic = cluster.topic("lines");
        Self { cluster, topic }
    }

    /// Through one worker: another of the group may have to do it.
    fn create(&self, url: &str) {
        for n in 1..=3 {
            let source =
                self.cluster
                    .source(&format!("s{n}"), &self.topic, &format!("first-{n}\n"));
            create(url, &source);
        }
        create(url, &self.cluster.sink("k", &self.topic, 2));
        self.through(url, "first", &[1, 2, 3]);
        for (name, verb) in [("s2", "pause"), ("s3", "stop")] {
            // The offset of its line must be stored before it stops, or there is nothing to compare.
            until("an offset", || {
                !self.offsets(url, name).as_array().unwrap().is_empty()
            });
            let wanted = if verb == "stop" { 204 } else { 202 };
            expect(
                "PUT",
                &format!("{url}/connectors/{name}/{verb}"),
                None,
                wanted,
            );
        }
        self.holds(url);
    }

    /// States and offsets are what they should be.
    fn holds(&self, url: &str) {
        let state = |name: &str| -> Option<(String, Vec<String>)> {
            let (status, body) = rest("GET", &format!("{url}/connectors/{name}/status"), None)?;
            let text = |of: &Value| of["state"].as_str().unwrap_or_default().to_owned();
            let tasks = body["tasks"].as_array()?.iter().map(text).collect();
            (status == 200).then(|| (text(&body["connector"]), tasks))
        };
        let wanted = [
            ("s1", "RUNNING", 1),
            ("s2", "PAUSED", 1),
            ("s3", "STOPPED", 0),
            ("k", "RUNNING", 2),
        ];
        for (name, wanted, tasks) in wanted {
            until(&format!("{name} is {wanted}"), || {
                state(name) == Some((wanted.to_owned(), vec![wanted.to_owned(); tasks]))
            });
        }
        for (name, position) in [("s2", 8), ("s3", 8)] {
            let file = self.cluster.at(&format!("{name}.txt"));
            let offsets =
                json!([{"partition": {"filename": file}, "offset": {"position": position}}]);
            assert_eq!(self.offsets(url, name), offsets, "{name}");
        }
    }

    fn offsets(&self, url: &str, name: &str) -> Value {
        expect(
            "GET",
            &format!("{url}/connectors/{name}/offsets"),
            None,
            200,
        )["offsets"]
            .clone()
    }

    /// A new line of these sources reaches the file of the sink.
    fn through(&self, _url: &str, word: &str, sources: &[usize]) {
        if word != "first" {
            for n in sources {
                self.cluster
                    .append(&format!("s{n}"), &format!("{word}-{n}\n"));
            }
        }
        until(&format!("{word} is through"), || {
            let out = super::world::text(&self.cluster.at("k.out"));
            let has = |n: &usize| out.lines().any(|line| line == format!("{word}-{n}"));
            sources.iter().all(has)
        });
    }

    /// A connector that is created through one worker, seen by another and deleted through that.
    fn back_and_forth(&self, name: &str, one: &str, other: &str) {
        create(
            one,
            &self
                .cluster
                .source(name, &self.topic, &format!("{name}-line\n")),
        );
        until("its line is through", || {
            super::world::text(&self.cluster.at("k.out")).contains(&format!("{name}-line\n"))
        });
        let restart = format!("{other}/connectors/{name}/restart?includeTasks=true");
        let answer = rest("POST", &restart, None).expect("an answer");
        assert!(matches!(answer.0, 202 | 409), "{answer:?}");
        expect("DELETE", &format!("{other}/connectors/{name}"), None, 204);
    }

    fn spread_over(&self, url: &str, workers: usize) {
        until("everybody has a part", || {
            let answer = rest("GET", &format!("{url}/connectors?expand=status"), None);
            let Some((200, all)) = answer else {
                return false;
            };
            let mut owners = std::collections::BTreeSet::new();
            for of in all.as_object().unwrap().values() {
                owners.insert(of["status"]["connector"]["worker_id"].to_string());
            }
            owners.len() == workers
        });
        self.holds(url);
    }
}

/// Milena leads, Java follows; Milena dies, Java leads, another Milena follows; Java dies.
fn milena_first(bootstrap: &str, protocol: &str) {
    let work = Work::new(bootstrap, protocol);
    let mut first = work.cluster.joined("a");
    work.create(first.url());
    let mut java = work.cluster.java();
    work.spread_over(first.url(), 2);
    work.back_and_forth("x1", java.url(), first.url());
    let begun = Instant::now();
    first.kill();
    work.through(java.url(), "java-alone", &[1]);
    work.holds(java.url());
    figure(
        &format!("{protocol}: Java has it all after kill -9 of Milena"),
        begun,
    );
    let second = work.cluster.joined("b");
    work.spread_over(java.url(), 2);
    work.back_and_forth("x2", second.url(), java.url());
    let begun = Instant::now();
    java.kill();
    work.through(second.url(), "milena-alone", &[1]);
    work.holds(second.url());
    figure(
        &format!("{protocol}: Milena has it all after kill -9 of Java"),
        begun,
    );
}

/// A cluster written by Java alone is taken over and given back.
fn taken_over_and_given_back(bootstrap: &str) {
    let work = Work::new(bootstrap, "sessioned");
    let mut java = work.cluster.java();
    work.create(java.url());
    java.kill();
    let mut milena = work.cluster.joined("a");
    work.through(milena.url(), "milena", &[1]);
    work.holds(milena.url());
    // What Milena writes, Java reads: a new connector, its offsets, an edited offset.
    create(
        milena.url(),
        &work.cluster.source("s4", &work.topic, "fourth\n"),
    );
    until("its offset", || {
        work.offsets(milena.url(), "s4") != json!([])
    });
    let file = work.cluster.at("s3.txt");
    let edit = json!({"offsets": [{"partition": {"filename": file}, "offset": {"position": 3}}]});
    expect(
        "PATCH",
        &format!("{}/connectors/s3/offsets", milena.url()),
        Some(&edit),
        200,
    );
    assert_eq!(work.offsets(milena.url(), "s3")[0]["offset"]["position"], 3);
    let back = json!({"offsets": [{"partition": {"filename": file}, "offset": {"position": 8}}]});
    expect(
        "PATCH",
        &format!("{}/connectors/s3/offsets", milena.url()),
        Some(&back),
        200,
    );
    assert_eq!(milena.terminate().code(), Some(0));
    let java: JavaWorker = work.cluster.java();
    work.through(java.url(), "java", &[1]);
    work.holds(java.url());
    assert_eq!(work.offsets(java.url(), "s4")[0]["offset"]["position"], 7);
    expect(
        "PUT",
        &format!("{}/connectors/s2/resume", java.url()),
        None,
        202,
    );
    work.through(java.url(), "resumed", &[2]);
    balanced_on_java(&work, &java);
}

fn balanced_on_java(work: &Work, java: &JavaWorker) {
    expect(
        "DELETE",
        &format!("{}/connectors/s3", java.url()),
        None,
        204,
    );
    balanced(java.url(), &[java_id(java)], 4, 5);
    let lines = work.cluster.lines(&work.topic);
    let copies = lines.iter().filter(|line| **line == "first-3").count();
    assert_eq!(
        copies, 1,
        "an edited offset of a stopped connector moves nothing"
    );
}

fn with_kafka(test: &str, work: impl FnOnce(&str)) {
    if !milena_testing_kafka::oracle_is_missing(test) {
        let kafka = shared_kafka();
        work(&kafka.bootstrap());
    }
}

/// In every protocol at the same time: most of it is waiting.
#[test]
fn a_group_with_java_in_every_protocol() {
    with_kafka("a_group_with_java_in_every_protocol", |kafka| {
        std::thread::scope(|scope| {
            for protocol in ["eager", "compatible", "sessioned"] {
                scope.spawn(move || milena_first(kafka, protocol));
            }
        });
    });
}

#[test]
fn a_cluster_of_java_is_taken_over_and_given_back() {
    with_kafka("a_cluster_of_java_is_taken_over", taken_over_and_given_back);
}
