//! Batches as another implementation writes them, read by ours; and bytes that are no batches.

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType as Written,
};
use proptest::prelude::*;

use super::{
    completed::{Completed, Rules, Taken},
    read::HeaderKeys,
};
use crate::ports::{InRecord, TimestampType};

const PLAIN: Rules = Rules {
    check: true,
    committed: false,
};

fn record(offset: i64, value: &str) -> Record {
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 3,
        producer_id: -1,
        producer_epoch: -1,
        sequence: i32::try_from(offset).unwrap(),
        timestamp_type: Written::Creation,
        offset,
        timestamp: 1_000 + offset,
        key: (offset % 2 == 0).then(|| Bytes::from(format!("k{offset}"))),
        value: Some(Bytes::from(value.to_owned())),
        headers: [("h".into(), Some(Bytes::from("x"))), ("n".into(), None)].into(),
    }
}

fn encode(records: &[Record], compression: Compression) -> Vec<u8> {
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions {
        version: 2,
        compression,
    };
    RecordBatchEncoder::encode(&mut out, records, &options).unwrap();
    out.to_vec()
}

fn of(producer: i64, transactional: bool, control: bool, offset: i64, value: &str) -> Vec<u8> {
    let mut record = record(offset, value);
    record.producer_id = producer;
    record.producer_epoch = 0;
    record.transactional = transactional;
    record.control = control;
    if control {
        // The marker's key: version 0, and its type.
        let kind = u8::from(value == "commit");
        record.key = Some(Bytes::from(vec![0, 0, 0, kind]));
    }
    encode(&[record], Compression::None)
}

fn all(bytes: Vec<u8>, aborted: &[(i64, i64)], rules: Rules, from: i64, step: usize) -> Read {
    let mut completed = Completed::new(bytes.into(), aborted.to_vec(), rules);
    let mut keys = HeaderKeys::default();
    let mut read = Read {
        records: Vec::new(),
        last: Taken {
            position: from,
            ..Taken::default()
        },
    };
    while !completed.is_done() && read.last.fault.is_none() {
        let position = read.last.position;
        read.last = completed.take(position, step, &mut keys, &mut read.records);
    }
    read
}

struct Read {
    records: Vec<InRecord>,
    last: Taken,
}

impl Read {
    fn offsets(&self) -> Vec<i64> {
        self.records.iter().map(|record| record.offset).collect()
    }
}

#[test]
fn every_compression_is_read_from_every_position_in_every_step() {
    let records: Vec<Record> = (5..25)
        .map(|at| record(at, &"v".repeat(at as usize * 30)))
        .collect();
    for compression in [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let bytes = encode(&records, compression);
        for (from, step) in [(5, 1), (0, 3), (11, 7), (24, 500), (25, 1), (5, 500)] {
            let read = all(bytes.clone(), &[], PLAIN, from, step);
            let wanted: Vec<i64> = (from.max(5)..25).collect();
            assert_eq!(read.offsets(), wanted, "{compression:?} {from} {step}");
            assert_eq!((read.last.position, &read.last.fault), (25, &None));
            for got in &read.records {
                let written = &records[(got.offset - 5) as usize];
                assert_eq!(got.value, written.value);
                assert_eq!(got.key, written.key);
                assert_eq!(got.timestamp, written.timestamp);
                assert_eq!(got.timestamp_type, TimestampType::CreateTime);
                let headers: Vec<_> = got.headers.iter().map(|h| (&*h.key, &h.value)).collect();
                assert_eq!(headers, [("h", &Some(Bytes::from("x"))), ("n", &None)]);
            }
        }
    }
}

#[test]
fn gaps_and_torn_ends_move_the_position_as_far_as_batches_are_whole() {
    // Compacted: of ten records these are left, the batch still ends where it ended.
    let mut bytes = encode(&[record(2, "a"), record(7, "b")], Compression::None);
    let next = encode(&[record(10, "c")], Compression::None);
    bytes.extend_from_slice(&next[..next.len() - 1]);
    let completed = Completed::new(bytes.clone().into(), Vec::new(), PLAIN);
    assert_eq!(completed.next_offset(), 8);
    let read = all(bytes.clone(), &[], PLAIN, 3, 500);
    assert_eq!((read.offsets(), read.last.position), (vec![7], 8));
    bytes.truncate(40);
    assert_eq!(Completed::new(bytes.into(), Vec::new(), PLAIN).bytes(), 0);
}

