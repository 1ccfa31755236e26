//! The coordinator of a transactional id before KIP-890's epoch per transaction: what an EndTxn that comes late ends.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    indexmap::IndexMap,
    messages::{
        AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, ApiKey, EndTxnRequest,
        EndTxnResponse, FindCoordinatorRequest, FindCoordinatorResponse, InitProducerIdRequest,
        InitProducerIdResponse, ProduceRequest, ProduceResponse, ProducerId, RequestHeader,
        ResponseHeader, TopicName, TransactionalId,
        add_partitions_to_txn_request::AddPartitionsToTxnTopic,
        produce_request::{PartitionProduceData, TopicProduceData},
    },
    protocol::{Decodable, Encodable, HeaderVersion, StrBytes},
    records::{
        Compression, NO_PARTITION_LEADER_EPOCH, Record, RecordBatchEncoder, RecordEncodeOptions,
        TimestampType,
    },
};
use milena_kafka::ports::{Isolation, ListAt, StartAt};
use milena_sim::data::txn::{Broker, Item, Refusal};
use milena_testing_kafka::{KafkaBroker, oracle_is_missing};

use super::{PATIENCE, create, kafka, props};

const TOPIC: &str = "parity-transactions";
const ID: &str = "parity";
/// Error codes.
const CONCURRENT_TRANSACTIONS: i16 = 51;
const NOT_YET: [i16; 3] = [14, 15, 16];
const FENCED: [i16; 2] = [47, 90];
/// The last versions before KIP-890.
const END_TXN: i16 = 4;
const PRODUCE: i16 = 9;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A producer by hand: it can send what a client never would, late.
struct Client {
    stream: TcpStream,
    producer: ProducerId,
    epoch: i16,
    sequence: i32,
}

impl Client {
    fn call<T: Encodable + HeaderVersion, R: Decodable + HeaderVersion>(
        &mut self,
        key: ApiKey,
        version: i16,
        request: &T,
    ) -> R {
        let mut body = BytesMut::new();
        let header = RequestHeader::default()
            .with_request_api_key(key as i16)
            .with_request_api_version(version)
            .with_client_id(Some(text("parity")));
        header
            .encode(&mut body, T::header_version(version))
            .unwrap();
        request.encode(&mut body, version).unwrap();
        let length = i32::try_from(body.len()).unwrap();
        self.stream.write_all(&length.to_be_bytes()).unwrap();
        self.stream.write_all(&body).unwrap();
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        self.stream.read_exact(&mut answer).unwrap();
        let mut answer = Bytes::from(answer);
        ResponseHeader::decode(&mut answer, R::header_version(version)).unwrap();
        R::decode(&mut answer, version).unwrap()
    }

