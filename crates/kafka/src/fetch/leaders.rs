//! Who leads the partitions: asked when it is not known, when a broker says that it is another, and every
//! `metadata.max.age.ms`. An older epoch of the same topic is not believed; a topic that was made again begins anew.

use std::{collections::HashMap, sync::Arc};

use kafka_protocol::messages::metadata_response::{
    MetadataResponsePartition, MetadataResponseTopic,
};
use uuid::Uuid;

use super::{
    errors::{Failure, INVALID_TOPIC, invalid_topic, not_authorized},
    partition::{Leader, Partition},
    state::{Key, Shared},
};
use crate::{ports::KafkaError, wire::codes};

impl Shared {
    /// Asks who leads the partitions of these topics.
    ///
    /// # Errors
    /// No broker answered.
    pub(super) async fn ask_leaders(&self, topics: &[Arc<str>]) -> Result<(), KafkaError> {
        let names: Vec<String> = topics.iter().map(|name| name.to_string()).collect();
        let answer = self.cluster.metadata(Some(&names)).await?;
        let found: HashMap<&str, &MetadataResponseTopic> = answer
            .topics
            .iter()
            .filter_map(|topic| Some((topic.name.as_ref()?.as_str(), topic)))
            .collect();
        let mut told = Vec::new();
        let mut state = self.lock();
        for (key, partition) in &mut state.partitions {
            if !topics.contains(&key.0) {
                continue;
            }
            match found.get(&*key.0) {
                None => {}
                Some(topic) if topic.error_code == 0 => self.learn(key, partition, topic),
                Some(topic) => {
                    partition.failure = match topic.error_code {
                        codes::TOPIC_AUTHORIZATION_FAILED => Some(not_authorized(&key.0)),
                        INVALID_TOPIC => Some(invalid_topic(&key.0)),
                        // It may appear, or appear again.
                        _ => None,
                    }
                    .map(Failure::once)
                    .or(partition.failure.take());
                    if partition.failure.is_some() {
                        told.push(key.clone());
                    }
                    partition.stale = true;
                }
            }
        }
        self.tell(state, &told);
        Ok(())
    }

    fn learn(&self, key: &Key, partition: &mut Partition, topic: &MetadataResponseTopic) {
        let one = |found: &&MetadataResponsePartition| found.partition_index == key.1;
        let Some(found) = topic.partitions.iter().find(one) else {
            partition.stale = true;
            return;
        };
        let another = partition.topic_id != topic.topic_id && !partition.topic_id.is_nil();
        if let Some(known) = partition.leader
            && !another
            && !topic.topic_id.is_nil()
            && found.leader_epoch < known.epoch
            && found.leader_epoch >= 0
        {
            // Of a broker that has not heard yet.
            partition.stale = true;
            return;
        }
        if found.leader_id.0 < 0 {
            partition.stale = true;
            return;
        }
        partition.stale = false;
        if topic.topic_id != Uuid::nil() {
            partition.topic_id = topic.topic_id;
        }
        let leader = Leader {
            broker: found.leader_id.0,
            epoch: found.leader_epoch,
        };
        if partition.leader != Some(leader) {
            if partition.leader.is_some() {
                tracing::debug!(topic = %key.0, partition = key.1, ?leader, "another leader");
            }
            partition.leader = Some(leader);
            partition.replica = None;
        }
        if another || partition.position_epoch.is_none() {
            partition.position_epoch = None;
            partition.validated = leader.epoch;
        }
    }
}
