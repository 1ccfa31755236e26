//! Idempotent and transactional producers.

use milena_broker::log::{
    AppendError, AppendOrigin, Isolation, LogConfig, MarkerKind, PartitionLog,
};

use crate::support::*;

fn end(log: &PartitionLog, id: i64, epoch: i16, kind: MarkerKind) -> i64 {
    log.append_marker(id, epoch, kind, 0, NOW)
        .unwrap()
        .first_offset
}

fn committed(log: &PartitionLog) -> Vec<String> {
    values(&read_from(log, 0, 1 << 20, Isolation::ReadCommitted))
}

#[test]
fn a_repeated_batch_is_answered_with_its_first_offset() {
    let dir = quick_dir();
    let mut log = open(dir.path(), LogConfig::default());
    for index in 0..7 {
        append(&log, produced(9, 0, index * 2, 2, false));
    }
    for restart in [false, true] {
        if restart {
            drop(log);
            log = open(dir.path(), LogConfig::default());
        }
        for index in 2..7 {
            let again = append(&log, produced(9, 0, index * 2, 2, false));
            assert!(again.duplicate);
            assert_eq!(again.first_offset, i64::from(index) * 2);
            assert_eq!(again.last_offset, i64::from(index) * 2 + 1);
        }
        // Older than the five remembered.
        let old = try_append(&log, produced(9, 0, 0, 2, false));
        assert!(matches!(old, Err(AppendError::OutOfOrderSequence { .. })));
        assert_eq!(log.high_watermark().unwrap(), 14);
    }
}

#[test]
fn sequences_must_follow_and_wrap() {
    let dir = quick_dir();
    let log = open(dir.path(), LogConfig::default());
    // An unknown producer may start anywhere: its records may have been removed.
    append(&log, produced(1, 0, i32::MAX - 1, 2, false));
    let gap = try_append(&log, produced(1, 0, 1, 1, false)).unwrap_err();
    assert!(matches!(
        gap,
        AppendError::OutOfOrderSequence {
            found: 1,
            last: i32::MAX,
            ..
        }
    ));
    append(&log, produced(1, 0, 0, 1, false));
    // Across the end.
    append(&log, produced(2, 0, i32::MAX, 3, false));
    append(&log, produced(2, 0, 2, 1, false));
    assert!(append(&log, produced(2, 0, i32::MAX, 3, false)).duplicate);
}

#[test]
fn a_newer_epoch_fences_the_older_and_starts_at_zero() {
    let dir = quick_dir();
    let log = open(dir.path(), LogConfig::default());
    append(&log, produced(1, 3, 0, 1, false));
    let error = try_append(&log, produced(1, 4, 1, 1, false)).unwrap_err();
    assert!(matches!(error, AppendError::OutOfOrderSequence { .. }));
    append(&log, produced(1, 4, 0, 1, false));
    let error = try_append(&log, produced(1, 3, 1, 1, false)).unwrap_err();
    assert!(matches!(
        error,
        AppendError::InvalidProducerEpoch {
            found: 3,
            current: 4,
            ..
        }
    ));
    let error = log
        .append_marker(1, 3, MarkerKind::Abort, 0, NOW)
        .unwrap_err();
    assert!(matches!(error, AppendError::InvalidProducerEpoch { .. }));
}

#[test]
fn a_plain_batch_inside_a_transaction_is_refused() {
    let dir = quick_dir();
    let log = open(dir.path(), LogConfig::default());
    append(&log, produced(1, 0, 0, 1, true));
    let error = try_append(&log, produced(1, 0, 1, 1, false)).unwrap_err();
    assert!(matches!(
        error,
        AppendError::InvalidTxnState { producer_id: 1 }
    ));
}

