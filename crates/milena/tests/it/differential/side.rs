//! A worker, Java's or ours, with the connectors of all cases.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use milena_testing_kafka::JavaWorker;
use serde_json::{Value, json};

use crate::{
    cluster::world::{eventually, rest},
    differential::{
        Case,
        seen::{Seen, neutral, topics, without_frames},
    },
    process::Milena,
};

/// The sides' names, in the names of connectors, topics and files.
pub(super) const JAVA: &str = "javaside";
pub(super) const OURS: &str = "oursside";

/// How long all connectors of a side may take.
const PATIENCE: Duration = Duration::from_secs(180);

enum Process {
    Java(JavaWorker),
    Ours(Milena),
}

pub(super) struct Side {
    name: &'static str,
    bootstrap: String,
    dir: PathBuf,
    url: String,
    process: Process,
}

impl Side {
    pub(super) fn start(name: &'static str, bootstrap: &str, dir: &Path) -> Self {
        let json = "org.apache.kafka.connect.json.JsonConverter";
        let at = |file: &str| dir.join(file).to_str().unwrap().to_owned();
        let mut props: BTreeMap<String, String> = [
            ("bootstrap.servers", bootstrap),
            ("key.converter", json),
            ("value.converter", json),
            (
                "offset.storage.file.filename",
                &at(&format!("{name}.offsets")),
            ),
            ("offset.flush.interval.ms", "500"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        let (url, process) = if name == JAVA {
            let worker = JavaWorker::start_standalone(&props, &[]).unwrap();
            (worker.url().to_owned(), Process::Java(worker))
        } else {
            props.insert("listeners".to_owned(), "http://127.0.0.1:0".to_owned());
            let text: String = props.iter().map(|(k, v)| format!("{k}={v}\n")).collect();
            fs::write(at("ours.properties"), text).unwrap();
            let mut worker = Milena::start(&["standalone", &at("ours.properties")]);
            let url = format!("http://127.0.0.1:{}", worker.rest_port());
            (url, Process::Ours(worker))
        };
        eventually("the worker serves", || {
            let answer = rest("GET", &format!("{url}/connectors"), None)?;
            (answer.0 == 200).then_some(())
        });
        Self {
            name,
            bootstrap: bootstrap.to_owned(),
            dir: dir.to_owned(),
            url,
            process,
        }
    }

    fn file(&self, case: &str) -> PathBuf {
        self.dir.join(format!("{}-{case}.out", self.name))
    }

    fn connector(&self, case: &Case) -> Value {
        let name = format!("{}-{}", self.name, case.name);
        let mut config = case.config.clone();
        config
            .values_mut()
            .for_each(|v| *v = v.replace("{side}", self.name));
        let is_sink = config.contains_key("topics");
        if is_sink {
            let file = self.file(case.name).to_str().unwrap().to_owned();
            config.insert("file".to_owned(), file);
            if let Some(dead) = config.get_mut("errors.deadletterqueue.topic.name") {
                *dead = format!("{name}-dlq");
                let factor = "errors.deadletterqueue.topic.replication.factor";
                config
                    .entry(factor.to_owned())
                    .or_insert_with(|| "1".to_owned());
            }
        } else {
            config.insert("topic".to_owned(), name.clone());
        }
        json!({"name": name, "config": config})
    }

    /// Runs all cases at the same time; what was seen of each.
    pub(super) fn run(self, cases: &[Case]) -> BTreeMap<&'static str, Seen> {
        let begun = Instant::now();
        let mut seen: BTreeMap<&'static str, Seen> = BTreeMap::new();
        let mut waiting = BTreeSet::new();
        for case in cases {
            let connector = self.connector(case);
            let (status, body) = rest(
                "POST",
                &format!("{}/connectors", self.url),
                Some(&connector),
            )
            .unwrap();
            let of = seen.entry(case.name).or_default();
            if status == 201 {
                waiting.insert(case.name);
            } else {
                of.insert("state".to_owned(), format!("FAILED to create: {status}"));
                of.insert("refused".to_owned(), neutral(&body.to_string()));
            }
        }
        let created = begun.elapsed();
        while !waiting.is_empty() {
            let statuses = rest(
                "GET",
                &format!("{}/connectors?expand=status", self.url),
                None,
            );
            let statuses = statuses.unwrap().1;
            let now = waiting.clone();
            for case in cases.iter().filter(|case| now.contains(case.name)) {
                let status = &statuses[format!("{}-{}", self.name, case.name)]["status"];
                if let Some(done) = self.done(case, status) {
                    seen.entry(case.name).or_default().extend(done);
                    waiting.remove(case.name);
                }
            }
            assert!(begun.elapsed() < PATIENCE, "{}", self.never(&waiting));
        }
        eprintln!(
            "{}: created in {created:?}, done in {:?}",
            self.name,
            begun.elapsed()
        );
        self.records(cases, &mut seen);
        eprintln!("{}: read in {:?}", self.name, begun.elapsed());
        self.logged(cases, &mut seen);
        seen
    }

    /// What became of those that are not done.
    fn never(&self, waiting: &BTreeSet<&str>) -> String {
        let mut text = format!("{}: never done:", self.name);
        for case in waiting {
            let of = format!("{}/connectors/{}-{case}", self.url, self.name);
            for what in ["status", "offsets"] {
                let answer = rest("GET", &format!("{of}/{what}"), None);
                let answer = answer.map(|(_, body)| body.to_string());
                text += &format!("\n{case} {}", answer.unwrap_or_default());
            }
        }
        text
    }

    /// State and offsets, when it failed or has done all there is.
    fn done(&self, case: &Case, status: &Value) -> Option<Seen> {
        let states = [&status["connector"], &status["tasks"][0]];
        let failed = states.iter().any(|of| of["state"] == "FAILED");
        if !failed && states.iter().any(|of| of["state"] != "RUNNING") {
            return None;
        }
        let url = format!(
            "{}/connectors/{}-{}/offsets",
            self.url, self.name, case.name
        );
        let (_, offsets) = rest("GET", &url, None)?;
        let at = offsets["offsets"][0]["offset"].as_object();
        let at = at.and_then(|at| at.values().next()?.as_i64());
        let end = match self.process {
            Process::Java(_) => case.java_end,
            Process::Ours(_) => case.end,
        };
        if !failed && at != Some(end) {
            return None;
        }
        let mut seen = Seen::new();
        let text = |of: &Value| {
            let trace = without_frames(of["trace"].as_str().unwrap_or_default());
            format!("{} {trace}", of["state"])
        };
        let state = neutral(&states.map(text).join("; "));
        seen.insert("state".to_owned(), state);
        // What a failing source commits depends on which answers had come.
        let is_sure = !failed || case.config.contains_key("topics");
        if is_sure && case.end == case.java_end {
            seen.insert("offsets".to_owned(), neutral(&offsets.to_string()));
        }
        Some(seen)
    }

    fn records(&self, cases: &[Case], seen: &mut BTreeMap<&'static str, Seen>) {
        let mut topics = topics(&self.bootstrap, self.name);
        // The longest names first: a case's name may begin another's.
        let mut names: Vec<&'static str> = cases.iter().map(|case| case.name).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        for name in names {
            let of = seen.entry(name).or_default();
            let own = format!("{}-{name}", self.name);
            for (topic, records) in topics.extract_if(.., |topic, _| topic.starts_with(&own)) {
                of.insert(format!("topic {}", neutral(&topic)), String::new());
                for (n, record) in records.into_iter().enumerate() {
                    of.insert(format!("record {n} of {}", neutral(&topic)), record);
                }
            }
            if let Ok(bytes) = fs::read(self.file(name)) {
                let text = String::from_utf8_lossy(&bytes);
                of.insert("file".to_owned(), neutral(&text));
            }
        }
    }

    /// The lines of the log on failed records.
    fn logged(self, cases: &[Case], seen: &mut BTreeMap<&'static str, Seen>) {
        let log = match self.process {
            Process::Java(worker) => {
                let file = "org.apache.kafka.connect.cli.ConnectStandalone.log";
                fs::read_to_string(worker.folder().join(file)).unwrap()
            }
            Process::Ours(worker) => worker.output_at_end().0,
        };
        for case in cases.iter().filter(|case| case.logs) {
            let begin = format!("Error encountered in task {}-{}-0.", self.name, case.name);
            let lines: Vec<&str> = log
                .lines()
                .filter_map(|line| line.get(line.find(&begin)?..))
                .map(|line| line.split(" connector=").next().unwrap_or(line))
                .collect();
            let of = seen.entry(case.name).or_default();
            let mut text = neutral(&lines.join("\n"));
            if !case.config.contains_key("topics") {
                text = without_time(&text);
            }
            of.insert("log".to_owned(), text);
        }
    }
}

/// A source's record without the time at which it was made.
fn without_time(text: &str) -> String {
    let mut parts = text.split(", timestamp=");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        whole += ", timestamp=";
        whole += part.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    whole
}
