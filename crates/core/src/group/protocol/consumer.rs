//! What members of a consumer group tell each other (Java: `ConsumerProtocol`, schemas
//! `ConsumerProtocolSubscription` and `ConsumerProtocolAssignment`, versions 0 to 3), and the user data of the
//! sticky assignors.

use std::collections::BTreeMap;

use super::{ReadError, Reader, Writer};
use crate::group::{GenerationId, consumer::TopicPartition};

/// The highest version we write; Java 4.x writes the same.
const HIGHEST: i16 = 3;

/// What a member says about itself when it joins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// The topics it wants, in its own order.
    pub topics: Vec<String>,
    /// What its assignor remembers.
    pub user_data: Option<Vec<u8>>,
    /// What it holds (version 1 and above).
    pub owned: Vec<TopicPartition>,
    /// The generation in which it got that (version 2 and above); `None` for -1 and for older versions.
    pub generation: Option<GenerationId>,
    /// Where it stands (version 3 and above).
    pub rack: Option<String>,
}

/// What the leader tells a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerAssignment {
    /// Everything the member shall hold.
    pub partitions: Vec<TopicPartition>,
    /// What the assignor wants remembered.
    pub user_data: Option<Vec<u8>>,
}

/// Encodes a subscription, version 3.
#[must_use]
pub fn write_subscription(subscription: &Subscription) -> Vec<u8> {
    let mut out = Writer::new();
    out.int16(HIGHEST);
    // Java sorts the topics before it writes them.
    let mut topics: Vec<&str> = subscription.topics.iter().map(String::as_str).collect();
    topics.sort_unstable();
    out.count(topics.len());
    for topic in topics {
        out.string(topic);
    }
    out.nullable_bytes(subscription.user_data.as_deref());
    write_partitions(&mut out, &subscription.owned);
    out.int32(
        subscription
            .generation
            .map_or(GenerationId::NONE.0, |generation| generation.0),
    );
    out.nullable_string(subscription.rack.as_deref());
    out.finish()
}

/// Decodes a subscription of any version.
///
/// # Errors
/// The bytes are short, or a field is out of range.
pub fn read_subscription(bytes: &[u8]) -> Result<Subscription, ReadError> {
    let mut from = Reader::new(bytes);
    let version = read_version(&mut from)?;
    let mut topics = Vec::new();
    for _ in 0..from.count("topics")?.unwrap_or(0) {
        topics.push(from.string("topic")?.to_owned());
    }
    let user_data = from.nullable_bytes("user-data")?.map(<[u8]>::to_vec);
    let owned = if version >= 1 {
        read_partitions(&mut from)?
    } else {
        Vec::new()
    };
    let generation = if version >= 2 {
        from.int32("generation-id")?
    } else {
        -1
    };
    let rack = if version >= 3 {
        from.nullable_string("rack-id")?
    } else {
        None
    };
    Ok(Subscription {
        topics,
        user_data,
        owned,
        generation: (generation >= 0).then_some(GenerationId(generation)),
        rack: rack.map(str::to_owned),
    })
}

/// Encodes an assignment, version 3.
#[must_use]
pub fn write_assignment(assignment: &ConsumerAssignment) -> Vec<u8> {
    let mut out = Writer::new();
    out.int16(HIGHEST);
    write_partitions(&mut out, &assignment.partitions);
    out.nullable_bytes(assignment.user_data.as_deref());
    out.finish()
}

/// Decodes an assignment of any version. No bytes at all are an empty assignment: what a member gets that the
/// leader did not know.
///
/// # Errors
/// The bytes are short, or a field is out of range.
pub fn read_assignment(bytes: &[u8]) -> Result<ConsumerAssignment, ReadError> {
    if bytes.is_empty() {
        return Ok(ConsumerAssignment::default());
    }
    let mut from = Reader::new(bytes);
    read_version(&mut from)?;
    let partitions = read_partitions(&mut from)?;
    let user_data = match from.is_empty() {
        true => None,
        false => from.nullable_bytes("user-data")?.map(<[u8]>::to_vec),
    };
    Ok(ConsumerAssignment {
        partitions,
        user_data,
    })
}

/// Encodes what the sticky assignor remembers: its assignment and the generation (Java: `StickyAssignor`,
/// user data version 1).
#[must_use]
pub fn write_sticky(partitions: &[TopicPartition], generation: Option<GenerationId>) -> Vec<u8> {
    let mut out = Writer::new();
    write_partitions(&mut out, partitions);
    out.int32(generation.map_or(GenerationId::NONE.0, |generation| generation.0));
    out.finish()
}

/// Decodes what the sticky assignor remembers; version 0 has no generation.
///
/// # Errors
/// The bytes are short, or a field is out of range.
pub fn read_sticky(bytes: &[u8]) -> Result<(Vec<TopicPartition>, Option<GenerationId>), ReadError> {
    let mut from = Reader::new(bytes);
    let partitions = read_partitions(&mut from)?;
    let generation = if from.is_empty() {
        None
    } else {
        Some(from.int32("generation")?)
    };
    Ok((partitions, generation.filter(|g| *g >= 0).map(GenerationId)))
}

/// Encodes what the cooperative sticky assignor remembers: only the generation.
#[must_use]
pub fn write_cooperative(generation: GenerationId) -> Vec<u8> {
    let mut out = Writer::new();
    out.int32(generation.0);
    out.finish()
}

/// Decodes what the cooperative sticky assignor remembers.
#[must_use]
pub fn read_cooperative(bytes: &[u8]) -> Option<GenerationId> {
    Reader::new(bytes)
        .int32("generation")
        .ok()
        .filter(|g| *g >= 0)
        .map(GenerationId)
}

fn read_version(from: &mut Reader<'_>) -> Result<i16, ReadError> {
    match from.int16("version")? {
        version if version < 0 => Err(ReadError::OutOfRange {
            field: "version",
            value: version.into(),
        }),
        version => Ok(version.min(HIGHEST)),
    }
}

fn write_partitions(out: &mut Writer, partitions: &[TopicPartition]) {
    let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for tp in partitions {
        by_topic.entry(&tp.topic).or_default().push(tp.partition);
    }
    out.count(by_topic.len());
    for (topic, numbers) in by_topic {
        out.string(topic);
        out.count(numbers.len());
        for number in numbers {
            out.int32(number);
        }
    }
}

fn read_partitions(from: &mut Reader<'_>) -> Result<Vec<TopicPartition>, ReadError> {
    let mut partitions = Vec::new();
    for _ in 0..from.count("partitions")?.unwrap_or(0) {
        let topic: std::sync::Arc<str> = from.string("topic")?.into();
        for _ in 0..from.count("partition-numbers")?.unwrap_or(0) {
            let partition = from.int32("partition")?;
            partitions.push(TopicPartition {
                topic: topic.clone(),
                partition,
            });
        }
    }
    Ok(partitions)
}
