//! The suite of sources.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use milena_api::{
    ConnectError, ConnectorContext, ConnectorInstance, ConnectorPlugin, OffsetReader, SourceTask,
    SourceTaskContext, TaskInstance,
};
use milena_config::Props;
use milena_data::{SourceMap, SourceRecord};
use tokio_util::sync::CancellationToken;

use crate::{Broken, descriptor};

/// How long a source may take to give its records.
const PATIENCE: Duration = Duration::from_secs(60);
/// After how long a poll is dropped, to see that it can be.
const IMPATIENCE: Duration = Duration::from_micros(200);

/// Stored offsets: one for every partition that is asked for.
struct Stored(Option<SourceMap>);

#[async_trait]
impl OffsetReader for Stored {
    async fn offsets(
        &self,
        partitions: &[SourceMap],
    ) -> Result<Vec<Option<SourceMap>>, ConnectError> {
        Ok(vec![self.0.clone(); partitions.len()])
    }
}

/// Runs a source on a configuration under which it has at least `count` records to give (more than 2), in
/// one source partition, always the same.
pub async fn source(plugin: &dyn ConnectorPlugin, config: &Props, count: usize) -> Vec<Broken> {
    let mut broken = Vec::new();
    descriptor(plugin.class(), plugin.version(), &mut broken);
    if let Err(why) = run(plugin, config, count, &mut broken).await {
        broken.push(why);
    }
    broken
}

async fn run(
    plugin: &dyn ConnectorPlugin,
    config: &Props,
    count: usize,
    broken: &mut Vec<Broken>,
) -> Result<(), Broken> {
    if !plugin.is_source() {
        return Err("it does not say that it is a source".to_owned());
    }
    let Ok(ConnectorInstance::Source(mut connector)) = plugin.connector() else {
        return Err("it makes no source connector".to_owned());
    };
    let context = ConnectorContext::new(|_| {});
    let started = connector.start(context, config.clone()).await;
    started.map_err(|error| format!("the connector does not start: {error}"))?;
    let mut first = None;
    for most in [1, 3] {
        let configs = connector.task_configs(most).await;
        let configs =
            configs.map_err(|error| format!("there are no task configurations: {error}"))?;
        if configs.len() > most {
            broken.push(format!("{} tasks where {most} are allowed", configs.len()));
        }
        first = first.or_else(|| configs.into_iter().next());
    }
    connector.stop().await;
    connector.stop().await;
    let Some(config) = first else {
        return Err("it has no task".to_owned());
    };

    let whole = take(plugin, &config, None, count, Manner::Waiting).await?;
    for (index, record) in whole.iter().enumerate() {
        if record.record.topic.is_empty() {
            broken.push(format!("record {index} has no topic"));
        }
        // A partition alone says where it comes from; it is read again after a restart.
        if record.source_offset.is_some() && record.source_partition.is_none() {
            broken.push(format!(
                "record {index} has an offset, but no source partition"
            ));
        }
    }
    // A poll that is dropped loses nothing: the next gives what it would have given.
    let dropped = take(plugin, &config, None, count, Manner::Dropping).await?;
    if offsets(&whole) != offsets(&dropped) {
        broken.push("records are lost or repeated when a poll is dropped".to_owned());
    }
    // Records made in the places of others have nothing of them. Some have the time in their values.
    let given_back = take(plugin, &config, None, count, Manner::GivingBack).await?;
    let whole_untimed = untimed(whole.clone());
    let is_the_same = whole_untimed == untimed(dropped);
    if offsets(&whole) != offsets(&given_back)
        || is_the_same && whole_untimed != untimed(given_back)
    {
        broken.push("records are others when those before them are given back".to_owned());
    }
    // After a restart it goes on behind the record whose offset was stored.
    if let Some(stored) = whole.get(1).and_then(|record| record.source_offset.clone()) {
        let rest = take(
            plugin,
            &config,
            Some(stored.map().into_owned()),
            count - 2,
            Manner::Waiting,
        )
        .await?;
        if offsets(&rest) != offsets(whole.get(2..).unwrap_or_default()) {
            broken.push("it does not go on behind the stored offset".to_owned());
        }
    }
    Ok(())
}

/// Records without the clock's part.
fn untimed(mut records: Vec<SourceRecord>) -> Vec<SourceRecord> {
    for source in &mut records {
        source.record.timestamp = None;
    }
    records
}

fn offsets(records: &[SourceRecord]) -> Vec<(Option<SourceMap>, Option<SourceMap>)> {
    let pair = |record: &SourceRecord| {
        let offset = record.source_offset.as_ref();
        (
            record.source_partition.as_deref().cloned(),
            offset.map(|offset| offset.map().into_owned()),
        )
    };
    records.iter().map(pair).collect()
}

/// How a task is polled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Waiting,
    /// Polls are dropped before they are done.
    Dropping,
    /// The task gets its records back before the next poll.
    GivingBack,
}

/// The first records of a new task.
async fn take(
    plugin: &dyn ConnectorPlugin,
    config: &Props,
    stored: Option<SourceMap>,
    count: usize,
    manner: Manner,
) -> Result<Vec<SourceRecord>, Broken> {
    let Ok(TaskInstance::Source(mut task)) = plugin.task() else {
        return Err("it makes no source task".to_owned());
    };
    let stopping = CancellationToken::new();
    let context = SourceTaskContext {
        connector: "conformance".into(),
        task: 0,
        offsets: Arc::new(Stored(stored)),
        transactions: None,
        stopping: stopping.clone(),
    };
    let started = task.start(context, config.clone()).await;
    started.map_err(|error| format!("the task does not start: {error}"))?;
    let mut found = Vec::new();
    let collecting = collect(&mut *task, &mut found, count, manner);
    let collected = tokio::time::timeout(PATIENCE, collecting).await;
    stopping.cancel();
    task.stop().await;
    task.stop().await;
    match collected {
        Ok(done) => done.map_err(|error| format!("poll failed: {error}"))?,
        Err(_) => return Err(format!("it gave {} of {count} records", found.len())),
    }
    found.truncate(count);
    Ok(found)
}

async fn collect(
    task: &mut dyn SourceTask,
    found: &mut Vec<SourceRecord>,
    count: usize,
    manner: Manner,
) -> Result<(), ConnectError> {
    let mut patience = IMPATIENCE;
    while found.len() < count {
        let polled = if manner == Manner::Dropping {
            match tokio::time::timeout(patience, task.poll()).await {
                Ok(polled) => polled?,
                Err(_) => {
                    // A poll must get its time in the end.
                    patience *= 2;
                    continue;
                }
            }
        } else {
            task.poll().await?
        };
        patience = IMPATIENCE;
        let polled = polled.unwrap_or_default();
        if manner == Manner::GivingBack {
            found.extend(polled.iter().cloned());
            task.take_back(polled);
        } else {
            found.extend(polled);
        }
    }
    task.commit().await
}
