//! What the status topic tells of a rebalance: how long moved tasks stood, and whether others did.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Result;
use milena_kafka::ports::{ClientProps, Isolation, ListAt, StartAt};

/// Wall clock in milliseconds.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(0)
}

/// What happened to tasks.
pub(crate) struct Moved {
    /// Tasks that stopped at all.
    pub(crate) stopped: usize,
    /// Tasks that stopped at one worker and run on another now.
    pub(crate) count: usize,
    /// From the stop at one worker to the start at another.
    pub(crate) median: Duration,
    pub(crate) longest: Duration,
    /// Tasks that stopped and went on where they were.
    pub(crate) interrupted: usize,
}

/// What happened to tasks since then.
pub(crate) fn moved(props: &BTreeMap<String, String>, since: i64) -> Result<Moved> {
    let mut tasks: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
    for (at, key, value) in read(props)? {
        if at >= since && key.starts_with("status-task-") {
            tasks.entry(key).or_default().push((at, value));
        }
    }
    let mut gaps = Vec::new();
    let mut interrupted = 0;
    let mut stops = 0;
    for (_, mut records) in tasks {
        records.sort_by_key(|(at, _)| *at);
        let owner = |value: &str| {
            let at = value.split("\"worker_id\":\"").nth(1).unwrap_or_default();
            at.split('"').next().unwrap_or_default().to_owned()
        };
        let stopped = records
            .iter()
            .find(|(_, value)| value.contains("UNASSIGNED"));
        let running = records
            .iter()
            .rev()
            .find(|(_, value)| value.contains("RUNNING"));
        stops += usize::from(stopped.is_some());
        match (stopped, running) {
            (Some((from, old)), Some((to, new))) => {
                gaps.push(to - from);
                interrupted += usize::from(owner(old) == owner(new));
            }
            (None, None) => {}
            _ => interrupted += 1,
        }
    }
    gaps.sort_unstable();
    let max = gaps.last().copied().unwrap_or(0);
    let median = gaps.get(gaps.len() / 2).copied().unwrap_or(0);
    let millis = |ms: i64| Duration::from_millis(ms.unsigned_abs());
    Ok(Moved {
        stopped: stops,
        count: gaps.len(),
        median: millis(median),
        longest: millis(max),
        interrupted,
    })
}

fn read(props: &BTreeMap<String, String>) -> Result<Vec<(i64, String, String)>> {
    let get = |key: &str| props.get(key).cloned().unwrap_or_default();
    let bootstrap = ("bootstrap.servers".to_owned(), get("bootstrap.servers"));
    let client = ClientProps::from([bootstrap]);
    let topic: Arc<str> = get("status.storage.topic").into();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let clients = milena_kafka::clients();
        let admin = clients.admin(&client).await?;
        let mut fetcher = clients.fetcher(&client).await?;
        let found = admin.describe_topics(&[topic.to_string()]).await?;
        let partitions = found.into_iter().flat_map(|info| info.partitions);
        let mut all = Vec::new();
        for partition in partitions {
            let of = [(Arc::clone(&topic), partition)];
            let ends = admin
                .list_offsets(&of, ListAt::Latest, Isolation::ReadUncommitted)
                .await?;
            let end = ends.into_values().next().unwrap_or(0);
            fetcher
                .assign(vec![(
                    Arc::clone(&topic),
                    partition,
                    Some(StartAt::Earliest),
                )])
                .await?;
            while fetcher.position(&topic, partition).await? < end {
                for batch in fetcher.poll(Duration::from_secs(1)).await? {
                    for record in batch.records {
                        let text = |bytes: Option<bytes::Bytes>| {
                            String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
                        };
                        all.push((record.timestamp, text(record.key), text(record.value)));
                    }
                }
            }
        }
        fetcher.close().await;
        Ok(all)
    })
}
