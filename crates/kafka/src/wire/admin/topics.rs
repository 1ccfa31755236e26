//! Topics: create, extend, delete, describe.

use std::{collections::BTreeMap, time::Duration};

use kafka_protocol::{
    messages::{
        CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, TopicName,
        create_partitions_request::CreatePartitionsTopic,
        create_topics_request::{CreatableTopic, CreatableTopicConfig},
        delete_topics_request::DeleteTopicState,
    },
    protocol::StrBytes,
};

use super::{
    super::{codes, retry::Retry},
    WireAdmin, text,
};
use crate::ports::{CreateOutcome, KafkaError, NewTopic, TopicInfo};

const NOT_CONTROLLER: i16 = 41;
const THROTTLED: i16 = 89;
/// How long a broker may take to hear of a new topic before we go on all the same.
const VISIBLE_WITHIN: Duration = Duration::from_secs(10);

/// One attempt's result for one topic.
enum Tried {
    Done(CreateOutcome),
    Again(KafkaError),
}

impl WireAdmin {
    /// Creates topics; those that met a passing obstacle are tried again, alone.
    pub(super) async fn create_all(
        &self,
        topics: Vec<NewTopic>,
    ) -> Result<Vec<CreateOutcome>, KafkaError> {
        let mut retry = self.retry("createTopics");
        let mut outcomes: BTreeMap<usize, CreateOutcome> = BTreeMap::new();
        let mut in_doubt = false;
        loop {
            let open: Vec<(usize, &NewTopic)> = topics
                .iter()
                .enumerate()
                .filter(|(at, _)| !outcomes.contains_key(at))
                .collect();
            if open.is_empty() {
                let created = |at: &usize| outcomes.get(at) == Some(&CreateOutcome::Created);
                let names = topics.iter().enumerate().filter(|(at, _)| created(at));
                self.await_visible(names.map(|(_, topic)| topic.name.clone()).collect())
                    .await;
                return Ok(outcomes.into_values().collect());
            }
            let error = match self.create_once(&open, in_doubt).await {
                Err(error) => {
                    in_doubt |= error.kind == crate::ports::KafkaErrorKind::Unknown;
                    error
                }
                Ok(tried) => {
                    let mut again = None;
                    for ((at, _), tried) in open.into_iter().zip(tried) {
                        match tried {
                            Tried::Done(outcome) => drop(outcomes.insert(at, outcome)),
                            Tried::Again(error) => again = Some(error),
                        }
                    }
                    match again {
                        Some(error) => error,
                        None => continue,
                    }
                }
            };
            if let Err(last) = retry.again(error).await {
                if outcomes.is_empty() {
                    return Err(last);
                }
                // Some are done: the others say why they are not.
                for at in 0..topics.len() {
                    outcomes
                        .entry(at)
                        .or_insert_with(|| CreateOutcome::TimedOut(last.message.clone()));
                }
            }
        }
    }

    /// Waits until a broker knows the topics: it hears of them a moment after the controller made them, and a
    /// caller that describes or reads them at once would find nothing. They exist in any case.
    async fn await_visible(&self, names: Vec<String>) {
        if names.is_empty() {
            return;
        }
        let mut retry = Retry::new(self.cluster.settings(), "createTopics", VISIBLE_WITHIN);
        loop {
            let missing = match self.topics_once(Some(&names)).await {
                Ok(found) if found.len() >= names.len() => return,
                Ok(_) => codes::error(codes::UNKNOWN_TOPIC_OR_PARTITION, "createTopics", None),
                Err(error) => error,
            };
            if let Err(error) = retry.again(missing).await {
                tracing::debug!(%error, ?names, "created topics are not visible yet");
                return;
            }
        }
    }

