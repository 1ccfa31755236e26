//! Clients of Kafka Connect that were not written here, each through its life cycle against Milena, unchanged;
//! and requests made from the OpenAPI document, none of which is answered with a failure of the server.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    clients::{missing, skipped},
    process::Milena,
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
