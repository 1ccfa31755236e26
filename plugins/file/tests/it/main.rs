//! The file connectors against the conformance suite.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use milena_config::Props;
use milena_data::{Record, Schema, SchemaAndValue, SinkOrigin, TimestampType, Value};
use milena_file::{FileStreamSinkPlugin, FileStreamSourcePlugin};

fn props(config: &[(&str, &str)]) -> Props {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    config.iter().map(own).collect()
}

#[tokio::test]
async fn the_source_keeps_its_promises() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines.txt");
    let lines: Vec<String> = (0..50).map(|n| format!("line {n} äöü\n")).collect();
    std::fs::write(&path, lines.concat()).unwrap();
    let config = props(&[
        ("file", path.to_str().unwrap()),
        ("topic", "t"),
        ("batch.size", "7"),
    ]);
    let broken = milena_conformance::source(&FileStreamSourcePlugin, &config, 50).await;
    assert!(broken.is_empty(), "{broken:#?}");
}

fn lines() -> Vec<Record> {
    let record = |offset| Record {
        topic: "t".into(),
        partition: Some(0),
        value: SchemaAndValue::new(Some(Schema::string()), Value::from("a line")),
        origin: Some(SinkOrigin {
            topic: "t".into(),
            partition: 0,
            offset,
            timestamp_type: TimestampType::CreateTime,
        }),
        ..Record::default()
    };
    (0..5).map(record).collect()
}

#[tokio::test]
async fn the_sink_keeps_its_promises() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.txt");
    let config = props(&[("file", path.to_str().unwrap())]);
    let broken = milena_conformance::sink(&FileStreamSinkPlugin, &config, &lines()).await;
    assert!(broken.is_empty(), "{broken:#?}");
    // Put twice, written twice.
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, "a line\n".repeat(10));
}

/// What has no memory has nothing to be made durable.
#[tokio::test]
async fn the_sink_writes_to_pipes_and_devices() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let path = pipe.clone();
    let reader = std::thread::spawn(move || std::fs::read_to_string(path).unwrap());
    for path in [pipe.to_str().unwrap(), "/dev/null"] {
        let config = props(&[("file", path)]);
        let broken = milena_conformance::sink(&FileStreamSinkPlugin, &config, &lines()).await;
        assert!(broken.is_empty(), "{path}: {broken:#?}");
    }
    assert_eq!(reader.join().unwrap(), "a line\n".repeat(10));
}