#[test]
fn the_last_stable_offset_stops_at_the_oldest_open_transaction() {
    let dir = quick_dir();
    let log = open(dir.path(), LogConfig::default());
    append(&log, batch(&[("a", Some("plain"))]));
    append(&log, produced(1, 0, 0, 1, true));
    append(&log, produced(2, 0, 0, 1, true));
    append(&log, batch(&[("a", Some("late"))]));
    assert_eq!(log.last_stable_offset().unwrap(), 1);
    assert_eq!(committed(&log), ["plain"]);
    assert_eq!(log.open_transactions().unwrap().len(), 2);
    assert!(log.has_open_transaction(2, 0).unwrap());
    end(&log, 2, 0, MarkerKind::Commit);
    assert_eq!(log.last_stable_offset().unwrap(), 1);
    end(&log, 1, 0, MarkerKind::Abort);
    assert_eq!(log.last_stable_offset().unwrap(), 6);
    assert_eq!(committed(&log), ["plain", "p2-0", "late"]);
    assert!(log.open_transactions().unwrap().is_empty());
    let slice = log
        .read(0, 1 << 20, Isolation::ReadCommitted, true)
        .unwrap();
    assert_eq!(slice.aborted.len(), 1);
    assert_eq!(
        (slice.aborted[0].producer_id, slice.aborted[0].first_offset),
        (1, 1)
    );
    let slice = log
        .read(0, 1 << 20, Isolation::ReadUncommitted, true)
        .unwrap();
    assert!(slice.aborted.is_empty());
    // Behind the marker it is of no concern.
    let slice = log
        .read(5, 1 << 20, Isolation::ReadCommitted, true)
        .unwrap();
    assert_eq!(slice.aborted.len(), 1);
    append(&log, batch(&[("a", Some("end"))]));
    let slice = log
        .read(6, 1 << 20, Isolation::ReadCommitted, true)
        .unwrap();
    assert!(slice.aborted.is_empty());
}

#[test]
fn transactions_over_many_segments_stay_decided_across_restarts() {
    let dir = quick_dir();
    let settings = [("segment.bytes", "500")];
    let mut log = open(dir.path(), config(&settings));
    let mut expected = Vec::new();
    let mut sequence = [0; 4];
    for round in 0..60_i64 {
        let id = round % 4;
        let at = &mut sequence[id as usize];
        append(&log, produced(id, 0, *at, 2, true));
        append(&log, batch(&[("x", Some(&format!("plain{round}")))]));
        append(&log, produced(id, 0, *at + 2, 1, true));
        if round % 3 == 0 {
            end(&log, id, 0, MarkerKind::Abort);
            expected.push(format!("plain{round}"));
        } else {
            end(&log, id, 0, MarkerKind::Commit);
            expected.push(format!("p{id}-{at}"));
            expected.push(format!("p{id}-{}", *at + 1));
            expected.push(format!("plain{round}"));
            expected.push(format!("p{id}-{}", *at + 2));
        }
        *at += 3;
        match round % 10 {
            4 => log = open(dir.path(), config(&settings)),
            7 => log.close().unwrap(),
            _ => {}
        }
        assert_eq!(committed(&log), expected, "round {round}");
    }
    assert!(files(dir.path(), ".txn").len() > 3);
    for max_bytes in [1, 300, 900] {
        let seen = read_from(&log, 0, max_bytes, Isolation::ReadCommitted);
        assert_eq!(values(&seen), expected);
    }
    // Without any checkpoint everything is found again.
    drop(log);
    let without = copy_dir(dir.path());
    for ending in ["checkpoint", ".txn", ".index"] {
        for path in files(without.path(), ending) {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(
        committed(&open(without.path(), config(&settings))),
        expected
    );
}

#[test]
fn a_coordinator_writes_transactional_batches_without_sequence() {
    let dir = quick_dir();
    let log = open(dir.path(), LogConfig::default());
    for _ in 0..2 {
        let bytes = produced(5, 0, -1, 1, true);
        log.append(bytes, AppendOrigin::Coordinator, NOW).unwrap();
    }
    assert_eq!(log.last_stable_offset().unwrap(), 0);
    end(&log, 5, 0, MarkerKind::Commit);
    assert_eq!(log.last_stable_offset().unwrap(), 3);
    let producers = log.producers().unwrap();
    assert_eq!(producers.len(), 1);
    assert_eq!(producers[0].coordinator_epoch, 0);
    assert_eq!(producers[0].current_txn_first_offset, None);
}

#[test]
fn idle_producers_are_forgotten_but_not_open_transactions() {
    let dir = quick_dir();
    let log = open(dir.path(), config(&[("retention.ms", "-1")]));
    append(&log, produced(1, 0, 0, 1, false));
    append(&log, produced(2, 0, 0, 1, true));
    log.enforce_retention(NOW + 25 * 3_600_000).unwrap();
    let left: Vec<_> = log
        .producers()
        .unwrap()
        .iter()
        .map(|known| known.producer_id)
        .collect();
    assert_eq!(left, [2]);
}
