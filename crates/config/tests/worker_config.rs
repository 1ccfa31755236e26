//! Every key of a worker, and what is said of 3,000 values, compared with Apache Kafka 4.3.1
//! (`testing/golden/worker-config`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeMap;

use milena_config::{
    ConfigValue, DistributedConfig, Importance, Props, StandaloneConfig,
    worker::{distributed_def, standalone_def},
};
use serde_json::Value;

fn golden() -> Vec<Value> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../testing/golden/worker-config/java.jsonl"
    );
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn base(mode: &str) -> Props {
    let json = "org.apache.kafka.connect.json.JsonConverter";
    let mut pairs = vec![
        ("bootstrap.servers", "localhost:1"),
        ("key.converter", json),
        ("value.converter", json),
    ];
    if mode == "standalone" {
        pairs.push(("offset.storage.file.filename", "/tmp/offsets"));
    } else {
        pairs.extend([
            ("group.id", "g"),
            ("offset.storage.topic", "o"),
            ("config.storage.topic", "c"),
            ("status.storage.topic", "s"),
        ]);
    }
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// What we say to a worker's file.
fn said(mode: &str, props: &Props) -> Option<String> {
    let said = match mode {
        "standalone" => StandaloneConfig::parse(props).err(),
        _ => DistributedConfig::parse(props).err(),
    };
    said.map(|error| error.message)
}

fn importance(importance: Importance) -> &'static str {
    match importance {
        Importance::High => "HIGH",
        Importance::Medium => "MEDIUM",
        Importance::Low => "LOW",
    }
}

#[test]
fn every_key_has_javas_type_default_and_importance() {
    let mut ours = BTreeMap::new();
    for (mode, def) in [
        ("distributed", distributed_def()),
        ("standalone", standalone_def()),
    ] {
        for key in def.keys() {
            let default = match &key.default {
                None | Some(ConfigValue::Null) => None,
                Some(ConfigValue::List(items)) => Some(items.join(",")),
                Some(value) => Some(value.to_message()),
            };
            let required = key.default.is_none();
            let shown = (
                format!("{:?}", key.kind).to_uppercase(),
                required,
                default,
                importance(key.importance).to_owned(),
            );
            ours.insert((mode.to_owned(), key.name.clone()), shown);
        }
    }
    let mut differences = Vec::new();
    for line in golden().iter().filter(|line| line.get("key").is_some()) {
        let text = |name: &str| line[name].as_str().map(ToOwned::to_owned);
        let name = (text("mode").unwrap(), text("key").unwrap());
        let java = (
            text("type").unwrap(),
            line["required"] == true,
            text("default"),
            text("importance").unwrap(),
        );
        match ours.remove(&name) {
            Some(ours) if ours == java => {}
            // With us a worker on this machine needs no address.
            _ if name.1 == "bootstrap.servers" => {}
            ours => differences.push(format!("{name:?}: Java {java:?}, ours {ours:?}")),
        }
    }
    differences.extend(ours.keys().map(|name| format!("{name:?}: not in Java")));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Classes are known where the plugins are (`milena`); `bootstrap.servers` has a default with us. Java looks at these only when the REST server starts, in the same start-up; we say the same at once.
const LATER_IN_JAVA: [&str; 3] = ["listeners", "admin.listeners", "rest.advertised.listener"];

/// The algorithms that a JVM lists are its own affair.
fn same_everywhere(text: &str) -> String {
    let cut = "the supported algorithms are: ";
    match text.split_once(cut) {
        Some((before, _)) => format!("{before}{cut}"),
        None => text.to_owned(),
    }
}

#[test]
fn values_are_refused_in_javas_words() {
    let mut differences = Vec::new();
    let mut compared = 0;
    for line in golden().iter().filter(|line| line.get("set").is_some()) {
        let (mode, key) = (
            line["mode"].as_str().unwrap(),
            line["set"].as_str().unwrap(),
        );
        let mut props = base(mode);
        match line["to"].as_str() {
            Some(value) => props.insert(key.to_owned(), value.to_owned()),
            None => props.remove(key),
        };
        let (java, ours) = (
            line["says"].as_str().map(same_everywhere),
            said(mode, &props),
        );
        let ours = ours.as_deref().map(same_everywhere);
        let known_elsewhere = java
            .as_deref()
            .is_some_and(|text| text.ends_with(" could not be found."));
        let later = java.is_none() && LATER_IN_JAVA.contains(&key);
        if known_elsewhere || later || (key, line["to"].as_str()) == ("bootstrap.servers", None) {
            continue;
        }
        compared += 1;
        if java != ours {
            differences.push(format!(
                "{mode} {key}={}: Java {java:?}, ours {ours:?}",
                line["to"]
            ));
        }
    }
    assert!(compared > 2500, "{compared}");
    assert!(
        differences.is_empty(),
        "{} of {compared}:\n{}",
        differences.len(),
        differences.join("\n")
    );
}
