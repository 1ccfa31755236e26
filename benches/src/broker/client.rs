//! A client as cheap as can be, the same for both brokers: requests are encoded once and patched, answers
//! are read no further than needed.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf as _, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ApiKey, CreateTopicsRequest, CreateTopicsResponse, FetchRequest, FetchResponse,
        InitProducerIdRequest, InitProducerIdResponse, ListOffsetsRequest, ListOffsetsResponse,
        ProduceRequest, ProduceResponse, RequestHeader, ResponseHeader, TopicName,
        create_topics_request::CreatableTopic,
        fetch_request::{FetchPartition, FetchTopic},
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
        produce_request::{PartitionProduceData, TopicProduceData},
    },
    protocol::{Decodable, Encodable, HeaderVersion, StrBytes},
    records::{
        Compression, NO_PARTITION_LEADER_EPOCH, Record, RecordBatchEncoder, RecordEncodeOptions,
        TimestampType,
    },
};

const PRODUCE: i16 = 9;
const FETCH: i16 = 12;
/// Where the fields lie in a batch.
const LAST_OFFSET_DELTA: usize = 23;
const CRC: usize = 17;
const SEQUENCE: usize = 53;
const BATCH_LENGTH: usize = 8;
const OVERHEAD: usize = 12;

pub(crate) struct Client {
    stream: TcpStream,
}

