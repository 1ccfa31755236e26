//! Appending, reading, and what an append refuses.

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use milena_broker::log::batch::BatchHeader;
use milena_broker::log::{
    AppendError, AppendOrigin, BatchBuilder, Isolation, LogConfig, ReadError,
};
use milena_broker::log::{MarkerKind, control_batch};

use crate::support::*;

#[test]
fn records_come_back_as_they_were_appended() {
    let dir = quick_dir();
    let log = open(dir.path(), LogConfig::default());
    let first = append(&log, batch(&[("a", Some("1")), ("b", None)]));
    let second = append(&log, batch(&[("c", Some("3"))]));
    assert_eq!((first.first_offset, first.last_offset), (0, 1));
    assert_eq!((second.first_offset, second.last_offset), (2, 2));
    let seen = read_all(&log);
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[1].value, None);
    assert_eq!(seen[2].key.as_deref(), Some("c"));
    assert_eq!(log.high_watermark().unwrap(), 3);
}

#[test]
fn stored_bytes_differ_from_the_sent_ones_in_offset_and_epoch_alone() {
    let dir = quick_dir();
    let log = open(dir.path(), LogConfig::default());
    append(&log, batch(&[("a", Some("1"))]));
    let sent = batch(&[("b", Some("2"))]);
    append(&log, sent.clone());
    let stored = log
        .read(1, 1 << 20, Isolation::ReadUncommitted, true)
        .unwrap()
        .bytes;
    assert_eq!(stored[8..12], sent[8..12]);
    assert_eq!(stored[16..], sent[16..]);
    assert_eq!(BatchHeader::parse_verified(&stored).unwrap().base_offset, 1);
}

#[test]
fn a_read_holds_whole_batches_up_to_the_limit() {
    let dir = quick_dir();
    let log = open(dir.path(), config(&[("segment.bytes", "1000")]));
    let one = batch(&[("a", Some("0123456789"))]);
    for _ in 0..100 {
        append(&log, one.clone());
    }
    assert!(files(dir.path(), ".log").len() > 5);
    for offset in 0..100 {
        let slice = log
            .read(offset, one.len() * 2 + 5, Isolation::ReadUncommitted, false)
            .unwrap();
        assert!(slice.bytes.len() == one.len() * 2 || slice.bytes.len() == one.len());
        assert_eq!(
            BatchHeader::parse(&slice.bytes).unwrap().base_offset,
            offset
        );
        let none = log
            .read(offset, one.len() - 1, Isolation::ReadUncommitted, false)
            .unwrap();
        assert!(none.bytes.is_empty());
        let forced = log
            .read(offset, 1, Isolation::ReadUncommitted, true)
            .unwrap();
        assert_eq!(forced.bytes.len(), one.len());
    }
    for max_bytes in [1, 100, 700, 5000, 1 << 20] {
        let seen = read_from(&log, 0, max_bytes, Isolation::ReadUncommitted);
        assert_eq!(seen.len(), 100, "{max_bytes}");
    }
}

#[test]
fn a_read_inside_a_batch_starts_with_that_batch() {
    let dir = quick_dir();
    let log = open(dir.path(), LogConfig::default());
    append(
        &log,
        batch(&[("a", Some("1")), ("b", Some("2")), ("c", Some("3"))]),
    );
    let slice = log
        .read(2, 1 << 20, Isolation::ReadUncommitted, true)
        .unwrap();
    assert_eq!(BatchHeader::parse(&slice.bytes).unwrap().base_offset, 0);
    assert_eq!(
        read_from(&log, 2, 1 << 20, Isolation::ReadUncommitted).len(),
        1
    );
}

#[test]
fn offsets_outside_the_log_are_out_of_range() {
    let dir = quick_dir();
    let log = open(dir.path(), LogConfig::default());
    append(&log, batch(&[("a", Some("1"))]));
    assert!(
        log.read(1, 100, Isolation::ReadUncommitted, true)
            .unwrap()
            .bytes
            .is_empty()
    );
    for offset in [-1, 2] {
        let error = log
            .read(offset, 100, Isolation::ReadUncommitted, true)
            .unwrap_err();
        assert!(
            matches!(error, ReadError::OffsetOutOfRange { end: 1, .. }),
            "{error}"
        );
    }
}

#[test]
fn damaged_and_oversized_batches_are_refused_and_leave_nothing() {
    let dir = quick_dir();
    let log = open(
        dir.path(),
        config(&[("max.message.bytes", "200"), ("segment.bytes", "300")]),
    );
    let good = batch(&[("a", Some("1"))]);
    for at in 16..good.len() {
        let mut bad = good.to_vec();
        bad[at] ^= 0x40;
        assert!(try_append(&log, bad.into()).is_err(), "byte {at}");
    }
    let cut = good.slice(..good.len() - 1);
    assert!(matches!(
        try_append(&log, cut),
        Err(AppendError::CorruptMessage(_))
    ));
    assert!(matches!(
        try_append(&log, Bytes::new()),
        Err(AppendError::InvalidRecord(_))
    ));
    let large = batch(&[("a", Some(&"x".repeat(200)))]);
    assert!(matches!(
        try_append(&log, large),
        Err(AppendError::MessageTooLarge { .. })
    ));
    let marker = control_batch(1, 0, MarkerKind::Commit, 0, NOW);
    assert!(matches!(
        try_append(&log, marker),
        Err(AppendError::InvalidRecord(_))
    ));
    let two = [&good[..], &good[..]].concat();
    assert!(matches!(
        try_append(&log, two.clone().into()),
        Err(AppendError::InvalidRecord(_))
    ));
    assert_eq!(log.high_watermark().unwrap(), 0);
    let done = log
        .append(two.into(), AppendOrigin::Coordinator, NOW)
        .unwrap();
    assert_eq!((done.first_offset, done.last_offset), (0, 1));
}

