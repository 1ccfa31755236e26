//! Compaction against a naive model, and its interruption by a kill.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use milena_broker::log::{
    AppendOrigin, BatchBuilder, Isolation, LogConfig, MarkerKind, PartitionLog,
};
use proptest::prelude::*;

use crate::support::*;

const RETENTION: i64 = 10_000;

fn compacted() -> LogConfig {
    config(&[
        ("cleanup.policy", "compact"),
        ("segment.bytes", "700"),
        ("min.cleanable.dirty.ratio", "0"),
        ("delete.retention.ms", "10000"),
    ])
}

fn put(log: &PartitionLog, key: &str, value: Option<&str>) -> i64 {
    append(log, batch(&[(key, value)])).first_offset
}

/// Seals everything appended so far, by records of a key no test looks at.
fn seal(log: &PartitionLog) {
    let segments = log.size_bytes().unwrap();
    while log.size_bytes().unwrap() - segments < 800 {
        put(log, "filler", Some(&"x".repeat(300)));
    }
}

fn of_key(seen: &[Seen], key: &str) -> Vec<(i64, Option<String>)> {
    let of_key = seen
        .iter()
        .filter(|record| record.key.as_deref() == Some(key));
    of_key
        .map(|record| (record.offset, record.value.clone()))
        .collect()
}

fn committed(log: &PartitionLog) -> Vec<Seen> {
    read_from(log, 0, 1 << 20, Isolation::ReadCommitted)
}

#[test]
fn the_last_value_stays_at_its_offset() {
    let dir = quick_dir();
    let log = open(dir.path(), compacted());
    for round in 0..50 {
        put(&log, "a", Some(&format!("a{round}")));
        put(&log, "b", Some(&format!("b{round}")));
    }
    seal(&log);
    assert!(log.compact(NOW).unwrap() > 0);
    let seen = read_all(&log);
    assert_eq!(of_key(&seen, "a"), [(98, Some("a49".to_owned()))]);
    assert_eq!(of_key(&seen, "b"), [(99, Some("b49".to_owned()))]);
    assert_eq!(log.log_start_offset().unwrap(), 0);
    // Nothing is left to do.
    assert_eq!(log.compact(NOW).unwrap(), 0);
    drop(log);
    assert_eq!(read_all(&open(dir.path(), compacted())), seen);
}

#[test]
fn a_tombstone_stays_its_time_and_takes_the_value_with_it() {
    let dir = quick_dir();
    let log = open(dir.path(), compacted());
    put(&log, "a", Some("1"));
    let tombstone = put(&log, "a", None);
    seal(&log);
    log.compact(NOW).unwrap();
    let seen = read_all(&log);
    assert_eq!(of_key(&seen, "a"), [(tombstone, None)]);
    let kept = seen
        .iter()
        .find(|record| record.offset == tombstone)
        .unwrap();
    assert_eq!(
        kept.timestamp, NOW,
        "the horizon does not change the record's time"
    );
    seal(&log);
    log.compact(NOW + RETENTION - 1).unwrap();
    assert_eq!(of_key(&read_all(&log), "a"), [(tombstone, None)]);
    seal(&log);
    log.compact(NOW + RETENTION).unwrap();
    assert_eq!(of_key(&read_all(&log), "a"), []);
}

#[test]
fn aborted_records_go_at_once_and_markers_later() {
    let dir = quick_dir();
    let log = open(dir.path(), compacted());
    append(&log, produced(1, 0, 0, 3, true));
    log.append_marker(1, 0, MarkerKind::Abort, 0, NOW).unwrap();
    append(&log, produced(2, 0, 0, 1, true));
    log.append_marker(2, 0, MarkerKind::Commit, 0, NOW).unwrap();
    append(&log, produced(1, 1, 0, 1, false));
    seal(&log);
    log.compact(NOW).unwrap();
    let seen = read_all(&log);
    assert_eq!(of_key(&seen, "k").len(), 1);
    assert_eq!(of_key(&committed(&log), "k").len(), 1);
    assert_eq!(markers(&log), [(3, 1), (5, 2)]);
    seal(&log);
    log.compact(NOW + 1).unwrap();
    seal(&log);
    log.compact(NOW + 2 * RETENTION).unwrap();
    // Producer 2's last batch stays for its sequence, and its marker with it.
    assert!(!markers(&log).contains(&(3, 1)));
    let again = append(&log, produced(2, 0, 0, 1, true));
    assert!(again.duplicate);
    assert_eq!(again.first_offset, 4);
}

