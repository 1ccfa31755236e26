//! Administration.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use milena_kafka::ports::{
    ConsumerOffset, CreateOutcome, Isolation, KafkaErrorKind, ListAt, OutRecord,
};
use milena_testing_kafka::oracle_is_missing;

use crate::support::{World, topic};

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_created_described_changed_and_deleted() {
    if oracle_is_missing("topics_are_created_described_changed_and_deleted") {
        return;
    }
    topics(&World::kafka()).await;
}

async fn topics(world: &World) {
    let admin = world.admin().await;
    assert!(!admin.cluster_id().await.unwrap().is_empty());

    let names = ["admin-a".to_owned(), "admin-none".to_owned()];
    assert_eq!(admin.describe_topics(&names).await.unwrap(), []);
    let mut compacted = topic("admin-a", 3);
    compacted
        .configs
        .insert("cleanup.policy".into(), "compact".into());
    let mut wrong = topic("admin-c", 1);
    wrong.configs.insert("no.such.config".into(), "1".into());
    let mut wide = topic("admin-b", 1);
    wide.replication_factor = 9;
    let outcomes = admin
        .create_topics(vec![compacted.clone(), wide, wrong])
        .await
        .unwrap();
    assert_eq!(outcomes[0], CreateOutcome::Created);
    assert!(matches!(
        outcomes[1],
        CreateOutcome::InvalidReplicationFactor(_)
    ));
    assert!(matches!(outcomes[2], CreateOutcome::InvalidConfig(_)));
    let again = admin.create_topics(vec![compacted]).await.unwrap();
    assert_eq!(again, [CreateOutcome::Exists]);

    let found = admin.describe_topics(&names).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].name.as_str(), found[0].partitions.as_slice()),
        ("admin-a", [0, 1, 2].as_slice())
    );
    let config = admin.topic_config("admin-a").await.unwrap();
    assert_eq!(config["cleanup.policy"].as_deref(), Some("compact"));

    let change: BTreeMap<_, _> = [("retention.ms".to_owned(), Some("1234".to_owned()))].into();
    admin.alter_topic_config("admin-a", &change).await.unwrap();
    // A broker hears of the change a moment after the controller made it.
    let mut config = admin.topic_config("admin-a").await.unwrap();
    while config["retention.ms"].as_deref() != Some("1234") {
        config = admin.topic_config("admin-a").await.unwrap();
    }
    assert_eq!(config["cleanup.policy"].as_deref(), Some("compact"));

    admin.create_partitions("admin-a", 5).await.unwrap();
    let fewer = admin.create_partitions("admin-a", 1).await.unwrap_err();
    assert_eq!(
        fewer.class,
        "org.apache.kafka.common.errors.InvalidPartitionsException"
    );
    admin.delete_topics(&names).await.unwrap();
    while !admin.describe_topics(&names).await.unwrap().is_empty() {}
    let listed = admin.list_topics().await.unwrap();
    assert!(listed.iter().all(|topic| topic.name != "admin-a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_listed_by_position_time_and_isolation() {
    if oracle_is_missing("offsets_are_listed_by_position_time_and_isolation") {
        return;
    }
    offsets(&World::kafka()).await;
}

async fn offsets(world: &World) {
    world.topic("admin-offsets", 2).await;
    let admin = world.admin().await;
    let topic: Arc<str> = "admin-offsets".into();
    let all = [(Arc::clone(&topic), 0), (Arc::clone(&topic), 1)];
    let (producer, acks) = world
        .producer(&[("transactional.id", "admin-offsets"), ("acks", "all")])
        .await;
    producer.init_transactions().await.unwrap();
    producer.begin().await.unwrap();
    let record = |ticket: u64| OutRecord {
        topic: Arc::clone(&topic),
        partition: Some(1),
        timestamp: Some(1_000 + i64::try_from(ticket).unwrap()),
        value: Some("v".into()),
        ticket,
        ..OutRecord::default()
    };
    producer.send((0..3).map(record).collect()).await.unwrap();
    producer.flush().await.unwrap();
    acks.wait(3).await;

    let list = |at, isolation| admin.list_offsets(&all, at, isolation);
    let end = list(ListAt::Latest, Isolation::ReadUncommitted)
        .await
        .unwrap();
    assert_eq!(end.values().copied().collect::<Vec<_>>(), [0, 3]);
    let stable = list(ListAt::Latest, Isolation::ReadCommitted)
        .await
        .unwrap();
    assert_eq!(stable.values().copied().collect::<Vec<_>>(), [0, 0]);
    producer.commit().await.unwrap();
    // The marker is written after the commit is decided.
    let stable = || list(ListAt::Latest, Isolation::ReadCommitted);
    while stable().await.unwrap().into_values().collect::<Vec<_>>() != [0, 4] {}
    let first = list(ListAt::Earliest, Isolation::ReadCommitted)
        .await
        .unwrap();
    assert_eq!(first.values().copied().collect::<Vec<_>>(), [0, 0]);
    let timed = list(ListAt::Timestamp(1_001), Isolation::ReadUncommitted)
        .await
        .unwrap();
    assert_eq!(timed.values().copied().collect::<Vec<_>>(), [-1, 1]);
    producer.close(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fenced_producer_cannot_commit() {
    if oracle_is_missing("a_fenced_producer_cannot_commit") {
        return;
    }
    fencing(&World::kafka()).await;
}

async fn fencing(world: &World) {
    world.topic("admin-fencing", 1).await;
    let (producer, acks) = world.producer(&[("transactional.id", "fenced-0")]).await;
    producer.init_transactions().await.unwrap();
    producer.begin().await.unwrap();
    let record = OutRecord {
        topic: "admin-fencing".into(),
        value: Some("v".into()),
        ..OutRecord::default()
    };
    producer.send(vec![record]).await.unwrap();
    producer.flush().await.unwrap();
    acks.wait(1).await;
    let ids = ["fenced-0".to_owned(), "fenced-never-seen".to_owned()];
    let admin = world.admin().await;
    admin
        .fence_producers(&ids, Duration::from_secs(90))
        .await
        .unwrap();
    let refused = producer.commit().await.unwrap_err();
    assert!(
        matches!(refused, milena_kafka::ports::CommitError::Fenced(_)),
        "{refused:?}"
    );
    producer.close(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_of_a_group_without_members_are_changed() {
    if oracle_is_missing("offsets_of_a_group_without_members_are_changed") {
        return;
    }
    group_offsets(&World::kafka()).await;
}

async fn group_offsets(world: &World) {
    world.topic("admin-group", 2).await;
    let admin = world.admin().await;
    let offset = |partition, offset| ConsumerOffset {
        topic: "admin-group".into(),
        partition,
        offset,
    };
    assert_eq!(admin.group_offsets("admin-g").await.unwrap(), []);
    admin
        .alter_group_offsets("admin-g", &[offset(0, 7), offset(1, 8)])
        .await
        .unwrap();
    let mut found = admin.group_offsets("admin-g").await.unwrap();
    found.sort_by_key(|offset| offset.partition);
    assert_eq!(found, [offset(0, 7), offset(1, 8)]);
    admin
        .delete_group_offsets("admin-g", &[("admin-group".into(), 0)])
        .await
        .unwrap();
    assert_eq!(
        admin.group_offsets("admin-g").await.unwrap(),
        [offset(1, 8)]
    );
    assert_eq!(
        admin.describe_group("admin-g").await.unwrap().state,
        "Empty"
    );
    admin.delete_group("admin-g").await.unwrap();
    admin.delete_group("admin-g").await.unwrap();
    assert_eq!(admin.group_offsets("admin-g").await.unwrap(), []);
    assert_eq!(admin.describe_group("admin-g").await.unwrap().state, "Dead");
    let unknown = admin
        .list_offsets(
            &[("".into(), 0)],
            ListAt::Latest,
            Isolation::ReadUncommitted,
        )
        .await
        .unwrap_err();
    assert_eq!(unknown.kind, KafkaErrorKind::Fatal);
}

/// The same bodies on the embedded broker.
mod embedded {
    use crate::support::World;

    #[tokio::test(flavor = "multi_thread")]
    async fn offsets() {
        super::offsets(&World::embedded().await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn fencing() {
        super::fencing(&World::embedded().await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn group_offsets() {
        super::group_offsets(&World::embedded().await).await;
    }
}
