//! Shows, alters and resets the offsets of connectors for people (KIP-875, spec `rest-and-config.md` 5.19, 5.20).
//!
//! `OffsetsEditedOnlyStopped`: a change begins only after the herder said that the connector is stopped, has no tasks and,
//! under exactly-once, its zombies are fenced.

use std::{collections::BTreeMap, sync::PoisonError, time::Duration};

use milena_api::{ConnectError, ConnectorInstance, ConnectorOffset, TopicPartition};
use milena_config::Props;
use milena_core::{
    cluster::RawProps,
    herder::{Reply, Request},
    offsets::{OffsetEncodeError, encode_offset_key, encode_offset_value},
};
use milena_data::{SourceMap, Text, Value};
use milena_kafka::ports::{Admin, ConsumerOffset, KafkaError};
use milena_rest_model::{
    ConnectorOffset as OffsetEntry, ConnectorOffsets, ConnectorType, HerderError, Message,
    OffsetMap,
};
use serde_json::Value as Json;

use super::{WorkerPort, client_props, connector_offsets::ConnectorStore, port::unexpected};
use crate::{apart::apart, task::OffsetWrite};

/// How long a connector may think about a change (spec `distributed.md` 5.8).
const VETO_WITHIN: Duration = Duration::from_secs(90);

/// The connector's word on a change, from a thread of its own.
async fn veto(
    ask: impl Future<Output = Result<bool, ConnectError>> + Send + 'static,
) -> Result<bool, HerderError> {
    match tokio::time::timeout(VETO_WITHIN, apart("connector", ask)).await {
        Ok(Ok(answer)) => answer.map_err(failed),
        Ok(Err(lost)) => Err(HerderError::Failed(format!("alter_offsets {lost}"))),
        Err(_) => Err(HerderError::Failed(format!(
            "alter_offsets did not return within {} s",
            VETO_WITHIN.as_secs()
        ))),
    }
}

impl WorkerPort {
    pub(super) async fn show_offsets(&self, name: &str) -> Result<ConnectorOffsets, HerderError> {
        let Reply::Connector { info, .. } = self.ask(Request::ConnectorInfo(name.into())).await?
        else {
            return unexpected();
        };
        match self.kind(Some(&info.config)) {
            ConnectorType::Sink => {
                let failed = |_| {
                    HerderError::Failed(format!(
                        "Failed to retrieve consumer group offsets for sink connector {name}"
                    ))
                };
                let config = self.resolve(&info.config).await?;
                let admin = self.admin(name, &config).await.map_err(failed)?;
                let group = group_of(name, &config);
                let offsets = admin.group_offsets(&group).await.map_err(failed)?;
                Ok(ConnectorOffsets {
                    offsets: offsets.iter().map(sink_entry).collect(),
                })
            }
            ConnectorType::Source => {
                let failed = |_| {
                    HerderError::Failed(format!(
                        "Failed to retrieve offsets for source connector {name}"
                    ))
                };
                let config = self.resolve(&info.config).await?;
                let offsets = self.hosts.stores.of(name, &config).await.map_err(failed)?;
                let store = offsets.look(name).await.map_err(failed)?;
                let store = store.lock().unwrap_or_else(PoisonError::into_inner);
                // A null partition is not listed, as in Java.
                let entries = store.offsets(name).filter_map(|(partition, offset)| {
                    Some(OffsetEntry {
                        partition: Some(to_json(partition?)),
                        offset: Some(to_json(offset)),
                    })
                });
                Ok(ConnectorOffsets {
                    offsets: entries.collect(),
                })
            }
            // Says which class is not there.
            ConnectorType::Unknown => Err(HerderError::Failed(self.unknown_class(&info.config))),
        }
    }

