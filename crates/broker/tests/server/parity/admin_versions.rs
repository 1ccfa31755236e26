//! What administrators are told in every version that the embedded broker offers.

use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, CreatePartitionsRequest,
    CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteGroupsRequest,
    DeleteGroupsResponse, DeleteTopicsRequest, DeleteTopicsResponse, DescribeClusterRequest,
    DescribeClusterResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    DescribeGroupsRequest, DescribeGroupsResponse, InitProducerIdRequest, InitProducerIdResponse,
    ListGroupsRequest, ListGroupsResponse,
    create_partitions_request::CreatePartitionsTopic,
    create_topics_request::{CreatableTopic, CreatableTopicConfig},
    delete_topics_request::DeleteTopicState,
    describe_configs_request::DescribeConfigsResource,
};

use super::{Notes, settled};
use crate::client::{Client, text};

pub(super) async fn topics(c: &mut Client, notes: &mut Notes) {
    for version in 2..=7 {
        let name = format!("made.in.{version}");
        for (what, topic, partitions, only) in [
            ("only asked", name.as_str(), 2, true),
            ("made", name.as_str(), 2, false),
            ("again", name.as_str(), 2, false),
            ("bad name", "b ad", 1, false),
            ("no partitions", "none", 0, false),
        ] {
            let config = CreatableTopicConfig::default()
                .with_name(text("retention.ms"))
                .with_value(Some(text("99000000")));
            let topic = CreatableTopic::default()
                .with_name(text(topic).into())
                .with_num_partitions(partitions)
                .with_replication_factor(1)
                .with_configs(vec![config]);
            let request = CreateTopicsRequest::default()
                .with_topics(vec![topic])
                .with_validate_only(only)
                .with_timeout_ms(10_000);
            let answer: CreateTopicsResponse =
                c.call(ApiKey::CreateTopics, version, &request).await;
            let topic = &answer.topics[0];
            let set = topic.configs.as_ref().map(|all| {
                let set = all.iter().filter(|one| one.name.as_str() == "retention.ms");
                let set = set.map(|one| (one.value.clone(), one.config_source, one.read_only));
                set.collect::<Vec<_>>()
            });
            notes.note(
                &format!("create {version}, {what}"),
                (
                    (
                        topic.error_code,
                        topic.num_partitions,
                        topic.replication_factor,
                    ),
                    topic.topic_config_error_code,
                    // Apache Kafka invents one for a topic that is only asked for.
                    only || topic.topic_id.is_nil(),
                    set,
                ),
            );
        }
        c.led(&name).await;
    }
    for version in 1..=4 {
        let resource = |kind: i8, name: &str| {
            DescribeConfigsResource::default()
                .with_resource_type(kind)
                .with_resource_name(text(name))
                .with_configuration_keys(Some(vec![text("retention.ms")]))
        };
        let resources = vec![resource(2, "made.in.7"), resource(2, "made.in.99")];
        let request = DescribeConfigsRequest::default()
            .with_resources(resources)
            .with_include_synonyms(true);
        let answer: DescribeConfigsResponse =
            c.call(ApiKey::DescribeConfigs, version, &request).await;
        let told = answer.results.iter().map(|result| {
            let configs = result.configs.iter().map(|config| {
                let synonyms = config.synonyms.iter();
                let synonyms = synonyms.map(|s| (s.name.to_string(), s.source));
                format!(
                    "{:?} {} {} {:?} {}",
                    config.value,
                    config.config_source,
                    config.config_type,
                    synonyms.collect::<Vec<_>>(),
                    config.read_only,
                )
            });
            (result.error_code, configs.collect::<Vec<_>>())
        });
        notes.note(&format!("configs {version}"), told.collect::<Vec<_>>());
    }
    for version in 0..=3 {
        for count in [1, 3 + i32::from(version)] {
            let topic = CreatePartitionsTopic::default()
                .with_name(text("made.in.2").into())
                .with_count(count)
                .with_assignments(None);
            let request = CreatePartitionsRequest::default()
                .with_topics(vec![topic])
                .with_timeout_ms(10_000);
            let key = ApiKey::CreatePartitions;
            let answer: CreatePartitionsResponse = c.call(key, version, &request).await;
            let told = answer.results[0].error_code;
            notes.note(&format!("partitions {version} to {count}"), told);
        }
    }
    for version in 1..=6 {
        for (what, name) in [
            ("there", format!("made.in.{}", version + 1)),
            ("not there", "made.in.99".to_owned()),
        ] {
            let mut request = DeleteTopicsRequest::default().with_timeout_ms(10_000);
            if version >= 6 {
                let topic = DeleteTopicState::default().with_name(Some(text(&name).into()));
                request.topics = vec![topic];
            } else {
                request.topic_names = vec![text(&name).into()];
            }
            let answer: DeleteTopicsResponse =
                c.call(ApiKey::DeleteTopics, version, &request).await;
            let topic = &answer.responses[0];
            notes.note(
                &format!("delete {version}, {what}"),
                (
                    topic.error_code,
                    topic.name.is_some(),
                    topic.topic_id.is_nil(),
                ),
            );
        }
    }
}

