//! Incremental fetch sessions (KIP-227): a client names its partitions once, then only what changes, and hears
//! only of partitions that have something to say.
//!
//! Answers to Java's `FetchSession` and `FetchManager`. Sessions are bounded in number and in partitions; a
//! client that gets none (id 0) sends full requests.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kafka_protocol::{
    indexmap::IndexMap,
    messages::{
        FetchRequest, TopicName,
        fetch_request::{FetchPartition, FetchTopic},
    },
};
use tokio::time::Instant;
use uuid::Uuid;

use super::fetch_answer::{FetchAnswer, ToldTopic};
use crate::group::{
    FETCH_SESSION_ID_NOT_FOUND, FETCH_SESSION_TOPIC_ID_ERROR, INVALID_FETCH_SESSION_EPOCH, NONE,
};

/// `max.incremental.fetch.session.cache.slots`.
const SESSIONS_MAX: usize = 1_000;
/// The partitions of all sessions together: each takes about 200 bytes.
const PARTITIONS_MAX: usize = 200_000;
/// `min.incremental.fetch.session.eviction.ms`: a session that was not used for so long gives way.
const EVICTION: Duration = Duration::from_secs(120);

/// A request of a client without a session, or one that ends its session.
const FINAL_EPOCH: i32 = -1;
/// A request that asks for a session.
const INITIAL_EPOCH: i32 = 0;

/// How requests name topics.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Topic {
    Name(TopicName),
    Id(Uuid),
}

/// What is remembered of a partition: what was asked, and the bounds that were told.
struct Partition {
    asked: FetchPartition,
    high_watermark: i64,
    log_start_offset: i64,
}

struct Session {
    epoch: i32,
    by_id: bool,
    partitions: IndexMap<(Topic, i32), Partition>,
    used: Instant,
}

/// All sessions.
#[derive(Default)]
pub(crate) struct FetchSessions(Mutex<HashMap<i32, Session>>);

/// What becomes of the answer.
pub(super) enum Context {
    /// It is complete and belongs to no session.
    Sessionless,
    /// It is complete and opens a session, if there is room.
    Opens,
    /// Only what has something to say is told.
    Continues(i32),
}

impl FetchSessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts what is to be fetched into the request. `Err`: the code that the whole request is answered with.
    pub(super) fn begin(&self, request: &mut FetchRequest, version: i16) -> Result<Context, i16> {
        if version < 7 {
            return Ok(Context::Sessionless);
        }
        let mut sessions = self.lock();
        let id = request.session_id;
        if matches!(request.session_epoch, FINAL_EPOCH | INITIAL_EPOCH) {
            sessions.remove(&id);
            return Ok(if request.session_epoch == INITIAL_EPOCH {
                Context::Opens
            } else {
                Context::Sessionless
            });
        }
        let by_id = version >= 13;
        let session = sessions.get_mut(&id).ok_or(FETCH_SESSION_ID_NOT_FOUND)?;
        if session.epoch != request.session_epoch {
            return Err(INVALID_FETCH_SESSION_EPOCH);
        }
        if session.by_id != by_id {
            return Err(FETCH_SESSION_TOPIC_ID_ERROR);
        }
        session.update(request);
        if session.partitions.is_empty() {
            sessions.remove(&id);
            request.topics.clear();
            return Ok(Context::Sessionless);
        }
        session.used = Instant::now();
        session.epoch = session.epoch.checked_add(1).unwrap_or(1);
        request.topics = session.topics();
        Ok(Context::Continues(id))
    }

    /// Makes the complete answer to what was to be fetched the one that the client expects.
    pub(super) fn finish(
        &self,
        context: &Context,
        request: &FetchRequest,
        version: i16,
        mut response: FetchAnswer,
    ) -> FetchAnswer {
        match context {
            Context::Sessionless => response,
            Context::Opens => {
                response.session_id = self.open(request, version, &response);
                response
            }
            Context::Continues(id) => {
                let mut sessions = self.lock();
                // It may have given way meanwhile: the client hears at its next request.
                if let Some(session) = sessions.get_mut(id) {
                    session.tell(&mut response);
                }
                response.session_id = *id;
                response
            }
        }
    }

    /// The id of a new session; 0: there is no room.
    fn open(&self, request: &FetchRequest, version: i16, response: &FetchAnswer) -> i32 {
        let by_id = version >= 13;
        let now = Instant::now();
        let mut session = Session {
            epoch: 1,
            by_id,
            partitions: IndexMap::new(),
            used: now,
        };
        session.update(request);
        for topic in &response.topics {
            for told in &topic.partitions {
                let data = &told.data;
                let key = (topic_of(by_id, topic), data.partition_index);
                if let Some(known) = session.partitions.get_mut(&key) {
                    known.told(data.error_code, data.high_watermark, data.log_start_offset);
                }
            }
        }
        if session.partitions.is_empty() {
            return 0;
        }
        let mut sessions = self.lock();
        let partitions = |sessions: &HashMap<i32, Session>| {
            let all = sessions.values().map(|session| session.partitions.len());
            all.sum::<usize>() + session.partitions.len()
        };
        if sessions.len() >= SESSIONS_MAX || partitions(&sessions) > PARTITIONS_MAX {
            sessions.retain(|_, session| now.duration_since(session.used) < EVICTION);
            if sessions.len() >= SESSIONS_MAX || partitions(&sessions) > PARTITIONS_MAX {
                return 0;
            }
        }
        // Nobody guesses another client's session.
        let id = loop {
            let id = rand::random_range(1..i32::MAX);
            if !sessions.contains_key(&id) {
                break id;
            }
        };
        sessions.insert(id, session);
        id
    }
}

