//! Idempotence and transactions.

use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse, ApiKey, EndTxnRequest, EndTxnResponse, ListOffsetsRequest,
    ListOffsetsResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
    add_partitions_to_txn_request::AddPartitionsToTxnTopic,
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic},
};

use crate::client::{Client, start, text};

const NONE: i16 = 0;
const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
const INVALID_PRODUCER_EPOCH: i16 = 47;
const INVALID_TXN_STATE: i16 = 48;
const UNSTABLE_OFFSET_COMMIT: i16 = 88;
const PRODUCER_FENCED: i16 = 90;
const NEW: (i64, i16) = (-1, -1);

impl Client {
    pub(crate) async fn add(&mut self, id: &str, producer: (i64, i16), topic: &str) -> i16 {
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(text(topic).into())
            .with_partitions(vec![0]);
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(text(id).into())
            .with_v3_and_below_producer_id(producer.0.into())
            .with_v3_and_below_producer_epoch(producer.1)
            .with_v3_and_below_topics(vec![topic]);
        let answer: AddPartitionsToTxnResponse =
            self.call(ApiKey::AddPartitionsToTxn, 3, &request).await;
        answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
    }

    pub(crate) async fn end(&mut self, id: &str, producer: (i64, i16), commit: bool) -> i16 {
        let request = EndTxnRequest::default()
            .with_transactional_id(text(id).into())
            .with_producer_id(producer.0.into())
            .with_producer_epoch(producer.1)
            .with_committed(commit);
        let answer: EndTxnResponse = self.call(ApiKey::EndTxn, 3, &request).await;
        answer.error_code
    }

    pub(crate) async fn add_offsets(&mut self, id: &str, producer: (i64, i16), group: &str) -> i16 {
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(text(id).into())
            .with_producer_id(producer.0.into())
            .with_producer_epoch(producer.1)
            .with_group_id(text(group).into());
        let answer: AddOffsetsToTxnResponse = self.call(ApiKey::AddOffsetsToTxn, 3, &request).await;
        answer.error_code
    }

    pub(crate) async fn commit_within(
        &mut self,
        id: &str,
        producer: (i64, i16),
        group: &str,
        offset: i64,
    ) -> i16 {
        let at = TxnOffsetCommitRequestPartition::default().with_committed_offset(offset);
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(text("t").into())
            .with_partitions(vec![at]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(text(id).into())
            .with_producer_id(producer.0.into())
            .with_producer_epoch(producer.1)
            .with_group_id(text(group).into())
            .with_topics(vec![topic]);
        let answer: TxnOffsetCommitResponse = self
            .call(
                ApiKey::TxnOffsetCommit,
                if self.bumps { 5 } else { 3 },
                &request,
            )
            .await;
        answer.topics[0].partitions[0].error_code
    }

    /// The end of what readers of committed records see.
    pub(crate) async fn stable_end(&mut self, topic: &str) -> i64 {
        let partition = ListOffsetsPartition::default().with_timestamp(-1);
        let topic = ListOffsetsTopic::default()
            .with_name(text(topic).into())
            .with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default()
            .with_replica_id((-1).into())
            .with_isolation_level(1)
            .with_topics(vec![topic]);
        let answer: ListOffsetsResponse = self.call(ApiKey::ListOffsets, 7, &request).await;
        answer.topics[0].partitions[0].offset
    }
}

#[tokio::test]
async fn a_duplicate_is_answered_as_the_original_and_a_gap_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(&dir).await;
    let mut client = Client::connect(&broker.bootstrap()).await;
    client.create("t", 1, 1).await;
    let (_, id, epoch) = client.init(None, 60_000, NEW).await;
    assert_eq!(
        client.produce("t", (id, epoch), 0, None, b"a").await,
        (NONE, 0)
    );
    assert_eq!(
        client.produce("t", (id, epoch), 1, None, b"b").await,
        (NONE, 1)
    );
    assert_eq!(
        client.produce("t", (id, epoch), 0, None, b"a").await,
        (NONE, 0)
    );
    let gap = client.produce("t", (id, epoch), 5, None, b"c").await;
    assert_eq!(gap.0, OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(client.stable_end("t").await, 2);
    broker.shutdown().await;
}

#[tokio::test]
async fn a_new_instance_fences_the_old_and_aborts_what_it_had_open() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(&dir).await;
    let mut client = Client::connect(&broker.bootstrap()).await;
    client.create("t", 1, 1).await;
    let (_, id, epoch) = client.init(Some("x"), 60_000, NEW).await;
    let old = (id, epoch);
    let early = client.produce("t", old, 0, Some("x"), b"a").await;
    assert_eq!(early.0, INVALID_TXN_STATE);
    assert_eq!(client.add("x", old, "t").await, NONE);
    assert_eq!(client.produce("t", old, 0, Some("x"), b"a").await.0, NONE);
    assert_eq!(client.stable_end("t").await, 0);

    let mut code = 51;
    let mut new = NEW;
    // Apache Kafka asks to come again while the old transaction is being aborted.
    while code == 51 {
        let (error, id, epoch) = client.init(Some("x"), 60_000, NEW).await;
        (code, new) = (error, (id, epoch));
    }
    assert_eq!((code, new.0), (NONE, old.0));
    assert!(new.1 > old.1);
    assert_eq!(client.stable_end("t").await, 2);
    assert_eq!(client.end("x", old, true).await, PRODUCER_FENCED);
    assert_eq!(client.add("x", old, "t").await, PRODUCER_FENCED);
    let late = client.produce("t", old, 1, Some("x"), b"b").await;
    assert_eq!(late.0, INVALID_PRODUCER_EPOCH);
    broker.shutdown().await;
}

#[tokio::test]
async fn a_transaction_that_is_open_too_long_is_aborted() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(&dir).await;
    let mut client = Client::connect(&broker.bootstrap()).await;
    client.create("t", 1, 1).await;
    let (_, id, epoch) = client.init(Some("x"), 300, NEW).await;
    client.add("x", (id, epoch), "t").await;
    client.produce("t", (id, epoch), 0, Some("x"), b"a").await;
    let waited = async {
        while client.stable_end("t").await < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), waited)
        .await
        .expect("aborted");
    assert_eq!(client.end("x", (id, epoch), true).await, PRODUCER_FENCED);
    broker.shutdown().await;
}

#[tokio::test]
async fn offsets_of_a_transaction_count_when_it_commits_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(&dir).await;
    let mut client = Client::connect(&broker.bootstrap()).await;
    client.create("t", 1, 1).await;
    assert_eq!(client.commit("g", ("", -1), "t", 1).await, NONE);
    let (_, id, epoch) = client.init(Some("x"), 60_000, NEW).await;
    let producer = (id, epoch);
    assert_eq!(client.add_offsets("x", producer, "g").await, NONE);
    assert_eq!(client.commit_within("x", producer, "g", 9).await, NONE);
    assert_eq!(client.committed("g", "t").await.0, UNSTABLE_OFFSET_COMMIT);
    broker.shutdown().await;

    let broker = start(&dir).await;
    let mut client = Client::connect(&broker.bootstrap()).await;
    assert_eq!(client.committed("g", "t").await.0, UNSTABLE_OFFSET_COMMIT);
    assert_eq!(client.end("x", producer, true).await, NONE);
    assert_eq!(client.end("x", producer, true).await, NONE);
    assert_eq!(client.end("x", producer, false).await, INVALID_TXN_STATE);
    assert_eq!(client.committed("g", "t").await, (NONE, 9));
    broker.shutdown().await;
}
