//! Ends of transactions in bad moments: a marker that cannot be written, an epoch that overflows, a restart.

use std::{collections::BTreeMap, path::Path, time::Duration};

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::{ApiKey, EndTxnRequest, EndTxnResponse};
use milena_broker::log::{AppendOrigin, BatchBuilder, LogStore, StoreOptions};

use crate::client::{Client, start, text};

const NONE: i16 = 0;
const INVALID_TXN_STATE: i16 = 48;
const CONCURRENT_TRANSACTIONS: i16 = 51;
const NEW: (i64, i16) = (-1, -1);
/// The end of a transaction at this epoch gives the producer another id.
const LAST: i16 = i16::MAX - 3;
const PATIENCE: Duration = Duration::from_secs(60);

impl Client {
    /// Error, and the producer to go on as.
    async fn end_with_bump(&mut self, of: (i64, i16), commit: bool) -> (i16, (i64, i16)) {
        let request = EndTxnRequest::default()
            .with_transactional_id(text("id").into())
            .with_producer_id(of.0.into())
            .with_producer_epoch(of.1)
            .with_committed(commit);
        let answer: EndTxnResponse = self.call(ApiKey::EndTxn, 5, &request).await;
        let next = (*answer.producer_id, answer.producer_epoch);
        (answer.error_code, next)
    }

