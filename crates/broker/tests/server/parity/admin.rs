//! What an administrator is told of security, quotas, elections, directories and pages of topics.

use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, ApiKey, CreateAclsRequest,
    CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse, DescribeAclsRequest,
    DescribeAclsResponse, DescribeClientQuotasRequest, DescribeClientQuotasResponse,
    DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse, ElectLeadersRequest, ElectLeadersResponse,
    alter_client_quotas_request::{EntityData, EntryData, OpData},
    create_acls_request::AclCreation,
    delete_acls_request::DeleteAclsFilter,
    describe_client_quotas_request::ComponentData,
    describe_log_dirs_request::DescribableLogDirTopic,
    describe_topic_partitions_request::{Cursor, TopicRequest},
    elect_leaders_request::TopicPartitions,
};

use super::Notes;
use crate::client::{Client, text};

pub(super) async fn security(c: &mut Client, notes: &mut Notes) {
    let request = DescribeAclsRequest::default()
        .with_resource_type_filter(1)
        .with_pattern_type_filter(1)
        .with_operation(1)
        .with_permission_type(1);
    let answer: DescribeAclsResponse = c.call(ApiKey::DescribeAcls, 3, &request).await;
    notes.note("describe acls", (answer.error_code, answer.error_message));
    let creation = AclCreation::default()
        .with_resource_type(2)
        .with_resource_name(text("t"))
        .with_resource_pattern_type(3)
        .with_principal(text("User:a"))
        .with_host(text("*"))
        .with_operation(3)
        .with_permission_type(3);
    let request = CreateAclsRequest::default().with_creations(vec![creation]);
    let answer: CreateAclsResponse = c.call(ApiKey::CreateAcls, 3, &request).await;
    let results = answer.results.iter();
    let results: Vec<_> = results
        .map(|r| (r.error_code, r.error_message.clone()))
        .collect();
    notes.note("create acls", results);
    let filter = DeleteAclsFilter::default()
        .with_resource_type_filter(1)
        .with_pattern_type_filter(1)
        .with_operation(1)
        .with_permission_type(1);
    let request = DeleteAclsRequest::default().with_filters(vec![filter]);
    let answer: DeleteAclsResponse = c.call(ApiKey::DeleteAcls, 3, &request).await;
    let results = answer.filter_results.iter();
    let results: Vec<_> = results
        .map(|r| (r.error_code, r.error_message.clone()))
        .collect();
    notes.note("delete acls", results);
}

type Entity<'a> = &'a [(&'a str, Option<&'a str>)];

impl Client {
    /// Code, words and entity of each entry.
    async fn alter_quota(
        &mut self,
        entity: Entity<'_>,
        op: (&str, f64, bool),
        validate_only: bool,
    ) -> Vec<(i16, Option<String>, usize)> {
        let entity = entity.iter().map(|(kind, name)| {
            EntityData::default()
                .with_entity_type(text(kind))
                .with_entity_name(name.map(text))
        });
        let op = OpData::default()
            .with_key(text(op.0))
            .with_value(op.1)
            .with_remove(op.2);
        let entry = EntryData::default()
            .with_entity(entity.collect())
            .with_ops(vec![op]);
        let request = AlterClientQuotasRequest::default()
            .with_entries(vec![entry])
            .with_validate_only(validate_only);
        let answer: AlterClientQuotasResponse =
            self.call(ApiKey::AlterClientQuotas, 1, &request).await;
        let entries = answer.entries.iter();
        let told = entries.map(|e| {
            let words = e.error_message.as_ref().map(ToString::to_string);
            (e.error_code, words, e.entity.len())
        });
        told.collect()
    }

    /// Code, words, and each entity with its quotas.
    async fn quotas(&mut self, components: &[(&str, i8, Option<&str>)], strict: bool) -> String {
        let components = components.iter().map(|(kind, how, name)| {
            ComponentData::default()
                .with_entity_type(text(kind))
                .with_match_type(*how)
                .with_match(name.map(text))
        });
        let request = DescribeClientQuotasRequest::default()
            .with_components(components.collect())
            .with_strict(strict);
        let answer: DescribeClientQuotasResponse =
            self.call(ApiKey::DescribeClientQuotas, 1, &request).await;
        let entries = answer.entries.map(|entries| {
            let told = entries.iter().map(|entry| {
                let mut of: Vec<_> = entry
                    .entity
                    .iter()
                    .map(|e| (e.entity_type.to_string(), e.entity_name.clone()))
                    .collect();
                of.sort();
                let mut values: Vec<_> = entry
                    .values
                    .iter()
                    .map(|v| format!("{}={}", v.key, v.value))
                    .collect();
                values.sort();
                format!("{of:?} {values:?}")
            });
            let mut told: Vec<_> = told.collect();
            told.sort();
            told
        });
        format!(
            "{} {:?} {entries:?}",
            answer.error_code, answer.error_message
        )
    }
}

