use bytes::Bytes;
use kafka_protocol::records::{Record, RecordBatchDecoder};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::{
    BatchWriter, Compression, HEADER_BYTES, LZ4_DEFAULT, Stamp, halves, size_bound, stamp,
};
use crate::ports::{Header, OutRecord};

const ALL: [Compression; 7] = [
    Compression::None,
    Compression::Gzip(6),
    Compression::Snappy,
    Compression::Lz4(LZ4_DEFAULT),
    Compression::Lz4(12),
    Compression::Zstd(3),
    Compression::Zstd(-5),
];

fn decoded(sealed: &[u8]) -> Vec<Record> {
    let mut bytes = Bytes::copy_from_slice(sealed);
    RecordBatchDecoder::decode(&mut bytes).unwrap().records
}

fn some_bytes(random: &mut StdRng) -> Option<Bytes> {
    match random.random_range(0..6) {
        0 => None,
        1 => Some(Bytes::new()),
        2 => Some(vec![b'x'; random.random_range(1..20_000)].into()),
        _ => {
            let length = random.random_range(1..300);
            Some((0..length).map(|_| random.random()).collect())
        }
    }
}

fn some_records(random: &mut StdRng) -> Vec<(OutRecord, i64)> {
    let base: i64 = random.random_range(0..2_000_000_000_000);
    let one = |random: &mut StdRng| {
        let headers = (0..random.random_range(0..4_usize)).map(|at| Header {
            key: "h".repeat(at * 40).into(),
            value: some_bytes(random),
        });
        let headers = headers.collect();
        let record = OutRecord {
            key: some_bytes(random),
            value: some_bytes(random),
            headers,
            ..OutRecord::default()
        };
        (record, base + random.random_range(-100_000..100_000_000))
    };
    (0..random.random_range(1..200))
        .map(|_| one(random))
        .collect()
}

fn written(records: &[(OutRecord, i64)]) -> BatchWriter {
    let mut writer = BatchWriter::new(Vec::new(), records[0].1);
    for (record, timestamp) in records {
        let (before, size) = (writer.len(), writer.size_of(record, *timestamp));
        writer.append(record, *timestamp);
        assert_eq!(writer.len() - before, size);
        assert!(HEADER_BYTES + size <= size_bound(record));
    }
    writer
}

fn same(read: &Record, record: &OutRecord, timestamp: i64) {
    assert_eq!((&read.key, &read.value), (&record.key, &record.value));
    assert_eq!(read.timestamp, timestamp);
    let mut headers = std::collections::BTreeMap::new();
    for header in &record.headers {
        headers.insert(header.key.to_string(), header.value.clone());
    }
    let read = read.headers.iter();
    let read = read.map(|(key, value)| (key.to_string(), value.clone()));
    assert_eq!(read.collect::<std::collections::BTreeMap<_, _>>(), headers);
}

#[test]
fn what_is_written_is_what_another_decoder_reads() {
    let mut random = StdRng::seed_from_u64(7);
    for turn in 0..42_usize {
        let records = some_records(&mut random);
        let compression = ALL[turn % ALL.len()];
        let (mut sealed, _) = written(&records).seal(compression).unwrap();
        stamp(
            &mut sealed,
            (turn % 2 == 0).then_some(Stamp {
                producer: 77,
                epoch: 3,
                sequence: 1000,
                transactional: true,
            }),
        );
        let read = decoded(&sealed);
        assert_eq!(read.len(), records.len());
        for (at, (read, (record, timestamp))) in read.iter().zip(&records).enumerate() {
            same(read, record, *timestamp);
            assert_eq!(usize::try_from(read.offset).unwrap(), at);
            assert_eq!(read.transactional, turn % 2 == 0);
            let producer = if turn % 2 == 0 { (77, 3) } else { (-1, -1) };
            assert_eq!((read.producer_id, read.producer_epoch), producer);
        }
        // A new stamp is as good as the first.
        stamp(&mut sealed, None);
        assert!(!decoded(&sealed)[0].transactional);
    }
}

#[test]
fn halves_hold_every_record_in_order() {
    let mut random = StdRng::seed_from_u64(8);
    for turn in 0..28_usize {
        let records = some_records(&mut random);
        let compression = ALL[turn % ALL.len()];
        let (mut sealed, _) = written(&records).seal(compression).unwrap();
        stamp(&mut sealed, None);
        let Some(halves) = halves(&sealed) else {
            assert_eq!(records.len(), 1);
            continue;
        };
        let mut all = Vec::new();
        for half in halves {
            let (mut sealed, _) = half.seal(compression).unwrap();
            stamp(&mut sealed, None);
            let read = decoded(&sealed);
            assert!(!read.is_empty());
            all.extend(read);
        }
        assert_eq!(all.len(), records.len());
        for (read, (record, timestamp)) in all.iter().zip(&records) {
            same(read, record, *timestamp);
        }
    }
}
