//! What a killed process leaves behind.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use milena_broker::log::batch::BatchHeader;
use milena_broker::log::recovery::scan;
use milena_broker::log::{Isolation, LogConfig, MarkerKind};
use proptest::prelude::*;

use crate::support::*;

fn last_log(dir: &Path) -> std::path::PathBuf {
    files(dir, ".log").pop().unwrap()
}

fn truncate(path: &Path, len: u64) {
    OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(len)
        .unwrap();
}

#[test]
fn a_kill_loses_nothing_acknowledged() {
    let dir = quick_dir();
    let log = open(dir.path(), config(&[("segment.bytes", "1000")]));
    for round in 0..100 {
        append(&log, batch(&[("a", Some(&round.to_string()))]));
        if round % 10 == 0 {
            let killed = copy_dir(dir.path());
            let log = open(killed.path(), LogConfig::default());
            assert_eq!(read_all(&log).len(), round + 1);
        }
    }
}

#[test]
fn a_torn_tail_is_cut_wherever_it_tears() {
    let dir = quick_dir();
    let log = open(dir.path(), LogConfig::default());
    let sizes: Vec<usize> = (0..4)
        .map(|round| {
            let bytes = batch(&[("a", Some(&"v".repeat(round * 10)))]);
            append(&log, bytes.clone());
            bytes.len()
        })
        .collect();
    let total: usize = sizes.iter().sum();
    for len in 0..=total {
        let killed = copy_dir(dir.path());
        truncate(&last_log(killed.path()), len as u64);
        let whole = (0..=4)
            .rfind(|count| sizes.iter().take(*count).sum::<usize>() <= len)
            .unwrap();
        let log = open(killed.path(), LogConfig::default());
        assert_eq!(read_all(&log).len(), whole, "cut at {len}");
        assert_eq!(
            append(&log, batch(&[("b", None)])).first_offset,
            whole as i64
        );
        assert_eq!(read_all(&log).len(), whole + 1);
    }
}

#[test]
fn garbage_after_the_tail_is_cut() {
    let dir = quick_dir();
    let log = open(dir.path(), LogConfig::default());
    append(&log, batch(&[("a", Some("1"))]));
    let path = last_log(dir.path());
    let size = fs::metadata(&path).unwrap().len();
    for garbage in [vec![0; 500], vec![0xff; 61], b"\0\0\0".to_vec()] {
        let killed = copy_dir(dir.path());
        let path = last_log(killed.path());
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&garbage, size).unwrap();
        let log = open(killed.path(), LogConfig::default());
        assert_eq!(read_all(&log).len(), 1);
        assert_eq!(fs::metadata(&path).unwrap().len(), size);
    }
}

#[test]
fn damage_in_the_middle_of_the_tail_cuts_there() {
    let dir = quick_dir();
    let log = open(dir.path(), LogConfig::default());
    let size = batch(&[("a", Some("1"))]).len() as u64;
    for _ in 0..10 {
        append(&log, batch(&[("a", Some("1"))]));
    }
    let killed = copy_dir(dir.path());
    let file = OpenOptions::new()
        .write(true)
        .open(last_log(killed.path()))
        .unwrap();
    file.write_all_at(b"!", size * 6 + 65).unwrap();
    let log = open(killed.path(), LogConfig::default());
    assert_eq!(read_all(&log).len(), 6);
}

#[test]
fn after_an_orderly_stop_nothing_is_scanned() {
    let dir = quick_dir();
    let log = open(dir.path(), LogConfig::default());
    for _ in 0..10 {
        append(&log, batch(&[("a", Some("1"))]));
    }
    log.close().unwrap();
    // Damage before the checkpoint is not looked for: that is what makes the start quick.
    let file = OpenOptions::new()
        .write(true)
        .open(last_log(dir.path()))
        .unwrap();
    file.write_all_at(b"!", 65).unwrap();
    assert_eq!(
        open(dir.path(), LogConfig::default())
            .high_watermark()
            .unwrap(),
        10
    );
}

#[test]
fn after_a_kill_the_segments_before_the_last_are_not_scanned() {
    let dir = quick_dir();
    let settings = [("segment.bytes", "600")];
    let log = open(dir.path(), config(&settings));
    for _ in 0..30 {
        append(&log, batch(&[("a", Some("1"))]));
    }
    let killed = copy_dir(dir.path());
    let mut segments = files(killed.path(), ".log");
    segments.sort();
    assert!(segments.len() > 3);
    // A scan would find the damage and cut the segment.
    let file = OpenOptions::new().write(true).open(&segments[0]).unwrap();
    file.write_all_at(b"!", 65).unwrap();
    let size = file.metadata().unwrap().len();
    let log = open(killed.path(), config(&settings));
    assert_eq!(log.high_watermark().unwrap(), 30);
    assert_eq!(file.metadata().unwrap().len(), size);
}

#[test]
fn a_log_shorter_than_its_checkpoint_is_scanned_in_full() {
    let dir = quick_dir();
    let log = open(dir.path(), config(&[("segment.bytes", "600")]));
    for sequence in 0..30 {
        append(&log, produced(1, 0, sequence, 1, false));
    }
    log.close().unwrap();
    let path = last_log(dir.path());
    truncate(&path, fs::metadata(&path).unwrap().len() - 10);
    let log = open(dir.path(), config(&[("segment.bytes", "600")]));
    assert_eq!(log.high_watermark().unwrap(), 29);
    // The producer's state is the log's, not the checkpoint's.
    let again = append(&log, produced(1, 0, 29, 1, false));
    assert!(!again.duplicate);
    assert_eq!(again.first_offset, 29);
}

