//! The lives of connectors, call by call, through a follower and on a standalone worker: `life-<role>.jsonl` is what the
//! Java worker answered in that role.
//!
//! A step may wait first: for a status, for offsets, for topics. Then its one answer is compared, field by field.

use std::{
    fs,
    time::{Duration, Instant},
};

use milena_testing_kafka::JavaWorker;
use serde_json::{Value, json};

use super::{
    compare::same_message,
    odd,
    roles::{golden, like_the_recorded, recording},
    wire::{Answer, send},
};
use crate::{
    clients::Embedded,
    cluster::world::{Cluster, PATIENCE, own_kafka, until},
};

/// What a step waits for before it is taken.
#[derive(Debug)]
pub(super) enum First {
    Nothing,
    /// This connector is shown with this state and these states of its tasks.
    State(&'static str, &'static str, &'static [&'static str]),
    /// Its offsets are these.
    Offsets(&'static str, Value),
    /// It has used a topic.
    Topic(&'static str),
    /// This path is answered with 200.
    Known(String),
    /// This path is answered with 404.
    Unknown(String),
}

struct Step {
    first: First,
    method: &'static str,
    path: String,
    body: Option<Value>,
}

/// A list of steps in the making.
#[derive(Default)]
pub(super) struct Steps(Vec<Step>);

impl Steps {
    pub(super) fn when(
        &mut self,
        first: First,
        method: &'static str,
        path: &str,
        body: Option<Value>,
    ) {
        let path = path.to_owned();
        self.0.push(Step {
            first,
            method,
            path,
            body,
        });
    }

    pub(super) fn call(&mut self, method: &'static str, path: &str, body: Option<Value>) {
        self.when(First::Nothing, method, path, body);
    }

    pub(super) fn get(&mut self, path: &str) {
        self.call("GET", path, None);
    }

    /// Its status, once it is this.
    fn status(&mut self, name: &'static str, state: &'static str, tasks: &'static [&'static str]) {
        let first = First::State(name, state, tasks);
        self.when(first, "GET", &format!("/connectors/{name}/status"), None);
    }

    pub(super) fn offsets(&mut self, name: &'static str, offsets: Value) {
        let first = First::Offsets(name, offsets);
        self.when(first, "GET", &format!("/connectors/{name}/offsets"), None);
    }
}

