//! What a reader is given: the bytes that were written, whichever way they take; and what becomes of one that
//! does not take them.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{
    ApiKey, DeleteTopicsRequest, DeleteTopicsResponse, FetchRequest, FetchResponse,
    MetadataRequest, MetadataResponse,
    delete_topics_request::DeleteTopicState,
    fetch_request::{FetchPartition, FetchTopic},
};
use milena_broker::{Broker, BrokerConfig};
use tokio::io::AsyncReadExt;

use crate::client::{Client, start, text};

/// From here on records go from their file to the socket.
const COPIED_BYTES_MAX: i32 = 32 * 1024;

fn fetch(topics: &[&str], offset: i64, max: i32) -> FetchRequest {
    let topics = topics.iter().map(|topic| {
        let partition = FetchPartition::default()
            .with_fetch_offset(offset)
            .with_partition_max_bytes(max);
        FetchTopic::default()
            .with_topic(text(topic).into())
            .with_partitions(vec![partition])
    });
    FetchRequest::default()
        .with_max_bytes(i32::MAX)
        .with_session_epoch(-1)
        .with_topics(topics.collect())
}

fn records(answer: FetchResponse) -> Vec<(i16, Bytes)> {
    let partitions = answer.responses.into_iter().flat_map(|t| t.partitions);
    partitions
        .map(|p| (p.error_code, p.records.unwrap_or_default()))
        .collect()
}

/// The batches of a topic, read in parts that are copied.
async fn copied(client: &mut Client, topic: &str) -> Vec<Bytes> {
    let mut all: Vec<Bytes> = Vec::new();
    loop {
        let request = fetch(&[topic], i64::try_from(all.len()).unwrap(), 1);
        let answer = client.call(ApiKey::Fetch, 12, &request).await;
        let (code, batch) = records(answer).remove(0);
        assert_eq!(code, 0);
        if batch.is_empty() {
            return all;
        }
        all.push(batch);
    }
}

#[tokio::test]
async fn records_come_as_they_were_written_in_parts_of_any_size() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(&dir).await;
    let mut client = Client::connect(&broker.bootstrap()).await;
    // Batches below and above what a search takes in at once, and above what is copied.
    let sizes = [
        10, 300, 3_000, 20_000, 100_000, 7, 9_000, 9_000, 50, 400_000, 1, 1,
    ];
    for topic in ["a", "b"] {
        assert_eq!(client.create(topic, 1, 1).await, 0);
        for (number, size) in sizes.into_iter().enumerate() {
            let value = vec![b'a' + u8::try_from(number).unwrap(); size];
            let written = client.produce(topic, (-1, -1), -1, None, &value).await;
            assert_eq!(written, (0, i64::try_from(number).unwrap()));
        }
    }
    let batches = copied(&mut client, "a").await;
    assert_eq!(batches.len(), sizes.len());
    for max in [COPIED_BYTES_MAX + 1, 60_000, 150_000, 500_000, 1 << 20] {
        // One that reads on: where it goes on is remembered.
        let (mut all, mut next) = (Vec::new(), 0);
        while next < batches.len() {
            let request = fetch(&["b"], i64::try_from(next).unwrap(), max);
            let answer = client.call(ApiKey::Fetch, 12, &request).await;
            let (_, part) = records(answer).remove(0);
            let mut length = 0;
            while length < part.len() {
                length += batches[next].len();
                next += 1;
            }
            assert_eq!(length, part.len(), "whole batches");
            all.extend(part);
        }
        assert!(all == batches.concat(), "in parts of {max}");
        for first in 0..batches.len() {
            // As many whole batches as fit, and one in any case: of the first partition.
            let mut expected = batches[first].to_vec();
            for batch in &batches[first + 1..] {
                if expected.len() + batch.len() > usize::try_from(max).unwrap() {
                    break;
                }
                expected.extend(batch);
            }
            let offset = i64::try_from(first).unwrap();
            for version in [4, 11, 12] {
                let request = fetch(&["a", "b", "none"], offset, max);
                let answer: FetchResponse = client.call(ApiKey::Fetch, version, &request).await;
                let told = records(answer);
                assert_eq!(told.len(), 3);
                assert!(told[0].1 == expected, "{max} from {first}");
                assert!(told[1].1.is_empty() || told[1].1 == expected);
                assert_eq!((told[0].0, told[1].0, told[2].0), (0, 0, 3));
            }
        }
    }
    broker.shutdown().await;
}

