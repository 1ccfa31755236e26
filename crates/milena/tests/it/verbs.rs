//! The commands that ask, tell and check: the same life cycle against Milena and the Java worker, tables and
//! JSON, errors with a remedy and their exit codes.

use std::{collections::BTreeMap, fs, path::Path, time::Instant};

use milena_testing_kafka::{JavaWorker, KafkaBroker};
use serde_json::Value;

use crate::process::{Finished, Milena, PATIENCE, between_looks, run};

fn at(url: &str, args: &[&str]) -> Finished {
    let mut all = args.to_vec();
    all.extend(["--url", url]);
    run(&all)
}

/// What it printed; it must have worked.
fn ok(url: &str, args: &[&str]) -> String {
    let finished = at(url, args);
    assert_eq!(finished.code, 0, "{args:?}: {}", finished.stderr);
    assert!(!finished.stdout.contains('\x1b'), "no colours into a pipe");
    finished.stdout
}

fn json(url: &str, args: &[&str]) -> Value {
    let mut all = args.to_vec();
    all.push("--json");
    serde_json::from_str(&ok(url, &all)).unwrap()
}

/// It must have failed with this code, naming these.
fn fails(url: &str, args: &[&str], code: i32, parts: &[&str]) {
    let finished = at(url, args);
    assert_eq!(finished.code, code, "{args:?}: {}", finished.stderr);
    for part in parts {
        assert!(
            finished.stderr.contains(part),
            "{part:?} is not in: {}",
            finished.stderr
        );
    }
    let mut all = args.to_vec();
    all.push("--json");
    let finished = at(url, &all);
    let error: Value = serde_json::from_str(&finished.stderr).unwrap();
    assert_eq!(error["error"]["exit_code"], code, "{error}");
}