#[test]
fn damaged_side_files_are_rebuilt() {
    let dir = quick_dir();
    let settings = [("segment.bytes", "3000"), ("index.interval.bytes", "200")];
    let log = open(dir.path(), config(&settings));
    for round in 0..200 {
        append(&log, batch(&[("a", Some(&round.to_string()))]));
    }
    append(&log, produced(1, 0, 0, 1, true));
    log.append_marker(1, 0, MarkerKind::Abort, 0, NOW).unwrap();
    for round in 200..250 {
        append(&log, batch(&[("a", Some(&round.to_string()))]));
    }
    append(&log, produced(1, 0, 1, 1, true));
    log.append_marker(1, 0, MarkerKind::Abort, 0, NOW).unwrap();
    log.close().unwrap();
    let expected = read_from(&log, 0, 1 << 20, Isolation::ReadCommitted);
    drop(log);
    for ending in [".index", ".txn", "checkpoint"] {
        for damage in ["remove", "empty", "flip"] {
            let copy = copy_dir(dir.path());
            for path in files(copy.path(), ending) {
                let mut bytes = fs::read(&path).unwrap();
                match damage {
                    "remove" => fs::remove_file(&path).unwrap(),
                    "empty" => fs::write(&path, b"").unwrap(),
                    _ => {
                        let middle = bytes.len() / 2;
                        bytes[middle] ^= 1;
                        fs::write(&path, bytes).unwrap();
                    }
                }
            }
            let log = open(copy.path(), config(&settings));
            let seen = read_from(&log, 0, 1 << 20, Isolation::ReadCommitted);
            assert_eq!(seen, expected, "{ending} {damage}");
            for offset in (0..200).step_by(7) {
                let slice = log.read(offset, 1, Isolation::ReadCommitted, true).unwrap();
                assert_eq!(
                    BatchHeader::parse(&slice.bytes).unwrap().base_offset,
                    offset
                );
            }
        }
    }
}

#[test]
fn a_batch_larger_than_the_scan_window_is_recovered() {
    let dir = quick_dir();
    let log = open(dir.path(), config(&[("max.message.bytes", "10000000")]));
    append(&log, batch(&[("a", Some(&"x".repeat(3_000_000)))]));
    append(&log, batch(&[("b", Some("after"))]));
    drop(log);
    let log = open(dir.path(), LogConfig::default());
    assert_eq!(read_all(&log).len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any bytes: a scan ends, names a prefix, and scanning that prefix again finds no fault.
    #[test]
    fn a_scan_of_any_bytes_finds_a_valid_prefix(
        good in 0..4_usize,
        flip in prop::option::of((any::<prop::sample::Index>(), 1..=255_u8)),
        tail in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut bytes = Vec::new();
        let mut next = 0;
        for _ in 0..good {
            let batch = batch(&[("a", Some("1")), ("b", Some("2"))]);
            let mut header = BatchHeader::parse(&batch).unwrap();
            header.base_offset = next;
            next = header.next_offset();
            bytes.extend_from_slice(&header.to_bytes());
            bytes.extend_from_slice(&batch[61..]);
        }
        bytes.extend_from_slice(&tail);
        if let Some((at, by)) = flip && !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] ^= by;
        }
        let end = scan(&bytes[..], 0, 0, |_| {}).unwrap();
        let valid = &bytes[..end.valid_len as usize];
        let again = scan(valid, 0, 0, |_| {}).unwrap();
        prop_assert_eq!(again.fault, None);
        prop_assert_eq!(again.valid_len, end.valid_len);
        prop_assert_eq!(again.next_offset, end.next_offset);
        prop_assert_eq!(end.fault.is_some(), valid.len() < bytes.len());
    }

    /// A kill whose last write reached the file in part: what was acknowledged before the checkpoint
    /// and the cut stays, in order, and the log goes on.
    #[test]
    fn truncation_anywhere_leaves_a_prefix(
        batches in 1..60_usize,
        close_at in 0..60_usize,
        cut in 0..2_000_u64,
        file in any::<prop::sample::Index>(),
    ) {
        let dir = quick_dir();
        let settings = [("segment.bytes", "1000")];
        let log = open(dir.path(), config(&settings));
        for round in 0..batches {
            append(&log, produced(1, 0, round as i32, 1, false));
            if round == close_at {
                log.close().unwrap();
            }
        }
        let before = read_all(&log);
        drop(log);
        let logs = files(dir.path(), ".log");
        let path = file.get(&logs);
        let size = fs::metadata(path).unwrap().len();
        truncate(path, size.saturating_sub(cut));
        let log = open(dir.path(), config(&settings));
        let after = read_all(&log);
        prop_assert!(after.iter().all(|record| before.contains(record)));
        prop_assert!(after.is_sorted_by(|a, b| a.offset < b.offset));
        if path == logs.last().unwrap() {
            prop_assert_eq!(&before[..after.len()], &after[..]);
        }
        let lost = before.len() - after.len();
        prop_assert!(lost as u64 <= cut.min(1000) / 70 + 1);
        append(&log, batch(&[("z", Some("goes on"))]));
        prop_assert_eq!(read_all(&log).len(), after.len() + 1);
    }
}
