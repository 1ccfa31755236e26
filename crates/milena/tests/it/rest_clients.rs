//! Clients of Kafka Connect that were not written here, each through its life cycle against Milena, unchanged;
//! and requests made from the OpenAPI document, none of which is answered with a failure of the server.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use milena_testing_kafka::{JavaWorker, skipped};

use crate::{
    clients::{Embedded, missing},
    process::{Milena, PATIENCE, between_looks, get},
};

/// Where `cargo xtask test` has installed them; `None` counts the test as skipped.
fn installed(test: &str, variable: &str) -> Option<PathBuf> {
    if missing(test, variable) {
        return None;
    }
    let folder = std::env::var_os("MILENA_CLIENTS");
    if folder.is_none() {
        skipped(
            test,
            "the clients of others, which `cargo xtask test` installs",
        );
    }
    folder.map(PathBuf::from)
}

fn scripts() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// Runs a command with the URL of a worker and a folder for files; answers what it printed.
fn against_milena(mut command: Command) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut milena = Milena::quickstart(dir.path(), &["--rate", "1"]);
    let url = milena.event("started")["rest"].as_str().unwrap().to_owned();
    let out = command.arg(&url).arg(dir.path()).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{text}{errors}");
    text
}

fn python(folder: &Path) -> Command {
    Command::new(folder.join("python/bin/python"))
}

#[test]
fn the_clients_of_pypi_run_their_life_cycles() {
    let test = "the_clients_of_pypi_run_their_life_cycles";
    let Some(folder) = installed(test, "MILENA_NO_PYTHON") else {
        return;
    };
    let mut command = python(&folder);
    command.arg(scripts().join("life_cycles.py"));
    assert_eq!(against_milena(command).matches("ok ").count(), 4);
}

#[test]
fn the_client_of_npm_runs_its_life_cycle() {
    let test = "the_client_of_npm_runs_its_life_cycle";
    let Some(folder) = installed(test, "MILENA_NO_NPM") else {
        return;
    };
    let mut command = Command::new("node");
    command.env("NODE_PATH", folder.join("npm/node_modules"));
    command.arg(scripts().join("life_cycle.js"));
    assert_eq!(against_milena(command), "ok npm\n");
}

#[test]
fn the_client_of_maven_central_runs_its_life_cycle() {
    let test = "the_client_of_maven_central_runs_its_life_cycle";
    if milena_testing_kafka::oracle_is_missing(test) {
        return;
    }
    let Some(folder) = installed(test, "MILENA_NO_MAVEN_CLIENT") else {
        return;
    };
    let mut command = Command::new("java");
    command
        .args(["-Xmx256m", "-cp"])
        .arg(folder.join("maven/lib/*"));
    command.arg(scripts().join("LifeCycle.java"));
    assert!(against_milena(command).contains("ok sourcelab"));
}

/// The sources of the Go clients (see `clients/go/README.md`); `None` counts the test as skipped.
fn go_sources(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("MILENA_GO_CLIENTS");
    if folder.is_none() {
        skipped(
            test,
            "the sources of the Go clients in MILENA_GO_CLIENTS (crates/milena/tests/clients/go/README.md)",
        );
    }
    folder.map(PathBuf::from)
}

/// What a distributed worker is told, in a cluster of its own.
fn distributed(bootstrap: &str) -> BTreeMap<String, String> {
    let json = "org.apache.kafka.connect.json.JsonConverter";
    [
        ("bootstrap.servers", bootstrap),
        ("group.id", "go"),
        ("key.converter", json),
        ("value.converter", json),
        ("config.storage.topic", "go-configs"),
        ("config.storage.replication.factor", "1"),
        ("offset.storage.topic", "go-offsets"),
        ("offset.storage.replication.factor", "1"),
        ("status.storage.topic", "go-status"),
        ("status.storage.replication.factor", "1"),
        ("offset.flush.interval.ms", "500"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// Runs all Go clients against this worker; each prints what the golden file says, recorded from the Java
/// worker (with `MILENA_BLESS` set, the Java worker's run writes it).
fn go_life_cycles(sources: &Path, url: &str, bless: bool) {
    let deadline = Instant::now() + PATIENCE;
    while get(&format!("{url}/connectors")).0 != 200 {
        assert!(Instant::now() < deadline, "no worker at {url}");
        between_looks();
    }
    let go = scripts().join("go");
    for client in ["ricardo", "cloudhut", "terraform"] {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.arg(go.join("life_cycles.sh")).arg(sources);
        let out = command.args([client, url]).arg(dir.path()).output();
        let out = out.unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let errors = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{client}: {text}{errors}");
        let golden = go.join(format!("{client}.golden"));
        if bless {
            fs::write(golden, text).unwrap();
        } else {
            same_lines(client, &text, &fs::read_to_string(golden).unwrap());
        }
    }
}

/// Line by line, so that a failure shows the one that differs.
fn same_lines(client: &str, text: &str, golden: &str) {
    for (number, (line, wanted)) in text.lines().zip(golden.lines()).enumerate() {
        assert_eq!(line, wanted, "{client}, line {}", number + 1);
    }
    assert_eq!(text.lines().count(), golden.lines().count(), "{client}");
}

#[test]
fn the_go_clients_run_their_life_cycles() {
    let test = "the_go_clients_run_their_life_cycles";
    let Some(sources) = go_sources(test) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(&dir.path().join("data"));
    let props = distributed(&kafka.bootstrap);
    let mut text: String = props.iter().map(|(k, v)| format!("{k}={v}\n")).collect();
    text += "listeners=http://127.0.0.1:0\n";
    let file = dir.path().join("worker.properties");
    fs::write(&file, text).unwrap();
    let mut worker = Milena::start(&["distributed", file.to_str().unwrap()]);
    let url = format!("http://127.0.0.1:{}", worker.rest_port());
    go_life_cycles(&sources, &url, false);
}

#[test]
fn the_go_clients_see_the_same_of_the_java_worker() {
    let test = "the_go_clients_see_the_same_of_the_java_worker";
    if milena_testing_kafka::oracle_is_missing(test) {
        return;
    }
    let Some(sources) = go_sources(test) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(&dir.path().join("data"));
    let worker = JavaWorker::start_distributed(&distributed(&kafka.bootstrap)).unwrap();
    let bless = std::env::var_os("MILENA_BLESS").is_some();
    go_life_cycles(&sources, worker.url(), bless);
}

#[test]
fn requests_made_from_the_openapi_document_never_fail_the_server() {
    let test = "requests_made_from_the_openapi_document_never_fail_the_server";
    let Some(folder) = installed(test, "MILENA_NO_PYTHON") else {
        return;
    };
    let mut command = Command::new("sh");
    command.arg(scripts().join("schemathesis.sh"));
    command.arg(folder.join("python/bin"));
    against_milena(command);
}