/// A produce request whose batch is sent again and again with the next sequence.
pub(crate) struct Produce {
    frame: Vec<u8>,
    batch: usize,
    length: usize,
    records: i32,
    sequence: i32,
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn frame<T: Encodable + HeaderVersion>(key: ApiKey, version: i16, request: &T) -> Result<Vec<u8>> {
    let mut body = BytesMut::new();
    let header = RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_client_id(Some(text("bench")));
    header.encode(&mut body, T::header_version(version))?;
    request.encode(&mut body, version)?;
    let mut frame = i32::try_from(body.len())?.to_be_bytes().to_vec();
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// A batch of `records` records of `size` bytes; of nobody with the producer (-1, -1).
pub(crate) fn batch(producer: (i64, i16), records: i32, size: usize) -> Result<Bytes> {
    // Old records would fall to retention while they are measured.
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let now = i64::try_from(now)?;
    let one = |at: i32| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: producer.0,
        producer_epoch: producer.1,
        timestamp_type: TimestampType::Creation,
        offset: i64::from(at),
        // The encoder wants them in a row; a batch of nobody begins at -1.
        sequence: if producer.0 < 0 { at - 1 } else { at },
        timestamp: now,
        key: None,
        value: Some(vec![b'x'; size].into()),
        headers: kafka_protocol::indexmap::IndexMap::default(),
    };
    let all: Vec<Record> = (0..records).map(one).collect();
    let mut batch = BytesMut::new();
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    RecordBatchEncoder::encode(&mut batch, &all, &options)?;
    Ok(batch.freeze())
}

impl Client {
    pub(crate) fn connect(bootstrap: &str) -> Result<Self> {
        let stream = TcpStream::connect(bootstrap)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    fn answer(&mut self) -> Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length))?];
        self.stream.read_exact(&mut answer)?;
        Ok(answer.into())
    }

    fn call<T: Encodable + HeaderVersion, R: Decodable + HeaderVersion>(
        &mut self,
        key: ApiKey,
        version: i16,
        request: &T,
    ) -> Result<R> {
        self.stream.write_all(&frame(key, version, request)?)?;
        let mut answer = self.answer()?;
        ResponseHeader::decode(&mut answer, R::header_version(version))?;
        R::decode(&mut answer, version)
    }

    /// Asks what is offered: the first sign of life.
    pub(crate) fn versions(&mut self) -> Result<()> {
        let request = kafka_protocol::messages::ApiVersionsRequest::default();
        self.stream
            .write_all(&frame(ApiKey::ApiVersions, 0, &request)?)?;
        self.answer().map(drop)
    }

    /// Creates a topic and waits until its first partition answers.
    pub(crate) fn create(&mut self, name: &str, partitions: i32) -> Result<()> {
        let topic = CreatableTopic::default()
            .with_name(TopicName(text(name)))
            .with_num_partitions(partitions)
            .with_replication_factor(1);
        let request = CreateTopicsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(10_000);
        let answer: CreateTopicsResponse = self.call(ApiKey::CreateTopics, 7, &request)?;
        let code = answer.topics.first().context("no topic")?.error_code;
        ensure!(code == 0, "the topic cannot be created: {code}");
        let topic = ListOffsetsTopic::default()
            .with_name(TopicName(text(name)))
            .with_partitions(vec![ListOffsetsPartition::default().with_timestamp(-1)]);
        let request = ListOffsetsRequest::default()
            .with_replica_id((-1).into())
            .with_topics(vec![topic]);
        loop {
            let answer: ListOffsetsResponse = self.call(ApiKey::ListOffsets, 7, &request)?;
            let topic = answer.topics.first().context("no topic")?;
            if topic.partitions.first().context("no partition")?.error_code == 0 {
                return Ok(());
            }
        }
    }

    /// An idempotent producer of batches of `records` records of `size` bytes.
    pub(crate) fn producer(&mut self, topic: &str, records: i32, size: usize) -> Result<Produce> {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_producer_id((-1).into())
            .with_producer_epoch(-1);
        let (id, epoch) = loop {
            let answer: InitProducerIdResponse = self.call(ApiKey::InitProducerId, 4, &request)?;
            match answer.error_code {
                0 => break (*answer.producer_id, answer.producer_epoch),
                14..=16 => {}
                code => bail!("no producer id: {code}"),
            }
        };
        let batch = batch((id, epoch), records, size)?;
        let data = PartitionProduceData::default().with_records(Some(batch.clone()));
        let topic = TopicProduceData::default()
            .with_name(TopicName(text(topic)))
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_transactional_id(None)
            .with_acks(-1)
            .with_timeout_ms(30_000)
            .with_topic_data(vec![topic]);
        let frame = frame(ApiKey::Produce, PRODUCE, &request)?;
        let at = frame
            .windows(batch.len())
            .position(|part| part == &batch[..]);
        Ok(Produce {
            batch: at.context("no batch in the request")?,
            length: batch.len(),
            frame,
            records,
            sequence: 0,
        })
    }

    /// Writes these batches to a partition.
    pub(crate) fn write(&mut self, topic: &str, partition: i32, batches: &Bytes) -> Result<()> {
        let data = PartitionProduceData::default()
            .with_index(partition)
            .with_records(Some(batches.clone()));
        let topic = TopicProduceData::default()
            .with_name(TopicName(text(topic)))
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_acks(-1)
            .with_timeout_ms(30_000)
            .with_topic_data(vec![topic]);
        self.stream
            .write_all(&frame(ApiKey::Produce, PRODUCE, &request)?)?;
        self.acknowledged()
    }

    pub(crate) fn send(&mut self, produce: &mut Produce) -> Result<()> {
        let end = produce.batch + produce.length;
        let batch = produce
            .frame
            .get_mut(produce.batch..end)
            .context("no batch")?;
        put(batch, SEQUENCE, produce.sequence.to_be_bytes())?;
        let sum = crc32c::crc32c(batch.get(CRC + 4..).context("no batch")?);
        put(batch, CRC, sum.to_be_bytes())?;
        produce.sequence += produce.records;
        self.stream.write_all(&produce.frame)?;
        Ok(())
    }

    pub(crate) fn acknowledged(&mut self) -> Result<()> {
        let mut answer = self.answer()?;
        ResponseHeader::decode(&mut answer, ProduceResponse::header_version(PRODUCE))?;
        let answer = ProduceResponse::decode(&mut answer, PRODUCE)?;
        let topic = answer.responses.first().context("no topic")?;
        let partition = topic.partition_responses.first().context("no partition")?;
        ensure!(
            partition.error_code == 0,
            "refused: {}",
            partition.error_code
        );
        Ok(())
    }

    /// Reads from this offset; the offset after what came.
    pub(crate) fn fetch(&mut self, topic: &str, offset: i64) -> Result<i64> {
        let partition = FetchPartition::default()
            .with_current_leader_epoch(-1)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default()
            .with_topic(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_max_wait_ms(500)
            .with_min_bytes(1)
            .with_max_bytes(50 << 20)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let answer: FetchResponse = self.call(ApiKey::Fetch, FETCH, &request)?;
        let topic = answer.responses.first().context("no topic")?;
        let partition = topic.partitions.first().context("no partition")?;
        ensure!(
            partition.error_code == 0,
            "not read: {}",
            partition.error_code
        );
        let mut records = partition.records.clone().unwrap_or_default();
        let mut next = offset;
        while records.len() > LAST_OFFSET_DELTA + 4 {
            let base = (&records[..8]).get_i64();
            let length = usize::try_from((&records[BATCH_LENGTH..]).get_i32())? + OVERHEAD;
            if length > records.len() {
                break;
            }
            next = base + i64::from((&records[LAST_OFFSET_DELTA..]).get_i32()) + 1;
            records.advance(length);
        }
        Ok(next)
    }
}

fn put(batch: &mut [u8], at: usize, value: [u8; 4]) -> Result<()> {
    let place = batch.get_mut(at..at + 4).context("a short batch")?;
    place.copy_from_slice(&value);
    Ok(())
}
