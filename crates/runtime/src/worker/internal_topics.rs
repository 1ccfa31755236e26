//! Creates and checks the internal topics as Java does (spec `distributed.md` 1.1).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use milena_kafka::ports::{Admin, CreateOutcome, KafkaError, NewTopic};
use tokio::time::Instant;
use tracing::warn;

use super::settings::InternalTopic;

/// `default.api.timeout.ms` of Java's admin client: how long too few brokers are waited for.
const CREATE_FOR: Duration = Duration::from_secs(60);
const CREATE_RETRY: Duration = Duration::from_millis(100);

/// Why an internal topic cannot be used. The worker does not start.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InternalTopicError {
    /// The topic could not be created.
    #[error("the topic {topic:?} of {setting} for {purpose} cannot be created: {reason}")]
    NotCreated {
        /// The topic.
        topic: String,
        /// The setting that names it.
        setting: &'static str,
        /// What it is for.
        purpose: &'static str,
        /// The broker's word.
        reason: String,
    },
    /// It exists and is not exactly compacted: configurations, offsets or statuses would be lost.
    #[error(
        "Topic '{topic}' supplied via the '{setting}' property is required to have 'cleanup.policy=compact' \
         to guarantee consistency and durability of {purpose}, but found the topic currently has \
         'cleanup.policy={found}'. Continuing would likely result in eventually losing {purpose} and problems \
         restarting this Connect cluster in the future. Change the '{setting}' property in the Connect worker \
         configurations to use a topic with 'cleanup.policy=compact'."
    )]
    NotCompacted {
        /// The topic.
        topic: String,
        /// The setting that names it.
        setting: &'static str,
        /// What it is for.
        purpose: &'static str,
        /// The policy it has.
        found: String,
    },
    /// The config topic has more than one partition: its records would have no order.
    #[error(
        "Topic '{topic}' supplied via the '{setting}' property is required to have a single partition in order \
         to guarantee consistency of connector configurations, but found {partitions} partitions."
    )]
    NotOnePartition {
        /// The topic.
        topic: String,
        /// The setting that names it.
        setting: &'static str,
        /// How many it has.
        partitions: usize,
    },
    /// Two of the three settings name one topic.
    #[error(
        "the topic {topic:?} is used for two purposes; each internal topic needs a topic of its own"
    )]
    Shared {
        /// The topic.
        topic: String,
    },
    /// The cluster cannot be asked.
    #[error("the topic {topic:?} of {setting} cannot be looked at: {source}")]
    Unreachable {
        /// The topic.
        topic: String,
        /// The setting that names it.
        setting: &'static str,
        /// The failure.
        source: KafkaError,
    },
}

/// Creates all topics that are missing and checks those that are there; answers their partitions in order.
///
/// # Errors
/// A topic cannot be used; the text names it and the remedy.
pub(super) async fn prepare_internal_topics(
    admin: &Arc<dyn Admin>,
    topics: &[&InternalTopic],
) -> Result<Vec<Vec<i32>>, InternalTopicError> {
    let mut names = BTreeSet::new();
    for topic in topics {
        if !names.insert(topic.name.as_str()) {
            let topic = topic.name.clone();
            return Err(InternalTopicError::Shared { topic });
        }
    }
    let created = create_missing(admin, topics).await?;
    for (topic, created) in topics.iter().zip(created) {
        if !created {
            check_policy(admin, topic).await?;
        }
    }
    let mut partitions = Vec::new();
    for topic in topics {
        partitions.push(describe(admin, topic).await?);
    }
    Ok(partitions)
}