    fn connect(bootstrap: &str) -> Self {
        let stream = TcpStream::connect(bootstrap).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Self {
            stream,
            producer: ProducerId(-1),
            epoch: -1,
            sequence: 0,
        };
        let find = FindCoordinatorRequest::default()
            .with_key(text(ID))
            .with_key_type(1);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found: FindCoordinatorResponse = client.call(ApiKey::FindCoordinator, 3, &find);
            if found.error_code == 0 {
                return client;
            }
            assert!(
                Instant::now() < deadline,
                "no coordinator: {}",
                found.error_code
            );
        }
    }

    fn init(&mut self) -> i16 {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(text(ID))))
            .with_transaction_timeout_ms(60_000);
        let answer: InitProducerIdResponse = self.call(ApiKey::InitProducerId, 4, &request);
        if answer.error_code == 0 {
            self.producer = answer.producer_id;
            self.epoch = answer.producer_epoch;
            self.sequence = 0;
        }
        answer.error_code
    }

    fn add(&mut self) -> i16 {
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(TopicName(text(TOPIC)))
            .with_partitions(vec![0]);
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(TransactionalId(text(ID)))
            .with_v3_and_below_producer_id(self.producer)
            .with_v3_and_below_producer_epoch(self.epoch)
            .with_v3_and_below_topics(vec![topic]);
        let answer: AddPartitionsToTxnResponse = self.call(ApiKey::AddPartitionsToTxn, 3, &request);
        let topic = &answer.results_by_topic_v3_and_below[0];
        topic.results_by_partition[0].partition_error_code
    }

    fn produce(&mut self, items: &[Item]) -> i16 {
        loop {
            match self.add() {
                0 => break,
                // The end of the last one is still being written.
                CONCURRENT_TRANSACTIONS => {}
                code => return code,
            }
        }
        let request = ProduceRequest::default()
            .with_transactional_id(Some(TransactionalId(text(ID))))
            .with_acks(-1)
            .with_timeout_ms(10_000)
            .with_topic_data(vec![
                TopicProduceData::default()
                    .with_name(TopicName(text(TOPIC)))
                    .with_partition_data(vec![
                        PartitionProduceData::default().with_records(Some(self.batch(items))),
                    ]),
            ]);
        let answer: ProduceResponse = self.call(ApiKey::Produce, PRODUCE, &request);
        answer.responses[0].partition_responses[0].error_code
    }

    fn batch(&mut self, items: &[Item]) -> Bytes {
        let one = |(at, item): (usize, &Item)| {
            let at = i32::try_from(at).unwrap();
            Record {
                transactional: true,
                control: false,
                delete_horizon: false,
                partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
                producer_id: self.producer.0,
                producer_epoch: self.epoch,
                timestamp_type: TimestampType::Creation,
                offset: i64::from(at),
                sequence: self.sequence + at,
                timestamp: 1_700_000_000_000,
                key: None,
                value: Some(format!("{item:?}").into()),
                headers: IndexMap::default(),
            }
        };
        let records: Vec<Record> = items.iter().enumerate().map(one).collect();
        self.sequence += i32::try_from(items.len()).unwrap();
        let mut batch = BytesMut::new();
        let options = RecordEncodeOptions {
            version: 2,
            compression: Compression::None,
        };
        RecordBatchEncoder::encode(&mut batch, &records, &options).unwrap();
        batch.freeze()
    }

    fn commit(&mut self, epoch: i16) -> i16 {
        let request = EndTxnRequest::default()
            .with_transactional_id(TransactionalId(text(ID)))
            .with_producer_id(self.producer)
            .with_producer_epoch(epoch)
            .with_committed(true);
        loop {
            let answer: EndTxnResponse = self.call(ApiKey::EndTxn, END_TXN, &request);
            if answer.error_code != CONCURRENT_TRANSACTIONS {
                return answer.error_code;
            }
        }
    }
}

/// What both say.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Done,
    Fenced,
    Concurrent,
}

fn real(code: i16) -> Said {
    match code {
        0 => Said::Done,
        CONCURRENT_TRANSACTIONS => Said::Concurrent,
        code if FENCED.contains(&code) => Said::Fenced,
        code => panic!("Kafka answers {code}"),
    }
}

