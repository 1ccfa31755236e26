//! ConsumerGroupHeartbeat, and offsets in a member's epoch.

use std::time::Duration;

use milena_kafka::ports::{ConsumerHeartbeat, GroupOffset};
use milena_testing_kafka::oracle_is_missing;

use crate::support::World;

/// The coordinator is being found or reads its log.
const MOVING: [i16; 3] = [14, 15, 16];
const UNKNOWN_MEMBER_ID: i16 = 25;
const GROUP_ID_NOT_FOUND: i16 = 69;
const UNSUPPORTED_VERSION: i16 = 35;
const FENCED_MEMBER_EPOCH: i16 = 110;
const UNRELEASED_INSTANCE_ID: i16 = 111;
const UNSUPPORTED_ASSIGNOR: i16 = 112;
const STALE_MEMBER_EPOCH: i16 = 113;

fn beat(epoch: i32) -> ConsumerHeartbeat {
    ConsumerHeartbeat {
        member_id: "a-member".to_owned(),
        epoch,
        instance_id: None,
        rack: None,
        rebalance_timeout: Some(Duration::from_secs(30)),
        topics: Some(vec!["assigned".to_owned()]),
        assignor: None,
        owned: Some(Vec::new()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_joins_is_assigned_commits_in_its_epoch_and_leaves() {
    if oracle_is_missing("a_member_joins_is_assigned_commits_in_its_epoch_and_leaves") {
        return;
    }
    let world = World::kafka();
    world.topic("assigned", 2).await;
    let group = world.group("assigned").await;
    while let Err(error) = group.find_coordinator().await {
        assert!(error.is_retriable(), "{error}");
    }
    let unknown = loop {
        match group.consumer_heartbeat(beat(7)).await {
            Ok(answer) if !MOVING.contains(&answer.error) => break answer,
            Err(error) => assert!(error.is_retriable(), "{error}"),
            Ok(_) => {}
        }
        // It has just been made, and is read by whoever got it.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let _ = group.find_coordinator().await;
    };
    assert_eq!(unknown.error, GROUP_ID_NOT_FOUND);
    let odd = ConsumerHeartbeat {
        assignor: Some("odd".to_owned()),
        ..beat(0)
    };
    let odd = group.consumer_heartbeat(odd).await.unwrap();
    assert_eq!(odd.error, UNSUPPORTED_ASSIGNOR);
    assert!(odd.said.unwrap().contains("odd"));

    let mut joined = group.consumer_heartbeat(beat(0)).await.unwrap();
    assert_eq!(
        (joined.error, joined.member_id.as_deref()),
        (0, Some("a-member"))
    );
    assert!(joined.epoch > 0 && joined.interval > Duration::ZERO);
    let ids = group
        .topic_ids(vec!["assigned".to_owned(), "missing".to_owned()])
        .await;
    let ids = ids.unwrap();
    assert_eq!(ids.len(), 1);
    // The coordinator may not have heard of the new topic yet.
    let mut given = loop {
        match joined.assignment.take() {
            Some(given) if !given.is_empty() => break given,
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
        joined = group.consumer_heartbeat(beat(joined.epoch)).await.unwrap();
        assert_eq!(joined.error, 0);
    };
    given[0].1.sort_unstable();
    assert_eq!(given, [(ids[0].1, vec![0, 1])]);

    // A member that has given everything up may join anew under its id.
    let epoch = joined.epoch;
    let ack = ConsumerHeartbeat {
        owned: Some(given),
        topics: Some(vec!["assigned".to_owned(), "more".to_owned()]),
        ..beat(epoch)
    };
    // Another subscription is another epoch, as soon as the broker has assigned.
    let next = loop {
        let next = group.consumer_heartbeat(ack.clone()).await.unwrap();
        assert_eq!(next.error, 0);
        if next.epoch > epoch {
            break next;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let behind = group
        .consumer_heartbeat(beat(next.epoch + 1))
        .await
        .unwrap();
    assert_eq!(behind.error, FENCED_MEMBER_EPOCH);
    let next = group.consumer_heartbeat(beat(0)).await.unwrap();
    assert_eq!(next.error, 0);

    let offset = |error| GroupOffset {
        topic: "assigned".to_owned(),
        partition: 0,
        offset: if error == 0 { 5 } else { -1 },
        metadata: Some(String::new()),
        error,
    };
    let commit = async |member: &str, epoch| {
        let answer = group
            .commit_offsets(epoch, member, None, vec![offset(0)])
            .await;
        answer.unwrap()[0].error
    };
    assert_eq!(commit("a-member", next.epoch).await, 0);
    assert_eq!(commit("another", next.epoch).await, UNKNOWN_MEMBER_ID);
    let fetch = async |member, epoch| {
        let wanted = vec![("assigned".to_owned(), 0)];
        let answer = group
            .fetch_offsets(wanted, true, Some((member, epoch)))
            .await;
        let answer = answer.unwrap();
        (answer[0].offset, answer[0].error)
    };
    assert_eq!(fetch("a-member", next.epoch).await, (5, 0));
    assert_eq!(
        fetch("a-member", next.epoch + 1).await,
        (-1, STALE_MEMBER_EPOCH)
    );
    assert_eq!(fetch("another", next.epoch).await, (-1, UNKNOWN_MEMBER_ID));

    let left = group.consumer_heartbeat(beat(-1)).await.unwrap();
    assert_eq!(left.error, 0);
    let rejoined = group.consumer_heartbeat(beat(0)).await.unwrap();
    assert_eq!(rejoined.error, 0);
    group.consumer_heartbeat(beat(-1)).await.unwrap();

    // Nobody takes a static member's place before it has left, not even itself.
    let named = |member: &str, epoch| ConsumerHeartbeat {
        member_id: member.to_owned(),
        instance_id: Some("named".to_owned()),
        ..beat(epoch)
    };
    for (member, epoch, error) in [
        ("one", 0, 0),
        ("one", 0, UNRELEASED_INSTANCE_ID),
        ("two", 0, UNRELEASED_INSTANCE_ID),
        ("one", -2, 0),
        ("two", 0, 0),
        ("two", -1, 0),
    ] {
        let answer = group
            .consumer_heartbeat(named(member, epoch))
            .await
            .unwrap();
        assert_eq!(answer.error, error, "{member} {epoch}: {:?}", answer.said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_does_not_know_it_is_answered_for() {
    let world = World::embedded().await;
    let group = world.group("assigned").await;
    while let Err(error) = group.find_coordinator().await {
        assert!(error.is_retriable(), "{error}");
    }
    let answer = group.consumer_heartbeat(beat(0)).await.unwrap();
    assert_eq!(answer.error, UNSUPPORTED_VERSION);
}