#[test]
fn records_that_contradict_their_header_are_refused() {
    let dir = quick_dir();
    let log = open(dir.path(), LogConfig::default());
    let good = batch(&[("a", Some("1")), ("b", Some("2"))]);
    let mut header = BatchHeader::parse(&good).unwrap();
    header.records_count = 3;
    header.last_offset_delta = 2;
    let records = good.slice(61..);
    let mut bad = BytesMut::new();
    bad.extend_from_slice(&header.sealed(&records).to_bytes());
    bad.extend_from_slice(&records);
    assert!(matches!(
        try_append(&log, bad.freeze()),
        Err(AppendError::InvalidRecord(_))
    ));
}

#[test]
fn a_compacted_topic_wants_keys_also_in_compressed_batches() {
    let dir = quick_dir();
    let log = open(dir.path(), config(&[("cleanup.policy", "compact")]));
    let mut keyless = BatchBuilder::new(NOW);
    keyless.push(None, Some(b"v"));
    assert!(matches!(
        try_append(&log, keyless.finish()),
        Err(AppendError::InvalidRecord(_))
    ));
    for compression in [
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let without = try_append(&log, compressed(compression, None));
        assert!(
            matches!(without, Err(AppendError::InvalidRecord(_))),
            "{compression:?}"
        );
        append(&log, compressed(compression, Some("k")));
    }
    assert_eq!(read_all(&log).len(), 4);
}

fn compressed(compression: Compression, key: Option<&str>) -> Bytes {
    let record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence: -1,
        timestamp: NOW,
        key: key.map(|key| Bytes::copy_from_slice(key.as_bytes())),
        value: Some(Bytes::from_static(b"value")),
        headers: Default::default(),
    };
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions {
        version: 2,
        compression,
    };
    RecordBatchEncoder::encode(&mut out, [&record], &options).unwrap();
    out.freeze()
}

#[test]
fn log_append_time_stamps_the_batch_and_its_checksum() {
    let dir = quick_dir();
    let log = open(
        dir.path(),
        config(&[("message.timestamp.type", "LogAppendTime")]),
    );
    let done = log
        .append(batch(&[("a", Some("1"))]), AppendOrigin::Client, NOW + 77)
        .unwrap();
    assert_eq!(done.log_append_time, NOW + 77);
    let slice = log
        .read(0, 1 << 20, Isolation::ReadUncommitted, true)
        .unwrap();
    let header = BatchHeader::parse_verified(&slice.bytes).unwrap();
    assert!(header.is_log_append_time());
    assert_eq!(header.max_timestamp, NOW + 77);
}

#[test]
fn timestamps_far_from_the_clock_are_refused() {
    let dir = quick_dir();
    let log = open(
        dir.path(),
        config(&[("message.timestamp.before.max.ms", "1000")]),
    );
    for timestamp in [NOW - 1001, NOW + 3_600_001] {
        let mut builder = BatchBuilder::new(timestamp);
        builder.push(None, None);
        let error = try_append(&log, builder.finish()).unwrap_err();
        assert!(
            matches!(error, AppendError::InvalidTimestamp { .. }),
            "{error}"
        );
    }
    for timestamp in [NOW - 1000, NOW + 3_600_000, -1] {
        let mut builder = BatchBuilder::new(timestamp);
        builder.push(None, None);
        append(&log, builder.finish());
    }
}

#[test]
fn records_are_found_by_time() {
    let dir = quick_dir();
    let settings = [("segment.bytes", "2000"), ("index.interval.bytes", "100")];
    let log = open(dir.path(), config(&settings));
    assert_eq!(log.max_timestamp_offset().unwrap(), None);
    for index in 0..100 {
        let mut builder = BatchBuilder::new(NOW + index * 10);
        builder.push(None, Some(b"first"));
        builder.push_at(NOW + index * 10 + 5, None, Some(b"second"));
        append(&log, builder.finish());
    }
    for round in 0..2 {
        for index in 0..100 {
            let found = log
                .offset_for_timestamp(NOW + index * 10 + 1)
                .unwrap()
                .unwrap();
            assert_eq!(
                (found.offset, found.timestamp),
                (index * 2 + 1, NOW + index * 10 + 5)
            );
            let found = log.offset_for_timestamp(NOW + index * 10).unwrap().unwrap();
            assert_eq!(found.offset, index * 2);
        }
        assert_eq!(log.offset_for_timestamp(NOW + 996).unwrap(), None);
        assert_eq!(log.max_timestamp_offset().unwrap().unwrap().offset, 199);
        if round == 0 {
            // Index files are a convenience.
            log.close().unwrap();
            for path in files(dir.path(), ".index") {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
    log.delete_records(51).unwrap();
    assert_eq!(log.offset_for_timestamp(0).unwrap().unwrap().offset, 51);
}
