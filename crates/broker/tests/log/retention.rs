//! Retention and `DeleteRecords`.

use milena_broker::log::{
    AppendOrigin, BatchBuilder, DeleteRecordsError, Isolation, PartitionLog, ReadError,
};

use crate::support::*;

const HOUR: i64 = 3_600_000;

fn fill(log: &PartitionLog, hours: i64) {
    for hour in 0..hours {
        let mut builder = BatchBuilder::new(NOW + hour * HOUR);
        builder.push(None, Some(&[b'x'; 300]));
        log.append(builder.finish(), AppendOrigin::Client, NOW + hour * HOUR)
            .unwrap();
    }
}

#[test]
fn old_segments_go_and_the_start_moves() {
    let dir = quick_dir();
    let settings = [("segment.bytes", "800"), ("retention.ms", "18000000")];
    let log = open(dir.path(), config(&settings));
    fill(&log, 20);
    let removed = log.enforce_retention(NOW + 19 * HOUR).unwrap();
    assert!(removed > 0);
    let start = log.log_start_offset().unwrap();
    assert!((12..=14).contains(&start), "{start}");
    assert_eq!(read_all(&log).first().unwrap().offset, start);
    let error = log
        .read(0, 100, Isolation::ReadUncommitted, true)
        .unwrap_err();
    assert!(matches!(error, ReadError::OffsetOutOfRange { .. }));
    drop(log);
    let log = open(dir.path(), config(&settings));
    assert_eq!(log.log_start_offset().unwrap(), start);
    // Everything is old: an empty log goes on at the same offset.
    log.enforce_retention(NOW + 100 * HOUR).unwrap();
    assert_eq!(log.size_bytes().unwrap(), 0);
    assert_eq!(log.log_start_offset().unwrap(), 20);
    assert_eq!(log.high_watermark().unwrap(), 20);
    drop(log);
    assert_eq!(
        open(dir.path(), config(&settings))
            .high_watermark()
            .unwrap(),
        20
    );
}

#[test]
fn size_is_kept_near_the_limit() {
    let dir = quick_dir();
    let log = open(
        dir.path(),
        config(&[("segment.bytes", "800"), ("retention.bytes", "2000")]),
    );
    fill(&log, 20);
    log.enforce_retention(NOW).unwrap();
    let size = log.size_bytes().unwrap();
    assert!((2000..2800).contains(&size), "{size}");
    assert_eq!(read_all(&log).last().unwrap().offset, 19);
}

#[test]
fn neither_policy_keeps_everything() {
    let dir = quick_dir();
    let log = open(
        dir.path(),
        config(&[("segment.bytes", "800"), ("cleanup.policy", "compact")]),
    );
    let mut builder = BatchBuilder::new(NOW);
    builder.push(Some(b"k"), Some(&[b'x'; 300]));
    for _ in 0..10 {
        append(&log, builder_clone(&builder));
    }
    assert_eq!(log.enforce_retention(NOW + 1000 * HOUR).unwrap(), 0);
    assert!(matches!(
        log.delete_records(1),
        Err(DeleteRecordsError::PolicyViolation)
    ));
}

fn builder_clone(_: &BatchBuilder) -> bytes::Bytes {
    let mut builder = BatchBuilder::new(NOW);
    builder.push(Some(b"k"), Some(&[b'x'; 300]));
    builder.finish()
}

#[test]
fn deleted_records_stay_deleted() {
    let dir = quick_dir();
    let settings = [("segment.bytes", "800")];
    let log = open(dir.path(), config(&settings));
    fill(&log, 20);
    assert_eq!(log.delete_records(7).unwrap(), 7);
    assert_eq!(log.delete_records(3).unwrap(), 7);
    assert!(matches!(
        log.delete_records(21),
        Err(DeleteRecordsError::OffsetOutOfRange {
            high_watermark: 20,
            ..
        })
    ));
    assert_eq!(read_all(&log).len(), 13);
    let before = log.size_bytes().unwrap();
    log.enforce_retention(NOW).unwrap();
    assert!(log.size_bytes().unwrap() < before);
    drop(log);
    let log = open(dir.path(), config(&settings));
    assert_eq!(log.log_start_offset().unwrap(), 7);
    assert_eq!(log.delete_records(-1).unwrap(), 20);
    assert!(read_all(&log).is_empty());
    fill(&log, 1);
    assert_eq!(read_all(&log).len(), 1);
}