pub(super) async fn quotas(c: &mut Client, notes: &mut Notes) {
    const RATE: (&str, f64, bool) = ("producer_byte_rate", 1e6, false);
    let alice: Entity<'_> = &[("user", Some("alice"))];
    notes.note("none", c.quotas(&[("user", 2, None)], false).await);
    notes.note("only judged", c.alter_quota(alice, RATE, true).await);
    notes.note("set", c.alter_quota(alice, RATE, false).await);
    // Apache Kafka's broker hears of it from its controller.
    let told = loop {
        let told = c.quotas(&[("user", 0, Some("alice"))], true).await;
        if told.contains("alice") {
            break told;
        }
        tokio::task::yield_now().await;
    };
    notes.note("told", told);
    notes.note("all users", c.quotas(&[("user", 2, None)], true).await);
    notes.note("the default", c.quotas(&[("user", 1, None)], true).await);
    notes.note(
        "all clients",
        c.quotas(&[("client-id", 2, None)], false).await,
    );
    notes.note("everything", c.quotas(&[], false).await);
    let cases: [(&str, Entity<'_>, (&str, f64, bool)); 9] = [
        ("unknown key", alice, ("nonsense", 1.0, false)),
        ("unknown kind", &[("nonsense", Some("a"))], RATE),
        ("no entity", &[], RATE),
        (
            "twice a kind",
            &[("user", Some("a")), ("user", Some("b"))],
            RATE,
        ),
        ("no name", &[("user", Some(""))], RATE),
        ("below nothing", alice, ("producer_byte_rate", -1.0, false)),
        ("a fraction", alice, ("producer_byte_rate", 0.5, false)),
        (
            "a rate of bytes of an address",
            &[("ip", Some("127.0.0.1"))],
            RATE,
        ),
        (
            "remove what is not there",
            alice,
            ("consumer_byte_rate", 0.0, true),
        ),
    ];
    for (what, entity, op) in cases {
        notes.note(what, c.alter_quota(entity, op, true).await);
    }
    for (what, components) in [
        ("asked of an unknown kind", vec![("nonsense", 2, None)]),
        (
            "asked of a kind twice",
            vec![("user", 2, None), ("user", 2, None)],
        ),
        ("asked in an unknown way", vec![("user", 7, None)]),
        ("asked of an exact nobody", vec![("user", 0, None)]),
        (
            "asked of an address and a user",
            vec![("user", 2, None), ("ip", 2, None)],
        ),
        ("asked of others", vec![("user", 0, Some("bob"))]),
    ] {
        notes.note(what, c.quotas(&components, true).await);
    }
}

pub(super) async fn elections(c: &mut Client, notes: &mut Notes) {
    c.made("elected").await;
    let of = |topic: &str, index| {
        TopicPartitions::default()
            .with_topic(text(topic).into())
            .with_partitions(vec![index])
    };
    for (what, topics) in [
        ("one", Some(vec![of("elected", 0)])),
        ("no partition", Some(vec![of("elected", 7)])),
        ("no topic", Some(vec![of("nope", 0)])),
        ("all", None),
    ] {
        let request = ElectLeadersRequest::default()
            .with_topic_partitions(topics)
            .with_timeout_ms(10_000);
        let answer: ElectLeadersResponse = c.call(ApiKey::ElectLeaders, 2, &request).await;
        let results = answer.replica_election_results.iter();
        let results: Vec<_> = results
            .flat_map(|topic| {
                topic
                    .partition_result
                    .iter()
                    .map(|p| (topic.topic.to_string(), p.partition_id, p.error_code))
            })
            .collect();
        notes.note(what, (answer.error_code, results));
    }
}

pub(super) async fn directories(c: &mut Client, notes: &mut Notes) {
    c.made("lying").await;
    let topic = DescribableLogDirTopic::default()
        .with_topic(text("lying").into())
        .with_partitions(vec![0, 9]);
    let request = DescribeLogDirsRequest::default().with_topics(Some(vec![topic]));
    let answer: DescribeLogDirsResponse = c.call(ApiKey::DescribeLogDirs, 4, &request).await;
    let results = answer.results.iter().map(|dir| {
        let topics = dir.topics.iter().flat_map(|topic| {
            let partitions = topic.partitions.iter();
            partitions.map(|p| {
                (
                    topic.name.to_string(),
                    p.partition_index,
                    p.partition_size,
                    p.offset_lag,
                    p.is_future_key,
                )
            })
        });
        (dir.error_code, topics.collect::<Vec<_>>())
    });
    notes.note(
        "one topic",
        (answer.error_code, results.collect::<Vec<_>>()),
    );
}

pub(super) async fn pages(c: &mut Client, notes: &mut Notes) {
    c.create("page.a", 3, 1).await;
    c.create("page.b", 2, 1).await;
    c.led("page.a").await;
    c.led("page.b").await;
    let names = ["page.b", "nope", "page.a", "b ad"];
    let mut cursor = None;
    for page in 0..4 {
        let topics = names.map(|name| TopicRequest::default().with_name(text(name).into()));
        let request = DescribeTopicPartitionsRequest::default()
            .with_topics(topics.to_vec())
            .with_response_partition_limit(2)
            .with_cursor(cursor.take());
        let answer: DescribeTopicPartitionsResponse =
            c.call(ApiKey::DescribeTopicPartitions, 0, &request).await;
        let topics = answer.topics.iter().map(|topic| {
            let partitions: Vec<_> = topic
                .partitions
                .iter()
                .map(|p| {
                    let elr = (&p.eligible_leader_replicas, &p.last_known_elr);
                    (
                        p.error_code,
                        p.partition_index,
                        p.leader_epoch,
                        format!("{elr:?}"),
                    )
                })
                .collect();
            let name = topic.name.as_ref().map(|name| name.to_string());
            (
                topic.error_code,
                name,
                topic.is_internal,
                topic.topic_authorized_operations,
                partitions,
            )
        });
        notes.note(&format!("page {page}"), topics.collect::<Vec<_>>());
        let next = answer.next_cursor;
        let told = next
            .as_ref()
            .map(|at| (at.topic_name.to_string(), at.partition_index));
        notes.note(&format!("after page {page}"), told);
        let Some(next) = next else { break };
        let at = Cursor::default()
            .with_topic_name(next.topic_name)
            .with_partition_index(next.partition_index);
        cursor = Some(at);
    }
}
