//! Topics of a source task: created by the connector's rules (KIP-158; spec `distributed.md` 4.6), and
//! reported to the host once (KIP-558).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use milena_api::ConnectError;
use milena_config::Props;
use milena_java_text::JavaRegex;
use milena_kafka::ports::{Admin, CreateOutcome, NewTopic};

const PREFIX: &str = "topic.creation.";
const DEFAULT: &str = "default";

/// A group of `topic.creation.groups`, or the default group.
struct Group {
    include: Vec<JavaRegex>,
    exclude: Vec<JavaRegex>,
    partitions: i32,
    replication_factor: i16,
    configs: BTreeMap<String, String>,
}

/// Creates missing topics before their first record.
pub(super) struct TopicCreation {
    groups: Vec<Group>,
    admin: Arc<dyn Admin>,
    known: BTreeSet<Arc<str>>,
}

/// Whether the connector has rules at all.
pub(super) fn has_rules(config: &Props) -> bool {
    config.keys().any(|key| key.starts_with(PREFIX))
}

impl TopicCreation {
    /// Reads the rules.
    pub(super) fn new(config: &Props, admin: Arc<dyn Admin>) -> Result<Self, ConnectError> {
        let names = config
            .get("topic.creation.groups")
            .map(String::as_str)
            .unwrap_or_default();
        let names = names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let mut groups = Vec::new();
        for name in names.filter(|name| *name != DEFAULT).chain([DEFAULT]) {
            groups.push(Group::read(config, name)?);
        }
        Ok(Self {
            groups,
            admin,
            known: BTreeSet::new(),
        })
    }

    /// Makes sure that the topic is there. Errors that may pass are retriable.
    pub(super) async fn ensure(&mut self, topic: &Arc<str>) -> Result<(), ConnectError> {
        if self.known.contains(topic) {
            return Ok(());
        }
        let names = [topic.as_ref().to_owned()];
        let failed = |error: milena_kafka::ports::KafkaError| {
            ConnectError::retriable(format!("cannot look up topic {topic}: {error}"))
        };
        if self
            .admin
            .describe_topics(&names)
            .await
            .map_err(failed)?
            .is_empty()
        {
            let Some(group) = self.groups.iter().find(|group| group.covers(topic)) else {
                return Ok(());
            };
            let wanted = NewTopic {
                name: topic.as_ref().to_owned(),
                partitions: group.partitions,
                replication_factor: group.replication_factor,
                configs: group.configs.clone(),
            };
            let outcomes = self
                .admin
                .create_topics(vec![wanted])
                .await
                .map_err(failed)?;
            match outcomes.into_iter().next() {
                Some(CreateOutcome::Created | CreateOutcome::Exists) => {}
                outcome => {
                    return Err(ConnectError::connect(format!(
                        "Task failed to create new topic {topic} ({outcome:?}). Ensure that the task is \
                         authorized to create topics or that the topic exists and restart the task"
                    )));
                }
            }
        }
        self.known.insert(Arc::clone(topic));
        Ok(())
    }
}

impl Group {
    fn read(config: &Props, name: &str) -> Result<Self, ConnectError> {
        let own = format!("{PREFIX}{name}.");
        let default = format!("{PREFIX}{DEFAULT}.");
        let number = |key: &str| -> Result<i32, ConnectError> {
            let names = [format!("{own}{key}"), format!("{default}{key}")];
            let text = names.iter().find_map(|name| config.get(name)).ok_or_else(|| {
                ConnectError::config(format!(
                    "Missing required configuration \"{default}{key}\" which has no default value."
                ))
            })?;
            text.trim().parse().map_err(|_| {
                ConnectError::config(format!(
                    "Invalid value {text} for configuration {own}{key}: Not a number"
                ))
            })
        };
        let patterns = |key: &str| -> Result<Vec<JavaRegex>, ConnectError> {
            let text = config
                .get(&format!("{own}{key}"))
                .map(String::as_str)
                .unwrap_or_default();
            let items = text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty());
            items
                .map(|item| {
                    JavaRegex::new(item)
                        .map_err(|error| ConnectError::config(format!("{own}{key}: {error}")))
                })
                .collect()
        };
        let mut include = patterns("include")?;
        if name == DEFAULT {
            include = vec![JavaRegex::new(".*").map_err(|e| ConnectError::config(e.to_string()))?];
        }
        let framework = ["include", "exclude", "partitions", "replication.factor"];
        let mut configs = BTreeMap::new();
        for (key, value) in config {
            if let Some(key) = key.strip_prefix(&own)
                && !framework.contains(&key)
            {
                configs.insert(key.to_owned(), value.clone());
            }
        }
        Ok(Self {
            include,
            exclude: patterns("exclude")?,
            partitions: number("partitions")?,
            replication_factor: i16::try_from(number("replication.factor")?).unwrap_or(-1),
            configs,
        })
    }

    fn covers(&self, topic: &str) -> bool {
        let any = |list: &[JavaRegex]| {
            list.iter()
                .any(|regex| regex.matches(topic).unwrap_or(false))
        };
        any(&self.include) && !any(&self.exclude)
    }
}