    /// Alters the given offsets, or resets all.
    pub(super) async fn change_offsets(
        &self,
        name: &str,
        offsets: Option<ConnectorOffsets>,
    ) -> Result<Message, HerderError> {
        // Who is not there, and who is no leader, is told so by the herder.
        let info = self.ask(Request::ConnectorInfo(name.into())).await;
        let config = match &info {
            Ok(Reply::Connector { info, .. }) => Some(&*info.config),
            _ => None,
        };
        let prepare = Request::PrepareOffsetChange {
            name: name.into(),
            is_source: self.kind(config) == ConnectorType::Source,
        };
        let Reply::OffsetsFree(raw) = self.ask(prepare).await? else {
            return unexpected();
        };
        let config = self.resolve(&raw).await?;
        let class = config.get("connector.class").map_or("", String::as_str);
        let plugin = self.hosts.registry.connector(class);
        let plugin = plugin.map_err(|error| HerderError::Failed(error.to_string()))?;
        let instance = plugin.connector().map_err(failed)?;
        let reset = offsets.is_none();
        let managed = match instance {
            ConnectorInstance::Source(mut connector) => {
                let store = self.hosts.stores.of(name, &config).await;
                let store = store.map_err(failed)?;
                let entries = match offsets {
                    Some(offsets) => source_entries(offsets)?,
                    None => known_partitions(name, store.as_ref()).await?,
                };
                let (config, asked) = (config.clone(), entries.clone());
                let managed =
                    veto(async move { connector.alter_offsets(&config, &asked).await }).await?;
                write_source(name, store.as_ref(), &entries).await?;
                managed
            }
            ConnectorInstance::Sink(mut connector) => {
                let admin = self
                    .admin(name, &config)
                    .await
                    .map_err(|error| HerderError::Failed(error.message))?;
                let group = group_of(name, &config);
                let entries = match offsets {
                    Some(offsets) => sink_entries(offsets)?,
                    None => sink_reset(name, admin.as_ref(), &group).await?,
                };
                if entries
                    .iter()
                    .any(|(_, offset)| offset.is_some_and(|o| o < 0))
                {
                    let text = format!("Failed to modify offsets for sink connector {name}");
                    return Err(HerderError::Failed(text));
                }
                let (config, asked) = (config.clone(), entries.clone());
                let managed =
                    veto(async move { connector.alter_offsets(&config, &asked).await }).await?;
                match reset {
                    true => reset_group(name, admin.as_ref(), &group).await?,
                    false => alter_group(name, admin.as_ref(), &group, &entries).await?,
                }
                managed
            }
        };
        Ok(success(managed, reset))
    }

    async fn resolve(&self, raw: &RawProps) -> Result<Props, HerderError> {
        self.hosts.resolver.resolve(raw).await.map_err(failed)
    }

    async fn admin(
        &self,
        name: &str,
        config: &Props,
    ) -> Result<std::sync::Arc<dyn Admin>, KafkaError> {
        let world = &self.hosts.world;
        let client_id = format!("connector-worker-adminclient-{name}");
        let props = client_props::connector_admin(&world.worker_props, config, &client_id);
        world.clients.admin(&props).await
    }

    fn unknown_class(&self, raw: &RawProps) -> String {
        let class = raw.get("connector.class").and_then(Option::as_deref);
        let found = self.hosts.registry.connector(class.unwrap_or_default());
        found
            .err()
            .map_or_else(String::new, |error| error.to_string())
    }
}

/// A reset of everything that is known of a connector.
async fn known_partitions(
    name: &str,
    offsets: &dyn ConnectorStore,
) -> Result<Vec<ConnectorOffset>, HerderError> {
    let store = offsets.look(name).await.map_err(failed)?;
    let store = store.lock().unwrap_or_else(PoisonError::into_inner);
    let reset = |(partition, _): (Option<&SourceMap>, _)| ConnectorOffset {
        partition: partition.cloned(),
        offset: None,
    };
    Ok(store.offsets(name).map(reset).collect())
}

async fn write_source(
    name: &str,
    offsets: &dyn ConnectorStore,
    entries: &[ConnectorOffset],
) -> Result<(), HerderError> {
    let store = offsets.look(name).await.map_err(failed)?;
    let mut writes = Vec::new();
    {
        let store = store.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries {
            let partition = entry.partition.as_ref();
            let own = || encode_offset_key(name, partition).map_err(not_primitive);
            match &entry.offset {
                Some(offset) => {
                    let stored = store.stored_key(name, partition).map(<[u8]>::to_vec);
                    writes.push(OffsetWrite {
                        key: stored.map_or_else(own, Ok)?.into(),
                        value: Some(encode_offset_value(offset).map_err(not_primitive)?.into()),
                    });
                }
                None => {
                    // Every variant of the key, or an old one would come to light by compaction.
                    let mut keys = store.all_keys(name, partition);
                    if keys.is_empty() {
                        keys.push(own()?);
                    }
                    writes.extend(keys.into_iter().map(|key| OffsetWrite {
                        key: key.into(),
                        value: None,
                    }));
                }
            }
        }
    }
    offsets.change(writes).await.map_err(|_| {
        HerderError::Failed(format!(
            "Failed to modify offsets for source connector {name}"
        ))
    })
}

