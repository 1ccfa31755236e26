//! Clients that send nonsense, or do not read, hurt themselves alone.

use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, FetchRequest,
    fetch_request::{FetchPartition, FetchTopic},
};
use milena_broker::{Broker, BrokerConfig};
use milena_protocol::sample::{LengthOf, Side, sample};
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

/// How many connections this process can hold both ends of.
fn connections() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    (soft.unwrap_or(1024_usize).saturating_sub(300) / 2).min(1_000)
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_thousand_idle_or_half_sent_connections_stop_nobody_and_cost_little() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(&dir).await;
    let mut good = Client::connect(&broker.bootstrap()).await;
    good.create("t", 1, 1).await;
    let (count, before) = (connections(), resident_kib());
    let mut idle = Vec::with_capacity(count);
    for number in 0..count {
        let mut client = Client::connect(&broker.bootstrap()).await;
        // Every other one announces 64 MiB and sends a little of it.
        if number % 2 == 0 {
            client.stream.write_all(&[4, 0, 0, 0, 0, 0]).await.unwrap();
        }
        idle.push(client);
    }
    let request = ApiVersionsRequest::default();
    for client in idle.iter_mut().skip(1).step_by(2) {
        let answer: ApiVersionsResponse = client.call(ApiKey::ApiVersions, 0, &request).await;
        assert_eq!(answer.error_code, 0);
    }
    assert_eq!(good.produce("t", (-1, -1), -1, None, b"v").await.0, 0);
    // Other tests of this process take memory meanwhile: the bound is for what would be gigabytes.
    let grown = resident_kib().saturating_sub(before);
    println!("{count} connections: {grown} KiB more");
    assert!(grown < 300 * 1024, "{count} connections: {grown} KiB");
    broker.shutdown().await;
}

#[tokio::test]
async fn half_sent_requests_take_no_more_memory_than_is_set() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = BrokerConfig::new(dir.path(), ([127, 0, 0, 1], 0).into());
    config.request_memory_max = 1024 * 1024;
    let broker = Broker::start(config).await.unwrap();
    let mut greedy = Client::connect(&broker.bootstrap()).await;
    greedy.stream.write_all(&[4, 0, 0, 0]).await.unwrap();
    let sent = greedy.stream.write_all(&vec![0; 4 * 1024 * 1024]).await;
    assert!(sent.is_err() || greedy.frame().await.is_none());
    // What it held is there for others.
    let mut good = Client::connect(&broker.bootstrap()).await;
    good.create("t", 1, 1).await;
    assert_eq!(
        good.produce("t", (-1, -1), -1, None, &[7; 900_000]).await.0,
        0
    );
    broker.shutdown().await;
}

/// A frame with a lie about a length in its body.
fn frame(key: i16, version: i16, flexible: bool, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 4];
    frame.extend(key.to_be_bytes());
    frame.extend(version.to_be_bytes());
    frame.extend([0, 0, 0, 7, 0xff, 0xff]);
    if flexible {
        frame.push(0);
    }
    frame.extend(body);
    let length = u32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame
}

/// A single frame of some bytes once ended the process: the codec reserved what an array announced.
#[tokio::test]
async fn absurd_lengths_at_any_place_of_any_request_close_its_connection_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(&dir).await;
    let mut good = Client::connect(&broker.bootstrap()).await;
    let offered: ApiVersionsResponse = good
        .call(ApiKey::ApiVersions, 0, &ApiVersionsRequest::default())
        .await;
    let mut lies = 0;
    for api in &offered.api_keys {
        let key = ApiKey::try_from(api.api_key).unwrap();
        for version in api.min_version..=api.max_version {
            let sample = |lie| sample(Side::Request, api.api_key, version, &mut || 1, lie);
            let honest = sample(None).expect("every request that is offered has a shape");
            for (place, of) in honest.lengths.iter().enumerate() {
                if *of == LengthOf::Bytes {
                    continue;
                }
                let lie = sample(Some((place, 0x7fff_fffe))).unwrap();
                let flexible = key.request_header_version(version) == 2;
                let frame = frame(api.api_key, version, flexible, &lie.body);
                let mut bad = Client::connect(&broker.bootstrap()).await;
                bad.stream.write_all(&frame).await.unwrap();
                assert!(
                    bad.frame().await.is_none(),
                    "{key:?} {version} answers {of:?} {place}"
                );
                lies += 1;
            }
        }
        assert_eq!(good.create("", 1, 1).await, 17);
    }
    assert!(lies > 300, "{lies}");
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
