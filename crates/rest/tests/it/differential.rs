//! Every recorded call against the Java worker, answered alike (`testing/golden/rest`).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::{self, Answer, Options};

const GOLDEN: &str = include_str!("../../../../testing/golden/rest/empty-cluster.json");

/// What differs on purpose, by method, path and what is special about it: rows of COMPATIBILITY.md.
fn is_known_difference(call: &Value) -> bool {
    let body = call["body"].as_str().unwrap_or_default();
    // The second time, Java stumbles over a null of its own.
    body.contains("\"connector.plugin.version\": \"9.9\"")
}

#[tokio::test]
async fn an_empty_cluster_answers_as_the_java_worker_does() {
    let server = world::start(Options::default()).await;
    let calls: Vec<Value> = serde_json::from_str(GOLDEN).unwrap();
    let mut differences = Vec::new();
    let mut compared = 0;
    for call in calls.iter().filter(|call| !is_known_difference(call)) {
        let headers = call["headers"].as_object().unwrap();
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str().unwrap()))
            .collect();
        let (method, path) = (
            call["method"].as_str().unwrap(),
            call["path"].as_str().unwrap(),
        );
        let answer = world::send(
            server.addresses()[0],
            method,
            path,
            &headers,
            call["body"].as_str(),
        )
        .await;
        compared += 1;
        for difference in differ(call, &answer) {
            let body: String = call["body"]
                .as_str()
                .unwrap_or_default()
                .chars()
                .take(300)
                .collect();
            differences.push(format!(
                "{method} {path} {headers:?} {body}\n    {difference}"
            ));
        }
    }
    assert!(compared > 250, "{compared}");
    assert!(
        differences.is_empty(),
        "{} differences\n{}",
        differences.len(),
        differences.join("\n")
    );
}

fn differ(call: &Value, answer: &Answer) -> Vec<String> {
    let mut found = Vec::new();
    let expected = &call["answer"];
    if call["status"] != answer.status {
        found.push(format!(
            "status {} for {}: {} for {expected}",
            answer.status, call["status"], answer.body
        ));
        return found;
    }
    if call["content_type"].as_str() != answer.header("content-type") {
        found.push(format!(
            "content type {:?} for {}",
            answer.header("content-type"),
            call["content_type"]
        ));
    }
    let methods = |text: Option<&str>| -> BTreeSet<String> {
        text.unwrap_or_default()
            .split(',')
            .map(|one| one.trim().to_owned())
            .collect()
    };
    if methods(call["allow"].as_str()) != methods(answer.header("allow")) {
        found.push(format!(
            "allow {:?} for {}",
            answer.header("allow"),
            call["allow"]
        ));
    }
    if call["method"] == "HEAD" {
        return found;
    }
    let Ok(mut ours) = serde_json::from_str::<Value>(&answer.body) else {
        let is_html = |text: &str| text.starts_with("<html>");
        let theirs = expected.as_str().unwrap_or("JSON");
        let options =
            call["method"] == "OPTIONS" && methods(Some(&answer.body)) == methods(Some(theirs));
        if answer.body != theirs && !options && !(is_html(&answer.body) && is_html(theirs)) {
            found.push(format!("body {:?} for {expected}", answer.body));
        }
        return found;
    };
    if let Some(configs) = expected["configs"].as_array() {
        let mut expected = expected.clone();
        for groups in [&mut ours["groups"], &mut expected["groups"]] {
            // Those of converters come in Java's hash order.
            groups.as_array_mut().unwrap().sort_by_key(Value::to_string);
        }
        for part in ["name", "error_count", "groups"] {
            if ours[part] != expected[part] {
                found.push(format!("{part} {} for {}", ours[part], expected[part]));
            }
        }
        found.extend(differ_in_keys(ours["configs"].as_array().unwrap(), configs));
    } else if let (Some(mine), Some(theirs)) = (ours.as_array_mut(), expected.as_array()) {
        mine.iter_mut().for_each(forget_sentences);
        if mine != theirs {
            found.push(format!("{} for {}", Value::Array(mine.clone()), expected));
        }
    } else if !same_message(&ours, expected) {
        found.push(format!("{ours} for {expected}"));
    }
    found
}