fn life_cycle(url: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("in.txt"), "one\ntwo\n").unwrap();
    let config = format!(
        "name=lines\nconnector.class=FileStreamSource\ntasks.max=1\nfile={}\ntopic=verbs-lines\n",
        path("in.txt")
    );
    fs::write(path("lines.properties"), &config).unwrap();
    let file = path("lines.properties");

    assert!(ok(url, &["connectors", "validate", &file]).contains("no errors"));
    ok(url, &["connectors", "create", &file]);
    fails(
        url,
        &["connectors", "create", &file],
        6,
        &["lines", "already exists", "connectors config lines"],
    );
    ok(url, &["connectors", "resume", "lines", "--wait"]);
    let list = ok(url, &["connectors", "list"]);
    let line = list
        .lines()
        .find(|line| line.starts_with("lines "))
        .unwrap();
    assert!(
        line.contains("source") && line.contains("RUNNING") && line.contains("1/1"),
        "{list}"
    );
    let status = ok(url, &["connectors", "status", "lines"]);
    assert_eq!(status.lines().count(), 3, "{status}");
    assert_eq!(
        json(url, &["connectors", "status", "lines"])["tasks"][0]["state"],
        "RUNNING"
    );
    assert!(ok(url, &["connectors", "tasks", "lines"]).contains("FileStreamSourceTask"));
    assert!(ok(url, &["connectors", "get", "lines"]).contains("a source with 1 task"));

    // What `config` prints is the file again.
    let printed = ok(url, &["connectors", "config", "lines"]);
    let sorted = |text: &str| {
        text.lines()
            .map(str::to_owned)
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(sorted(&printed), sorted(&config));
    ok(
        url,
        &["connectors", "config", "lines", "--set", "batch.size=7"],
    );
    assert_eq!(
        json(url, &["connectors", "config", "lines"])["batch.size"],
        "7"
    );
    ok(
        url,
        &["connectors", "config", "lines", "--unset", "batch.size"],
    );
    ok(url, &["connectors", "config", "lines", "--file", &file]);
    assert!(json(url, &["connectors", "config", "lines"])["batch.size"].is_null());
    fails(
        url,
        &["connectors", "config", "lines", "--set", "tasks.max=0"],
        7,
        &["\n  tasks.max: ", "at least 1"],
    );

    ok(url, &["connectors", "pause", "lines"]);
    fails(
        url,
        &["connectors", "offsets", "reset", "lines"],
        7,
        &["STOPPED", "connectors stop lines"],
    );
    ok(url, &["connectors", "stop", "lines", "--wait"]);
    let offsets = format!(
        r#"{{"offsets":[{{"partition":{{"filename":"{}"}},"offset":{{"position":4}}}}]}}"#,
        path("in.txt")
    );
    fs::write(path("offsets.json"), offsets).unwrap();
    ok(
        url,
        &[
            "connectors",
            "offsets",
            "alter",
            "lines",
            &path("offsets.json"),
        ],
    );
    assert!(ok(url, &["connectors", "offsets", "get", "lines"]).contains(r#"{"position":4}"#));
    ok(url, &["connectors", "offsets", "reset", "lines"]);
    assert!(ok(url, &["connectors", "offsets", "get", "lines"]).contains("no offsets"));
    ok(url, &["connectors", "resume", "lines", "--wait"]);
    ok(
        url,
        &[
            "connectors",
            "restart",
            "lines",
            "--include-tasks",
            "--wait",
        ],
    );
    fails(
        url,
        &["connectors", "restart", "lines", "--task", "9"],
        5,
        &["connectors tasks lines"],
    );
    ok(url, &["connectors", "topics", "lines", "--reset"]);
    ok(url, &["connectors", "topics", "lines"]);
    ok(url, &["connectors", "delete", "lines"]);
    fails(
        url,
        &["connectors", "get", "lines"],
        5,
        &["lines", "connectors list"],
    );

    let plugins = ok(url, &["plugins", "list", "--worker", "--type", "source"]);
    assert!(plugins.contains("FileStreamSourceConnector"), "{plugins}");
    assert!(
        ok(
            url,
            &["plugins", "describe", "--worker", "FileStreamSource"]
        )
        .contains("(required)")
    );
    fs::write(
        path("bad.json"),
        r#"{"name":"bad","config":{"connector.class":"NoSuch"}}"#,
    )
    .unwrap();
    fails(
        url,
        &["connectors", "validate", &path("bad.json")],
        7,
        &["NoSuch", "milena plugins list"],
    );
}

#[test]
fn the_commands_work_against_milena() {
    let dir = tempfile::tempdir().unwrap();
    let mut milena = Milena::quickstart(dir.path(), &[]);
    let url = milena.event("started")["rest"].as_str().unwrap().to_owned();
    life_cycle(&url);
    ok(&url, &["connectors", "pause", "quickstart-sink", "--wait"]);
    ok(&url, &["connectors", "resume", "quickstart-sink", "--wait"]);
    let list = ok(&url, &["connectors", "list"]);
    assert!(list.starts_with("NAME "), "{list}");
    let all = json(&url, &["connectors", "status"]);
    // The file's and the orders'.
    assert_eq!(all.as_object().unwrap().len(), 4, "{all}");
    let initial = dir.path().join("stopped.json");
    fs::write(
        &initial,
        r#"{"name":"s","config":{"connector.class":"FileStreamSink","topics":"t"}}"#,
    )
    .unwrap();
    let file = initial.to_str().unwrap();
    ok(
        &url,
        &["connectors", "create", file, "--initial-state", "stopped"],
    );
    // A connector that is new has no status for a moment.
    let deadline = Instant::now() + PATIENCE;
    while at(&url, &["connectors", "status", "s"]).code == 5 {
        assert!(Instant::now() < deadline, "no status of a new connector");
        between_looks();
    }
    assert_eq!(
        json(&url, &["connectors", "status", "s"])["connector"]["state"],
        "STOPPED"
    );
}

#[test]
fn the_commands_work_against_the_java_worker() {
    if milena_testing_kafka::oracle_is_missing("the_commands_work_against_the_java_worker") {
        return;
    }
    let kafka = KafkaBroker::start().unwrap();
    let worker: BTreeMap<String, String> = [
        ("bootstrap.servers", kafka.bootstrap()),
        ("group.id", "verbs".to_owned()),
        ("config.storage.topic", "verbs-configs".to_owned()),
        ("offset.storage.topic", "verbs-offsets".to_owned()),
        ("status.storage.topic", "verbs-status".to_owned()),
        ("offset.flush.interval.ms", "500".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    let java = JavaWorker::start_distributed(&worker).unwrap();
    life_cycle(java.url());
}

#[test]
fn a_worker_that_is_not_there_is_named_with_a_remedy() {
    // The discard port of loopback: nobody listens there.
    fails(
        "http://127.0.0.1:9",
        &["connectors", "list"],
        4,
        &["127.0.0.1:9", "--url", "MILENA_URL"],
    );
    fails(
        "ftp://127.0.0.1:9",
        &["connectors", "list"],
        4,
        &["ftp://", "http://HOST:PORT"],
    );
    fails(
        "http://u:secret@127.0.0.1:9",
        &["connectors", "list"],
        8,
        &["MILENA_PASSWORD", "--netrc-file"],
    );
    let finished = at("http://u:secret@127.0.0.1:9", &["connectors", "list"]);
    assert!(!finished.stderr.contains("secret"));
}

/// Any answer that is not Connect's is said to be that, and credentials are sent where they were asked for.
#[test]
fn another_server_is_told_from_a_worker() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heads = std::thread::spawn(move || {
        let answers = ["404 Not Found", "401 Unauthorized", "401 Unauthorized"];
        let mut heads = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 2048];
            let read = std::io::Read::read(&mut stream, &mut head).unwrap();
            heads.push(String::from_utf8_lossy(&head[..read]).into_owned());
            let text =
                format!("HTTP/1.1 {answer}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
            std::io::Write::write_all(&mut stream, text.as_bytes()).unwrap();
        }
        heads
    });
    let other = at(&url, &["connectors", "list"]);
    assert_eq!(other.code, 1);
    assert!(
        other.stderr.contains("not as a Kafka Connect worker"),
        "{}",
        other.stderr
    );
    let denied = at(&url, &["connectors", "list"]);
    assert_eq!(denied.code, 8);
    assert!(denied.stderr.contains("MILENA_USER"), "{}", denied.stderr);
    let dir = tempfile::tempdir().unwrap();
    let netrc = dir.path().join("netrc");
    fs::write(&netrc, "machine 127.0.0.1 login me password secret\n").unwrap();
    let denied = at(
        &url,
        &[
            "connectors",
            "list",
            "--netrc-file",
            netrc.to_str().unwrap(),
        ],
    );
    assert_eq!(denied.code, 8);
    let heads = heads.join().unwrap();
    assert!(!heads[1].to_lowercase().contains("authorization"));
    assert!(heads[2].contains("Basic bWU6c2VjcmV0"), "{}", heads[2]);
}

fn worker_file(dir: &Path, more: &str) -> String {
    let path = dir.join("worker.properties");
    let text = format!(
        "bootstrap.servers=127.0.0.1:9\ngroup.id=g\nconfig.storage.topic=c\noffset.storage.topic=o\n\
         status.storage.topic=s\nkey.converter=org.apache.kafka.connect.json.JsonConverter\n\
         value.converter=org.apache.kafka.connect.json.JsonConverter\n{more}"
    );
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn files_are_checked_without_a_worker() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = write(
        "good.json",
        r#"{"name":"a","config":{"connector.class":"FileStreamSink","topics":"t"}}"#,
    );
    let worker = worker_file(dir.path(), "produzer.acks=1\n");
    let finished = run(&["config", "check", &worker, &good]);
    assert_eq!(finished.code, 0, "{}{}", finished.stdout, finished.stderr);
    assert!(
        finished.stdout.contains("produzer.acks"),
        "{}",
        finished.stdout
    );

    let bad = write(
        "bad.properties",
        "name=b\nconnector.class=FileStreamSource\ntasks.max=0\n",
    );
    let finished = run(&["config", "check", &good, &bad]);
    assert_eq!(finished.code, 7);
    assert!(
        finished.stdout.contains("tasks.max: Invalid value 0"),
        "{}",
        finished.stdout
    );
    assert!(finished.stdout.contains("\"topic\""), "{}", finished.stdout);
    assert!(
        finished.stderr.contains("bad.properties"),
        "{}",
        finished.stderr
    );

    // The worker says the first of these when it starts; the check says all.
    let worker = worker_file(
        dir.path(),
        "key.converter=NoSuch\noffset.flush.interval.ms=x\n",
    );
    let finished = run(&["config", "check", "--json", &worker]);
    assert_eq!(finished.code, 7);
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    let keys: Vec<&str> = report[0]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|error| error["key"].as_str())
        .collect();
    assert!(keys.contains(&"offset.flush.interval.ms"), "{report}");
    let started = run(&["distributed", &worker]);
    let message = report[0]["errors"][0]["message"].as_str().unwrap();
    assert!(
        started.stderr.contains(message),
        "{} / {message}",
        started.stderr
    );

    let finished = run(&["config", "check", "/nowhere/c.json"]);
    assert_eq!(finished.code, 7);
    assert!(finished.stdout.contains("/nowhere/c.json"));
}

#[test]
fn the_plugins_of_the_binary_are_listed_and_described() {
    let list = run(&["plugins", "list"]);
    assert!(
        list.stdout
            .contains("org.apache.kafka.connect.json.JsonConverter")
    );
    let keys = run(&["plugins", "describe", "FileStreamSource", "--json"]);
    let keys: Value = serde_json::from_str(&keys.stdout).unwrap();
    assert_eq!(keys[0]["name"], "file");
    let unknown = run(&["plugins", "describe", "NoSuch"]);
    assert_eq!(unknown.code, 5);
    assert!(
        unknown.stderr.contains("milena plugins list"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]);
        assert_eq!(script.code, 0);
        for word in ["quickstart", "connectors", "offsets", "netrc-file"] {
            assert!(script.stdout.contains(word), "{shell}: {word}");
        }
    }
}

