//! Every recorded call against the Java worker, answered alike (`testing/golden/rest`).

use serde_json::Value;

use crate::{
    compare::{Said, differ, differ_in_grid, is_known_difference},
    world::{self, Options},
};

const ODD: &str = include_str!("../../../../testing/golden/rest/odd.jsonl");
const GOLDEN: &str = include_str!("../../../../testing/golden/rest/empty-cluster.json");

#[tokio::test]
async fn an_empty_cluster_answers_as_the_java_worker_does() {
    let server = world::start(Options::default()).await;
    let mut calls: Vec<Value> = serde_json::from_str(GOLDEN).unwrap();
    let odd = ODD.lines().map(|line| serde_json::from_str(line).unwrap());
    // The loggers and providers of a whole worker are asked for in the tests of the binary.
    let here = |path: &str| !path.starts_with("/admin/loggers") && !path.contains("Provider/");
    calls.extend(odd.filter(|call: &Value| call["path"].as_str().is_some_and(here)));
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
        let said = Said {
            status: answer.status,
            content_type: answer.header("content-type"),
            allow: answer.header("allow"),
            body: &answer.body,
        };
        for difference in differ(call, &said) {
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
    assert!(compared > 800, "{compared}");
    assert!(
        differences.is_empty(),
        "{} differences\n{}",
        differences.len(),
        differences.join("\n")
    );
}

const GRID: &str = include_str!("../../../../testing/golden/rest/grid.jsonl");

/// Values of the framework's keys, good and bad, sent to a follower: validation is never forwarded.
#[tokio::test]
async fn values_of_the_frameworks_keys_are_judged_as_the_java_worker_judges_them() {
    let server = world::start(Options::default()).await;
    let (mut differences, mut compared) = (Vec::new(), 0);
    let rows = GRID.lines().chain(ODD.lines());
    let rows = rows.map(|line| serde_json::from_str(line).unwrap());
    for java in rows.filter(|row: &Value| row.get("key").is_some()) {
        let path = format!(
            "/connector-plugins/{}/config/validate",
            java["plugin"].as_str().unwrap()
        );
        let body = java["config"].to_string();
        let headers = [("Content-Type", "application/json")];
        let answer = world::send(server.addresses()[0], "PUT", &path, &headers, Some(&body)).await;
        compared += 1;
        for difference in differ_in_grid(&java, answer.status, &answer.body) {
            differences.push(format!("{body}\n    {difference}"));
        }
    }
    assert!(compared > 600, "{compared}");
    assert!(
        differences.is_empty(),
        "{} differences\n{}",
        differences.len(),
        differences.join("\n")
    );
}
