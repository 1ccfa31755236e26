//! The suite of sinks.

use std::sync::{Arc, atomic::AtomicI32};

use milena_api::{
    ConnectorContext, ConnectorInstance, ConnectorPlugin, PartitionOffsets, SinkTaskContext,
    TaskInstance, TopicPartition,
};
use milena_config::Props;
use milena_data::SinkRecord;
use tokio_util::sync::CancellationToken;

use crate::{Broken, descriptor};

/// Runs a sink on records that it can take; their origins must be set, offsets rising per partition.
pub async fn sink(
    plugin: &dyn ConnectorPlugin,
    config: &Props,
    records: &[SinkRecord],
) -> Vec<Broken> {
    let mut broken = Vec::new();
    descriptor(plugin.class(), plugin.version(), &mut broken);
    if let Err(why) = run(plugin, config, records, &mut broken).await {
        broken.push(why);
    }
    broken
}

async fn run(
    plugin: &dyn ConnectorPlugin,
    config: &Props,
    records: &[SinkRecord],
    broken: &mut Vec<Broken>,
) -> Result<(), Broken> {
    if plugin.is_source() {
        return Err("it says that it is a source".to_owned());
    }
    let Ok(ConnectorInstance::Sink(mut connector)) = plugin.connector() else {
        return Err("it makes no sink connector".to_owned());
    };
    let context = ConnectorContext::new(|_| {});
    let started = connector.start(context, config.clone()).await;
    started.map_err(|error| format!("the connector does not start: {error}"))?;
    let configs = connector.task_configs(2).await;
    let configs = configs.map_err(|error| format!("there are no task configurations: {error}"))?;
    if configs.len() > 2 {
        broken.push(format!("{} tasks where 2 are allowed", configs.len()));
    }
    connector.stop().await;
    let config = configs.into_iter().next().ok_or("it has no task")?;

    let Ok(TaskInstance::Sink(mut task)) = plugin.task() else {
        return Err("it makes no sink task".to_owned());
    };
    let context = SinkTaskContext {
        connector: "conformance".into(),
        task: 0,
        errant: None,
        stopping: CancellationToken::new(),
        generation: Arc::new(AtomicI32::new(1)),
        requests: Arc::new(|_| {}),
    };
    let started = task.start(context, config).await;
    started.map_err(|error| format!("the task does not start: {error}"))?;
    let mut offsets = PartitionOffsets::new();
    for origin in records.iter().filter_map(|record| record.origin.as_ref()) {
        let place = TopicPartition {
            topic: origin.topic.clone(),
            partition: origin.partition,
        };
        offsets.insert(place, origin.offset + 1);
    }
    let partitions: Vec<TopicPartition> = offsets.keys().cloned().collect();
    let mut expect = |what: &str, found: Result<(), milena_api::ConnectError>| {
        if let Err(error) = found {
            broken.push(format!("{what} failed: {error}"));
        }
    };
    expect("open", task.open(&partitions).await);
    expect("put of nothing", task.put(&[]).await);
    expect("put", task.put(records).await);
    match task.pre_commit(offsets.clone()).await {
        Err(error) => expect("pre_commit", Err(error)),
        Ok(durable) => {
            for (place, offset) in durable {
                if offsets.get(&place).is_none_or(|given| offset > *given) {
                    broken.push(format!(
                        "it says that offset {offset} of {place:?} is durable, which it was not given"
                    ));
                }
            }
        }
    }
    let mut expect = |what: &str, found: Result<(), milena_api::ConnectError>| {
        if let Err(error) = found {
            broken.push(format!("{what} failed: {error}"));
        }
    };
    // The same batch again, as after a retriable failure or a rewind.
    expect("put of the same batch", task.put(records).await);
    expect("flush", task.flush(&offsets).await);
    expect("close", task.close(&partitions).await);
    expect("open again", task.open(&partitions).await);
    expect("close", task.close(&partitions).await);
    task.stop().await;
    task.stop().await;
    Ok(())
}
