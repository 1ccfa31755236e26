//! Consumer groups: offsets and deletion, asked of the group's coordinator.

use kafka_protocol::{
    messages::{
        DeleteGroupsRequest, DescribeGroupsRequest, GroupId, OffsetDeleteRequest, TopicName,
        offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
    },
    protocol::Request,
};

use super::{
    super::{
        cluster::Lane,
        codes,
        group::{commit_request, fetch_request, fetched},
        lookup::CoordinatorOf,
    },
    WireAdmin, text,
};
use crate::ports::{ConsumerOffset, GroupInfo, GroupOffset, KafkaError};

impl WireAdmin {
    async fn call_coordinator<R: Request>(
        &self,
        group: &str,
        make: impl FnOnce(i16) -> R,
    ) -> Result<R::Response, KafkaError> {
        let of = CoordinatorOf::Group(group);
        let coordinator = self.cluster.find_coordinator(of).await?.id;
        let timeout = self.cluster.settings().request_timeout;
        self.cluster
            .call(coordinator, Lane::Prompt, make, timeout)
            .await
    }

    pub(super) async fn group_offsets_once(
        &self,
        group: &str,
    ) -> Result<Vec<ConsumerOffset>, KafkaError> {
        let id = || GroupId(text(group));
        let answer = self
            .call_coordinator(group, |version| fetch_request(id(), None, false, version))
            .await?;
        let (error, offsets) = fetched(&answer);
        codes::check(error, &format!("offsets of group {group}"), None)?;
        let mut found = Vec::new();
        for offset in offsets {
            codes::check(
                offset.error,
                &format!("{}-{}", offset.topic, offset.partition),
                None,
            )?;
            if offset.offset >= 0 {
                found.push(ConsumerOffset {
                    topic: offset.topic,
                    partition: offset.partition,
                    offset: offset.offset,
                });
            }
        }
        Ok(found)
    }

    pub(super) async fn alter_group_offsets_once(
        &self,
        group: &str,
        offsets: &[ConsumerOffset],
    ) -> Result<(), KafkaError> {
        let offsets: Vec<GroupOffset> = offsets
            .iter()
            .map(|offset| GroupOffset {
                topic: offset.topic.clone(),
                partition: offset.partition,
                offset: offset.offset,
                metadata: None,
                error: 0,
            })
            .collect();
        let request = commit_request(GroupId(text(group)), -1, "", &offsets);
        let answer = self.call_coordinator(group, |_| request).await?;
        for topic in &answer.topics {
            for partition in &topic.partitions {
                let what = format!(
                    "offset of {}-{} in group {group}",
                    topic.name.as_str(),
                    partition.partition_index
                );
                codes::check(partition.error_code, &what, None)?;
            }
        }
        Ok(())
    }

    pub(super) async fn delete_group_offsets_once(
        &self,
        group: &str,
        partitions: &[(String, i32)],
    ) -> Result<(), KafkaError> {
        let mut topics = std::collections::BTreeMap::<&str, Vec<_>>::new();
        for (topic, partition) in partitions {
            let one = OffsetDeleteRequestPartition::default().with_partition_index(*partition);
            topics.entry(topic).or_default().push(one);
        }
        let topics = topics.into_iter().map(|(name, partitions)| {
            OffsetDeleteRequestTopic::default()
                .with_name(TopicName(text(name)))
                .with_partitions(partitions)
        });
        let request = OffsetDeleteRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_topics(topics.collect());
        let answer = self.call_coordinator(group, |_| request).await?;
        if answer.error_code == codes::GROUP_ID_NOT_FOUND {
            return Ok(());
        }
        codes::check(answer.error_code, &format!("group {group}"), None)?;
        for topic in &answer.topics {
            for partition in &topic.partitions {
                let what = format!(
                    "offset of {}-{} in group {group}",
                    topic.name.as_str(),
                    partition.partition_index
                );
                codes::check(partition.error_code, &what, None)?;
            }
        }
        Ok(())
    }

    pub(super) async fn describe_group_once(&self, group: &str) -> Result<GroupInfo, KafkaError> {
        let request = DescribeGroupsRequest::default().with_groups(vec![GroupId(text(group))]);
        let answer = self.call_coordinator(group, |_| request).await?;
        let dead = || GroupInfo {
            state: "Dead".to_owned(),
            protocol_type: String::new(),
            members: Vec::new(),
        };
        let Some(found) = answer.groups.first() else {
            return Ok(dead());
        };
        if found.error_code == codes::GROUP_ID_NOT_FOUND {
            return Ok(dead());
        }
        let said = found.error_message.as_ref().map(|text| text.as_str());
        codes::check(found.error_code, &format!("group {group}"), said)?;
        Ok(GroupInfo {
            state: found.group_state.to_string(),
            protocol_type: found.protocol_type.to_string(),
            members: found
                .members
                .iter()
                .map(|member| member.member_id.to_string())
                .collect(),
        })
    }

    pub(super) async fn delete_group_once(&self, group: &str) -> Result<(), KafkaError> {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(group))]);
        let answer = self.call_coordinator(group, |_| request).await?;
        for result in &answer.results {
            if result.error_code != codes::GROUP_ID_NOT_FOUND {
                codes::check(result.error_code, &format!("group {group}"), None)?;
            }
        }
        Ok(())
    }
}
