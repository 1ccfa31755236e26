//! How an answer of Milena is compared with what the Java worker answered: every field, but for what cannot be the
//! same (hash order, positions in malformed bodies, sentences that document keys). Included by the tests of `rest` and
//! by those of the binary.

use std::collections::BTreeSet;

use serde_json::Value;

/// An answer, as far as it is compared.
pub(crate) struct Said<'a> {
    pub(crate) status: u16,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) allow: Option<&'a str>,
    pub(crate) body: &'a str,
}

/// What differs on purpose, by method, path and what is special about it: rows of COMPATIBILITY.md.
pub(crate) fn is_known_difference(call: &Value) -> bool {
    let body = call["body"].as_str().unwrap_or_default();
    // The second time, Java stumbles over a null of its own.
    body.contains("\"connector.plugin.version\": \"9.9\"") || is_null_pointer(call)
}

/// A standalone worker that is told to restart what it does not have; we answer 404, as a distributed worker does.
fn is_null_pointer(call: &Value) -> bool {
    let text = call["answer"]["message"].as_str().unwrap_or_default();
    text.contains("\"connProps\" is null") || text.contains("since it is not a recognizable type")
}

/// Where an answer differs from the recorded one.
pub(crate) fn differ(call: &Value, answer: &Said) -> Vec<String> {
    let mut found = Vec::new();
    let expected = &call["answer"];
    if call["status"] != answer.status {
        found.push(format!(
            "status {} for {}: {} for {expected}",
            answer.status, call["status"], answer.body
        ));
        return found;
    }
    if call["content_type"].as_str() != answer.content_type {
        found.push(format!(
            "content type {:?} for {}",
            answer.content_type, call["content_type"]
        ));
    }
    let methods = |text: Option<&str>| -> BTreeSet<String> {
        text.unwrap_or_default()
            .split(',')
            .map(|one| one.trim().to_owned())
            .collect()
    };
    if methods(call["allow"].as_str()) != methods(answer.allow) {
        found.push(format!("allow {:?} for {}", answer.allow, call["allow"]));
    }
    if call["method"] == "HEAD" {
        return found;
    }
    let Ok(mut ours) = serde_json::from_str::<Value>(answer.body) else {
        let is_html = |text: &str| text.starts_with("<html>");
        let theirs = expected.as_str().unwrap_or("JSON");
        let options =
            call["method"] == "OPTIONS" && methods(Some(answer.body)) == methods(Some(theirs));
        if answer.body != theirs && !options && !(is_html(answer.body) && is_html(theirs)) {
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
pub(crate) fn same_message(ours: &Value, expected: &Value) -> bool {
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
        let text = text.replace(
            "org.apache.kafka.connect.errors.ConnectException: Failed to find",
            "Failed to find",
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

/// Where the judgement of one value of `grid.jsonl` differs.
pub(crate) fn differ_in_grid(java: &Value, status: u16, body: &str) -> Vec<String> {
    let mut found = Vec::new();
    if java["key"] == "header.converter" && java["config"]["header.converter"] == " " {
        // Java shows the blank in its message, as it was given; we show none.
        return found;
    }
    let ours: Value = serde_json::from_str(body).unwrap_or_default();
    let mut said = |what: &str, ours: &Value, java: &Value| {
        if ours != java {
            found.push(format!("{what}: {ours} for {java}"));
        }
    };
    said("status", &status.into(), &java["status"]);
    if status != 200 {
        said("message", &ours["message"], &java["message"]);
        return found;
    }
    let judged = judged(&ours, java["key"].as_str().unwrap());
    for what in ["error_count", "errors", "value", "visible"] {
        said(what, &judged[what], &java[what]);
    }
    found
}

/// What `grid.jsonl` keeps of the answer to a validation.
pub(crate) fn judged(infos: &Value, key: &str) -> Value {
    let values = || {
        infos["configs"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| &one["value"])
    };
    let errors: serde_json::Map<String, Value> = values()
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
    let own = values().find(|one| one["name"] == key);
    let shown = |name: &str| own.map_or(Value::Null, |one| one[name].clone());
    serde_json::json!({"error_count": infos["error_count"], "errors": errors, "value": shown("value"), "visible": shown("visible")})
}