impl Session {
    fn topic(&self, name: &TopicName, id: Uuid) -> Topic {
        if self.by_id {
            Topic::Id(id)
        } else {
            Topic::Name(name.clone())
        }
    }

    fn update(&mut self, request: &FetchRequest) {
        for topic in &request.topics {
            let key = self.topic(&topic.topic, topic.topic_id);
            for asked in &topic.partitions {
                let known = self.partitions.entry((key.clone(), asked.partition));
                let known = known.or_insert_with(|| Partition {
                    asked: asked.clone(),
                    high_watermark: -1,
                    log_start_offset: -1,
                });
                known.asked = asked.clone();
            }
        }
        for topic in &request.forgotten_topics_data {
            let key = self.topic(&topic.topic, topic.topic_id);
            for partition in &topic.partitions {
                self.partitions.shift_remove(&(key.clone(), *partition));
            }
        }
    }

    /// Everything that is to be fetched, in the session's order.
    fn topics(&self) -> Vec<FetchTopic> {
        let mut topics: Vec<(&Topic, FetchTopic)> = Vec::new();
        for ((topic, _), partition) in &self.partitions {
            match topics.last_mut() {
                Some((last, of)) if *last == topic => of.partitions.push(partition.asked.clone()),
                _ => {
                    let of = FetchTopic::default().with_partitions(vec![partition.asked.clone()]);
                    let of = match topic {
                        Topic::Name(name) => of.with_topic(name.clone()),
                        Topic::Id(id) => of.with_topic_id(*id),
                    };
                    topics.push((topic, of));
                }
            }
        }
        topics.into_iter().map(|(_, topic)| topic).collect()
    }

    /// Leaves out what says nothing new. Who was given records goes to the end of the line, so that an answer
    /// that is always full starves nobody.
    fn tell(&mut self, response: &mut FetchAnswer) {
        let mut served = Vec::new();
        for topic in &mut response.topics {
            let name = topic_of(self.by_id, topic);
            topic.partitions.retain(|told| {
                let data = &told.data;
                let key = (name.clone(), data.partition_index);
                let Some(known) = self.partitions.get_mut(&key) else {
                    return true;
                };
                let has_records = !told.records.is_empty();
                if has_records {
                    served.push(key);
                }
                known.told(data.error_code, data.high_watermark, data.log_start_offset)
                    || has_records
            });
        }
        response.topics.retain(|topic| !topic.partitions.is_empty());
        if served.len() < self.partitions.len() {
            let mut line: IndexMap<_, _> = std::mem::take(&mut self.partitions);
            let served: Vec<_> = served
                .into_iter()
                .filter_map(|key| line.get_index_of(&key))
                .collect();
            let last: std::collections::HashSet<usize> = served.into_iter().collect();
            let (mut first, mut rest) = (IndexMap::with_capacity(line.len()), Vec::new());
            for (index, (key, partition)) in line.drain(..).enumerate() {
                if last.contains(&index) {
                    rest.push((key, partition));
                } else {
                    first.insert(key, partition);
                }
            }
            first.extend(rest);
            self.partitions = first;
        }
    }
}

impl Partition {
    /// Notes what the client is told; whether it is new to it.
    fn told(&mut self, error: i16, high_watermark: i64, log_start_offset: i64) -> bool {
        let new = error != NONE
            || high_watermark != self.high_watermark
            || log_start_offset != self.log_start_offset;
        // After an error it hears of the bounds again.
        self.high_watermark = if error == NONE { high_watermark } else { -1 };
        self.log_start_offset = log_start_offset;
        new
    }
}

fn topic_of(by_id: bool, topic: &ToldTopic) -> Topic {
    if by_id {
        Topic::Id(topic.id)
    } else {
        Topic::Name(topic.name.clone())
    }
}