fn model<T>(result: Result<T, Refusal>) -> Said {
    match result {
        Ok(_) => Said::Done,
        Err(Refusal::Fenced) => Said::Fenced,
        Err(Refusal::Concurrent) => Said::Concurrent,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_comes_late_ends_what_it_ends_in_kafka() {
    if oracle_is_missing("an_end_that_comes_late_ends_what_it_ends_in_kafka") {
        return;
    }
    let kafka = kafka();
    create(&kafka, TOPIC, &[]).await;
    let mut client = Client::connect(&kafka.bootstrap());
    let mut log = Broker::default();
    let (mut now, settle) = (0, 5);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match client.init() {
            0 => break,
            code => assert!(NOT_YET.contains(&code), "{code}"),
        }
        assert!(Instant::now() < deadline, "no coordinator");
    }
    log.init(now, settle).unwrap();
    let (old, first) = (client.epoch, log.epoch());

    // A transaction, its end, and its end again: an end that is told twice is no error while nothing else is open.
    let whole = [Item::Data(0), Item::Offset(1)];
    assert_eq!(
        real(client.produce(&whole)),
        model(log.produce(now, first, &whole))
    );
    for _ in 0..2 {
        now += 10;
        assert_eq!(
            real(client.commit(old)),
            model(log.commit(now, first, settle))
        );
        same(&kafka, &log).await;
    }
    // The next one is half written when the end comes a third time: it is committed as it is.
    now += 10;
    let half = [Item::Data(1)];
    assert_eq!(
        real(client.produce(&half)),
        model(log.produce(now, first, &half))
    );
    same(&kafka, &log).await;
    now += 10;
    let ended = log.commit(now, first, settle);
    assert!(
        matches!(ended, Ok(Some(_))),
        "the model sees the half transaction"
    );
    assert_eq!(real(client.commit(old)), model(ended));
    same(&kafka, &log).await;

    // A successor while one is open: it is aborted first, and its epoch is of no use any more.
    now += 10;
    let lost = [Item::Data(2), Item::Offset(3)];
    assert_eq!(
        real(client.produce(&lost)),
        model(log.produce(now, first, &lost))
    );
    let (mut successor, before) = (Client::connect(&kafka.bootstrap()), log.epoch());
    assert_eq!(real(successor.init()), model(log.init(now, settle)));
    let code = loop {
        match successor.init() {
            CONCURRENT_TRANSACTIONS => {}
            code => break code,
        }
    };
    now += 10;
    assert_eq!(real(code), model(log.init(now, settle)));
    let risen = i32::from(successor.epoch) - i32::from(old);
    assert_eq!(risen, log.epoch() - before, "epochs rise alike");
    assert_eq!(
        real(client.commit(old)),
        model(log.commit(now, first, settle))
    );
    assert_eq!(
        real(client.produce(&lost)),
        model(log.produce(now, first, &lost))
    );
    let again = [Item::Data(2), Item::Offset(3)];
    let epoch = log.epoch();
    assert_eq!(
        real(successor.produce(&again)),
        model(log.produce(now, epoch, &again))
    );
    now += 10;
    let newest = successor.epoch;
    assert_eq!(
        real(successor.commit(newest)),
        model(log.commit(now, epoch, settle))
    );
    same(&kafka, &log).await;
}

/// A reader of committed records gets in Kafka what it gets in the model, soon.
async fn same(kafka: &KafkaBroker, log: &Broker) {
    let expected: Vec<String> = log.readable().map(|item| format!("{item:?}")).collect();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = read(kafka).await;
        if found == expected {
            return;
        }
        // The markers of an end may still be on their way.
        assert!(
            expected.starts_with(&found),
            "model {expected:?}, Kafka {found:?}"
        );
        assert!(
            Instant::now() < deadline,
            "model {expected:?}, Kafka {found:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn read(kafka: &KafkaBroker) -> Vec<String> {
    let topic: Arc<str> = TOPIC.into();
    let clients = milena_kafka::clients();
    let admin = clients.admin(&props(kafka, &[])).await.unwrap();
    let of = [(Arc::clone(&topic), 0)];
    let ends = admin.list_offsets(&of, ListAt::Latest, Isolation::ReadCommitted);
    let end = ends.await.unwrap().into_values().next().unwrap();
    let committed = props(kafka, &[("isolation.level", "read_committed")]);
    let mut fetcher = clients.fetcher(&committed).await.unwrap();
    let start = (Arc::clone(&topic), 0, Some(StartAt::Earliest));
    fetcher.assign(vec![start]).await.unwrap();
    let mut all = Vec::new();
    while fetcher.position(&topic, 0).await.unwrap() < end {
        for batch in fetcher.poll(Duration::from_secs(1)).await.unwrap() {
            let values = batch.records.into_iter().filter_map(|record| record.value);
            all.extend(values.map(|value| String::from_utf8_lossy(&value).into_owned()));
        }
    }
    fetcher.close().await;
    all
}
