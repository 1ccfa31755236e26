//! Fetch: whole batches as they lie in the log, waiting for more when there is too little.
//!
//! Incremental sessions (KIP-227) are `fetch_sessions`'.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use kafka_protocol::messages::{
    BrokerId, FetchRequest, FetchResponse,
    fetch_request::FetchTopic,
    fetch_response::{AbortedTransaction, PartitionData},
};
use tokio::{sync::Notify, time::Instant};
use uuid::Uuid;

use super::{
    Answer, LEADER_EPOCH, RequestError,
    fetch_answer::{BY_ID, FetchAnswer, Told, ToldTopic},
    read, write,
};
use crate::{
    broker::Shared,
    group::{
        NONE, OFFSET_OUT_OF_RANGE, UNKNOWN_LEADER_EPOCH, UNKNOWN_SERVER_ERROR, UNKNOWN_TOPIC_ID,
        UNKNOWN_TOPIC_OR_PARTITION,
    },
    log::{Bounds, Isolation, PartitionLog, ReadError, Records, Topic},
};

/// Records of a partition that take no more are copied into the answer: one write is cheaper than three.
const COPIED_BYTES_MAX: usize = 32 * 1024;
/// The most that one answer carries, whatever the client asks for.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

pub(super) async fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let mut request: FetchRequest = read(body, version)?;
    let session = match shared.fetch_sessions.begin(&mut request, version) {
        Ok(session) => session,
        Err(error) => return write(&FetchResponse::default().with_error_code(error), version),
    };
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let deadline = Instant::now() + wait;
    let min = usize::try_from(request.min_bytes).unwrap_or(0);
    let wanted = Wanted::new(shared, &request, version);
    let waiter = Arc::new(Notify::new());
    shared.appends.wait_for(&wanted.keys, &waiter);
    let response = loop {
        let (response, bytes, failed) = wanted.read(&request, version);
        if bytes >= min || failed || Instant::now() >= deadline {
            break response;
        }
        tokio::select! {
            () = waiter.notified() => {}
            () = tokio::time::sleep_until(deadline) => {}
            () = shared.stopping.cancelled() => break response,
        }
    };
    shared.appends.forget(&wanted.keys, &waiter);
    let response = shared
        .fetch_sessions
        .finish(&session, &request, version, response);
    response.write(version)
}

struct Wanted {
    topics: Vec<(FetchTopic, Option<Arc<Topic>>)>,
    keys: Vec<(Uuid, i32)>,
    by_id: bool,
}

impl Wanted {
    fn new(shared: &Arc<Shared>, request: &FetchRequest, version: i16) -> Self {
        let by_id = version >= BY_ID;
        let mut keys = Vec::new();
        let mut topics = Vec::with_capacity(request.topics.len());
        let mut known: HashMap<String, Arc<Topic>> = HashMap::new();
        for topic in &request.topics {
            let found = if by_id {
                shared.store.topic_by_id(topic.topic_id)
            } else {
                let name = topic.topic.to_string();
                let found = known
                    .get(&name)
                    .cloned()
                    .or_else(|| shared.store.topic(&name));
                if let Some(found) = &found {
                    known.insert(name, Arc::clone(found));
                }
                found
            };
            if let Some(found) = &found {
                keys.extend(topic.partitions.iter().map(|p| (found.id(), p.partition)));
            }
            topics.push((topic.clone(), found));
        }
        Self {
            topics,
            keys,
            by_id,
        }
    }

    /// One look at all partitions: the answer, its bytes, and whether a partition failed.
    fn read(&self, request: &FetchRequest, version: i16) -> (FetchAnswer, usize, bool) {
        let isolation = match request.isolation_level {
            1 => Isolation::ReadCommitted,
            _ => Isolation::ReadUncommitted,
        };
        let mut left = usize::try_from(request.max_bytes)
            .unwrap_or(0)
            .min(ANSWER_BYTES_MAX);
        let (mut total, mut failed) = (0, false);
        let mut topics = Vec::with_capacity(self.topics.len());
        for (wanted, topic) in &self.topics {
            let mut partitions = Vec::with_capacity(wanted.partitions.len());
            for partition in &wanted.partitions {
                let log = topic
                    .as_ref()
                    .and_then(|topic| topic.partition(partition.partition));
                let mut told = match log {
                    Some(_) if partition.current_leader_epoch > LEADER_EPOCH => {
                        empty(UNKNOWN_LEADER_EPOCH)
                    }
                    Some(log) => {
                        let max = usize::try_from(partition.partition_max_bytes)
                            .unwrap_or(0)
                            .min(left);
                        one(log, partition.fetch_offset, max, isolation, total == 0)
                    }
                    None if self.by_id && topic.is_none() => empty(UNKNOWN_TOPIC_ID),
                    None => {
                        let mut told = empty(UNKNOWN_TOPIC_OR_PARTITION);
                        told.data.aborted_transactions = Some(Vec::new());
                        told
                    }
                };
                let size = told.records.len();
                total += size;
                left = left.saturating_sub(size);
                failed |= told.data.error_code != NONE;
                if version < 5 {
                    told.data.log_start_offset = -1;
                }
                told.data.partition_index = partition.partition;
                partitions.push(told);
            }
            topics.push(ToldTopic {
                name: wanted.topic.clone(),
                id: wanted.topic_id,
                partitions,
            });
        }
        let answer = FetchAnswer {
            session_id: 0,
            topics,
        };
        (answer, total, failed)
    }
}

fn empty(error: i16) -> Told {
    let data = PartitionData::default()
        .with_error_code(error)
        .with_high_watermark(-1)
        .with_last_stable_offset(-1)
        .with_log_start_offset(-1)
        .with_preferred_read_replica(BrokerId(-1))
        .with_aborted_transactions(None);
    Told {
        data,
        records: Records::default(),
    }
}

fn bounded(bounds: Bounds) -> Told {
    let mut told = empty(NONE);
    told.data.high_watermark = bounds.high_watermark;
    told.data.last_stable_offset = bounds.last_stable_offset;
    told.data.log_start_offset = bounds.log_start_offset;
    told
}

fn one(
    log: &PartitionLog,
    offset: i64,
    max: usize,
    isolation: Isolation,
    always_one: bool,
) -> Told {
    if max == 0 && !always_one {
        // The answer is full: the bounds alone.
        return log
            .bounds()
            .map_or_else(|_| empty(UNKNOWN_SERVER_ERROR), bounded);
    }
    match log.find(offset, max, isolation, always_one, COPIED_BYTES_MAX) {
        Ok(found) => {
            let aborted = found.aborted.iter().map(|txn| {
                AbortedTransaction::default()
                    .with_producer_id(txn.producer_id.into())
                    .with_first_offset(txn.first_offset)
            });
            let aborted = (isolation == Isolation::ReadCommitted).then(|| aborted.collect());
            let mut told = bounded(found.bounds);
            told.data.aborted_transactions = aborted;
            told.records = found.records;
            told
        }
        Err(ReadError::OffsetOutOfRange { .. }) => empty(OFFSET_OUT_OF_RANGE),
        Err(ReadError::Io(error)) => {
            tracing::error!(%error, "a partition cannot be read");
            empty(UNKNOWN_SERVER_ERROR)
        }
    }
}
