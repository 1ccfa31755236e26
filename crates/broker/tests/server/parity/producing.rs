//! What a producer is told: sequences, epochs, and batches that are refused.

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ApiKey, ApiVersionsRequest, ApiVersionsResponse, ProduceRequest, ProduceResponse,
        TopicName,
        produce_request::{PartitionProduceData, TopicProduceData},
    },
    records::{
        Compression, NO_PARTITION_LEADER_EPOCH, Record, RecordBatchEncoder, RecordEncodeOptions,
        TimestampType,
    },
};

use super::{NEW, Notes, settled};
use crate::client::{Client, text};

const TIME: i64 = 1_700_000_000_000;
/// Where the fields lie in a batch.
const LENGTH: usize = 8;
const MAGIC: usize = 16;
const CRC: usize = 17;
const COUNT: usize = 57;

pub(super) fn record(offset: i64, key: Option<&'static str>, time: i64, size: usize) -> Record {
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset,
        // Counted like the offset, or the encoder begins another batch.
        sequence: i32::try_from(offset).unwrap() - 1,
        timestamp: time,
        key: key.map(|key| Bytes::from_static(key.as_bytes())),
        value: Some(vec![b'x'; size].into()),
        headers: kafka_protocol::indexmap::IndexMap::default(),
    }
}

pub(super) fn batch(records: &[Record]) -> BytesMut {
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    RecordBatchEncoder::encode(&mut bytes, records, &options).unwrap();
    bytes
}

impl Client {
    pub(super) async fn write(&mut self, at: (&str, i32), acks: i16, bytes: Bytes) -> (i16, i64) {
        let data = PartitionProduceData::default()
            .with_index(at.1)
            .with_records(Some(bytes));
        let topic = TopicProduceData::default()
            .with_name(TopicName(text(at.0)))
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_acks(acks)
            .with_timeout_ms(10_000)
            .with_topic_data(vec![topic]);
        let answer: ProduceResponse = self.call(ApiKey::Produce, 9, &request).await;
        let partition = &answer.responses[0].partition_responses[0];
        (partition.error_code, partition.base_offset)
    }

    /// Writes for no answer on a connection of its own; whether the connection lasts.
    async fn unasked(&mut self, at: (&str, i32), bytes: Bytes) -> bool {
        let peer = self.stream.peer_addr().unwrap().to_string();
        let mut own = Client::connect(&peer).await;
        let data = PartitionProduceData::default()
            .with_index(at.1)
            .with_records(Some(bytes));
        let topic = TopicProduceData::default()
            .with_name(TopicName(text(at.0)))
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_acks(0)
            .with_timeout_ms(10_000)
            .with_topic_data(vec![topic]);
        own.send(ApiKey::Produce, 9, &request).await;
        let key = ApiKey::ApiVersions;
        let request = ApiVersionsRequest::default();
        let answer: Option<ApiVersionsResponse> = own.try_call(key, 0, &request).await;
        answer.is_some()
    }

    /// Writes records with these times, one batch each.
    pub(super) async fn write_at_times(&mut self, topic: &str, times: &[i64]) {
        for time in times {
            let written = self.write((topic, 0), -1, batch(&[record(0, None, *time, 1)]).freeze());
            assert_eq!(written.await.0, 0);
        }
    }
}

pub(super) async fn idempotence(c: &mut Client, notes: &mut Notes) {
    c.made("idem").await;
    let (_, (id, epoch)) = settled(async || {
        let (code, id, epoch) = c.init(None, 60_000, NEW).await;
        (code, (id, epoch))
    })
    .await;
    let p = (id, epoch);
    notes.note("first", c.produce("idem", p, 0, None, b"a").await);
    notes.note("again", c.produce("idem", p, 0, None, b"a").await);
    for sequence in 1..7 {
        c.produce("idem", p, sequence, None, b"a").await;
    }
    notes.note("the fifth last", c.produce("idem", p, 2, None, b"a").await);
    notes.note("long ago", c.produce("idem", p, 0, None, b"a").await.0);
    notes.note("a gap", c.produce("idem", p, 9, None, b"a").await);
    notes.note("after the gap", c.produce("idem", p, 7, None, b"a").await);
    let later = (id, epoch + 1);
    notes.note(
        "a later epoch in the middle",
        c.produce("idem", later, 5, None, b"a").await.0,
    );
    notes.note(
        "a later epoch from 0",
        c.produce("idem", later, 0, None, b"a").await,
    );
    notes.note(
        "the epoch before",
        c.produce("idem", p, 8, None, b"a").await.0,
    );
    let unknown = (id + 500, 0);
    notes.note(
        "unknown in the middle",
        c.produce("idem", unknown, 5, None, b"a").await.0,
    );
    let (code, same, bumped) = c.init(None, 60_000, later).await;
    notes.note("a new id for an old one", (code, same == id, bumped));
}