fn markers(log: &PartitionLog) -> Vec<(i64, i64)> {
    let mut found = Vec::new();
    let mut offset = 0;
    loop {
        let slice = log
            .read(offset, 1 << 20, Isolation::ReadUncommitted, true)
            .unwrap();
        if slice.bytes.is_empty() {
            return found;
        }
        for item in milena_broker::log::batch::batches(slice.bytes) {
            let (header, _) = item.unwrap();
            if header.is_control() {
                found.push((header.base_offset, header.producer_id));
            }
            offset = header.next_offset();
        }
    }
}

#[test]
fn an_open_transaction_and_the_active_segment_are_left_alone() {
    let dir = quick_dir();
    let log = open(dir.path(), compacted());
    put(&log, "k", Some("old"));
    seal(&log);
    append(&log, produced(1, 0, 0, 1, true));
    put(&log, "k", Some("newer"));
    seal(&log);
    put(&log, "k", Some("newest"));
    let before = read_all(&log);
    log.compact(NOW).unwrap();
    let after = read_all(&log);
    let from = of_key(&before, "k")[1].0;
    let tail = |seen: &[Seen]| {
        let tail = seen.iter().filter(|record| record.offset >= from);
        tail.cloned().collect::<Vec<_>>()
    };
    assert_eq!(tail(&before), tail(&after));
    assert_eq!(of_key(&after, "k").len(), 4);
}

#[test]
fn compressed_batches_stay_compressed() {
    use kafka_protocol::records::{
        Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
    };
    for compression in [
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let dir = quick_dir();
        let log = open(dir.path(), compacted());
        for round in 0..20 {
            let records: Vec<Record> = (0..4)
                .map(|index| Record {
                    transactional: false,
                    control: false,
                    delete_horizon: false,
                    partition_leader_epoch: 0,
                    producer_id: -1,
                    producer_epoch: -1,
                    timestamp_type: TimestampType::Creation,
                    offset: index,
                    sequence: index as i32,
                    timestamp: NOW,
                    key: Some(format!("{index}-{}", if index == 3 { round } else { 0 }).into()),
                    value: Some(format!("value {round} {}", "y".repeat(100)).into()),
                    headers: Default::default(),
                })
                .collect();
            let mut bytes = bytes::BytesMut::new();
            let options = RecordEncodeOptions {
                version: 2,
                compression,
            };
            RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
            append(&log, bytes.freeze());
        }
        seal(&log);
        assert!(log.compact(NOW).unwrap() > 0);
        let seen = read_all(&log);
        assert_eq!(of_key(&seen, "0-0").len(), 1);
        for round in 0..20 {
            assert_eq!(of_key(&seen, &format!("3-{round}")).len(), 1);
        }
        let slice = log.read(3, 1, Isolation::ReadUncommitted, true).unwrap();
        let header = milena_broker::log::batch::BatchHeader::parse_verified(&slice.bytes).unwrap();
        assert_eq!(header.compression(), compression as i16);
        assert_eq!(header.records_count, 1);
    }
}

#[test]
fn a_kill_between_any_two_steps_of_the_replacement_is_finished_on_open() {
    let dir = quick_dir();
    let log = open(dir.path(), compacted());
    for round in 0..9 {
        put(&log, "a", Some(&format!("a{round}{}", "x".repeat(200))));
    }
    put(&log, "a", Some("last"));
    seal(&log);
    let before = copy_dir(dir.path());
    // Small segments are merged into larger ones.
    let mut larger = compacted();
    larger.set("segment.bytes", "100000").unwrap();
    log.set_config(larger);
    log.compact(NOW).unwrap();
    let expected = read_all(&log);
    let olds = files(before.path(), ".log");
    let news = files(dir.path(), ".log");
    assert!(news.len() < olds.len());
    let end = base(news.iter().find(|path| base(path) > 0).unwrap());
    let replaced: Vec<_> = olds.iter().filter(|path| base(path) < end).collect();
    for removed in 0..=replaced.len() {
        let killed = copy_dir(before.path());
        let swap = killed.path().join(format!("{:020}-{end:020}.swap", 0));
        fs::copy(&news[0], swap).unwrap();
        for path in replaced.iter().rev().take(removed) {
            fs::remove_file(killed.path().join(path.file_name().unwrap())).unwrap();
        }
        let log = open(killed.path(), compacted());
        assert_eq!(read_all(&log), expected, "{removed} removed");
        assert!(files(killed.path(), ".swap").is_empty());
    }
    // A cleaned file that was not renamed never counted.
    let killed = copy_dir(before.path());
    fs::write(killed.path().join("00000000000000000000.cleaned"), b"half").unwrap();
    let log = open(killed.path(), compacted());
    assert_eq!(
        read_all(&log)
            .iter()
            .filter(|record| record.key.as_deref() == Some("a"))
            .count(),
        10
    );
    assert!(files(killed.path(), ".cleaned").is_empty());
}

