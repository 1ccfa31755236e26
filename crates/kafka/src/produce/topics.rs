//! The topics that are written to: found by name quickly, and kept up to date with what brokers say of them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use kafka_protocol::messages::MetadataResponse;
use tokio::time::Instant;

use super::{partition::Partition, partitioner::Sticky};
use crate::{
    ports::KafkaError,
    wire::codes::{self, UNKNOWN_TOPIC_OR_PARTITION},
};

/// A refusal is believed for so long before the cluster is asked again.
pub(super) const REFUSAL: Duration = Duration::from_secs(1);

/// A partition, by places in the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) topic: usize,
    pub(super) partition: usize,
}

/// A topic.
pub(super) struct Topic {
    pub(super) name: Arc<str>,
    pub(super) partitions: Vec<Partition>,
    /// How many there are, since when that is known; `None`: not known now.
    pub(super) known: Option<(usize, Instant)>,
    /// It cannot be written to, and why.
    refused: Option<(KafkaError, Instant)>,
    /// When a record of it last came.
    pub(super) used: Instant,
    pub(super) sticky: Sticky,
    /// How small compression makes it, as estimated.
    pub(super) ratio: f32,
}

/// All topics.
#[derive(Default)]
pub(super) struct Topics {
    list: Vec<Topic>,
    by_name: HashMap<Arc<str>, usize>,
    last: usize,
}

impl Topics {
    /// The place of a topic; most records are of the same as the one before.
    pub(super) fn place(&mut self, name: &Arc<str>, now: Instant) -> usize {
        if let Some(last) = self.list.get(self.last)
            && (Arc::ptr_eq(&last.name, name) || last.name == *name)
        {
            return self.last;
        }
        self.last = match self.by_name.get(name) {
            Some(place) => *place,
            None => {
                let place = self.list.len();
                self.by_name.insert(Arc::clone(name), place);
                self.list.push(Topic {
                    name: Arc::clone(name),
                    partitions: Vec::new(),
                    known: None,
                    refused: None,
                    used: now,
                    sticky: Sticky::default(),
                    ratio: 1.0,
                });
                place
            }
        };
        self.last
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut Topic> {
        self.list.get_mut(place)
    }

    pub(super) fn partition_mut(&mut self, at: At) -> Option<&mut Partition> {
        self.list
            .get_mut(at.topic)?
            .partitions
            .get_mut(at.partition)
    }

    pub(super) fn name(&self, at: At) -> Arc<str> {
        match self.list.get(at.topic) {
            Some(topic) => Arc::clone(&topic.name),
            None => Arc::from(""),
        }
    }

    /// Those that are asked for: in use, or with something to send.
    pub(super) fn wanted(&self, idle: Duration, now: Instant) -> Vec<Arc<str>> {
        let waits = |topic: &Topic| {
            topic
                .partitions
                .iter()
                .any(|p| !p.queue.is_empty() || p.on_wire > 0)
        };
        let wanted = self
            .list
            .iter()
            .filter(|topic| now.saturating_duration_since(topic.used) < idle || waits(topic));
        wanted.map(|topic| Arc::clone(&topic.name)).collect()
    }

    /// Learns what a broker says.
    pub(super) fn learn(&mut self, answer: &MetadataResponse, now: Instant) {
        for said in &answer.topics {
            let Some(name) = said.name.as_ref().map(|name| name.as_str()) else {
                continue;
            };
            let place = self.by_name.get(name).copied();
            let Some(topic) = place.and_then(|place| self.list.get_mut(place)) else {
                continue;
            };
            topic.refused = None;
            if said.error_code != 0 {
                let what = format!("topic {name}");
                let error = codes::error(said.error_code, &what, None);
                if said.error_code == UNKNOWN_TOPIC_OR_PARTITION || !error.is_retriable() {
                    topic.known = None;
                    for partition in &mut topic.partitions {
                        partition.leader = None;
                    }
                }
                if !error.is_retriable() {
                    topic.refused = Some((refusal(said.error_code, name, error), now));
                }
                continue;
            }
            topic.learn(&said.partitions, now);
        }
    }
}

type Said = kafka_protocol::messages::metadata_response::MetadataResponsePartition;

impl Topic {
    fn learn(&mut self, said: &[Said], now: Instant) {
        let count = said.len();
        if self.partitions.len() < count {
            self.partitions.resize_with(count, Partition::default);
        }
        for partition in &mut self.partitions {
            partition.leader = None;
        }
        for one in said {
            let place = usize::try_from(one.partition_index).ok();
            if let Some(partition) = place.and_then(|place| self.partitions.get_mut(place)) {
                partition.leader = Some(one.leader_id.0).filter(|leader| *leader >= 0);
            }
        }
        self.known = (count > 0).then_some((count, now));
    }

    /// Why it cannot be written to, if that was said just now.
    pub(super) fn refused(&self, now: Instant) -> Option<&KafkaError> {
        let fresh = |at: &Instant| now.saturating_duration_since(*at) < REFUSAL;
        let refused = self.refused.as_ref().filter(|(_, at)| fresh(at));
        refused.map(|(error, _)| error)
    }

    /// The partitions that can be written to, with how many batches wait there.
    pub(super) fn queues(&self, adaptive: bool) -> Vec<(usize, usize)> {
        let count = self.known.map_or(0, |(count, _)| count);
        let partitions = self.partitions.iter().take(count).enumerate();
        let led = partitions.filter(|(_, partition)| partition.leader.is_some());
        led.map(|(place, partition)| match adaptive {
            true => (place, partition.queue.len()),
            false => (place, 0),
        })
        .collect()
    }

    /// Takes in how well a batch was compressed, as carefully as Java.
    pub(super) fn compressed(&mut self, ratio: f32) {
        const BETTER: f32 = 0.005;
        const WORSE: f32 = 0.05;
        self.ratio = if ratio > self.ratio {
            (self.ratio + WORSE).max(ratio)
        } else {
            (self.ratio - BETTER).max(ratio)
        };
    }
}

/// In Java's words where it has its own.
fn refusal(code: i16, name: &str, error: KafkaError) -> KafkaError {
    let message = match code {
        codes::TOPIC_AUTHORIZATION_FAILED => format!("Not authorized to access topics: [{name}]"),
        codes::INVALID_TOPIC => format!("Invalid topics: [{name}]"),
        _ => error.message,
    };
    KafkaError { message, ..error }
}