/// Answers for each topic whether it was created now.
async fn create_missing(
    admin: &Arc<dyn Admin>,
    topics: &[&InternalTopic],
) -> Result<Vec<bool>, InternalTopicError> {
    let give_up = Instant::now() + CREATE_FOR;
    let mut created: BTreeMap<&str, bool> = BTreeMap::new();
    loop {
        let missing: Vec<_> = topics
            .iter()
            .filter(|topic| !created.contains_key(topic.name.as_str()))
            .collect();
        let request = missing.iter().map(|topic| new_topic(topic)).collect();
        let answers = admin.create_topics(request).await;
        let mut again = None;
        let outcomes = match answers {
            Ok(outcomes) => outcomes,
            Err(error) if error.is_retriable() => {
                vec![CreateOutcome::TimedOut(error.message); missing.len()]
            }
            Err(error) => vec![CreateOutcome::Failed(error.message); missing.len()],
        };
        for (topic, outcome) in missing.iter().zip(outcomes) {
            let refused = |reason| InternalTopicError::NotCreated {
                topic: topic.name.clone(),
                setting: topic.setting,
                purpose: topic.purpose,
                reason,
            };
            match outcome {
                CreateOutcome::Created => {
                    created.insert(&topic.name, true);
                }
                CreateOutcome::Exists | CreateOutcome::Unauthorized(_) => {
                    created.insert(&topic.name, false);
                }
                // Brokers may still be coming up.
                CreateOutcome::InvalidReplicationFactor(reason)
                | CreateOutcome::TimedOut(reason) => again = Some(refused(reason)),
                CreateOutcome::InvalidConfig(reason) | CreateOutcome::Failed(reason) => {
                    return Err(refused(reason));
                }
            }
        }
        match again {
            None => break,
            Some(error) if Instant::now() >= give_up => return Err(error),
            Some(error) => {
                warn!(%error, "trying again");
                tokio::time::sleep(CREATE_RETRY).await;
            }
        }
    }
    let was_created = |topic: &&InternalTopic| created.get(topic.name.as_str()) == Some(&true);
    Ok(topics.iter().map(was_created).collect())
}

fn new_topic(topic: &InternalTopic) -> NewTopic {
    let mut configs = topic.configs.clone();
    configs.insert("cleanup.policy".to_owned(), "compact".to_owned());
    NewTopic {
        name: topic.name.clone(),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        configs,
    }
}

async fn check_policy(
    admin: &Arc<dyn Admin>,
    topic: &InternalTopic,
) -> Result<(), InternalTopicError> {
    // Not permitted or not supported: nothing can be said, and Java goes on as well.
    let Ok(config) = admin.topic_config(&topic.name).await else {
        warn!(topic = %topic.name, "the topic's configuration cannot be read; its cleanup policy is not checked");
        return Ok(());
    };
    let Some(Some(policy)) = config.get("cleanup.policy") else {
        return Ok(());
    };
    let found: BTreeSet<_> = policy
        .split(',')
        .map(|part| part.trim().to_ascii_lowercase())
        .collect();
    if found.len() == 1 && found.contains("compact") {
        return Ok(());
    }
    Err(InternalTopicError::NotCompacted {
        topic: topic.name.clone(),
        setting: topic.setting,
        purpose: topic.purpose,
        found: policy.clone(),
    })
}

/// How long the partitions of a new topic are waited for, and how long between looks at first.
const METADATA_FOR: Duration = Duration::from_secs(30);
const METADATA_FIRST: Duration = Duration::from_millis(5);
const METADATA_MAX: Duration = Duration::from_secs(1);

async fn describe(
    admin: &Arc<dyn Admin>,
    topic: &InternalTopic,
) -> Result<Vec<i32>, InternalTopicError> {
    let give_up = Instant::now() + METADATA_FOR;
    let mut pause = METADATA_FIRST;
    loop {
        let unreachable = |source| InternalTopicError::Unreachable {
            topic: topic.name.clone(),
            setting: topic.setting,
            source,
        };
        let name = [topic.name.clone()];
        let found = match admin.describe_topics(&name).await {
            Ok(found) => found
                .into_iter()
                .next()
                .filter(|t| !t.partitions.is_empty()),
            Err(error) if error.is_retriable() && Instant::now() < give_up => None,
            Err(error) => return Err(unreachable(error)),
        };
        if let Some(found) = found {
            let count = found.partitions.len();
            if topic.setting == "config.storage.topic" && count != 1 {
                return Err(InternalTopicError::NotOnePartition {
                    topic: topic.name.clone(),
                    setting: topic.setting,
                    partitions: count,
                });
            }
            return Ok(found.partitions);
        }
        if Instant::now() >= give_up {
            let text = format!(
                "Could not look up partition metadata for topic '{}'",
                topic.name
            );
            let kind = milena_kafka::ports::KafkaErrorKind::Retriable;
            return Err(unreachable(KafkaError::new(kind, text)));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(METADATA_MAX);
    }
}
