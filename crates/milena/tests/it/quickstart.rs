//! The quickstart: what goes in comes out, across clean stops and `kill -9`.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use milena_kafka::ports::StartAt;

use crate::{
    clients::Embedded,
    process::{Milena, PATIENCE, between_looks, get},
};

/// The lines of the input that the output holds, with how often.
fn delivered(dir: &Path) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    for line in fs::read_to_string(dir.join("output.txt"))
        .unwrap_or_default()
        .lines()
    {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        *seen
            .entry(json["line"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    seen
}

fn input(dir: &Path) -> Vec<String> {
    fs::read_to_string(dir.join("input.txt"))
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// Waits until the output holds at least so many lines, by looking at the process's own reports.
fn until_delivered(milena: &mut Milena, dir: &Path, lines: usize) {
    let deadline = Instant::now() + PATIENCE;
    while delivered(dir).len() < lines {
        assert!(
            Instant::now() < deadline,
            "only {} of {lines} lines arrived",
            delivered(dir).len()
        );
        milena.event("progress");
    }
}

#[test]
fn a_clean_stop_and_a_second_start_lose_and_repeat_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut lines = 0;
    for _ in 0..2 {
        let mut milena = Milena::quickstart(dir.path(), &["--rate", "200"]);
        let started = milena.event("started");
        let (status, body) = get(started["rest"].as_str().unwrap());
        assert_eq!(status, 200, "{body}");
        until_delivered(&mut milena, dir.path(), lines + 100);
        let begun = Instant::now();
        assert_eq!(milena.interrupt().code(), Some(0));
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "a clean stop takes {:?}",
            begun.elapsed()
        );
        let seen = delivered(dir.path());
        assert!(
            seen.values().all(|count| *count == 1),
            "a line was written twice by a clean stop"
        );
        lines = seen.len();
    }
    // What was delivered is the beginning of the input: nothing in between is missing.
    let seen = delivered(dir.path());
    assert!(
        input(dir.path())
            .iter()
            .take(seen.len())
            .all(|line| seen.contains_key(line))
    );
}

/// The rows of a table of orders: number, product, amount, state, time.
fn orders(database: &Path, product: &str) -> Vec<(i64, String, f64, String, String)> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = rusqlite::Connection::open_with_flags(database, flags).unwrap();
    let sql = format!("SELECT id,{product},amount,state,changed_at FROM orders ORDER BY id");
    let mut statement = database.prepare(&sql).unwrap();
    let rows = statement.query_map([], |row| {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
        ))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// Kills, clean stops and starts later, the second database holds what the first one holds.
#[test]
fn orders_arrive_in_the_second_database() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for round in 1..=2 {
        let mut milena = Milena::quickstart(dir.path(), &[]);
        let more = |event: &serde_json::Value| {
            event["orders_copy"]["orders"].as_i64() >= Some(round * 8)
                && event["orders_copy"]["paid"].as_i64() >= Some(round)
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let event = milena.event("progress");
            if more(&event) {
                break;
            }
            assert!(Instant::now() < deadline, "no orders arrive: {event}");
        }
        let dir = dir.path().to_str().unwrap();
        let shown = crate::process::run(&["quickstart", "--show", "--dir", dir]);
        assert_eq!(shown.code, 0, "{}", shown.stderr);
        assert!(shown.stdout.contains("product"), "{}", shown.stdout);
        match round {
            1 => milena.kill(),
            _ => assert_eq!(milena.terminate().code(), Some(0)),
        }
    }
    // The last sale may not have been read when it stopped; everything before it is there, value by value.
    let (sold, copied) = (
        orders(&at("orders.db"), "item"),
        orders(&at("orders-copy.db"), "product"),
    );
    assert!(sold.len() - copied.len() <= 2, "{sold:?} {copied:?}");
    let differ = sold.iter().zip(&copied).filter(|(a, b)| a != b).count();
    assert!(differ <= 2, "{sold:?} {copied:?}");
}

#[test]
fn a_file_of_the_users_own_is_followed_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("own.log");
    fs::write(&own, "first\nsecond\r\nthird \u{e9}\n").unwrap();
    let mut milena = Milena::quickstart(dir.path(), &["--input", own.to_str().unwrap()]);
    until_delivered(&mut milena, dir.path(), 3);
    assert_eq!(milena.terminate().code(), Some(0));
    let seen: Vec<String> = delivered(dir.path()).into_keys().collect();
    assert_eq!(seen, ["first", "second", "third \u{e9}"]);
}

/// Ten times `kill -9` at moments that a seed chooses, while the input grows: every line arrives, and the
/// source never writes one twice to the topic, which a read_committed sink shows: a line can only repeat
/// where the sink itself was killed between its write and its commit.
#[test]
fn kill_nine_ten_times_loses_no_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut seed = 0x9e37_79b9_u64;
    for _ in 0..10 {
        let mut milena = Milena::quickstart(dir.path(), &["--rate", "500"]);
        milena.event("started");
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // The moment of the kill is the test's input, not a wait for something to happen.
        let moment = Duration::from_millis(20 + (seed >> 33) % 1500);
        let until = Instant::now() + moment;
        while Instant::now() < until {
            between_looks();
        }
        milena.kill();
    }
    let mut milena = Milena::quickstart(dir.path(), &["--rate", "1"]);
    milena.event("started");
    let wanted = input(dir.path());
    until_delivered(&mut milena, dir.path(), wanted.len());
    assert_eq!(milena.terminate().code(), Some(0));
    let seen = delivered(dir.path());
    for line in &wanted {
        assert!(seen.contains_key(line), "lost: {line}");
    }
    // The sink may repeat what it had not committed; the source may not.
    let written = committed_lines(&dir.path().join("data"), wanted.len());
    for line in &wanted {
        let times = written.iter().filter(|other| *other == line).count();
        assert_eq!(times, 1, "written {times} times by the source: {line}");
    }
}

/// What a read_committed reader finds in the topic.
fn committed_lines(data: &Path, wanted: usize) -> Vec<String> {
    let kafka = Embedded::start(data);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let props = [
            ("bootstrap.servers", kafka.bootstrap.as_str()),
            ("isolation.level", "read_committed"),
        ];
        let props = props
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let mut fetcher = milena_kafka::clients().fetcher(&props).await.unwrap();
        let partition = ("quickstart-lines".into(), 0);
        let end = fetcher
            .end_offsets(std::slice::from_ref(&partition))
            .await
            .unwrap()[&partition];
        fetcher
            .assign(vec![(
                "quickstart-lines".into(),
                0,
                Some(StartAt::Earliest),
            )])
            .await
            .unwrap();
        let (mut lines, mut at) = (Vec::with_capacity(wanted), 0);
        while at < end {
            for batch in fetcher.poll(Duration::from_secs(5)).await.unwrap() {
                at = batch.next_offset;
                for record in batch.records {
                    let json: serde_json::Value =
                        serde_json::from_slice(&record.value.unwrap()).unwrap();
                    lines.push(json["line"].as_str().unwrap().to_owned());
                }
            }
        }
        fetcher.close().await;
        lines
    })
}
