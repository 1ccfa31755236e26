//! The other modes: standalone and distributed with property files, dev, broker.

use std::{fs, time::Instant};

use milena_testing_kafka::{BrokerOptions, KafkaBroker};

use crate::{
    clients::Embedded,
    process::{Milena, PATIENCE, between_looks, call, get},
};

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        between_looks();
    }
}

/// Apache Kafka with its default of creating topics that are written to.
fn apache_kafka() -> KafkaBroker {
    let mut options = BrokerOptions::default();
    let (key, value) = ("auto.create.topics.enable", "true");
    options.properties.insert(key.to_owned(), value.to_owned());
    KafkaBroker::start_with(&options).unwrap()
}

/// Apache Kafka's own standalone files, with ports and paths of this test.
#[test]
fn standalone_runs_with_the_files_that_people_have() {
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(dir.path());
    standalone(&kafka.bootstrap);
}

#[test]
fn standalone_runs_on_apache_kafka() {
    if milena_testing_kafka::oracle_is_missing("standalone_runs_on_apache_kafka") {
        return;
    }
    let kafka = apache_kafka();
    standalone(&kafka.bootstrap());
}

fn standalone(bootstrap: &str) {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("test.txt"), "foo\nbar\n").unwrap();
    fs::write(
        at("connect-standalone.properties"),
        format!(
            "bootstrap.servers={bootstrap}\n\
             key.converter=org.apache.kafka.connect.json.JsonConverter\n\
             value.converter=org.apache.kafka.connect.json.JsonConverter\n\
             key.converter.schemas.enable=true\nvalue.converter.schemas.enable=true\n\
             offset.storage.file.filename={}\noffset.flush.interval.ms=10000\n\
             plugin.path=/usr/share/java,libs/connect-file.jar\nlisteners=http://127.0.0.1:0\n",
            at("connect.offsets")
        ),
    )
    .unwrap();
    fs::write(
        at("connect-file-source.properties"),
        format!("name=local-file-source\nconnector.class=FileStreamSource\ntasks.max=1\nfile={}\ntopic=connect-test\n", at("test.txt")),
    )
    .unwrap();
    fs::write(
        at("sink.json"),
        format!(r#"{{"name":"local-file-sink","config":{{"connector.class":"FileStreamSink","tasks.max":"1","file":"{}","topics":"connect-test"}}}}"#, at("test.sink.txt")),
    )
    .unwrap();
    let mut worker = Milena::start(&[
        "standalone",
        &at("connect-standalone.properties"),
        &at("connect-file-source.properties"),
        &at("sink.json"),
    ]);
    until("the lines arrive", || {
        fs::read_to_string(at("test.sink.txt")).is_ok_and(|text| text == "foo\nbar\n")
    });
    let rest_port = worker.rest_port();
    let (status, body) = get(&format!(
        "http://127.0.0.1:{rest_port}/connectors/local-file-source/status"
    ));
    assert_eq!(status, 200);
    assert!(body.contains("\"state\":\"RUNNING\""), "{body}");
    assert_eq!(worker.terminate().code(), Some(0));
    assert!(fs::metadata(at("connect.offsets")).unwrap().len() > 0);
}

/// Apache Kafka's own distributed file, with ports of this test.
#[test]
fn distributed_runs_with_the_file_that_people_have() {
    let dir = tempfile::tempdir().unwrap();
    let kafka = Embedded::start(dir.path());
    distributed(&kafka.bootstrap);
}

#[test]
fn distributed_runs_on_apache_kafka() {
    if milena_testing_kafka::oracle_is_missing("distributed_runs_on_apache_kafka") {
        return;
    }
    let kafka = apache_kafka();
    distributed(&kafka.bootstrap());
}

fn distributed(bootstrap: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("connect-distributed.properties");
    fs::write(
        &file,
        format!(
            "bootstrap.servers={bootstrap}\ngroup.id=connect-cluster\n\
             key.converter=org.apache.kafka.connect.json.JsonConverter\n\
             value.converter=org.apache.kafka.connect.json.JsonConverter\n\
             key.converter.schemas.enable=true\nvalue.converter.schemas.enable=true\n\
             offset.storage.topic=connect-offsets\noffset.storage.replication.factor=1\n\
             config.storage.topic=connect-configs\nconfig.storage.replication.factor=1\n\
             status.storage.topic=connect-status\nstatus.storage.replication.factor=1\n\
             offset.flush.interval.ms=10000\nlisteners=HTTP://127.0.0.1:0\n"
        ),
    )
    .unwrap();
    let mut worker = Milena::start(&["distributed", file.to_str().unwrap()]);
    let rest_port = worker.rest_port();
    until("the worker is healthy", || {
        let (status, body) = get(&format!("http://127.0.0.1:{rest_port}/health"));
        status == 200 && body.contains("healthy")
    });
    let (status, body) = get(&format!("http://127.0.0.1:{rest_port}/"));
    assert_eq!(status, 200);
    assert!(body.starts_with("{\"version\":\"4.3.1\""), "{body}");
    // A pipeline through REST, to its end: create, status, delete.
    let (input, output) = (dir.path().join("in.txt"), dir.path().join("out.txt"));
    fs::write(&input, "one\ntwo\n").unwrap();
    let base = format!("http://127.0.0.1:{rest_port}");
    let source = serde_json::json!({"name": "s", "config": {"connector.class": "FileStreamSource", "file": input, "topic": "lines", "tasks.max": "1"}});
    let sink = serde_json::json!({"name": "k", "config": {"connector.class": "FileStreamSink", "file": output, "topics": "lines", "tasks.max": "1"}});
    for body in [&source, &sink] {
        let (status, answer) = call("POST", &format!("{base}/connectors"), &body.to_string());
        assert_eq!(status, 201, "{answer}");
    }
    until("the lines arrive", || {
        fs::read_to_string(&output).is_ok_and(|text| text == "one\ntwo\n")
    });
    // The status comes through its topic: it may arrive after the first lines.
    until("the source is shown as running", || {
        get(&format!("{base}/connectors/s/status"))
            .1
            .contains("\"state\":\"RUNNING\"")
    });
    for name in ["s", "k"] {
        assert_eq!(
            call("DELETE", &format!("{base}/connectors/{name}"), "").0,
            204
        );
    }
    assert_eq!(get(&format!("{base}/connectors")).1, "[]");
    assert_eq!(worker.terminate().code(), Some(0));
}