#[test]
fn aborted_transactions_are_passed_over_where_they_interleave() {
    let bytes = [
        of(1, true, false, 0, "a"),
        of(2, true, false, 1, "b"),
        of(-1, false, false, 2, "plain"),
        of(1, true, true, 3, "abort"),
        of(1, true, false, 4, "c"),
        of(2, true, false, 5, "d"),
        of(2, true, true, 6, "commit"),
        of(1, true, true, 7, "abort"),
        of(1, true, false, 8, "e"),
        of(1, true, true, 9, "commit"),
    ]
    .concat();
    let aborted = [(4, 1), (0, 1)];
    let committed = Rules {
        committed: true,
        ..PLAIN
    };
    for step in [1, 2, 500] {
        let read = all(bytes.clone(), &aborted, committed, 0, step);
        assert_eq!((read.offsets(), read.last.position), (vec![1, 2, 5, 8], 10));
        // Whoever reads everything is given everything, but no marker.
        let read = all(bytes.clone(), &[], PLAIN, 0, step);
        assert_eq!(read.offsets(), [0, 1, 2, 4, 5, 8]);
        // From the middle on, as after a restart.
        let read = all(bytes.clone(), &aborted, committed, 5, step);
        assert_eq!(read.offsets(), [5, 8]);
    }
}

#[test]
fn a_batch_that_was_damaged_is_a_fault_at_its_place() {
    let mut bytes = encode(&[record(0, "a")], Compression::None);
    let good = bytes.len();
    bytes.extend(encode(&[record(1, "b")], Compression::None));
    let value = bytes.iter().rposition(|byte| *byte == b'b').unwrap();
    bytes[value] = b'c';
    let read = all(bytes.clone(), &[], PLAIN, 0, 500);
    assert_eq!((read.offsets(), read.last.position), (vec![0], 1));
    assert!(read.last.fault.unwrap().contains("crc"));
    // Nobody looks when nobody is to look.
    let unchecked = Rules {
        check: false,
        ..PLAIN
    };
    assert_eq!(all(bytes.clone(), &[], unchecked, 0, 500).offsets(), [0, 1]);
    // A format that there is not.
    bytes[good + 16] = 9;
    let read = all(bytes, &[], PLAIN, 0, 500);
    assert_eq!(read.last.position, 1);
    assert!(read.last.fault.unwrap().contains("format 9"));
}

/// A message of format 1 or 0.
fn message(magic: u8, attributes: u8, offset: i64, value: &[u8]) -> Vec<u8> {
    let mut body = vec![magic, attributes];
    if magic == 1 {
        body.extend((500 + offset).to_be_bytes());
    }
    body.extend((-1_i32).to_be_bytes());
    body.extend(i32::try_from(value.len()).unwrap().to_be_bytes());
    body.extend(value);
    let mut crc = flate2::Crc::new();
    crc.update(&body);
    let mut out = offset.to_be_bytes().to_vec();
    out.extend(i32::try_from(body.len() + 4).unwrap().to_be_bytes());
    out.extend(crc.sum().to_be_bytes());
    out.extend(body);
    out
}

#[test]
fn message_sets_are_read() {
    let mut bytes = [message(0, 0, 7, b"a"), message(1, 0, 8, b"b")].concat();
    // Offsets inside a compressed message of format 1 count from its first.
    let inner = [message(1, 0, 0, b"c"), message(1, 0, 1, b"d")].concat();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &inner).unwrap();
    bytes.extend(message(1, 1, 10, &gzip.finish().unwrap()));
    for step in [1, 500] {
        let read = all(bytes.clone(), &[], PLAIN, 0, step);
        assert_eq!(read.last.fault, None);
        let shown: Vec<_> = read
            .records
            .iter()
            .map(|r| {
                (
                    r.offset,
                    r.timestamp,
                    r.timestamp_type,
                    r.value.as_deref().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (7, -1, TimestampType::None, b"a".as_slice()),
                (8, 508, TimestampType::CreateTime, b"b"),
                (9, 500, TimestampType::CreateTime, b"c"),
                (10, 501, TimestampType::CreateTime, b"d"),
            ]
        );
    }
}

proptest! {
    /// Whatever is changed, whether checksums are looked at or not: records or a fault, and an end.
    #[test]
    fn damaged_bytes_never_panic(
        compression in 0..5_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        old in any::<bool>(),
        step in 1..40_usize,
    ) {
        let compression = [
            Compression::None,
            Compression::Gzip,
            Compression::Snappy,
            Compression::Lz4,
            Compression::Zstd,
        ][compression];
        let records: Vec<Record> = (0..20).map(|at| record(at, "value")).collect();
        let mut bytes = encode(&records, compression);
        bytes.extend(encode(&records, Compression::None));
        if old {
            bytes = [message(0, 0, 0, b"a"), message(1, 0, 1, b"b"), message(1, 3, 2, b"c")].concat();
        }
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(bytes.len() - cut.index(bytes.len()) / 4);
        for check in [false, true] {
            let rules = Rules { check, committed: true };
            let read = all(bytes.clone(), &[(0, 1)], rules, 0, step);
            prop_assert!(read.records.len() <= bytes.len());
        }
    }
}