/// Over https with a CA of one's own; without it the certificate is not trusted, and the remedy is named.
#[test]
fn workers_are_asked_over_https() {
    let dir = tempfile::tempdir().unwrap();
    let kafka = crate::clients::Embedded::start(dir.path());
    let golden = |name: &str| {
        let root = env!("CARGO_MANIFEST_DIR");
        format!("{root}/../../testing/golden/tls/{name}")
    };
    let file = dir.path().join("worker.properties");
    let text = format!(
        "bootstrap.servers={}\nkey.converter=StringConverter\nvalue.converter=StringConverter\n\
         offset.storage.file.filename={}\nlisteners=https://127.0.0.1:0\n\
         listeners.https.ssl.keystore.location={}\nlisteners.https.ssl.keystore.password=changeit\n\
         listeners.https.ssl.key.password=other-one\n",
        kafka.bootstrap,
        dir.path().join("offsets").display(),
        golden("worker.jks"),
    );
    fs::write(&file, text).unwrap();
    let mut worker = Milena::start(&["standalone", file.to_str().unwrap()]);
    let url = format!("https://localhost:{}", worker.rest_port());
    let ca = golden("ca.pem");
    assert_eq!(
        json(&url, &["connectors", "list", "--cacert", &ca]),
        serde_json::json!({})
    );
    fails(&url, &["connectors", "list"], 4, &["--cacert"]);
    // Watching one that is not there ends at once, with its code.
    let none = ["connectors", "status", "none", "--watch", "--cacert", &ca];
    fails(&url, &none, 5, &["none"]);
    assert_eq!(worker.terminate().code(), Some(0));
}