pub(super) async fn others(c: &mut Client, notes: &mut Notes) {
    for version in 0..=4 {
        let mut request = ApiVersionsRequest::default();
        if version >= 3 {
            request.client_software_name = text("parity");
            request.client_software_version = text("1");
        }
        let answer: ApiVersionsResponse = c.call(ApiKey::ApiVersions, version, &request).await;
        notes.note(&format!("offered {version}"), answer.error_code);
    }
    for version in 0..=1 {
        let request = DescribeClusterRequest::default();
        let answer: DescribeClusterResponse =
            c.call(ApiKey::DescribeCluster, version, &request).await;
        notes.note(
            &format!("cluster {version}"),
            (
                (
                    answer.error_code,
                    answer.endpoint_type,
                    answer.brokers.len(),
                ),
                answer.cluster_authorized_operations,
            ),
        );
    }
    assert_eq!(c.commit("admin.ages", ("", -1), "of.all.ages", 3).await, 0);
    for version in 0..=5 {
        for (what, group) in [("known", "admin.ages"), ("unknown", "admin.none")] {
            let request = DescribeGroupsRequest::default().with_groups(vec![text(group).into()]);
            let answer: DescribeGroupsResponse =
                c.call(ApiKey::DescribeGroups, version, &request).await;
            let group = &answer.groups[0];
            notes.note(
                &format!("group {version}, {what}"),
                (
                    (group.error_code, group.group_state.to_string()),
                    (
                        group.protocol_type.to_string(),
                        group.protocol_data.to_string(),
                    ),
                    (group.members.len(), group.authorized_operations),
                ),
            );
        }
    }
    for version in 0..=4 {
        let mut request = ListGroupsRequest::default();
        if version >= 4 {
            request.states_filter = vec![text("Empty")];
        }
        let answer: ListGroupsResponse = c.call(ApiKey::ListGroups, version, &request).await;
        let groups = answer.groups.iter();
        let groups = groups.filter(|group| group.group_id.as_str() == "admin.ages");
        let groups = groups.map(|group| {
            let state = group.group_state.to_string();
            (group.protocol_type.to_string(), state)
        });
        let groups: Vec<_> = groups.collect();
        notes.note(&format!("groups {version}"), (answer.error_code, groups));
    }
    for version in 0..=2 {
        let groups = ["admin.ages", "admin.none"].map(|group| text(group).into());
        let request = DeleteGroupsRequest::default().with_groups_names(groups.to_vec());
        let answer: DeleteGroupsResponse = c.call(ApiKey::DeleteGroups, version, &request).await;
        let mut told: Vec<_> = answer
            .results
            .iter()
            .map(|one| (one.group_id.to_string(), one.error_code))
            .collect();
        told.sort();
        notes.note(&format!("delete groups {version}"), told);
    }
    for version in 0..=5 {
        for (what, id, timeout) in [
            ("of nobody", None, 60_000),
            ("of a name", Some("admin.txn"), 60_000),
            ("without a name", Some(""), 60_000),
            ("of no time", Some("admin.txn"), 0),
            ("of too much time", Some("admin.txn"), i32::MAX),
        ] {
            let request = InitProducerIdRequest::default()
                .with_transactional_id(id.map(|id| text(id).into()))
                .with_transaction_timeout_ms(timeout);
            let told = settled(async || {
                let answer: InitProducerIdResponse =
                    c.call(ApiKey::InitProducerId, version, &request).await;
                (
                    answer.error_code,
                    (*answer.producer_id >= 0, answer.producer_epoch),
                )
            });
            notes.note(&format!("producer {version} {what}"), told.await);
        }
    }
}