fn base(path: &Path) -> i64 {
    path.file_stem().unwrap().to_str().unwrap().parse().unwrap()
}

#[derive(Debug, Clone)]
enum Step {
    Put(Vec<(u8, bool)>),
    Transactional(u8, Vec<(u8, bool)>),
    End(u8, bool),
    Compact(u16),
    Restart,
    Kill,
    LoseCheckpoint,
}

fn records() -> impl Strategy<Value = Vec<(u8, bool)>> {
    prop::collection::vec((0..5_u8, prop::bool::weighted(0.8)), 1..5)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => records().prop_map(Step::Put),
        6 => (0..3_u8, records()).prop_map(|(id, records)| Step::Transactional(id, records)),
        4 => (0..3_u8, any::<bool>()).prop_map(|(id, commit)| Step::End(id, commit)),
        3 => (0..8_000_u16).prop_map(Step::Compact),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
        1 => Just(Step::LoseCheckpoint),
    ]
}

#[derive(Debug, Clone)]
struct Written {
    offset: i64,
    key: String,
    value: Option<String>,
    /// The transaction it belongs to.
    transaction: Option<usize>,
}

/// Everything ever written, and what became of the transactions.
#[derive(Default)]
struct Model {
    written: Vec<Written>,
    /// Committed, aborted, or open.
    transactions: Vec<Option<bool>>,
    open: HashMap<u8, usize>,
    sequences: HashMap<u8, i32>,
    last_batches: HashMap<u8, (bytes::Bytes, i64)>,
    /// Tombstones by offset and the earliest time they may go.
    reached: HashMap<i64, i64>,
    now: i64,
}

impl Model {
    fn append(&mut self, log: &PartitionLog, records: &[(u8, bool)], id: Option<u8>) {
        let mut builder = BatchBuilder::new(NOW);
        let transaction = id.map(|id| {
            let sequence = *self.sequences.entry(id).or_insert(0);
            let fresh = BatchBuilder::new(NOW);
            builder = fresh.producer(i64::from(id), 0, sequence, true);
            *self.open.entry(id).or_insert_with(|| {
                self.transactions.push(None);
                self.transactions.len() - 1
            })
        });
        let first = log.high_watermark().unwrap();
        for (index, (key, has_value)) in records.iter().enumerate() {
            let offset = first + index as i64;
            let key = format!("key{key}");
            let value = has_value.then(|| format!("value{offset}{}", "z".repeat(20)));
            builder.push(Some(key.as_bytes()), value.as_deref().map(str::as_bytes));
            self.written.push(Written {
                offset,
                key,
                value,
                transaction,
            });
        }
        let bytes = builder.finish();
        let done = log
            .append(bytes.clone(), AppendOrigin::Client, NOW)
            .unwrap();
        assert_eq!(done.first_offset, first);
        if let Some(id) = id {
            *self.sequences.get_mut(&id).unwrap() += records.len() as i32;
            self.last_batches.insert(id, (bytes, first));
        }
    }

    fn end(&mut self, log: &PartitionLog, id: u8, commit: bool) {
        if let Some(transaction) = self.open.remove(&id) {
            let kind = if commit {
                MarkerKind::Commit
            } else {
                MarkerKind::Abort
            };
            log.append_marker(i64::from(id), 0, kind, 0, NOW).unwrap();
            self.transactions[transaction] = Some(commit);
        }
    }

    /// Records a `read_committed` reader sees if nothing was ever compacted.
    fn visible(&self) -> Vec<&Written> {
        let unstable = |written: &&Written| {
            written
                .transaction
                .is_some_and(|txn| self.transactions[txn].is_none())
        };
        let stable = self
            .written
            .iter()
            .find(unstable)
            .map_or(i64::MAX, |first| first.offset);
        self.written
            .iter()
            .filter(|written| written.offset < stable)
            .filter(|written| {
                written
                    .transaction
                    .is_none_or(|txn| self.transactions[txn] == Some(true))
            })
            .collect()
    }