    async fn create_once(
        &self,
        topics: &[(usize, &NewTopic)],
        in_doubt: bool,
    ) -> Result<Vec<Tried>, KafkaError> {
        let one = |topic: &NewTopic| {
            let configs = topic.configs.iter().map(|(name, value)| {
                CreatableTopicConfig::default()
                    .with_name(text(name))
                    .with_value(Some(text(value)))
            });
            CreatableTopic::default()
                .with_name(TopicName(text(&topic.name)))
                .with_num_partitions(topic.partitions)
                .with_replication_factor(topic.replication_factor)
                .with_configs(configs.collect())
        };
        let request = CreateTopicsRequest::default()
            .with_topics(topics.iter().map(|(_, topic)| one(topic)).collect())
            .with_timeout_ms(self.broker_timeout_millis());
        let answer = self.cluster.call_controller(|_| request).await?;
        let by_name: BTreeMap<&str, _> = answer
            .topics
            .iter()
            .map(|topic| (topic.name.as_str(), topic))
            .collect();
        let mut tried = Vec::new();
        for (_, topic) in topics {
            let Some(result) = by_name.get(topic.name.as_str()) else {
                let text = "the broker's answer does not mention it".to_owned();
                tried.push(Tried::Done(CreateOutcome::Failed(text)));
                continue;
            };
            let said = result.error_message.as_ref().map(StrBytes::as_str);
            let what = format!("topic {}", topic.name);
            let error = codes::error(result.error_code, &what, said);
            let message = error.message.clone();
            tried.push(match result.error_code {
                0 => Tried::Done(CreateOutcome::Created),
                // Our own first attempt, whose answer was lost, may have made it.
                codes::TOPIC_ALREADY_EXISTS if in_doubt => Tried::Done(CreateOutcome::Created),
                codes::TOPIC_ALREADY_EXISTS => Tried::Done(CreateOutcome::Exists),
                codes::TOPIC_AUTHORIZATION_FAILED
                | codes::CLUSTER_AUTHORIZATION_FAILED
                | codes::UNSUPPORTED_VERSION => Tried::Done(CreateOutcome::Unauthorized(message)),
                codes::INVALID_REPLICATION_FACTOR => {
                    Tried::Done(CreateOutcome::InvalidReplicationFactor(message))
                }
                codes::REQUEST_TIMED_OUT => Tried::Done(CreateOutcome::TimedOut(message)),
                codes::INVALID_CONFIG | codes::POLICY_VIOLATION => {
                    Tried::Done(CreateOutcome::InvalidConfig(message))
                }
                code if code == NOT_CONTROLLER || code == THROTTLED || error.is_retriable() => {
                    self.cluster.forget_controller();
                    Tried::Again(error)
                }
                _ => Tried::Done(CreateOutcome::Failed(message)),
            });
        }
        Ok(tried)
    }

    pub(super) async fn create_partitions_once(
        &self,
        topic: &str,
        total: i32,
    ) -> Result<(), KafkaError> {
        let one = CreatePartitionsTopic::default()
            .with_name(TopicName(text(topic)))
            .with_count(total)
            .with_assignments(None);
        let request = CreatePartitionsRequest::default()
            .with_topics(vec![one])
            .with_timeout_ms(self.broker_timeout_millis());
        let answer = self.cluster.call_controller(|_| request).await?;
        for result in &answer.results {
            let said = result.error_message.as_ref().map(StrBytes::as_str);
            self.checked(result.error_code, topic, said)?;
        }
        Ok(())
    }

    pub(super) async fn delete_topics_once(&self, topics: &[String]) -> Result<(), KafkaError> {
        let answer = self
            .cluster
            .call_controller(|version| {
                let request =
                    DeleteTopicsRequest::default().with_timeout_ms(self.broker_timeout_millis());
                let names = topics.iter().map(|name| TopicName(text(name)));
                if version >= 6 {
                    let states =
                        names.map(|name| DeleteTopicState::default().with_name(Some(name)));
                    request.with_topics(states.collect())
                } else {
                    request.with_topic_names(names.collect())
                }
            })
            .await?;
        for result in &answer.responses {
            if result.error_code == codes::UNKNOWN_TOPIC_OR_PARTITION {
                continue;
            }
            let name = result.name.as_ref().map_or("", |name| name.as_str());
            let said = result.error_message.as_ref().map(StrBytes::as_str);
            self.checked(result.error_code, name, said)?;
        }
        Ok(())
    }

    fn checked(&self, code: i16, topic: &str, said: Option<&str>) -> Result<(), KafkaError> {
        if code == NOT_CONTROLLER {
            self.cluster.forget_controller();
        }
        codes::check(code, &format!("topic {topic}"), said)
    }

    pub(super) async fn topics_once(
        &self,
        topics: Option<&[String]>,
    ) -> Result<Vec<TopicInfo>, KafkaError> {
        let answer = self.cluster.metadata(topics).await?;
        let mut found = Vec::new();
        for topic in &answer.topics {
            let name = topic.name.as_ref().map_or("", |name| name.as_str());
            // A topic being created has no leader yet, but is there.
            let creating = topic.error_code == 5 && !topic.partitions.is_empty();
            match topic.error_code {
                codes::UNKNOWN_TOPIC_OR_PARTITION => continue,
                _ if creating => {}
                code => codes::check(code, &format!("topic {name}"), None)?,
            }
            let mut partitions: Vec<i32> = topic
                .partitions
                .iter()
                .map(|partition| partition.partition_index)
                .collect();
            partitions.sort_unstable();
            found.push(TopicInfo {
                name: name.to_owned(),
                partitions,
            });
        }
        Ok(found)
    }
}
