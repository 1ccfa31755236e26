//! Bad input: one clear line that names the thing and the remedy, and a stable exit code.

use std::fs;

use crate::process::{Milena, run};

fn one_line(text: &str, parts: &[&str]) {
    assert_eq!(text.trim_end().lines().count(), 1, "one line: {text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn an_unknown_command_is_wrong_usage() {
    let finished = run(&["quikstart"]);
    assert_eq!(finished.code, 64);
    assert!(
        finished.stderr.contains("quickstart"),
        "a suggestion: {}",
        finished.stderr
    );
    assert!(finished.stdout.is_empty());
}

#[test]
fn help_and_version_are_no_errors() {
    assert_eq!(run(&["--help"]).code, 0);
    assert!(run(&["--version"]).stdout.starts_with("milena "));
}

#[test]
fn a_property_file_that_is_not_there_is_named() {
    let finished = run(&["distributed", "/nowhere/worker.properties"]);
    assert_eq!(finished.code, 2);
    one_line(&finished.stderr, &["/nowhere/worker.properties"]);
}

#[test]
fn a_malformed_property_file_is_named_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("worker.properties");
    fs::write(&file, "group.id=a\nkey=\\u12x4\n").unwrap();
    let finished = run(&["distributed", file.to_str().unwrap()]);
    assert_eq!(finished.code, 2);
    one_line(&finished.stderr, &["worker.properties", "2"]);
}

#[test]
fn a_missing_required_key_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("worker.properties");
    fs::write(&file, "bootstrap.servers=localhost:1\n").unwrap();
    let finished = run(&["distributed", file.to_str().unwrap()]);
    assert_eq!(finished.code, 2);
    one_line(&finished.stderr, &["Missing required configuration"]);
}

#[test]
fn an_input_file_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let finished = run(&[
        "quickstart",
        "--dir",
        dir.path().to_str().unwrap(),
        "--input",
        "/nowhere/in.txt",
    ]);
    assert_eq!(finished.code, 2);
    one_line(&finished.stderr, &["/nowhere/in.txt", "--input"]);
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let finished = run(&["quickstart", "--dir", "/proc/nothing"]);
    assert_eq!(finished.code, 2);
    one_line(&finished.stderr, &["/proc/nothing", "--dir"]);
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let finished = run(&[
        "broker",
        "--listen",
        &listen,
        "--data",
        dir.path().to_str().unwrap(),
    ]);
    assert_eq!(finished.code, 2);
    one_line(&finished.stderr, &[&listen]);
}

#[test]
fn a_data_directory_of_a_newer_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let mut first = Milena::quickstart(dir.path(), &["--stop-after", "1"]);
    first.event("stopped");
    drop(first);
    let data = dir.path().join("data");
    let format = data.join("format");
    let text = fs::read_to_string(&format).unwrap();
    fs::write(&format, text.replace(|c: char| c.is_ascii_digit(), "9")).unwrap();
    let finished = run(&[
        "quickstart",
        "--dir",
        path,
        "--broker-port",
        "0",
        "--rest-port",
        "0",
    ]);
    assert_eq!(finished.code, 2);
    one_line(&finished.stderr, &["format", "newer"]);
}

#[test]
fn an_unknown_connector_class_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let worker = dir.path().join("worker.properties");
    fs::write(
        &worker,
        format!(
            "bootstrap.servers=127.0.0.1:1\nkey.converter=org.apache.kafka.connect.json.JsonConverter\n\
             value.converter=org.apache.kafka.connect.json.JsonConverter\n\
             offset.storage.file.filename={}\nlisteners=http://127.0.0.1:0\n",
            dir.path().join("offsets").display()
        ),
    )
    .unwrap();
    let connector = dir.path().join("c.properties");
    fs::write(&connector, "name=c\nconnector.class=com.example.Nothing\n").unwrap();
    let finished = run(&[
        "standalone",
        worker.to_str().unwrap(),
        connector.to_str().unwrap(),
    ]);
    assert_ne!(finished.code, 0);
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
}
