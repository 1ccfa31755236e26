//! A client that sends one request at a time and reads one answer, so that a test sees the bare protocol.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ApiKey, CreateTopicsRequest, CreateTopicsResponse, FindCoordinatorRequest,
        FindCoordinatorResponse, InitProducerIdRequest, InitProducerIdResponse,
        OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
        ProduceRequest, ProduceResponse, RequestHeader, ResponseHeader, TopicName,
        create_topics_request::CreatableTopic,
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics},
        produce_request::{PartitionProduceData, TopicProduceData},
    },
    protocol::{Decodable, Encodable, HeaderVersion, StrBytes},
    records::{
        Compression, NO_PARTITION_LEADER_EPOCH, Record, RecordBatchEncoder, RecordEncodeOptions,
        TimestampType,
    },
};
use milena_broker::{Broker, BrokerConfig, RunningBroker};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A broker on a folder.
pub(crate) async fn start(dir: &tempfile::TempDir) -> RunningBroker {
    let config = BrokerConfig::new(dir.path(), "127.0.0.1:0".parse().unwrap());
    Broker::start(config).await.unwrap()
}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    /// Whether it writes and ends transactions as KIP-890 has it.
    pub(crate) bumps: bool,
}

impl Client {
    pub(crate) async fn connect(bootstrap: &str) -> Self {
        let stream = TcpStream::connect(bootstrap).await.unwrap();
        Self {
            stream,
            bumps: false,
        }
    }

    /// Nothing when nobody listens.
    pub(crate) async fn try_connect(bootstrap: &str) -> Option<Self> {
        let stream = TcpStream::connect(bootstrap).await.ok()?;
        Some(Self {
            stream,
            bumps: false,
        })
    }

    pub(crate) async fn send<T: Encodable + HeaderVersion>(
        &mut self,
        key: ApiKey,
        version: i16,
        request: &T,
    ) {
        self.try_send(key, version, request).await.unwrap();
    }

    async fn try_send<T: Encodable + HeaderVersion>(
        &mut self,
        key: ApiKey,
        version: i16,
        request: &T,
    ) -> Option<()> {
        let mut body = BytesMut::new();
        let header = RequestHeader::default()
            .with_request_api_key(key as i16)
            .with_request_api_version(version)
            .with_correlation_id(7)
            .with_client_id(Some(text("test")));
        header
            .encode(&mut body, T::header_version(version))
            .unwrap();
        request.encode(&mut body, version).unwrap();
        let mut frame = BytesMut::new();
        frame.put_i32(i32::try_from(body.len()).unwrap());
        frame.extend_from_slice(&body);
        self.stream.write_all(&frame).await.ok()
    }

    /// Nothing when the broker is gone before its answer.
    pub(crate) async fn try_call<T: Encodable + HeaderVersion, R: Decodable + HeaderVersion>(
        &mut self,
        key: ApiKey,
        version: i16,
        request: &T,
    ) -> Option<R> {
        self.try_send(key, version, request).await?;
        let frame = self.frame().await?;
        Some(answer(frame, version))
    }

    pub(crate) async fn receive<R: Decodable + HeaderVersion>(&mut self, version: i16) -> R {
        let frame = self.frame().await.expect("an answer");
        answer(frame, version)
    }

