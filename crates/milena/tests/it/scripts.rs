//! The scripts with the names of Apache's: arguments, variables, exit codes, the background.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Instant,
};

use crate::{
    clients::Embedded,
    process::{PATIENCE, between_looks},
};

fn script(name: &str) -> Command {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(root.join("bin").join(name));
    command.env("MILENA_BIN", env!("CARGO_BIN_EXE_milena"));
    for name in [
        "KAFKA_OPTS",
        "KAFKA_LOG4J_OPTS",
        "KAFKA_HEAP_OPTS",
        "EXTRA_ARGS",
        "LOG_DIR",
        "MILENA_LOG",
    ] {
        command.env_remove(name);
    }
    command
}

fn text(out: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    )
}

#[test]
fn without_a_file_they_print_their_usage_as_apaches_do() {
    for name in ["connect-distributed.sh", "connect-standalone.sh"] {
        let out = script(name).output().unwrap();
        assert_eq!(out.status.code(), Some(1));
        assert!(
            text(&out).contains("USAGE: ") && text(&out).contains("[-daemon]"),
            "{}",
            text(&out)
        );
    }
}

#[test]
fn the_exit_code_is_the_workers_and_jvm_settings_are_noted() {
    let out = script("connect-distributed.sh")
        .args(["-loggc", "-name", "x", "/nowhere/worker.properties"])
        .env("KAFKA_LOG4J_OPTS", "-Dlog4j.configuration=file:x")
        .env("KAFKA_HEAP_OPTS", "-Xmx1g")
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2), "{}", text(&out));
    for part in [
        "KAFKA_LOG4J_OPTS is ignored",
        "MILENA_LOG",
        "KAFKA_HEAP_OPTS is ignored",
        "/nowhere/worker.properties",
    ] {
        assert!(text(&out).contains(part), "{part}: {}", text(&out));
    }
    let out = script("connect-standalone.sh")
        .arg("/nowhere/worker.properties")
        .env("MILENA_BIN", "/nowhere/milena")
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out).contains("MILENA_BIN"), "{}", text(&out));
}

/// Ends a process by its id when the test ends.
struct Background(String);

impl Drop for Background {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.0]).status();
    }
}

fn until(what: &str, log: &Path, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        let log = fs::read_to_string(log).unwrap_or_default();
        assert!(Instant::now() < deadline, "never: {what}; {log}");
        between_looks();
    }
}

#[test]
fn daemon_runs_in_the_background_and_logs_to_log_dir() {
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(&dir.path().join("data"));
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let pid_file = at("pid");
    // The script leaves no id behind, as Apache's; the program in between does.
    fs::write(
        at("milena"),
        format!(
            "#!/bin/sh\necho $$ >{pid_file}\nexec {} \"$@\"\n",
            env!("CARGO_BIN_EXE_milena")
        ),
    )
    .unwrap();
    assert!(
        Command::new("chmod")
            .args(["+x", &at("milena")])
            .status()
            .unwrap()
            .success()
    );
    fs::write(at("in.txt"), "one\n").unwrap();
    fs::write(
        at("worker.properties"),
        format!(
            "bootstrap.servers={}\nkey.converter=org.apache.kafka.connect.storage.StringConverter\n\
             value.converter=org.apache.kafka.connect.storage.StringConverter\n\
             offset.storage.file.filename={}\nlisteners=http://127.0.0.1:0\n",
            kafka.bootstrap,
            at("offsets")
        ),
    )
    .unwrap();
    fs::write(
        at("source.properties"),
        format!(
            "name=in\nconnector.class=FileStreamSource\nfile={}\ntopic=lines\n",
            at("in.txt")
        ),
    )
    .unwrap();
    fs::write(
        at("sink.properties"),
        format!(
            "name=out\nconnector.class=FileStreamSink\nfile={}\ntopics=lines\n",
            at("out.txt")
        ),
    )
    .unwrap();
    let status = script("connect-standalone.sh")
        .args([
            "-daemon",
            &at("worker.properties"),
            &at("source.properties"),
            &at("sink.properties"),
        ])
        .env("MILENA_BIN", at("milena"))
        .env("LOG_DIR", at("logs"))
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    let log = dir.path().join("logs/connectStandalone.out");
    until("the worker starts", &log, || {
        fs::read_to_string(&pid_file).is_ok_and(|text| text.ends_with('\n'))
    });
    let pid = fs::read_to_string(&pid_file).unwrap().trim().to_owned();
    let background = Background(pid.clone());
    until("the line arrives", &log, || {
        fs::read_to_string(at("out.txt")).is_ok_and(|text| text == "one\n")
    });
    drop(background);
    until("it ends", &log, || {
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Whoever inherits it may take its time to ask how it ended.
        state.is_empty() || state.contains(") Z ")
    });
    assert!(fs::metadata(&log).unwrap().len() > 0);
}
