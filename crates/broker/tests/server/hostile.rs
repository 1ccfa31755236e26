//! Clients that send nonsense, or do not read, hurt themselves alone.

use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, FetchRequest,
    fetch_request::{FetchPartition, FetchTopic},
};
use tokio::io::AsyncWriteExt;

use crate::client::{Client, start, text};

#[tokio::test]
async fn nonsense_closes_its_own_connection_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(&dir).await;
    let mut good = Client::connect(&broker.bootstrap()).await;
    let nonsense: [&[u8]; 7] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0x7f, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xff],
        &[0, 0, 0, 0],
        &[0, 0, 0, 2, 0, 3],
        // Unknown key.
        &[0, 0, 0, 10, 0x7f, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff],
        // Metadata v1 that ends within its array.
        &[0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 9],
    ];
    for bytes in nonsense {
        let mut bad = Client::connect(&broker.bootstrap()).await;
        bad.stream.write_all(bytes).await.unwrap();
        assert!(bad.frame().await.is_none(), "answered {bytes:?}");
        assert_eq!(good.create("", 1, 1).await, 17);
    }
    broker.shutdown().await;
}

#[tokio::test]
async fn an_unknown_version_of_api_versions_is_told_what_is_offered() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(&dir).await;
    let mut client = Client::connect(&broker.bootstrap()).await;
    let asked = [0, 0, 0, 10, 0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff];
    client.stream.write_all(&asked).await.unwrap();
    let refused: ApiVersionsResponse = client.receive(0).await;
    assert_eq!(refused.error_code, 35);
    assert!(!refused.api_keys.is_empty());
    let request = ApiVersionsRequest::default();
    let answer: ApiVersionsResponse = client.call(ApiKey::ApiVersions, 0, &request).await;
    assert_eq!(answer.error_code, 0);
    broker.shutdown().await;
}

#[tokio::test]
async fn a_client_that_never_reads_stops_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(&dir).await;
    let mut good = Client::connect(&broker.bootstrap()).await;
    good.create("t", 1, 1).await;
    let value = vec![7; 900_000];
    for _ in 0..12 {
        assert_eq!(good.produce("t", (-1, -1), -1, None, &value).await.0, 0);
    }
    let partition = FetchPartition::default().with_partition_max_bytes(i32::MAX);
    let topic = FetchTopic::default()
        .with_topic(text("t").into())
        .with_partitions(vec![partition]);
    let fetch = FetchRequest::default()
        .with_max_bytes(i32::MAX)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    let mut deaf = Client::connect(&broker.bootstrap()).await;
    for _ in 0..20 {
        deaf.send(ApiKey::Fetch, 12, &fetch).await;
    }
    assert_eq!(good.produce("t", (-1, -1), -1, None, b"more").await.0, 0);
    assert_eq!(good.create("u", 1, 1).await, 0);
    broker.shutdown().await;
}
