//! What is told of times: of the broker's own, of records within a batch, and of those that were deleted.

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{ApiKey, ProduceRequest, ProduceResponse, produce_request},
    records::{Compression, RecordBatchEncoder, RecordEncodeOptions},
};

use super::{
    Notes,
    producing::{batch, record},
    reading::Fetching,
};
use crate::client::{Client, text};

/// Where the fields lie in a batch.
const ATTRIBUTES: usize = 21;
const BASE_TIMESTAMP: usize = 27;
const MAX_TIMESTAMP: usize = 35;
/// Times of records that are read by; none is near now.
const TIMES: [i64; 4] = [5000, 9000, 7000, 9000];

fn compressed(compression: Compression) -> Bytes {
    let records: Vec<_> = (0..)
        .zip(TIMES)
        .map(|(at, time)| record(at, Some("k"), time, 50))
        .collect();
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions {
        version: 2,
        compression,
    };
    RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
    bytes.freeze()
}

fn long(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(bytes[at..at + 8].try_into().unwrap())
}

impl Client {
    /// Code, offset, time of the append, start of the log.
    async fn stamped(&mut self, topic: &str, records: Bytes) -> (i16, i64, i64, i64) {
        let data = produce_request::PartitionProduceData::default().with_records(Some(records));
        let topic = produce_request::TopicProduceData::default()
            .with_name(text(topic).into())
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_acks(-1)
            .with_timeout_ms(10_000)
            .with_topic_data(vec![topic]);
        let answer: ProduceResponse = self.call(ApiKey::Produce, 9, &request).await;
        let p = &answer.responses[0].partition_responses[0];
        (
            p.error_code,
            p.base_offset,
            p.log_append_time_ms,
            p.log_start_offset,
        )
    }

    /// The first batch from an offset, as it lies in the log.
    async fn first_batch(&mut self, topic: &str, offset: i64) -> Bytes {
        let answer = self.fetch(Fetching::of(topic, offset)).await;
        let records = &answer.responses[0].partitions[0].records;
        records.clone().unwrap_or_default()
    }
}

/// The broker's time is written into what comes, whatever its compression.
pub(super) async fn appended(c: &mut Client, notes: &mut Notes) {
    c.create_with("stamped", "message.timestamp.type", "LogAppendTime")
        .await;
    c.led("stamped").await;
    let mut last = 0;
    for (what, compression) in [
        ("plain", Compression::None),
        ("gzip", Compression::Gzip),
        ("lz4", Compression::Lz4),
        ("zstd", Compression::Zstd),
    ] {
        let (code, offset, time, start) = c.stamped("stamped", compressed(compression)).await;
        notes.note(what, (code, offset, time > 1_700_000_000_000, start));
        let stored = c.first_batch("stamped", offset).await;
        notes.note(
            &format!("{what}, stored"),
            (
                stored[ATTRIBUTES + 1],
                long(&stored, MAX_TIMESTAMP) == time,
                long(&stored, BASE_TIMESTAMP),
            ),
        );
        let (code, at, found, _) = c.offset_at(("stamped", 0, -1), time, 0).await;
        // Two appends may fall into one millisecond.
        notes.note(
            &format!("{what}, by its time"),
            (code, found == time, time == last || at == offset),
        );
        last = time;
    }
    let (code, offset, time, _) = c.offset_at(("stamped", 0, -1), -3, 0).await;
    notes.note("greatest time", (code, offset >= 0, time == last));
}

/// Records are found by their time within a batch, also after those before them were deleted.
pub(super) async fn within(c: &mut Client, notes: &mut Notes) {
    for (topic, compression) in [
        ("within.plain", Compression::None),
        ("within.gzip", Compression::Gzip),
        ("within.snappy", Compression::Snappy),
        ("within.lz4", Compression::Lz4),
        ("within.zstd", Compression::Zstd),
    ] {
        c.made(topic).await;
        for _ in 0..2 {
            notes.note(
                &format!(
                    "{topic} written {}",
                    c.offset_at((topic, 0, -1), -1, 0).await.1
                ),
                c.stamped(topic, compressed(compression)).await,
            );
        }
        let stored = c.first_batch(topic, 0).await;
        let times = (long(&stored, BASE_TIMESTAMP), long(&stored, MAX_TIMESTAMP));
        notes.note(&format!("{topic} stored"), times);
        for deleted in [0, 1, 2, 5, 6, 8] {
            notes.note(
                &format!("{topic} {deleted} deleted"),
                c.delete_before(topic, 0, deleted).await,
            );
            for time in [-3, 0, 5000, 6000, 8000, 9000, 9001] {
                notes.note(
                    &format!("{topic} {deleted} deleted, time {time}"),
                    c.offset_at((topic, 0, -1), time, 0).await,
                );
            }
        }
    }
    // Records without a time.
    c.made("timeless").await;
    let written = c.stamped("timeless", batch(&[record(0, None, -1, 3)]).freeze());
    notes.note("timeless", written.await);
    for time in [-3, 0, 1] {
        notes.note(
            &format!("timeless, time {time}"),
            c.offset_at(("timeless", 0, -1), time, 0).await,
        );
    }
}