    fn check(&self, log: &PartitionLog) {
        let seen = committed(log);
        let visible = self.visible();
        let by_offset: HashMap<i64, &Written> = visible
            .iter()
            .map(|written| (written.offset, *written))
            .collect();
        assert!(seen.is_sorted_by(|a, b| a.offset < b.offset));
        for record in &seen {
            let written = by_offset
                .get(&record.offset)
                .expect("a record nobody may see");
            assert_eq!(record.key.as_deref(), Some(written.key.as_str()));
            assert_eq!(record.value, written.value);
            assert_eq!(record.timestamp, NOW);
        }
        for key in 0..5 {
            let key = format!("key{key}");
            let Some(last) = visible.iter().rfind(|written| written.key == key) else {
                continue;
            };
            let kept = seen.iter().any(|record| record.offset == last.offset);
            if last.value.is_some() {
                assert!(kept, "the last value of {key} at {} is gone", last.offset);
            } else if !kept {
                let may_go = self.reached.get(&last.offset);
                assert!(
                    may_go.is_some_and(|at| *at <= self.now),
                    "tombstone {} went early",
                    last.offset
                );
                let revived = seen
                    .iter()
                    .find(|record| record.key.as_deref() == Some(&key));
                assert_eq!(revived, None, "a deleted key came back");
            }
        }
        let end = log.high_watermark().unwrap();
        let open = self.open.len();
        assert_eq!(log.open_transactions().unwrap().len(), open);
        for (bytes, offset) in self.last_batches.values() {
            let again = append(log, bytes.clone());
            assert!(again.duplicate && again.first_offset == *offset);
        }
        assert_eq!(log.high_watermark().unwrap(), end);
    }

    /// Below the active segment each key has one record at most once everything is compacted.
    fn check_compacted(&self, log: &PartitionLog, dir: &Path) {
        if !self.open.is_empty() {
            return;
        }
        let active = files(dir, ".log")
            .iter()
            .map(|path| base(path))
            .max()
            .unwrap();
        let mut per_key: HashMap<String, usize> = HashMap::new();
        for record in committed(log)
            .into_iter()
            .filter(|record| record.offset < active)
        {
            *per_key.entry(record.key.unwrap()).or_default() += 1;
        }
        assert!(per_key.values().all(|count| *count == 1), "{per_key:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn compaction_keeps_kafkas_promises(steps in prop::collection::vec(step(), 1..120)) {
        let dir = quick_dir();
        let mut log = open(dir.path(), compacted());
        let mut model = Model { now: NOW, ..Model::default() };
        for step in steps {
            match step {
                Step::Put(records) => model.append(&log, &records, None),
                Step::Transactional(id, records) => model.append(&log, &records, Some(id)),
                Step::End(id, commit) => model.end(&log, id, commit),
                Step::Compact(later) => {
                    model.now += i64::from(later);
                    log.compact(model.now).unwrap();
                    for written in &model.written {
                        model.reached.entry(written.offset).or_insert(model.now + RETENTION);
                    }
                    model.check_compacted(&log, dir.path());
                }
                Step::Restart => log.close().unwrap(),
                Step::Kill => log = open(dir.path(), compacted()),
                Step::LoseCheckpoint => {
                    drop(log);
                    let _ = fs::remove_file(dir.path().join("checkpoint"));
                    log = open(dir.path(), compacted());
                }
            }
            model.check(&log);
        }
    }
}

#[test]
fn more_keys_than_one_pass_holds_are_compacted_in_several() {
    let dir = quick_dir();
    let mut settings = compacted();
    settings.set("segment.bytes", "20000000").unwrap();
    let log = open(dir.path(), settings.clone());
    let keys = 500_000_u32;
    let per_batch = 10_000;
    for round in 0..2_u8 {
        for first in (0..keys).step_by(per_batch) {
            let mut builder = BatchBuilder::new(NOW);
            for key in first..first + per_batch as u32 {
                builder.push(Some(&key.to_be_bytes()), Some(&[round]));
            }
            append(&log, builder.finish());
        }
    }
    settings.set("segment.bytes", "700").unwrap();
    log.set_config(settings);
    seal(&log);
    log.compact(NOW).unwrap();
    let mut seen = 0;
    let mut offset = 0;
    loop {
        let slice = log
            .read(offset, 1 << 20, Isolation::ReadUncommitted, true)
            .unwrap();
        if slice.bytes.is_empty() {
            break;
        }
        for item in milena_broker::log::batch::batches(slice.bytes) {
            let (header, _) = item.unwrap();
            seen += i64::from(header.records_count);
            assert!(header.base_offset >= i64::from(keys), "an old value stayed");
            offset = header.next_offset();
        }
    }
    assert!(
        (i64::from(keys)..i64::from(keys) + 10).contains(&seen),
        "{seen}"
    );
}
