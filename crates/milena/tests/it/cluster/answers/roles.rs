//! Calls to workers without connectors, role by role.
//!
//! `empty-cluster.json`, `grid.jsonl` and `odd.jsonl` are what a leader answers. For each other role a file keeps the answers that
//! are not the leader's; a follower has none.

use std::{fs, path::PathBuf};

use milena_testing_kafka::JavaWorker;
use serde_json::{Value, json};

use super::{
    compare::{Said, differ, differ_in_grid, is_known_difference, judged},
    wire::send,
};
use crate::{
    clients::Embedded,
    cluster::world::{Cluster, Worker, own_kafka},
};

pub(super) fn recording() -> bool {
    std::env::var_os("MILENA_RECORD").is_some()
}

pub(super) fn golden(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testing/golden/rest");
    folder.join(name)
}

/// The settings with which the goldens were recorded.
pub(super) fn like_the_recorded(bootstrap: &str, more: &[(&str, &str)]) -> Cluster {
    let mut cluster = Cluster::new(bootstrap, more);
    let json = "org.apache.kafka.connect.json.JsonConverter";
    for (key, value) in [
        ("group.id", "oracle"),
        ("key.converter", json),
        ("value.converter", json),
    ] {
        cluster.props.insert(key.to_owned(), value.to_owned());
    }
    cluster.props.retain(|key, _| !key.starts_with("consumer."));
    cluster
}

fn lines(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(golden(name)).unwrap();
    let parsed = text.lines().map(|line| serde_json::from_str(line).unwrap());
    parsed.collect()
}

/// What a role is asked: the calls of `empty-cluster.json` and those of `grid.jsonl`, with the leader's answers.
struct Asked {
    calls: Vec<Value>,
    grid: Vec<Value>,
}

fn asked() -> Asked {
    let text = fs::read_to_string(golden("empty-cluster.json")).unwrap();
    let mut calls: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut grid = lines("grid.jsonl");
    let is_value = |row: &Value| row.get("key").is_some();
    let (values, odd): (Vec<Value>, Vec<Value>) =
        lines("odd.jsonl").into_iter().partition(is_value);
    calls.extend(odd);
    grid.extend(values);
    Asked { calls, grid }
}

impl Asked {
    /// With this role's own answers in place of the leader's.
    fn of_role(mut self, role: &str) -> Self {
        for own in lines(&format!("role-{role}.jsonl")) {
            let parts: &[&str] = match own.get("key") {
                Some(_) => &["plugin", "key", "config"],
                None => &["method", "path", "headers", "body"],
            };
            let list = match own.get("key") {
                Some(_) => &mut self.grid,
                None => &mut self.calls,
            };
            let same = |call: &Value| parts.iter().all(|part| call[part] == own[part]);
            let asked: Vec<&mut Value> = list.iter_mut().filter(|call| same(call)).collect();
            if asked.is_empty() {
                // Calls of this role alone.
                list.push(own);
                continue;
            }
            for call in asked {
                call.clone_from(&own);
            }
        }
        self
    }

    /// Sends everything to a worker; what it answers otherwise, and what that answer is.
    fn ask(&self, url: &str) -> Vec<(String, Value)> {
        let mut differences = Vec::new();
        for call in self.calls.iter().filter(|call| !is_known_difference(call)) {
            let text = |part: &str| call[part].as_str().unwrap().to_owned();
            let headers = call["headers"].as_object().unwrap().iter();
            let headers: Vec<(&str, &str)> = headers
                .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
                .collect();
            let (method, path) = (text("method"), text("path"));
            let answer = send(url, &method, &path, &headers, call["body"].as_str());
            let said = Said {
                status: answer.status,
                content_type: answer.header("content-type"),
                allow: answer.header("allow"),
                body: &answer.body,
            };
            let found = differ(call, &said);
            if !found.is_empty() {
                let mut own = call.clone();
                own["status"] = answer.status.into();
                own["content_type"] = answer.header("content-type").into();
                own["allow"] = answer.header("allow").into();
                own["answer"] = answer.shown();
                let what = format!("{method} {path} {headers:?} {}", call["body"]);
                differences.push((format!("{what:.300}\n    {}", found.join("\n    ")), own));
            }
        }
        for java in &self.grid {
            let path = format!(
                "/connector-plugins/{}/config/validate",
                java["plugin"].as_str().unwrap()
            );
            let body = java["config"].to_string();
            let headers = [("Content-Type", "application/json")];
            let answer = send(url, "PUT", &path, &headers, Some(&body));
            let found = differ_in_grid(java, answer.status, &answer.body);
            if !found.is_empty() {
                let mut own = json!({"plugin": java["plugin"], "key": java["key"], "config": java["config"], "status": answer.status});
                let infos = answer.shown();
                match answer.status {
                    200 => {
                        let judged = judged(&infos, java["key"].as_str().unwrap());
                        let own = own.as_object_mut().unwrap();
                        own.extend(judged.as_object().unwrap().clone());
                    }
                    _ => own["message"] = infos["message"].clone(),
                }
                differences.push((format!("{body}\n    {}", found.join("\n    ")), own));
            }
        }
        differences
    }
}

