//! Everything at once: threads on one log, and a process killed in the middle of it.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use milena_broker::log::batch::batches;
use milena_broker::log::{
    AppendOrigin, BatchBuilder, Isolation, LogStore, MarkerKind, PartitionLog, StoreOptions,
};

use crate::support::*;

const CHILD: &str = "MILENA_LOG_STORM_DIR";

fn store(dir: &Path) -> LogStore {
    let options = StoreOptions {
        open_files_max: 3,
        ..StoreOptions::default()
    };
    LogStore::open(dir, options, NOW).unwrap()
}

fn settings(policy: &str) -> BTreeMap<String, String> {
    let pairs = [
        ("cleanup.policy", policy),
        ("segment.bytes", "4000"),
        ("retention.ms", "-1"),
        ("min.cleanable.dirty.ratio", "0.1"),
        ("delete.retention.ms", "0"),
    ];
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// Readers follow a log that is written and compacted; each sees offsets rise, never an aborted
/// record, and in the end what is there.
#[test]
fn readers_and_writers_do_not_disturb_each_other_while_segments_are_replaced() {
    let dir = quick_dir();
    let opened = store(dir.path());
    opened.create_topic("t", 1, settings("compact")).unwrap();
    let log = opened.partition("t", 0).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|id| {
                let log = &log;
                scope.spawn(move || write_transactions(log, id))
            })
            .collect();
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut rounds = 0;
                    while !done.load(Ordering::Relaxed) {
                        let seen = read_from(&log, 0, 3_000, Isolation::ReadCommitted);
                        assert!(seen.is_sorted_by(|a, b| a.offset < b.offset));
                        assert!(values(&seen).iter().all(|value| value.starts_with("good")));
                        rounds += 1;
                    }
                    rounds
                })
            })
            .collect();
        let mut passes = 0;
        while writers.iter().any(|writer| !writer.is_finished()) {
            passes += i64::from(log.compact(NOW + passes).unwrap() > 0);
        }
        assert!(passes > 0);
        log.flush().unwrap();
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.join().unwrap() > 0);
        }
    });
    let seen = read_from(&log, 0, 1 << 20, Isolation::ReadCommitted);
    for id in 0..3 {
        for key in 0..10 {
            let key = format!("{id}-{key}");
            assert!(
                seen.iter()
                    .any(|record| record.key.as_deref() == Some(&key))
            );
        }
    }
}

fn write_transactions(log: &PartitionLog, id: i64) {
    let mut sequence = 0;
    for round in 0..500_i64 {
        let good = round % 4 != 1;
        for _ in 0..2 {
            let mut builder = BatchBuilder::new(NOW).producer(id, 0, sequence, true);
            let key = format!("{id}-{}", round % 10);
            let value = format!("{}{round}", if good { "good" } else { "bad" });
            builder.push(Some(key.as_bytes()), Some(value.as_bytes()));
            append(log, builder.finish());
            sequence += 1;
        }
        let kind = if good {
            MarkerKind::Commit
        } else {
            MarkerKind::Abort
        };
        log.append_marker(id, 0, kind, 0, NOW).unwrap();
    }
}

/// Not a test of its own: the process that the next test kills.
#[test]
fn child_of_the_storm() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let opened = store(Path::new(&dir));
    let plain = opened.partition("plain", 0).unwrap();
    let compacted = opened.partition("compacted", 0).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut now = NOW;
            loop {
                now += 1_000;
                opened.maintain(now);
            }
        });
        let producers = plain.producers().unwrap();
        let mut sequence = producers.first().map_or(0, |known| known.last_sequence + 1);
        loop {
            let first = append(&plain, produced(1, 0, sequence, 2, false)).first_offset;
            let key = format!("key{}", sequence / 2 % 20);
            let value = format!("{sequence}");
            append(&compacted, batch(&[(&key, Some(&value))]));
            println!("acked {sequence} {first} {key}");
            sequence += 2;
        }
    });
}

/// Kills a writing and compacting process ten times; nothing it said was appended is gone, nothing
/// is there twice.
#[test]
fn killed_processes_lose_nothing_they_acknowledged() {
    let dir = quick_dir();
    let opened = store(dir.path());
    opened.create_topic("plain", 1, settings("delete")).unwrap();
    opened
        .create_topic("compacted", 1, settings("compact"))
        .unwrap();
    drop(opened);
    let mut last = HashMap::new();
    let mut acknowledged = Vec::new();
    for round in 0..10_usize {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "storm::child_of_the_storm", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut take = |line: String| {
            let fields: Vec<&str> = line.split(' ').collect();
            if let ["acked", sequence, first, key] = fields[..] {
                acknowledged.push((
                    first.parse::<i64>().unwrap(),
                    sequence.parse::<i32>().unwrap(),
                ));
                last.insert(key.to_owned(), sequence.parse::<i32>().unwrap());
            }
        };
        for line in lines.by_ref().take(100 + round * 137) {
            take(line.unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What was written to the pipe before the kill counts too; its last line may be cut.
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        for line in rest.iter().rev().skip(1).rev() {
            take(line.clone());
        }
        let opened = store(dir.path());
        let plain = opened.partition("plain", 0).unwrap();
        let seen = read_all(&plain);
        assert!(
            seen.iter()
                .enumerate()
                .all(|(at, record)| record.offset == at as i64)
        );
        for (first, sequence) in &acknowledged {
            let record = &seen[usize::try_from(*first).unwrap()];
            assert_eq!(
                record.value.as_deref(),
                Some(format!("p1-{sequence}").as_str())
            );
        }
        let known = plain.producers().unwrap()[0];
        let again = produced(1, 0, known.last_sequence - 1, 2, false);
        assert!(
            plain
                .append(again, AppendOrigin::Client, NOW)
                .unwrap()
                .duplicate
        );
        let compacted = read_all(&opened.partition("compacted", 0).unwrap());
        for (key, sequence) in &last {
            let of_key = compacted
                .iter()
                .rev()
                .find(|record| record.key.as_ref() == Some(key));
            let value: i32 = of_key.unwrap().value.as_ref().unwrap().parse().unwrap();
            assert!(value >= *sequence, "{key}");
        }
        let slice = plain
            .read(0, 1 << 20, Isolation::ReadUncommitted, true)
            .unwrap();
        assert!(batches(slice.bytes).all(|item| item.is_ok()));
    }
    assert!(acknowledged.len() > 1_000, "the storm did nothing");
}
