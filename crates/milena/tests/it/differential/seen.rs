//! What can be seen of a connector that is done, as texts by name.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc, time::Duration};

use milena_kafka::ports::{ClientProps, InRecord, StartAt};

use crate::differential::side::{JAVA, OURS};

/// What was seen, by what it is.
pub(super) type Seen = BTreeMap<String, String>;

/// Takes out what names the side.
pub(super) fn neutral(text: &str) -> String {
    text.replace(JAVA, "side").replace(OURS, "side")
}

/// A trace without its frames; what it says of errors and their causes stays.
pub(super) fn without_frames(trace: &str) -> String {
    let frame = |line: &&str| !line.starts_with("\tat ") && !line.starts_with("\t... ");
    let lines: Vec<&str> = trace.lines().filter(frame).collect();
    lines.join("\n")
}

/// The records of every topic of a side, by topic, as texts.
pub(super) fn topics(bootstrap: &str, side: &str) -> BTreeMap<String, Vec<String>> {
    let props = ClientProps::from([("bootstrap.servers".to_owned(), bootstrap.to_owned())]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let clients = milena_kafka::clients();
        let admin = clients.admin(&props).await.unwrap();
        let mut fetcher = clients.fetcher(&props).await.unwrap();
        let mut found = BTreeMap::new();
        let mut all = Vec::new();
        for topic in admin.list_topics().await.unwrap() {
            if topic.name.starts_with(side) {
                found.insert(topic.name.clone(), Vec::new());
                let name: Arc<str> = topic.name.into();
                all.extend(topic.partitions.iter().map(|p| (Arc::clone(&name), *p)));
            }
        }
        let begin = |(topic, partition): &(Arc<str>, i32)| {
            (Arc::clone(topic), *partition, Some(StartAt::Earliest))
        };
        fetcher
            .assign(all.iter().map(begin).collect())
            .await
            .unwrap();
        let ends = fetcher.end_offsets(&all).await.unwrap();
        let mut left: i64 = ends.values().sum();
        while left > 0 {
            for batch in fetcher.poll(Duration::from_secs(1)).await.unwrap() {
                left -= i64::try_from(batch.records.len()).unwrap();
                let records = found.get_mut(&*batch.topic).unwrap();
                let dead = batch.topic.ends_with("-dlq");
                records.extend(batch.records.iter().map(|record| shown(record, dead)));
            }
        }
        fetcher.close().await;
        found
    })
}

/// A record of a source has the time at which it was made; a dead letter has that of its record.
fn shown(record: &InRecord, with_time: bool) -> String {
    let bytes = |bytes: Option<&[u8]>| match bytes {
        Some(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        None => "null".to_owned(),
    };
    let mut text = format!(
        "key {} value {}",
        bytes(record.key.as_deref()),
        bytes(record.value.as_deref())
    );
    if with_time {
        write!(text, " at {}", record.timestamp).unwrap();
    }
    for header in &record.headers {
        let value = match (&*header.key, header.value.as_deref()) {
            ("__connect.errors.exception.stacktrace", Some(trace)) => {
                without_frames(&String::from_utf8_lossy(trace))
            }
            (_, value) => bytes(value),
        };
        write!(text, "\n  {}: {value}", header.key).unwrap();
    }
    neutral(&text)
}

/// What differs, for a reader; nothing when nothing does.
pub(super) fn differences(java: &Seen, ours: &Seen) -> String {
    let mut text = String::new();
    let names: std::collections::BTreeSet<&String> = java.keys().chain(ours.keys()).collect();
    for name in names {
        let (java, ours) = (java.get(name), ours.get(name));
        if java != ours {
            let of = |text: Option<&String>| text.cloned().unwrap_or_else(|| "(nothing)".into());
            writeln!(text, "{name}\n  Java {}\n  ours {}", of(java), of(ours)).unwrap();
        }
    }
    text
}