pub(super) async fn refused(c: &mut Client, notes: &mut Notes) {
    c.made("refusing").await;
    c.create_with("small", "max.message.bytes", "1000").await;
    c.led("small").await;
    c.create_with("compacted", "cleanup.policy", "compact")
        .await;
    c.led("compacted").await;
    let at = ("refusing", 0);
    let good = || batch(&[record(0, None, TIME, 3), record(1, None, TIME, 3)]);
    notes.note("good", c.write(at, -1, good().freeze()).await);
    notes.note("acks of 1", c.write(at, 1, good().freeze()).await);
    notes.note("acks of 2", c.write(at, 2, good().freeze()).await);
    notes.note(
        "no such partition",
        c.write(("refusing", 9), -1, good().freeze()).await,
    );
    notes.note(
        "no such topic",
        c.write(("nope", 0), -1, good().freeze()).await,
    );
    notes.note("a bad name", c.write(("a b", 0), -1, good().freeze()).await);
    notes.note(
        "an internal topic",
        c.write(("__consumer_offsets", 0), -1, good().freeze())
            .await
            .0,
    );
    notes.note("nothing", c.write(at, -1, Bytes::new()).await.0);
    let tampered = |place: usize, value: u8| {
        let mut bytes = good();
        bytes[place] = value;
        bytes.freeze()
    };
    notes.note("a broken checksum", c.write(at, -1, tampered(CRC, 0)).await);
    notes.note("broken data", c.write(at, -1, tampered(COUNT + 8, 1)).await);
    notes.note("two batches", {
        let mut two = good();
        two.extend_from_slice(&good());
        c.write(at, -1, two.freeze()).await
    });
    notes.note("half a batch", {
        let whole = good().freeze();
        c.write(at, -1, whole.slice(..whole.len() - 4)).await
    });
    notes.note(
        "a length too small",
        c.write(at, -1, tampered(LENGTH + 3, 4)).await,
    );
    notes.note(
        "an unknown format",
        c.write(at, -1, tampered(MAGIC, 7)).await,
    );
    notes.note("a count that is wrong", {
        let mut bytes = good();
        bytes[COUNT + 3] = 5;
        checked(&mut bytes);
        c.write(at, -1, bytes.freeze()).await
    });
    notes.note("a control batch", {
        let mut bytes = good();
        bytes[22] |= 0x20;
        checked(&mut bytes);
        c.write(at, -1, bytes.freeze()).await
    });
    notes.note("transactional without a producer", {
        let mut bytes = good();
        bytes[22] |= 0x10;
        checked(&mut bytes);
        c.write(at, -1, bytes.freeze()).await
    });
    let large = || batch(&[record(0, None, TIME, 2000)]).freeze();
    notes.note("too large", c.write(("small", 0), -1, large()).await);
    notes.note(
        "compacted without a key",
        c.write(("compacted", 0), -1, good().freeze()).await,
    );
    let keyed = batch(&[record(0, Some("k"), TIME, 3)]).freeze();
    notes.note(
        "compacted with a key",
        c.write(("compacted", 0), -1, keyed).await,
    );
    let far = batch(&[record(0, None, TIME * 5, 3)]).freeze();
    notes.note("of the far future", c.write(at, -1, far).await);
    notes.note("without answer", c.unasked(at, good().freeze()).await);
    notes.note(
        "without answer, no such partition",
        c.unasked(("refusing", 9), good().freeze()).await,
    );
    let broken = tampered(CRC, 0);
    notes.note("without answer, broken", c.unasked(at, broken).await);
    let end = c.offset_at(("refusing", 0, -1), -1, 0).await;
    notes.note("the end after all", end);
}

/// Sets the checksum of a batch anew.
fn checked(bytes: &mut BytesMut) {
    let sum = crc32c::crc32c(&bytes[CRC + 4..]);
    bytes[CRC..CRC + 4].copy_from_slice(&sum.to_be_bytes());
}
