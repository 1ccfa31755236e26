//! Offsets of partitions, asked of their leaders.

use std::{collections::BTreeMap, sync::Arc};

use kafka_protocol::messages::{
    BrokerId, ListOffsetsRequest, TopicName,
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
};

use super::{
    super::{cluster::Lane, codes},
    WireAdmin, text,
};
use crate::ports::{Isolation, KafkaError, ListAt};

impl WireAdmin {
    pub(super) async fn list_offsets_once(
        &self,
        partitions: &[(Arc<str>, i32)],
        at: ListAt,
        isolation: Isolation,
    ) -> Result<BTreeMap<(Arc<str>, i32), i64>, KafkaError> {
        let result = self.ask_leaders(partitions, at, isolation).await;
        if result.is_err() {
            self.cluster.forget_leaders(partitions);
        }
        result
    }

    async fn ask_leaders(
        &self,
        partitions: &[(Arc<str>, i32)],
        at: ListAt,
        isolation: Isolation,
    ) -> Result<BTreeMap<(Arc<str>, i32), i64>, KafkaError> {
        let timeout = self.cluster.settings().request_timeout;
        let mut offsets = BTreeMap::new();
        for (leader, list) in self.cluster.leaders(partitions).await? {
            let request = request(&list, at, isolation);
            let answer = self
                .cluster
                .call(leader, Lane::Prompt, |_| request, timeout)
                .await?;
            for topic in &answer.topics {
                for partition in &topic.partitions {
                    let what = format!("{}-{}", topic.name.as_str(), partition.partition_index);
                    codes::check(partition.error_code, &what, None)?;
                    let asked = list.iter().find(|(name, number)| {
                        **name == *topic.name.as_str() && *number == partition.partition_index
                    });
                    if let Some(key) = asked {
                        offsets.insert(key.clone(), partition.offset);
                    }
                }
            }
        }
        Ok(offsets)
    }
}

fn request(list: &[(Arc<str>, i32)], at: ListAt, isolation: Isolation) -> ListOffsetsRequest {
    let timestamp = match at {
        ListAt::Latest => -1,
        ListAt::Earliest => -2,
        ListAt::Timestamp(millis) => millis,
    };
    let mut topics: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
    for (topic, partition) in list {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(*partition)
            .with_current_leader_epoch(-1)
            .with_timestamp(timestamp);
        topics.entry(topic).or_default().push(partition);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        ListOffsetsTopic::default()
            .with_name(TopicName(text(name)))
            .with_partitions(partitions)
    });
    ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(match isolation {
            Isolation::ReadUncommitted => 0,
            Isolation::ReadCommitted => 1,
        })
        .with_topics(topics.collect())
}