fn alike(role: &str, url: &str) {
    let asked = asked().of_role(role);
    let (calls, values) = (asked.calls.len(), asked.grid.len());
    assert!(calls > 800 && values > 650, "{calls} {values}");
    let differences: Vec<String> = asked.ask(url).into_iter().map(|(text, _)| text).collect();
    assert!(
        differences.is_empty(),
        "{} of {} answers of the {role} differ\n{}",
        differences.len(),
        calls + values,
        differences.join("\n")
    );
}

/// Writes down what a Java worker in this role answers otherwise than a leader, and to what else it is asked.
fn record(role: &str, url: &str, more: Vec<Value>) {
    let mut asked = asked();
    asked.grid.extend(more);
    let text: String = asked
        .ask(url)
        .into_iter()
        .map(|(_, own)| format!("{own}\n"))
        .collect();
    fs::write(golden(&format!("role-{role}.jsonl")), text).unwrap();
}

const EXACTLY_ONCE: (&str, &str) = ("exactly.once.source.support", "enabled");

/// What the preflight of exactly-once is about: every source of the class path's, every combination.
fn preflight() -> Vec<Value> {
    let mut all = Vec::new();
    for (plugin, own) in [
        ("FileStreamSource", json!({"topic": "t", "file": "/x"})),
        ("FileStreamSource", json!({"topic": "t"})),
    ] {
        for support in ["requested", "required", "REQUIRED", "nonsense"] {
            for boundary in ["poll", "interval", "connector", "Connector", "nonsense"] {
                for more in [
                    json!({}),
                    json!({"offsets.storage.topic": "own"}),
                    json!({"offsets.storage.topic": " "}),
                    json!({"producer.override.transactional.id": "t", "producer.override.enable.idempotence": "false"}),
                    json!({"admin.override.retries": "x", "consumer.override.isolation.level": "read_uncommitted"}),
                    json!({"transaction.boundary.interval.ms": "0"}),
                ] {
                    let mut config = json!({"connector.class": plugin, "name": "a", "exactly.once.support": support, "transaction.boundary": boundary});
                    for part in [&own, &more] {
                        let config = config.as_object_mut().unwrap();
                        config.extend(part.as_object().unwrap().clone());
                    }
                    all.push(
                        json!({"plugin": plugin, "key": "exactly.once.support", "config": config}),
                    );
                }
            }
        }
    }
    all
}

/// Two workers of one cluster, the leader first.
fn pair(cluster: &Cluster) -> (Worker, Worker) {
    let leader = cluster.joined("leader");
    let follower = cluster.joined("follower");
    (leader, follower)
}

#[test]
fn goldens_of_the_roles_are_recorded() {
    if !recording() {
        return;
    }
    let kafka = own_kafka();
    let cluster = like_the_recorded(&kafka.bootstrap(), &[]);
    {
        let (_leader, follower) = (cluster.java(), cluster.java());
        record("follower", follower.url(), Vec::new());
    }
    let standalone = JavaWorker::start_standalone(&cluster.props, &[]).unwrap();
    record("standalone", standalone.url(), preflight());
    drop((standalone, kafka));
    let kafka = own_kafka();
    let cluster = like_the_recorded(&kafka.bootstrap(), &[EXACTLY_ONCE]);
    let (_leader, follower) = (cluster.java(), cluster.java());
    record("exactly-once-follower", follower.url(), preflight());
}

#[test]
fn a_leader_and_a_follower_answer_as_javas_do() {
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(dir.path());
    let cluster = like_the_recorded(&kafka.bootstrap, &[]);
    let (_leader, follower) = pair(&cluster);
    alike("follower", follower.url());
}

#[test]
fn a_follower_with_exactly_once_sources_answers_as_javas_does() {
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(dir.path());
    let cluster = like_the_recorded(&kafka.bootstrap, &[EXACTLY_ONCE]);
    let (_leader, follower) = pair(&cluster);
    alike("exactly-once-follower", follower.url());
}

#[test]
fn a_standalone_worker_answers_as_javas_does() {
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(dir.path());
    let cluster = like_the_recorded(&kafka.bootstrap, &[]);
    let worker = cluster.standalone("alone");
    alike("standalone", worker.url());
}