#[tokio::test]
async fn who_does_not_read_is_let_go_after_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = BrokerConfig::new(dir.path(), ([127, 0, 0, 1], 0).into());
    config.connection_idle = Duration::from_secs(5);
    let broker = Broker::start(config).await.unwrap();
    let mut good = Client::connect(&broker.bootstrap()).await;
    good.create("t", 1, 1).await;
    let value = vec![b'v'; 1_000_000];
    for _ in 0..40 {
        assert_eq!(good.produce("t", (-1, -1), -1, None, &value).await.0, 0);
    }
    let mut deaf = Client::connect(&broker.bootstrap()).await;
    // More than the buffers of both ends take.
    for _ in 0..4 {
        deaf.send(ApiKey::Fetch, 12, &fetch(&["t"], 0, i32::MAX))
            .await;
    }
    // Others are served meanwhile, and keep their connections by asking.
    let mut asked = tokio::time::interval(Duration::from_millis(200));
    let closed = async {
        // Nothing is read before the broker has closed; requests of its are left, so the system resets it.
        while deaf.stream.peer_addr().is_ok() {
            asked.tick().await;
            assert_eq!(good.produce("t", (-1, -1), -1, None, b"v").await.0, 0);
        }
    };
    tokio::time::timeout(Duration::from_secs(60), closed)
        .await
        .expect("the connection is closed");
    // Most of it never came: four answers of 40 MB.
    let mut got = Vec::new();
    let _ = deaf.stream.read_to_end(&mut got).await;
    assert!(got.len() < 100_000_000, "{} bytes", got.len());
    broker.shutdown().await;
}

/// The one broker leads every partition all the time; what a client of a cluster hears of a leader that is gone, it
/// hears here of a topic that is, or of an epoch that never was.
#[tokio::test]
async fn who_knows_a_topic_of_the_past_or_a_leader_of_the_future_is_told() {
    const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    const UNKNOWN_LEADER_EPOCH: i16 = 75;
    const UNKNOWN_TOPIC_ID: i16 = 100;
    let dir = tempfile::tempdir().unwrap();
    let broker = start(&dir).await;
    let mut client = Client::connect(&broker.bootstrap()).await;
    client.create("t", 1, 1).await;
    assert_eq!(client.produce("t", (-1, -1), -1, None, b"v").await.0, 0);
    let known: MetadataResponse = client
        .call(
            ApiKey::Metadata,
            12,
            &MetadataRequest::default().with_topics(None),
        )
        .await;
    let id = known.topics[0].topic_id;
    let by_id = |epoch| {
        let mut request = fetch(&["t"], 1, 1 << 20)
            .with_max_wait_ms(60_000)
            .with_min_bytes(1);
        request.topics[0].topic = text("").into();
        request.topics[0].topic_id = id;
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        request
    };
    let answer = client.call(ApiKey::Fetch, 13, &by_id(5)).await;
    assert_eq!(records(answer)[0].0, UNKNOWN_LEADER_EPOCH);
    // One waits at the end of the topic when it goes, and asks again.
    let mut waiting = Client::connect(&broker.bootstrap()).await;
    waiting
        .send(ApiKey::Fetch, 13, &by_id(-1).with_max_wait_ms(500))
        .await;
    let state = DeleteTopicState::default().with_name(Some(text("t").into()));
    let request = DeleteTopicsRequest::default()
        .with_topics(vec![state])
        .with_timeout_ms(10_000);
    let gone: DeleteTopicsResponse = client.call(ApiKey::DeleteTopics, 6, &request).await;
    assert_eq!(gone.responses[0].error_code, 0);
    let _: FetchResponse = waiting.receive(13).await;
    let written = client.produce("t", (-1, -1), -1, None, b"v").await;
    assert_eq!(written.0, UNKNOWN_TOPIC_OR_PARTITION);
    // Another of the same name is not the one that was known.
    client.create("t", 1, 1).await;
    let answer = waiting.call(ApiKey::Fetch, 13, &by_id(-1)).await;
    assert_eq!(records(answer)[0].0, UNKNOWN_TOPIC_ID);
    broker.shutdown().await;
}