    /// The next frame; `None` when the broker has closed.
    pub(crate) async fn frame(&mut self) -> Option<Bytes> {
        let length = self.stream.read_i32().await.ok()?;
        let mut frame = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut frame).await.ok()?;
        Some(frame.into())
    }

    pub(crate) async fn call<T: Encodable + HeaderVersion, R: Decodable + HeaderVersion>(
        &mut self,
        key: ApiKey,
        version: i16,
        request: &T,
    ) -> R {
        self.send(key, version, request).await;
        self.receive(version).await
    }

    pub(crate) async fn create(&mut self, name: &str, partitions: i32, replicas: i16) -> i16 {
        let topic = CreatableTopic::default()
            .with_name(TopicName(text(name)))
            .with_num_partitions(partitions)
            .with_replication_factor(replicas);
        self.create_topic(topic).await
    }

    pub(crate) async fn create_topic(&mut self, topic: CreatableTopic) -> i16 {
        let request = CreateTopicsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(10_000);
        let answer: CreateTopicsResponse = self.call(ApiKey::CreateTopics, 7, &request).await;
        answer.topics[0].error_code
    }

    /// Waits until there is a coordinator for groups (0) or transactions (1).
    pub(crate) async fn coordinator(&mut self, kind: i8) {
        let request = FindCoordinatorRequest::default()
            .with_key_type(kind)
            .with_coordinator_keys(vec![text("any")]);
        loop {
            let answer: FindCoordinatorResponse =
                self.call(ApiKey::FindCoordinator, 4, &request).await;
            if answer.coordinators[0].error_code == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Gives error, producer id and epoch.
    pub(crate) async fn init(
        &mut self,
        id: Option<&str>,
        timeout_ms: i32,
        had: (i64, i16),
    ) -> (i16, i64, i16) {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(id.map(|id| text(id).into()))
            .with_transaction_timeout_ms(timeout_ms)
            .with_producer_id(had.0.into())
            .with_producer_epoch(had.1);
        let answer: InitProducerIdResponse = self.call(ApiKey::InitProducerId, 4, &request).await;
        (
            answer.error_code,
            *answer.producer_id,
            answer.producer_epoch,
        )
    }

    /// Writes one record; gives error and offset.
    pub(crate) async fn produce(
        &mut self,
        topic: &str,
        producer: (i64, i16),
        sequence: i32,
        id: Option<&str>,
        value: &[u8],
    ) -> (i16, i64) {
        let value = std::str::from_utf8(value).unwrap();
        let request = produce_request(topic, producer, sequence, id, (None, value));
        let answer: ProduceResponse = self
            .call(ApiKey::Produce, if self.bumps { 12 } else { 9 }, &request)
            .await;
        let partition = &answer.responses[0].partition_responses[0];
        (partition.error_code, partition.base_offset)
    }

    pub(crate) async fn commit(
        &mut self,
        group: &str,
        member: (&str, i32),
        topic: &str,
        offset: i64,
    ) -> i16 {
        let committed = self.try_commit(group, member, topic, offset).await;
        committed.expect("an answer")
    }

    /// Nothing when the broker is gone before its answer.
    pub(crate) async fn try_commit(
        &mut self,
        group: &str,
        member: (&str, i32),
        topic: &str,
        offset: i64,
    ) -> Option<i16> {
        let at = OffsetCommitRequestPartition::default().with_committed_offset(offset);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(vec![at]);
        let request = OffsetCommitRequest::default()
            .with_group_id(text(group).into())
            .with_member_id(text(member.0))
            .with_generation_id_or_member_epoch(member.1)
            .with_topics(vec![topic]);
        let answer: OffsetCommitResponse = self.try_call(ApiKey::OffsetCommit, 8, &request).await?;
        Some(answer.topics[0].partitions[0].error_code)
    }

    /// Error and committed offset of partition 0, asking for stable offsets only.
    pub(crate) async fn committed(&mut self, group: &str, topic: &str) -> (i16, i64) {
        let topic = OffsetFetchRequestTopics::default()
            .with_name(TopicName(text(topic)))
            .with_partition_indexes(vec![0]);
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(text(group).into())
            .with_topics(Some(vec![topic]));
        let request = OffsetFetchRequest::default()
            .with_groups(vec![group])
            .with_require_stable(true);
        let answer: OffsetFetchResponse = self.call(ApiKey::OffsetFetch, 8, &request).await;
        let at = &answer.groups[0].topics[0].partitions[0];
        (at.error_code, at.committed_offset)
    }
}

fn answer<R: Decodable + HeaderVersion>(mut frame: Bytes, version: i16) -> R {
    let header = ResponseHeader::decode(&mut frame, R::header_version(version)).unwrap();
    assert_eq!(header.correlation_id, 7);
    let answer = R::decode(&mut frame, version).unwrap();
    assert!(!frame.has_remaining(), "bytes are left behind the answer");
    answer
}

/// A request that writes one record (key and value) to partition 0.
pub(crate) fn produce_request(
    topic: &str,
    producer: (i64, i16),
    sequence: i32,
    id: Option<&str>,
    record: (Option<&str>, &str),
) -> ProduceRequest {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let record = Record {
        transactional: id.is_some(),
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: producer.0,
        producer_epoch: producer.1,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence,
        timestamp: 1_700_000_000_000,
        key: record.0.map(bytes),
        value: Some(bytes(record.1)),
        headers: kafka_protocol::indexmap::IndexMap::default(),
    };
    let mut records = BytesMut::new();
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    RecordBatchEncoder::encode(&mut records, [&record], &options).unwrap();
    let data = PartitionProduceData::default()
        .with_index(0)
        .with_records(Some(records.freeze()));
    let topic = TopicProduceData::default()
        .with_name(TopicName(text(topic)))
        .with_partition_data(vec![data]);
    ProduceRequest::default()
        .with_transactional_id(id.map(|id| text(id).into()))
        .with_acks(-1)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![topic])
}