/// `DIR` stands for the folder of the run.
fn steps(role: &str) -> Vec<Step> {
    let mut s = Steps::default();
    let source =
        json!({"connector.class": "FileStreamSource", "file": "DIR/in.txt", "topic": "lines"});
    let with = |base: &Value, more: Value| {
        let mut config = base.clone();
        let fields = config.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        config
    };
    let read = |position: u64| json!([{"partition": {"filename": "DIR/in.txt"}, "offset": {"position": position}}]);
    let edit = |offsets: Value| Some(json!({"offsets": offsets}));
    const RUNS: &[&str] = &["RUNNING"];

    // Created, read in every way, refused a second time.
    s.call(
        "POST",
        "/connectors",
        Some(json!({"name": "src", "config": source})),
    );
    s.status("src", "RUNNING", RUNS);
    for path in [
        "",
        "/config",
        "/tasks",
        "/tasks/0/status",
        "/tasks/7/status",
    ] {
        s.get(&format!("/connectors/src{path}"));
    }
    s.call(
        "POST",
        "/connectors",
        Some(json!({"name": "src", "config": source})),
    );
    s.call(
        "POST",
        "/connectors",
        Some(json!({"name": "src", "config": {"connector.class": "FileStreamSource"}})),
    );
    for path in [
        "",
        "/",
        "?expand=info&expand=status",
        "?expand=status&expand=info",
        "?expand=status",
    ] {
        s.get(&format!("/connectors{path}"));
    }
    s.when(First::Topic("src"), "GET", "/connectors/src/topics", None);
    s.offsets("src", read(4));
    // Offsets of what is not stopped.
    s.call("PATCH", "/connectors/src/offsets", edit(read(0)));
    s.call("DELETE", "/connectors/src/offsets", None);
    // Paused and resumed, restarted in every way.
    s.call("PUT", "/connectors/src/pause", None);
    s.status("src", "PAUSED", &["PAUSED"]);
    s.call("PUT", "/connectors/src/resume", None);
    s.status("src", "RUNNING", RUNS);
    s.call("POST", "/connectors/src/restart", None);
    s.status("src", "RUNNING", RUNS);
    s.call("POST", "/connectors/src/restart?onlyFailed=true", None);
    s.call(
        "POST",
        "/connectors/src/restart?includeTasks=true&onlyFailed=true",
        None,
    );
    s.when(
        First::State("src", "RUNNING", RUNS),
        "POST",
        "/connectors/src/tasks/0/restart",
        None,
    );
    s.status("src", "RUNNING", RUNS);
    if role == "follower" {
        // A standalone worker of Java's makes up the tasks that it is told to restart, and never forgets them.
        s.call("POST", "/connectors/src/tasks/9/restart", None);
        s.call("POST", "/connectors/src/tasks/-1/restart", None);
    }
    // Stopped: its offsets are read, edited badly and well, and forgotten.
    s.call("PUT", "/connectors/src/stop", None);
    s.status("src", "STOPPED", &[]);
    for path in ["", "/tasks", "/offsets", "/config"] {
        s.get(&format!("/connectors/src{path}"));
    }
    for offsets in [
        json!([{"partition": {"filename": "x"}, "offset": {}}]),
        json!([{"partition": {"filename": "x"}, "offset": {"position": "1"}}]),
        json!([{"partition": {"filename": "x"}, "offset": {"position": -1}}]),
        json!([{"partition": {"a": 1}, "offset": {"position": 1}}]),
        json!([{"partition": null, "offset": {"position": 1}}]),
        json!([{"partition": {"filename": {"a": 1}}, "offset": {"position": 1}}]),
        json!([null]),
        json!([]),
        json!([{"partition": {"filename": "DIR/in.txt"}, "offset": {"position": 2}}]),
    ] {
        s.call("PATCH", "/connectors/src/offsets", edit(offsets));
    }
    s.offsets("src", read(2));
    s.call(
        "PATCH",
        "/connectors/src/offsets",
        edit(json!([{"partition": {"filename": "DIR/in.txt"}, "offset": null}])),
    );
    s.offsets("src", json!([]));
    s.call("DELETE", "/connectors/src/offsets", None);
    s.call("POST", "/connectors/src/restart", None);
    s.call("POST", "/connectors/src/restart?includeTasks=true", None);
    s.call("POST", "/connectors/src/tasks/0/restart", None);
    // Configured anew while it is stopped; patched well and badly.
    s.call(
        "PUT",
        "/connectors/src/config",
        Some(with(&source, json!({"tasks.max": "2"}))),
    );
    s.call(
        "PUT",
        "/connectors/src/config",
        Some(json!({"connector.class": "FileStreamSource"})),
    );
    s.call(
        "PUT",
        "/connectors/src/config",
        Some(with(&source, json!({"name": "other"}))),
    );
    s.call(
        "PATCH",
        "/connectors/src/config",
        Some(json!({"batch.size": "10", "tasks.max": null})),
    );
    for key in ["topic", "connector.class", "name"] {
        s.call("PATCH", "/connectors/src/config", Some(json!({key: null})));
    }
    s.call("PUT", "/connectors/src/resume", None);
    s.status("src", "RUNNING", RUNS);
    s.offsets("src", read(4));
    s.call("PUT", "/connectors/src/topics/reset", None);
    // Created stopped and paused.
    for (name, state) in [("st", "stopped"), ("pa", "PAUSED")] {
        let config = with(
            &source,
            json!({"file": format!("DIR/{name}.txt"), "topic": "other"}),
        );
        s.call(
            "POST",
            "/connectors",
            Some(json!({"name": name, "config": config, "initial_state": state})),
        );
    }
    s.status("st", "STOPPED", &[]);
    s.status("pa", "PAUSED", &[]);
    s.call("PUT", "/connectors/st/pause", None);
    s.status("st", "PAUSED", &[]);
    // A sink: its group's offsets.
    let sink =
        json!({"connector.class": "FileStreamSink", "topics": "lines", "file": "DIR/out.txt"});
    let at = |offset: u64| json!([{"partition": {"kafka_topic": "lines", "kafka_partition": 0}, "offset": {"kafka_offset": offset}}]);
    s.call("PUT", "/connectors/snk/config", Some(sink));
    s.status("snk", "RUNNING", RUNS);
    // The source has read its file twice.
    s.offsets("snk", at(4));
    s.when(First::Topic("snk"), "GET", "/connectors/snk/topics", None);
    s.call("PATCH", "/connectors/snk/offsets", edit(at(0)));
    s.call("PUT", "/connectors/snk/stop", None);
    s.status("snk", "STOPPED", &[]);
    for offsets in [
        json!([{"partition": null, "offset": null}]),
        json!([{"partition": {"kafka_topic": "x"}, "offset": null}]),
        json!([{"partition": {"kafka_topic": null, "kafka_partition": 0}, "offset": null}]),
        json!([{"partition": {"kafka_topic": "x", "kafka_partition": "q"}, "offset": null}]),
        json!([{"partition": {"kafka_topic": "x", "kafka_partition": 0}, "offset": {}}]),
        json!([{"partition": {"kafka_topic": "x", "kafka_partition": 0}, "offset": {"kafka_offset": "q"}}]),
        at(1),
    ] {
        s.call("PATCH", "/connectors/snk/offsets", edit(offsets));
    }
    s.offsets("snk", at(1));
    s.call("DELETE", "/connectors/snk/offsets", None);
    s.offsets("snk", json!([]));
    // One that fails.
    let broken =
        json!({"connector.class": "FileStreamSink", "topics": "lines", "file": "DIR/nowhere/x"});
    s.call(
        "POST",
        "/connectors",
        Some(json!({"name": "bad", "config": broken})),
    );
    s.status("bad", "RUNNING", &["FAILED"]);
    s.get("/connectors/bad/tasks/0/status");
    s.call(
        "POST",
        "/connectors",
        Some(json!({"name": "n", "config": {"connector.class": "Nope"}})),
    );
    odd::add(&mut s);
    // The end.
    for name in ["src", "st", "pa", "snk", "bad", "src"] {
        s.call("DELETE", &format!("/connectors/{name}"), None);
    }
    s.get("/connectors");
    s.get("/connectors/src");
    s.0
}

