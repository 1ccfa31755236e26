//! Answers to fetches taken over into the partitions' buffers. What was asked before a seek, or of a broker that a partition
//! is no longer read from, changes nothing. Java's `FetchCollector` (errors) and `AbstractFetch` (answers).

use std::collections::HashMap;

use kafka_protocol::messages::{FetchResponse, fetch_response::PartitionData};
use tokio::time::Instant;

use super::{
    errors::{
        Failure, OFFSET_OUT_OF_RANGE, UNKNOWN_SERVER_ERROR, is_about_the_leader, not_authorized,
        out_of_range, unexpected,
    },
    settings::Reset,
    state::{Asked, Shared, State, shown},
};
use crate::{records::completed::Completed, wire::codes};

impl Shared {
    /// Takes over what a broker answered.
    pub(super) fn take_answer(&self, broker: i32, asked: &[Asked], answer: &FetchResponse) {
        let mut by_name: HashMap<(&str, i32), &Asked> = asked
            .iter()
            .map(|asked| ((&*asked.key.0, asked.key.1), asked))
            .collect();
        let mut parts = Vec::new();
        for topic in &answer.responses {
            for partition in &topic.partitions {
                let name = (topic.topic.as_str(), partition.partition_index);
                if let Some(asked) = by_name.remove(&name) {
                    parts.push((asked, partition, self.completed(partition)));
                }
            }
        }
        let now = Instant::now();
        let mut state = self.lock();
        for (asked, partition, completed) in parts {
            let number = state.answer();
            let current = state.still(&asked.key, asked.generation);
            let fits = current.is_some_and(|current| {
                current.source(now) == Some(broker) && current.fetch_at == asked.offset
            });
            if fits {
                self.take_part(&mut state, asked, partition, completed, number);
            }
        }
        drop(state);
        self.news.notify_waiters();
        // For the keeper: leaders may have to be asked for, positions looked up.
        self.work.notify_waiters();
    }

    fn completed(&self, partition: &PartitionData) -> Option<Completed> {
        if partition.error_code != 0 {
            return None;
        }
        let records = partition.records.clone().filter(|r| !r.is_empty())?;
        let aborted = partition.aborted_transactions.iter().flatten();
        let aborted = aborted.map(|one| (one.first_offset, one.producer_id.0));
        Some(Completed::new(
            records,
            aborted.collect(),
            self.settings.rules,
        ))
    }

    fn take_part(
        &self,
        state: &mut State,
        asked: &Asked,
        answer: &PartitionData,
        completed: Option<Completed>,
        number: u64,
    ) {
        if answer.error_code != 0 {
            self.take_error(state, asked, answer.error_code);
            return;
        }
        let Some(partition) = state.partitions.get_mut(&asked.key) else {
            return;
        };
        partition.failures = 0;
        partition.not_before = None;
        partition.cautious = false;
        partition.high_watermark = answer.high_watermark;
        partition.last_stable = answer.last_stable_offset;
        if answer.log_start_offset >= 0 {
            partition.log_start = answer.log_start_offset;
        }
        let replica = answer.preferred_read_replica.0;
        if replica >= 0 {
            // The answer holds nothing: it is to be asked there.
            let until = Instant::now() + self.cluster.settings().metadata_age;
            partition.replica = Some((replica, until));
        }
        let Some(completed) = completed else {
            partition.served = number;
            return;
        };
        if completed.bytes() == 0 {
            // Torn before the end of its first batch: what comes first in a request is answered whole.
            partition.served = 0;
            return;
        }
        partition.served = number;
        if completed.next_offset() > partition.fetch_at {
            partition.fetch_at = completed.next_offset();
        } else {
            // What cannot be: it must not be asked for as fast as it is answered.
            self.back_off(partition);
        }
        partition.buffered += completed.bytes();
        partition.completed.push_back(completed);
        state.queue(&asked.key);
    }

    fn take_error(&self, state: &mut State, asked: &Asked, code: i16) {
        let name = shown(&asked.key);
        let Some(partition) = state.partitions.get_mut(&asked.key) else {
            return;
        };
        tracing::debug!(
            partition = name,
            code,
            offset = asked.offset,
            "a fetch failed"
        );
        self.back_off(partition);
        match code {
            _ if is_about_the_leader(code) => {
                partition.stale = true;
                partition.replica = None;
            }
            UNKNOWN_SERVER_ERROR => tracing::warn!(
                partition = name,
                offset = asked.offset,
                "the broker met an unknown error while it read; trying again"
            ),
            // The leader knows better than a follower that lags.
            OFFSET_OUT_OF_RANGE if partition.replica.take().is_some() => {}
            // What is buffered comes first.
            OFFSET_OUT_OF_RANGE if partition.position != asked.offset => {
                partition.cautious = true;
                partition.fetch_at = asked.offset;
            }
            OFFSET_OUT_OF_RANGE => {
                let epoch = partition.leader_epoch();
                let reset = self.settings.reset;
                if reset != Reset::None {
                    tracing::info!(
                        partition = name,
                        offset = asked.offset,
                        ?reset,
                        "out of range"
                    );
                }
                state.reset(&asked.key, reset, || {
                    out_of_range(&name, asked.offset, epoch)
                });
            }
            codes::TOPIC_AUTHORIZATION_FAILED => {
                partition.failure = Some(Failure::once(not_authorized(&asked.key.0)));
            }
            _ => {
                let error = unexpected(code, &name, asked.offset);
                partition.failure = Some(Failure::once(error));
            }
        }
        if state
            .partitions
            .get(&asked.key)
            .is_some_and(|partition| partition.failure.is_some())
        {
            state.queue(&asked.key);
        }
    }
}
