//! The group channel.

use std::time::Duration;

use milena_kafka::ports::{GroupOffset, JoinRequest, JoinResponse, KafkaErrorKind, SyncRequest};
use milena_testing_kafka::oracle_is_missing;

use crate::support::World;

const MEMBER_ID_REQUIRED: i16 = 79;
const REBALANCE_IN_PROGRESS: i16 = 27;
const ILLEGAL_GENERATION: i16 = 22;
const UNKNOWN_MEMBER_ID: i16 = 25;

fn join(member_id: &str) -> JoinRequest {
    JoinRequest {
        session_timeout: Duration::from_secs(10),
        rebalance_timeout: Duration::from_secs(30),
        member_id: member_id.into(),
        instance_id: None,
        protocol_type: "connect".into(),
        protocols: vec![
            ("sessioned".into(), "new".into()),
            ("default".into(), "old".into()),
        ],
        reason: Some("a test".into()),
    }
}

fn sync(joined: &JoinResponse, assignments: Vec<(String, bytes::Bytes)>) -> SyncRequest {
    SyncRequest {
        generation: joined.generation,
        member_id: joined.member_id.clone(),
        instance_id: None,
        protocol_type: "connect".into(),
        protocol: joined.protocol.clone(),
        assignments,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_members_share_a_group() {
    if oracle_is_missing("two_members_share_a_group") {
        return;
    }
    membership(&World::kafka()).await;
}

async fn membership(world: &World) {
    let (a, b) = (world.group("members").await, world.group("members").await);
    let early = a.heartbeat(1, "x", None).await.unwrap_err();
    assert_eq!(early.kind, KafkaErrorKind::Retriable);
    // The topic of offsets is made with the first question.
    while let Err(error) = a.find_coordinator().await {
        assert!(error.is_retriable(), "{error}");
    }
    b.find_coordinator().await.unwrap();

    let asked = a.join(join("")).await.unwrap();
    assert_eq!(asked.error, MEMBER_ID_REQUIRED);
    let first = a.join(join(&asked.member_id)).await.unwrap();
    assert_eq!(
        (first.error, first.leader.as_str()),
        (0, first.member_id.as_str())
    );
    assert_eq!(first.protocol, "sessioned");
    assert_eq!(first.members.len(), 1);
    assert_eq!(first.members[0].metadata, "new");
    let mine = vec![(first.member_id.clone(), "all".into())];
    assert_eq!(a.sync(sync(&first, mine)).await.unwrap(), (0, "all".into()));
    assert_eq!(
        a.heartbeat(first.generation, &first.member_id, None)
            .await
            .unwrap(),
        0
    );

    // The second member's join waits for the first: the first hears of it by heartbeat.
    let id = b.join(join("")).await.unwrap().member_id;
    let waiting = tokio::spawn({
        let b = b.clone();
        async move { b.join(join(&id)).await.unwrap() }
    });
    while a
        .heartbeat(first.generation, &first.member_id, None)
        .await
        .unwrap()
        != REBALANCE_IN_PROGRESS
    {}
    let (again, second) = (
        a.join(join(&first.member_id)).await.unwrap(),
        waiting.await.unwrap(),
    );
    assert_eq!(again.generation, second.generation);
    assert_eq!((again.members.len(), second.members.len()), (2, 0));

    // The follower's sync waits for the leader's; its heartbeats do not.
    let waiting = tokio::spawn({
        let (b, request) = (b.clone(), sync(&second, vec![]));
        async move { b.sync(request).await.unwrap() }
    });
    let beat = b
        .heartbeat(second.generation, &second.member_id, None)
        .await
        .unwrap();
    assert!(beat == 0 || beat == REBALANCE_IN_PROGRESS, "{beat}");
    let both = vec![
        (again.member_id.clone(), "one".into()),
        (second.member_id.clone(), "two".into()),
    ];
    assert_eq!(a.sync(sync(&again, both)).await.unwrap(), (0, "one".into()));
    assert_eq!(waiting.await.unwrap(), (0, "two".into()));
    let stale = a
        .heartbeat(again.generation - 1, &again.member_id, None)
        .await
        .unwrap();
    assert_eq!(stale, ILLEGAL_GENERATION);

    assert_eq!(b.leave(&second.member_id, "done").await.unwrap(), 0);
    assert_eq!(
        b.leave(&second.member_id, "done").await.unwrap(),
        UNKNOWN_MEMBER_ID
    );
    assert_eq!(a.leave(&again.member_id, "done").await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_committed_under_the_generation() {
    if oracle_is_missing("offsets_are_committed_under_the_generation") {
        return;
    }
    offsets(&World::kafka()).await;
}

async fn offsets(world: &World) {
    world.topic("committed", 2).await;
    let group = world.group("committers").await;
    while let Err(error) = group.find_coordinator().await {
        assert!(error.is_retriable(), "{error}");
    }
    let id = group.join(join("")).await.unwrap().member_id;
    let joined = group.join(join(&id)).await.unwrap();
    let all = vec![(id.clone(), "all".into())];
    group.sync(sync(&joined, all)).await.unwrap();
    let offset = |partition, offset, error| GroupOffset {
        topic: "committed".into(),
        partition,
        offset,
        metadata: Some("note".into()),
        error,
    };
    let wanted = vec![offset(0, 5, 0), offset(1, 6, 0)];
    let generation = joined.generation;
    let stored = group
        .commit_offsets(generation, &id, None, wanted.clone())
        .await
        .unwrap();
    assert_eq!(stored, wanted);
    let refused = group
        .commit_offsets(generation + 1, &id, None, vec![offset(0, 9, 0)])
        .await
        .unwrap();
    assert_eq!(refused, [offset(0, 9, ILLEGAL_GENERATION)]);
    let mut partitions = vec![("committed".to_owned(), 0), ("committed".to_owned(), 1)];
    let mut found = group
        .fetch_offsets(partitions.clone(), true, None)
        .await
        .unwrap();
    found.sort_by_key(|offset| offset.partition);
    assert_eq!(found, wanted);
    partitions = vec![("committed".to_owned(), 7)];
    let none = group.fetch_offsets(partitions, true, None).await.unwrap();
    assert_eq!((none[0].offset, none[0].error), (-1, 0));
    group.leave(&id, "done").await.unwrap();
}

/// The same bodies on the embedded broker.
mod embedded {
    use crate::support::World;

    #[tokio::test(flavor = "multi_thread")]
    async fn membership() {
        super::membership(&World::embedded().await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn offsets() {
        super::offsets(&World::embedded().await).await;
    }
}