fn is_status(status: &Value, state: &str, tasks: &[&str]) -> bool {
    let of = status["tasks"].as_array().into_iter().flatten();
    let of: Vec<&str> = of.filter_map(|task| task["state"].as_str()).collect();
    status["connector"]["state"] == state && of == tasks
}

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

struct Life<'a> {
    url: &'a str,
    dir: &'a str,
}

impl Life<'_> {
    fn get(&self, path: &str) -> (u16, Value) {
        let answer = send(self.url, "GET", path, &[], None);
        (
            answer.status,
            serde_json::from_str(&self.told(&answer.body)).unwrap_or_default(),
        )
    }

    /// A text without what is this run's own.
    fn told(&self, text: &str) -> String {
        text.replace(self.dir, "DIR").replace(self.url, "URL")
    }

    /// Waits for what a step needs. A status that was waited for is the step's answer: the next look may see
    /// another.
    fn wait(&self, first: &First) {
        let mut last = Value::Null;
        let deadline = Instant::now() + PATIENCE;
        while !self.holds(first, &mut last) {
            assert!(Instant::now() < deadline, "never {first:?}: {last}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    fn holds(&self, first: &First, last: &mut Value) -> bool {
        let mut get = |path: &str| {
            last.clone_from(&self.get(path).1);
            last.clone()
        };
        match first {
            First::Nothing => true,
            First::State(name, state, tasks) => {
                is_status(&get(&format!("/connectors/{name}/status")), state, tasks)
            }
            First::Offsets(name, offsets) => {
                get(&format!("/connectors/{name}/offsets"))["offsets"] == *offsets
            }
            First::Topic(name) => {
                let topics = get(&format!("/connectors/{name}/topics"));
                topics[name]["topics"] != json!([])
            }
            First::Known(path) => self.get(path).0 == 200,
            First::Unknown(path) => self.get(path).0 == 404,
        }
    }

    /// Takes a step; an answer that says "not now" is no answer.
    fn take(&self, step: &Step) -> Value {
        self.wait(&step.first);
        let body = step
            .body
            .as_ref()
            .map(|body| body.to_string().replace("DIR", self.dir));
        let headers: &[(&str, &str)] = if body.is_some() { &JSON } else { &[] };
        let mut answer: Option<Answer> = None;
        let what = format!("an answer to {} {}", step.method, step.path);
        until(&what, || {
            let now = send(self.url, step.method, &step.path, headers, body.as_deref());
            let again = [
                "rebalance is expected",
                "stale configuration",
                "tasks haven't stopped completely",
            ];
            let mut waits = now.status >= 409 && again.iter().any(|text| now.body.contains(text));
            if let (First::State(_, state, tasks), "GET") = (&step.first, step.method) {
                waits |= !is_status(&now.shown(), state, tasks);
            }
            answer = Some(now);
            !waits
        });
        let answer = answer.unwrap();
        let mut shown = answer.shown();
        mask(&mut shown);
        let shown: Value = serde_json::from_str(&self.told(&shown.to_string())).unwrap();
        json!({
            "method": step.method, "path": step.path, "body": step.body,
            "status": answer.status, "content_type": answer.header("content-type"),
            "location": answer.header("location").map(|text| self.told(text)), "answer": shown,
        })
    }
}

/// Who runs something is by chance; of a trace the first line is the same everywhere.
fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // A plan is answered with the status from before or after its owner has noted it, which has no version.
            if fields
                .get("state")
                .is_some_and(|state| state == "RESTARTING")
            {
                fields.remove("version");
            }
            for (name, value) in fields {
                match (name.as_str(), &*value) {
                    ("worker_id", _) => *value = "WORKER".into(),
                    ("trace", Value::String(text)) => {
                        let line = text.lines().next().unwrap_or_default().to_owned();
                        *value = line.into();
                    }
                    _ => mask(value),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(mask),
        _ => {}
    }
}

fn live(role: &str, cluster: &Cluster, url: &str) -> Vec<Value> {
    for name in ["in.txt", "st.txt", "pa.txt"] {
        fs::write(cluster.at(name), "a\nb\n").unwrap();
    }
    let dir = cluster.dir.path().to_str().unwrap();
    let life = Life { url, dir };
    steps(role).iter().map(|step| life.take(step)).collect()
}

#[test]
fn goldens_of_lives_are_recorded() {
    if !recording() {
        return;
    }
    let write = |role: &str, lines: Vec<Value>| {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(golden(&format!("life-{role}.jsonl")), text).unwrap();
    };
    let kafka = own_kafka();
    let cluster = like_the_recorded(&kafka.bootstrap(), &[]);
    let (_leader, follower) = (cluster.java(), cluster.java());
    write("follower", live("follower", &cluster, follower.url()));
    drop((_leader, follower, kafka));
    let kafka = own_kafka();
    let cluster = like_the_recorded(&kafka.bootstrap(), &[]);
    let worker = JavaWorker::start_standalone(&cluster.props, &[]).unwrap();
    write("standalone", live("standalone", &cluster, worker.url()));
}

/// A standalone worker of Java's fails at nulls that a distributed one takes; a row of COMPATIBILITY.md.
fn is_known_difference(java: &Value) -> bool {
    let text = java["answer"]["message"].as_str().unwrap_or_default();
    text.starts_with("Non-string value found in original settings for key")
}

fn same(ours: &Value, java: &Value) -> bool {
    let but_answer = |value: &Value| {
        let mut value = value.clone();
        value["answer"] = Value::Null;
        value
    };
    but_answer(ours) == but_answer(java) && same_message(&ours["answer"], &java["answer"])
}

fn alike(role: &str, ours: &[Value]) {
    let text = fs::read_to_string(golden(&format!("life-{role}.jsonl"))).unwrap();
    let java: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(ours.len(), java.len());
    let differences: Vec<String> = ours
        .iter()
        .zip(&java)
        .filter(|(ours, java)| !is_known_difference(java) && !same(ours, java))
        .map(|(ours, java)| format!("ours {ours}\njava {java}\n"))
        .collect();
    assert!(
        differences.is_empty(),
        "{} of {} answers differ\n{}",
        differences.len(),
        java.len(),
        differences.join("\n")
    );
}

#[test]
fn lives_through_a_follower_are_as_javas() {
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(dir.path());
    let cluster = like_the_recorded(&kafka.bootstrap, &[]);
    let (_leader, follower) = (cluster.joined("leader"), cluster.joined("follower"));
    alike("follower", &live("follower", &cluster, follower.url()));
}

#[test]
fn lives_on_a_standalone_worker_are_as_javas() {
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(dir.path());
    let cluster = like_the_recorded(&kafka.bootstrap, &[]);
    let worker = cluster.standalone("alone");
    alike("standalone", &live("standalone", &cluster, worker.url()));
}