fn failed(error: ConnectError) -> HerderError {
    HerderError::Failed(error.to_string())
}

fn not_primitive(error: OffsetEncodeError) -> HerderError {
    HerderError::Failed(error.to_string())
}

fn success(managed: bool, reset: bool) -> Message {
    let done = if reset { "reset" } else { "altered" };
    let message = match managed {
        true => format!("The offsets for this connector have been {done} successfully"),
        false => format!(
            "The Connect framework-managed offsets for this connector have been {done} successfully. However, \
             if this connector manages offsets externally, they will need to be manually {done} in the system \
             that the connector uses."
        ),
    };
    Message { message }
}

fn group_of(name: &str, config: &Props) -> String {
    let own = config.get("consumer.override.group.id");
    own.cloned().unwrap_or_else(|| format!("connect-{name}"))
}

fn sink_entry(offset: &ConsumerOffset) -> OffsetEntry {
    let map = |pairs: &[(&str, Json)]| -> OffsetMap {
        let owned = pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone()));
        owned.collect()
    };
    OffsetEntry {
        partition: Some(map(&[
            // Java's order, that of its hash map.
            ("kafka_partition", offset.partition.into()),
            ("kafka_topic", offset.topic.clone().into()),
        ])),
        offset: Some(map(&[("kafka_offset", offset.offset.into())])),
    }
}

fn to_json(map: &SourceMap) -> OffsetMap {
    let value = |value: &Value| match value {
        Value::Boolean(value) => Json::from(*value),
        Value::Int8(n) => Json::from(*n),
        Value::Int16(n) => Json::from(*n),
        Value::Int32(n) => Json::from(*n),
        Value::Int64(n) => Json::from(*n),
        Value::Float32(n) => Json::from(*n),
        Value::Float64(n) => Json::from(*n),
        Value::String(text) => Json::from(text.to_string()),
        _ => Json::Null,
    };
    map.iter().map(|(k, v)| (k.to_string(), value(v))).collect()
}

