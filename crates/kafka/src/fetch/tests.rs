//! The bookkeeping of answers, without a broker.

use std::{sync::Arc, time::Duration};

use kafka_protocol::{
    messages::{
        BrokerId, FetchResponse, TopicName,
        fetch_response::{FetchableTopicResponse, PartitionData},
    },
    protocol::StrBytes,
};
use tokio::time::Instant;

use super::{
    partition::{Leader, Partition},
    settings::FetchSettings,
    state::{Asked, Key, Next, Shared},
};
use crate::{ports::ClientProps, wire::Cluster};

fn shared(more: &[(&str, &str)]) -> Shared {
    let mut props: ClientProps =
        [("bootstrap.servers".to_owned(), "127.0.0.1:1".to_owned())].into();
    props.extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    let settings = FetchSettings::from_props(&props).unwrap();
    let shared = Shared::new(Cluster::new(&props).unwrap(), settings);
    let mut partition = Partition::begun();
    partition.leader = Some(Leader {
        broker: 1,
        epoch: 4,
    });
    partition.validated = 4;
    partition.go_to(10, 7);
    shared.lock().partitions.insert(key(), partition);
    shared
}

fn key() -> Key {
    (Arc::from("t"), 0)
}

fn next(shared: &Shared, broker: i32) -> Vec<Asked> {
    match shared.next_fetch(broker, None) {
        Next::Fetch(asked, _) => asked,
        Next::Wait(_) | Next::End => Vec::new(),
    }
}

fn answer(shared: &Shared, broker: i32, make: impl FnOnce(PartitionData) -> PartitionData) {
    let asked = next(shared, broker);
    assert_eq!(asked.len(), 1, "it is asked for");
    take(shared, broker, &asked, make);
}

fn take(
    shared: &Shared,
    broker: i32,
    asked: &[Asked],
    make: impl FnOnce(PartitionData) -> PartitionData,
) {
    let part = PartitionData::default()
        .with_partition_index(0)
        .with_high_watermark(100);
    let topic = FetchableTopicResponse::default()
        .with_topic(TopicName(StrBytes::from_static_str("t")))
        .with_partitions(vec![make(part)]);
    let answer = FetchResponse::default().with_responses(vec![topic]);
    shared.take_answer(broker, asked, &answer);
}

fn with<T>(shared: &Shared, look: impl FnOnce(&mut Partition) -> T) -> T {
    look(shared.lock().partitions.get_mut(&key()).unwrap())
}

#[tokio::test]
async fn a_nearer_replica_is_read_until_it_cannot_answer() {
    let shared = shared(&[("client.rack", "a")]);
    answer(&shared, 1, |part| {
        part.with_preferred_read_replica(BrokerId(2))
    });
    assert!(next(&shared, 1).is_empty());
    assert_eq!(next(&shared, 2)[0].offset, 10);
    // It lags behind: the leader is asked, and the position stays.
    answer(&shared, 2, |part| part.with_error_code(1));
    with(&shared, |partition| {
        assert_eq!((partition.position, partition.reset), (10, None));
        partition.not_before = None;
    });
    assert_eq!(next(&shared, 1)[0].leader_epoch, 4);
}

#[tokio::test]
async fn what_says_that_the_leader_is_another_has_it_looked_up_and_waits() {
    for code in [3, 6, 9, 56, 74, 75, 78, 100] {
        let shared = shared(&[]);
        answer(&shared, 1, |part| part.with_error_code(code));
        with(&shared, |partition| {
            assert!(partition.stale && partition.failure.is_none(), "{code}");
            assert!(partition.waits(Instant::now()).is_some(), "{code}");
            partition.stale = false;
        });
        assert!(next(&shared, 1).is_empty(), "{code}: not at once");
    }
}

#[tokio::test]
async fn answers_to_what_was_asked_before_a_seek_change_nothing() {
    let shared = shared(&[]);
    let asked = next(&shared, 1);
    with(&shared, |partition| partition.go_to(50, 8));
    take(&shared, 1, &asked, |part| part.with_error_code(1));
    with(&shared, |partition| {
        assert_eq!((partition.position, partition.reset), (50, None));
        assert_eq!(partition.high_watermark, -1);
    });
    // Nor do those of a broker that does not lead any more.
    let asked = next(&shared, 1);
    with(&shared, |partition| {
        partition.leader = Some(Leader {
            broker: 3,
            epoch: 4,
        });
    });
    take(&shared, 1, &asked, |part| part.with_error_code(1));
    with(&shared, |partition| assert_eq!(partition.reset, None));
    assert!(matches!(shared.next_fetch(1, None), Next::End));
}

#[tokio::test]
async fn a_partition_with_enough_is_left_alone_and_the_others_are_asked_in_haste() {
    let shared = shared(&[("max.partition.fetch.bytes", "1000")]);
    let other: Key = (Arc::from("t"), 1);
    let mut partition = Partition::begun();
    partition.leader = with(&shared, |partition| partition.leader);
    partition.go_to(0, 9);
    shared.lock().partitions.insert(other.clone(), partition);
    assert_eq!(next(&shared, 1).len(), 2);
    with(&shared, |partition| partition.buffered = 1000);
    let Next::Fetch(asked, wait) = shared.next_fetch(1, None) else {
        panic!("the other is asked for");
    };
    assert_eq!(
        (&asked[0].key, asked.len(), wait),
        (&other, 1, Duration::ZERO)
    );
    // And not without a pause.
    let soon = shared.next_fetch(1, Some(Instant::now()));
    assert!(matches!(soon, Next::Wait(Some(_))));
    // One that is paused holds nobody up.
    with(&shared, |partition| partition.paused = true);
    let Next::Fetch(_, wait) = shared.next_fetch(1, Some(Instant::now())) else {
        panic!("the other is asked for");
    };
    assert_eq!(wait, Duration::from_millis(500));
}

#[tokio::test]
async fn a_new_leader_has_the_position_checked_first() {
    let shared = shared(&[]);
    with(&shared, |partition| {
        partition.position_epoch = Some(4);
        assert!(!partition.needs_validation());
        partition.leader = Some(Leader {
            broker: 1,
            epoch: 5,
        });
        assert!(partition.needs_validation());
    });
    assert!(next(&shared, 1).is_empty());
    with(&shared, |partition| partition.validated = 5);
    assert_eq!(next(&shared, 1)[0].leader_epoch, 5);
}
