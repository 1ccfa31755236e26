//! The task that reads from one broker: one request under way, on a connection of its own, for every partition that is
//! short of records. A broker that does not answer is tried again with growing pauses, and its partitions' leaders are
//! looked up anew.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kafka_protocol::{
    messages::{
        BrokerId, FetchRequest, FetchResponse, TopicName,
        fetch_request::{FetchPartition, FetchTopic},
    },
    protocol::StrBytes,
};
use tokio::time::Instant;

use super::{
    settings::PAUSE_MIN,
    state::{Asked, Next, Shared},
};
use crate::{
    ports::KafkaError,
    wire::{Lane, codes},
};

/// The last version that names topics: those after it take their ids.
const BY_NAME: i16 = 12;
/// How much longer than it was told to wait a broker may take, when a request's timeout is shorter than the wait.
const BEYOND_WAIT: Duration = Duration::from_secs(5);

/// Reads from a broker until nothing is read from it.
pub(super) async fn read_from(shared: Arc<Shared>, broker: i32) {
    let mut last = None;
    let mut failures = 0_u32;
    loop {
        let bell = shared.work.notified();
        tokio::pin!(bell);
        bell.as_mut().enable();
        let (asked, wait) = match shared.next_fetch(broker, last) {
            Next::End => return,
            Next::Wait(None) => {
                bell.await;
                continue;
            }
            Next::Wait(Some(until)) => {
                tokio::select! {
                    () = bell => {}
                    () = tokio::time::sleep_until(until) => {}
                }
                continue;
            }
            Next::Fetch(asked, wait) => (asked, wait),
        };
        let begun = Instant::now();
        let answer = fetch(&shared, broker, &asked, wait).await;
        last = Some(Instant::now());
        match answer {
            Ok(answer) => {
                failures = 0;
                shared.counters.answered(&answer, begun.elapsed());
                let throttle = u64::try_from(answer.throttle_time_ms).unwrap_or(0);
                shared.take_answer(broker, &asked, &answer);
                if throttle > 0 {
                    tokio::time::sleep(Duration::from_millis(throttle)).await;
                }
            }
            Err(error) => {
                shared.failed(broker, error);
                let pause = shared.settings.reconnect.after(failures);
                failures = failures.saturating_add(1);
                tokio::time::sleep(pause.max(PAUSE_MIN)).await;
            }
        }
    }
}

async fn fetch(
    shared: &Shared,
    broker: i32,
    asked: &[Asked],
    wait: Duration,
) -> Result<FetchResponse, KafkaError> {
    let timeout = shared.cluster.settings().request_timeout;
    let timeout = if timeout <= wait {
        wait + BEYOND_WAIT
    } else {
        timeout
    };
    let make = |version| request(shared, asked, wait, version);
    let answer = shared
        .cluster
        .call_up_to((broker, Lane::Fetching), BY_NAME, make, timeout)
        .await?;
    codes::check(answer.error_code, "fetch", None)?;
    Ok(answer)
}

fn request(shared: &Shared, asked: &[Asked], wait: Duration, version: i16) -> FetchRequest {
    let settings = &shared.settings;
    // In the order that is wanted: what comes first is answered first.
    let mut order: Vec<&str> = Vec::new();
    let mut topics: BTreeMap<&str, Vec<FetchPartition>> = BTreeMap::new();
    for one in asked {
        let mut partition = FetchPartition::default()
            .with_partition(one.key.1)
            .with_fetch_offset(one.offset)
            .with_log_start_offset(-1)
            .with_partition_max_bytes(settings.partition_bytes);
        if version >= 9 {
            partition = partition.with_current_leader_epoch(one.leader_epoch);
        }
        let of_topic = topics.entry(&one.key.0).or_insert_with(|| {
            order.push(&one.key.0);
            Vec::new()
        });
        of_topic.push(partition);
    }
    let topics = order.into_iter().map(|name| {
        FetchTopic::default()
            .with_topic(TopicName(StrBytes::from_string(name.to_owned())))
            .with_partitions(topics.remove(name).unwrap_or_default())
    });
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(i32::try_from(wait.as_millis()).unwrap_or(i32::MAX))
        .with_min_bytes(if wait.is_zero() {
            0
        } else {
            settings.min_bytes
        })
        .with_max_bytes(settings.max_bytes)
        .with_isolation_level(settings.rules.committed.into())
        .with_topics(topics.collect());
    let request = if version >= 7 {
        // No session.
        request.with_session_id(0).with_session_epoch(-1)
    } else {
        request
    };
    match version >= 11 {
        true => request.with_rack_id(StrBytes::from_string(settings.rack.clone())),
        false => request,
    }
}

impl Shared {
    /// A broker did not answer: its partitions may be elsewhere.
    fn failed(&self, broker: i32, error: KafkaError) {
        tracing::debug!(broker, %error, "a fetch was not answered");
        let now = Instant::now();
        let mut state = self.lock();
        for partition in state.partitions.values_mut() {
            if partition.source(now) == Some(broker) {
                partition.replica = None;
                partition.stale = true;
            }
        }
        let told = !error.is_retriable();
        if told {
            state.failure = Some(error);
        }
        drop(state);
        if told {
            self.news.notify_waiters();
        }
        self.work.notify_waiters();
    }
}