/// Positions in malformed bodies, the list of connectors of the class path and the order of Java's hash maps differ.
fn same_message(ours: &Value, expected: &Value) -> bool {
    let (Some(mine), Some(theirs)) = (ours["message"].as_str(), expected["message"].as_str())
    else {
        return ours == expected;
    };
    let stem = |text: &str| {
        let text = text.split("\n at [Source").next().unwrap_or_default();
        // From the second time on, the failure is remembered and wrapped.
        let text = text.replace(
            "BadRequestException: org.apache.kafka.connect.errors.ConnectException: ",
            "BadRequestException: ",
        );
        text.split("available connectors are:")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let sorted = |text: &str| {
        let mut characters: Vec<char> = stem(text).chars().collect();
        characters.sort_unstable();
        characters
    };
    ours["error_code"] == expected["error_code"]
        && (stem(mine) == stem(theirs)
            || (mine.contains("no connector type") && sorted(mine) == sorted(theirs)))
}

fn forget_sentences(definition: &mut Value) {
    if let Some(fields) = definition.as_object_mut() {
        fields.remove("documentation");
    }
}

fn differ_in_keys(ours: &[Value], theirs: &[Value]) -> Vec<String> {
    let name = |config: &Value| {
        let part = if config["definition"].is_null() {
            &config["value"]
        } else {
            &config["definition"]
        };
        part["name"].as_str().unwrap().to_owned()
    };
    let mut found = Vec::new();
    // Values without definition and the keys of converters and clients come in Java's hash order.
    let ordered = |configs: &[Value]| -> Vec<String> {
        let fixed = |config: &&Value| {
            let name = name(config);
            !config["definition"].is_null()
                && !name.contains(".override.")
                && (!name.contains(".converter.") || name.ends_with(".plugin.version"))
        };
        configs.iter().filter(fixed).map(name).collect()
    };
    let (mine, wanted) = (ordered(ours), ordered(theirs));
    if mine != wanted {
        found.push(format!("order {mine:?} for {wanted:?}"));
    }
    let all = |configs: &[Value]| configs.iter().map(name).collect::<BTreeSet<_>>();
    let (mine, wanted) = (all(ours), all(theirs));
    if mine != wanted {
        found.push(format!(
            "keys: too many {:?}, missing {:?}",
            mine.difference(&wanted).collect::<Vec<_>>(),
            wanted.difference(&mine).collect::<Vec<_>>()
        ));
    }
    for config in ours {
        let same = |other: &&Value| {
            name(other) == name(config)
                && other["definition"].is_null() == config["definition"].is_null()
        };
        let Some(other) = theirs.iter().find(same) else {
            continue;
        };
        let mut definition = config["definition"].clone();
        forget_sentences(&mut definition);
        if definition != other["definition"] {
            found.push(format!(
                "definition {definition} for {}",
                other["definition"]
            ));
        }
        let (mut mine, mut wanted) = (config["value"].clone(), other["value"].clone());
        let recommended = |value: &Value| -> BTreeSet<String> {
            value["recommended_values"]
                .as_array()
                .into_iter()
                .flatten()
                .map(Value::to_string)
                .collect()
        };
        if recommended(&mine).is_subset(&recommended(&wanted)) {
            for value in [&mut mine, &mut wanted] {
                if let Some(fields) = value.as_object_mut() {
                    fields.remove("recommended_values");
                }
            }
        }
        if mine != wanted {
            found.push(format!("value {mine} for {wanted}"));
        }
    }
    found
}

const GRID: &str = include_str!("../../../../testing/golden/rest/grid.jsonl");

/// Values of the framework's keys, good and bad, sent to a follower: validation is never forwarded.
#[tokio::test]
async fn values_of_the_frameworks_keys_are_judged_as_the_java_worker_judges_them() {
    let server = world::start(Options::default()).await;
    let (mut differences, mut compared) = (Vec::new(), 0);
    for line in GRID.lines() {
        let java: Value = serde_json::from_str(line).unwrap();
        if java["key"] == "header.converter" && java["config"]["header.converter"] == " " {
            // Java shows the blank in its message, as it was given; we show none.
            continue;
        }
        let path = format!(
            "/connector-plugins/{}/config/validate",
            java["plugin"].as_str().unwrap()
        );
        let body = java["config"].to_string();
        let headers = [("Content-Type", "application/json")];
        let answer = world::send(server.addresses()[0], "PUT", &path, &headers, Some(&body)).await;
        compared += 1;
        let ours = answer.json();
        let mut said = |what: &str, ours: &Value, java: &Value| {
            if ours != java {
                differences.push(format!("{body}\n    {what}: {ours} for {java}"));
            }
        };
        said("status", &answer.status.into(), &java["status"]);
        if answer.status != 200 {
            said("message", &ours["message"], &java["message"]);
            continue;
        }
        let values: Vec<&Value> = ours["configs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["value"])
            .collect();
        let errors: serde_json::Map<String, Value> = values
            .iter()
            .filter(|one| {
                one["errors"]
                    .as_array()
                    .is_some_and(|errors| !errors.is_empty())
            })
            .map(|one| {
                (
                    one["name"].as_str().unwrap().to_owned(),
                    one["errors"].clone(),
                )
            })
            .collect();
        let own = values.iter().find(|one| one["name"] == java["key"]);
        let shown = |name: &str| own.map_or(Value::Null, |one| one[name].clone());
        said("error_count", &ours["error_count"], &java["error_count"]);
        said("errors", &Value::Object(errors), &java["errors"]);
        said("value", &shown("value"), &java["value"]);
        said("visible", &shown("visible"), &java["visible"]);
    }
    assert!(compared > 200, "{compared}");
    assert!(
        differences.is_empty(),
        "{} differences\n{}",
        differences.len(),
        differences.join("\n")
    );
}