    /// Ends until the end is complete.
    async fn ended_at_last(&mut self, of: (i64, i16)) -> (i64, i16) {
        let ended = async {
            loop {
                match self.end_with_bump(of, true).await {
                    (NONE, next) => return next,
                    (code, _) => assert_eq!(code, CONCURRENT_TRANSACTIONS),
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.unwrap()
    }
}

/// The records of the tests are old, so the marker begins a segment: it cannot where a folder has its name.
fn obstacle(dir: &Path) -> std::path::PathBuf {
    let mut partitions: Vec<_> = walk(dir);
    partitions.retain(|path| path.ends_with("00000000000000000000.log"));
    let of_topic = partitions.iter().find(|path| {
        let folder = path.parent().unwrap();
        !folder.to_string_lossy().contains("__") && std::fs::metadata(path).unwrap().len() > 0
    });
    of_topic.unwrap().with_file_name("00000000000000000001.log")
}

fn walk(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let found = entries.flat_map(|entry| match entry.file_type().unwrap().is_dir() {
        true => walk(&entry.path()),
        false => vec![entry.path()],
    });
    found.collect()
}

/// What a broker of earlier left: a producer whose next end uses up the last epoch (`TransactionLogValue` v0).
fn near_the_end(dir: &Path, producer_id: i64) {
    let store = LogStore::open(dir, StoreOptions::default(), 1).unwrap();
    store
        .create_topic("__transaction_state", 1, BTreeMap::new())
        .unwrap();
    let mut key = BytesMut::new();
    key.put_i16(0);
    key.put_i16(2);
    key.put_slice(b"id");
    let mut value = BytesMut::new();
    value.put_i16(0);
    value.put_i64(producer_id);
    value.put_i16(LAST);
    value.put_i32(60_000);
    value.put_i8(0);
    value.put_i32(0);
    value.put_i64(1);
    value.put_i64(-1);
    let mut batch = BatchBuilder::new(1);
    batch.push(Some(&key), Some(&value));
    let log = store.partition("__transaction_state", 0).unwrap();
    log.append(batch.finish(), AppendOrigin::Coordinator, 1)
        .unwrap();
    store.close().unwrap();
}

#[tokio::test]
async fn a_marker_that_cannot_be_written_is_written_later_and_nothing_is_seen_until_then() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(&dir).await;
    let mut client = Client::connect(&broker.bootstrap()).await;
    client.create("t", 1, 1).await;
    client.create("other", 1, 1).await;
    let (_, id, epoch) = client.init(Some("id"), 60_000, NEW).await;
    let producer = (id, epoch);
    assert_eq!(client.add("id", producer, "t").await, NONE);
    let written = client.produce("t", producer, 0, Some("id"), b"v").await;
    assert_eq!(written, (NONE, 0));
    let obstacle = obstacle(dir.path());
    std::fs::create_dir(&obstacle).unwrap();
    assert_eq!(
        client.end("id", producer, true).await,
        CONCURRENT_TRANSACTIONS
    );
    assert_eq!(client.stable_end("t").await, 0);
    // It is decided: nobody ends it otherwise, and nothing is added to it.
    assert_eq!(client.end("id", producer, false).await, INVALID_TXN_STATE);
    assert_eq!(
        client.add("id", producer, "other").await,
        CONCURRENT_TRANSACTIONS
    );
    // Who has nothing to do with it goes on.
    let other = client.produce("other", NEW, -1, None, b"v").await;
    assert_eq!(other, (NONE, 0));
    std::fs::remove_dir(&obstacle).unwrap();
    let seen = async {
        while client.stable_end("t").await != 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap();
    // The client's retry learns of it.
    assert_eq!(client.end("id", producer, true).await, NONE);
    assert_eq!(client.add("id", producer, "other").await, NONE);
    broker.shutdown().await;
}

#[tokio::test]
async fn the_end_at_the_last_epoch_is_retried_across_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    near_the_end(dir.path(), 1_000_000);
    let broker = start(&dir).await;
    let mut client = Client::connect(&broker.bootstrap()).await;
    client.bumps = true;
    client.create("t", 1, 1).await;
    let producer = (1_000_000, LAST);
    let written = client.produce("t", producer, 0, Some("id"), b"v").await;
    assert_eq!(written, (NONE, 0));
    let (code, next) = client.end_with_bump(producer, true).await;
    assert_eq!((code, next.1), (NONE, 0));
    assert_ne!(next.0, producer.0);
    assert_eq!(client.end_with_bump(producer, true).await, (NONE, next));
    broker.shutdown().await;
    let broker = start(&dir).await;
    let mut client = Client::connect(&broker.bootstrap()).await;
    client.bumps = true;
    assert_eq!(client.end_with_bump(producer, true).await, (NONE, next));
    let otherwise = client.end_with_bump(producer, false).await;
    assert_eq!(otherwise.0, INVALID_TXN_STATE);
    let written = client.produce("t", next, 0, Some("id"), b"v").await;
    assert_eq!(written, (NONE, 2));
    broker.shutdown().await;
}

#[tokio::test]
async fn the_id_after_the_last_epoch_is_kept_when_the_broker_dies_before_the_marker() {
    let dir = tempfile::tempdir().unwrap();
    near_the_end(dir.path(), 1_000_000);
    let broker = start(&dir).await;
    let mut client = Client::connect(&broker.bootstrap()).await;
    client.bumps = true;
    client.create("t", 1, 1).await;
    let producer = (1_000_000, LAST);
    let written = client.produce("t", producer, 0, Some("id"), b"v").await;
    assert_eq!(written, (NONE, 0));
    let obstacle = obstacle(dir.path());
    std::fs::create_dir(&obstacle).unwrap();
    let (code, _) = client.end_with_bump(producer, true).await;
    assert_eq!(code, CONCURRENT_TRANSACTIONS);
    broker.shutdown().await;
    std::fs::remove_dir(&obstacle).unwrap();
    let broker = start(&dir).await;
    let mut client = Client::connect(&broker.bootstrap()).await;
    client.bumps = true;
    let next = client.ended_at_last(producer).await;
    assert_ne!(next.0, producer.0);
    assert_eq!(next.1, 0);
    assert_eq!(client.stable_end("t").await, 2);
    let written = client.produce("t", next, 0, Some("id"), b"v").await;
    assert_eq!(written, (NONE, 2));
    broker.shutdown().await;
}