fn from_json(map: OffsetMap) -> Result<SourceMap, HerderError> {
    let mut read = SourceMap::new();
    for (key, value) in map {
        let nested = |kind: &str| {
            HerderError::Failed(format!(
                "Offsets may only contain primitive types as values, but field {key} contains {kind}"
            ))
        };
        let value = match value {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Boolean(value),
            Json::String(text) => Value::String(text.into()),
            Json::Number(number) => match number.as_i64() {
                Some(number) => Value::Int64(number),
                None if !number.to_string().contains(['.', 'e', 'E']) => {
                    return Err(nested("class java.math.BigInteger"));
                }
                None => Value::Float64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::Array(_) => return Err(nested("ARRAY")),
            Json::Object(_) => return Err(nested("MAP")),
        };
        read.insert(Text::from(key), value);
    }
    Ok(read)
}

/// The entries of a request for a source; of two for one partition the later counts.
fn source_entries(offsets: ConnectorOffsets) -> Result<Vec<ConnectorOffset>, HerderError> {
    let mut entries: Vec<ConnectorOffset> = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for entry in offsets.offsets {
        let mut sorted: Vec<_> = entry.partition.iter().flatten().collect();
        sorted.sort_by(|a, b| a.0.cmp(b.0));
        let identity = format!("{:?}", (entry.partition.is_some(), sorted));
        let read = ConnectorOffset {
            partition: entry.partition.map(from_json).transpose()?,
            offset: entry.offset.map(from_json).transpose()?,
        };
        match seen.get(&identity).and_then(|at| entries.get_mut(*at)) {
            Some(earlier) => *earlier = read,
            None => {
                seen.insert(identity, entries.len());
                entries.push(read);
            }
        }
    }
    Ok(entries)
}

/// The entries of a request for a sink, with Java's checks in Java's order.
fn sink_entries(
    offsets: ConnectorOffsets,
) -> Result<Vec<(TopicPartition, Option<i64>)>, HerderError> {
    let bad = |text: &str| HerderError::BadRequest(text.to_owned());
    let integer = |value: &Json| match value {
        Json::Number(number) => number.to_string().parse::<i64>().ok(),
        Json::String(text) => text.parse::<i64>().ok(),
        _ => None,
    };
    let shown = |value: &Json| match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut entries = BTreeMap::new();
    for entry in offsets.offsets {
        let partition = entry.partition.ok_or_else(|| {
            bad("The partition for a sink connector offset cannot be null or missing")
        })?;
        let (Some(topic), Some(number)) = (
            partition.get("kafka_topic"),
            partition.get("kafka_partition"),
        ) else {
            return Err(bad(
                "The partition for a sink connector offset must contain the keys 'kafka_topic' and \
                 'kafka_partition'",
            ));
        };
        if topic.is_null() {
            return Err(bad(
                "Kafka topic names must be valid strings and may not be null",
            ));
        }
        if number.is_null() {
            return Err(bad(
                "Kafka partitions must be valid numbers and may not be null",
            ));
        }
        let parsed = integer(number).and_then(|n| i32::try_from(n).ok());
        let partition = parsed.ok_or_else(|| {
            HerderError::BadRequest(format!(
                "Failed to parse the following Kafka partition value in the provided offsets: '{}'. Partition \
                 values for sink connectors need to be integers.",
                shown(number)
            ))
        })?;
        let offset = match &entry.offset {
            None => None,
            Some(offset) => {
                let value = offset.get("kafka_offset").ok_or_else(|| {
                    bad(
                        "The offset for a sink connector should either be null or contain the key \
                         'kafka_offset'",
                    )
                })?;
                Some(integer(value).ok_or_else(|| {
                    HerderError::BadRequest(format!(
                        "Failed to parse the following Kafka offset value in the provided offsets: '{}'. Offset \
                         values for sink connectors need to be integers.",
                        shown(value)
                    ))
                })?)
            }
        };
        let topic = shown(topic).into();
        entries.insert(TopicPartition { topic, partition }, offset);
    }
    Ok(entries.into_iter().collect())
}

async fn sink_reset(
    name: &str,
    admin: &dyn Admin,
    group: &str,
) -> Result<Vec<(TopicPartition, Option<i64>)>, HerderError> {
    let offsets = admin.group_offsets(group).await.map_err(|_| {
        HerderError::Failed(format!(
            "Failed to list offsets prior to resetting offsets for sink connector {name}"
        ))
    })?;
    let partition = |offset: ConsumerOffset| TopicPartition {
        topic: offset.topic.into(),
        partition: offset.partition,
    };
    Ok(offsets
        .into_iter()
        .map(|offset| (partition(offset), None))
        .collect())
}

async fn alter_group(
    name: &str,
    admin: &dyn Admin,
    group: &str,
    entries: &[(TopicPartition, Option<i64>)],
) -> Result<(), HerderError> {
    let refused = |error: KafkaError| match in_use(&error) {
        true => zombies(name, "alter"),
        false => HerderError::Failed(format!(
            "Failed to alter consumer group offsets for connector {name}"
        )),
    };
    let set: Vec<_> = entries
        .iter()
        .filter_map(|(tp, offset)| {
            Some(ConsumerOffset {
                topic: tp.topic.to_string(),
                partition: tp.partition,
                offset: (*offset)?,
            })
        })
        .collect();
    let removed: Vec<_> = entries
        .iter()
        .filter(|(_, offset)| offset.is_none())
        .map(|(tp, _)| (tp.topic.to_string(), tp.partition))
        .collect();
    if !set.is_empty() {
        admin
            .alter_group_offsets(group, &set)
            .await
            .map_err(refused)?;
    }
    if !removed.is_empty() {
        admin
            .delete_group_offsets(group, &removed)
            .await
            .map_err(refused)?;
    }
    Ok(())
}

async fn reset_group(name: &str, admin: &dyn Admin, group: &str) -> Result<(), HerderError> {
    admin
        .delete_group(group)
        .await
        .map_err(|error| match in_use(&error) {
            true => zombies(name, "reset"),
            false => HerderError::Failed(format!(
                "Failed to reset consumer group offsets for sink connector {name}"
            )),
        })
}

/// Whether the group still has members.
fn in_use(error: &KafkaError) -> bool {
    let name = error.class.rsplit('.').next().unwrap_or(error.class);
    matches!(
        name,
        "UnknownMemberIdException" | "GroupNotEmptyException" | "GroupSubscribedToTopicException"
    )
}

fn zombies(name: &str, change: &str) -> HerderError {
    HerderError::Failed(format!(
        "Failed to {change} consumer group offsets for connector {name} either because its tasks haven't stopped \
         completely yet or the connector was resumed before the request to {change} its offsets could be \
         successfully completed. If the connector is in a stopped state, this operation can be safely retried. \
         If it doesn't eventually succeed, the Connect cluster may need to be restarted to get rid of the zombie \
         sink tasks."
    ))
}
