//! The other modes: standalone and distributed with property files, dev, broker.

use std::{fs, net::TcpListener, time::Instant};

use crate::process::{Milena, PATIENCE, get};

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

fn listens(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Apache Kafka's own standalone files, with ports and paths of this test.
#[test]
fn standalone_runs_with_the_files_that_people_have() {
    let dir = tempfile::tempdir().unwrap();
    let (broker_port, rest_port) = (free_port(), free_port());
    let data = dir.path().join("broker");
    let listen = format!("127.0.0.1:{broker_port}");
    let broker = Milena::start(&[
        "broker",
        "--listen",
        &listen,
        "--data",
        data.to_str().unwrap(),
    ]);
    until("the broker listens", || listens(broker_port));
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("test.txt"), "foo\nbar\n").unwrap();
    fs::write(
        at("connect-standalone.properties"),
        format!(
            "bootstrap.servers=localhost:{broker_port}\n\
             key.converter=org.apache.kafka.connect.json.JsonConverter\n\
             value.converter=org.apache.kafka.connect.json.JsonConverter\n\
             key.converter.schemas.enable=true\nvalue.converter.schemas.enable=true\n\
             offset.storage.file.filename={}\noffset.flush.interval.ms=10000\n\
             plugin.path=/usr/share/java,libs/connect-file.jar\nlisteners=http://127.0.0.1:{rest_port}\n",
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
    let worker = Milena::start(&[
        "standalone",
        &at("connect-standalone.properties"),
        &at("connect-file-source.properties"),
        &at("sink.json"),
    ]);
    until("the lines arrive", || {
        fs::read_to_string(at("test.sink.txt")).is_ok_and(|text| text == "foo\nbar\n")
    });
    let (status, body) = get(&format!(
        "http://127.0.0.1:{rest_port}/connectors/local-file-source/status"
    ));
    assert_eq!(status, 200);
    assert!(body.contains("\"state\":\"RUNNING\""), "{body}");
    assert_eq!(worker.terminate().code(), Some(0));
    assert!(fs::metadata(at("connect.offsets")).unwrap().len() > 0);
    assert_eq!(broker.interrupt().code(), Some(0));
}

/// Apache Kafka's own distributed file, with ports of this test.
#[test]
fn distributed_runs_with_the_file_that_people_have() {
    let dir = tempfile::tempdir().unwrap();
    let (broker_port, rest_port) = (free_port(), free_port());
    let data = dir.path().join("broker");
    let listen = format!("127.0.0.1:{broker_port}");
    let _broker = Milena::start(&[
        "broker",
        "--listen",
        &listen,
        "--data",
        data.to_str().unwrap(),
    ]);
    until("the broker listens", || listens(broker_port));
    let file = dir.path().join("connect-distributed.properties");
    fs::write(
        &file,
        format!(
            "bootstrap.servers=localhost:{broker_port}\ngroup.id=connect-cluster\n\
             key.converter=org.apache.kafka.connect.json.JsonConverter\n\
             value.converter=org.apache.kafka.connect.json.JsonConverter\n\
             key.converter.schemas.enable=true\nvalue.converter.schemas.enable=true\n\
             offset.storage.topic=connect-offsets\noffset.storage.replication.factor=1\n\
             config.storage.topic=connect-configs\nconfig.storage.replication.factor=1\n\
             status.storage.topic=connect-status\nstatus.storage.replication.factor=1\n\
             offset.flush.interval.ms=10000\nlisteners=HTTP://127.0.0.1:{rest_port}\n"
        ),
    )
    .unwrap();
    let worker = Milena::start(&["distributed", file.to_str().unwrap()]);
    until("REST listens", || listens(rest_port));
    until("the worker is healthy", || {
        let (status, body) = get(&format!("http://127.0.0.1:{rest_port}/health"));
        status == 200 && body.contains("healthy")
    });
    let (status, body) = get(&format!("http://127.0.0.1:{rest_port}/"));
    assert_eq!(status, 200);
    assert!(body.starts_with("{\"version\":\"4.3.1\""), "{body}");
    assert_eq!(worker.terminate().code(), Some(0));
}
