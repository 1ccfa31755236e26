//! What a poll is told when something is wrong, with Java's classes and messages (`FetchCollector`, `OffsetFetcherUtils`).

use crate::{
    ports::{KafkaError, KafkaErrorKind},
    wire::codes,
};

pub(super) const OFFSET_OUT_OF_RANGE: i16 = 1;
pub(super) const CORRUPT_MESSAGE: i16 = 2;
pub(super) const UNKNOWN_SERVER_ERROR: i16 = -1;
pub(super) const INVALID_TOPIC: i16 = 17;

/// An error that a poll returns.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) error: KafkaError,
    /// Told to every poll until a seek: going on would lose records.
    pub(super) stays: bool,
}

impl Failure {
    /// Told to every poll until a seek.
    pub(super) const fn for_good(error: KafkaError) -> Self {
        Self { error, stays: true }
    }

    /// Told once; it goes on being tried.
    pub(super) const fn once(error: KafkaError) -> Self {
        Self {
            error,
            stays: false,
        }
    }
}

/// Whether a partition's code says that another broker, or the same one later, will answer.
pub(super) const fn is_about_the_leader(code: i16) -> bool {
    // Not the leader, unknown topic (by name, by id, another id), replica not available, storage, epochs, offset not
    // available, leader not available.
    matches!(code, 3 | 5 | 6 | 9 | 56 | 74 | 75 | 78 | 100 | 103)
}

fn fatal(message: String) -> KafkaError {
    KafkaError::new(KafkaErrorKind::Fatal, message)
}

pub(super) fn no_offset(partition: &str) -> KafkaError {
    fatal(format!(
        "Undefined offset with no reset policy for partitions: [{partition}]"
    ))
    .class("org.apache.kafka.clients.consumer.NoOffsetForPartitionException")
}

pub(super) fn out_of_range(partition: &str, offset: i64, leader_epoch: i32) -> KafkaError {
    fatal(format!(
        "Fetch position FetchPosition{{offset={offset}, leaderEpoch={leader_epoch}}} is out of range for partition \
         {partition}"
    ))
    .class("org.apache.kafka.clients.consumer.OffsetOutOfRangeException")
}

pub(super) fn truncated(partition: &str, position: i64, diverges: Option<i64>) -> KafkaError {
    let at = diverges.map_or_else(String::new, |at| {
        format!(", the first offset known to diverge is {at}")
    });
    fatal(format!(
        "Truncation detected for partition {partition} at offset {position}{at}"
    ))
    .class("org.apache.kafka.clients.consumer.LogTruncationException")
}

pub(super) fn corrupt(partition: &str, offset: i64, fault: &str) -> KafkaError {
    fatal(format!(
        "Received exception when fetching the next record from {partition}. If needed, please seek past the record to \
         continue consumption. (offset {offset}: {fault})"
    ))
}

pub(super) fn not_authorized(topic: &str) -> KafkaError {
    KafkaError::new(
        KafkaErrorKind::Unauthorized,
        format!("Not authorized to access topics: [{topic}]"),
    )
    .class(codes::class(codes::TOPIC_AUTHORIZATION_FAILED))
}

pub(super) fn invalid_topic(topic: &str) -> KafkaError {
    fatal(format!("Invalid topics: [{topic}]")).class(codes::class(INVALID_TOPIC))
}

/// For a partition's code that nothing else is said about.
pub(super) fn unexpected(code: i16, partition: &str, offset: i64) -> KafkaError {
    match code {
        CORRUPT_MESSAGE => fatal(format!(
            "Encountered corrupt message when fetching offset {offset} for topic-partition {partition}"
        )),
        _ => fatal(format!(
            "Unexpected error code {code} while fetching at offset {offset} from topic-partition {partition}"
        ))
        .class("java.lang.IllegalStateException"),
    }
}

pub(super) fn not_assigned(partition: &str) -> KafkaError {
    fatal(format!("No current assignment for partition {partition}"))
        .class("java.lang.IllegalStateException")
}

pub(super) fn no_position(partition: &str, within: std::time::Duration) -> KafkaError {
    KafkaError::new(
        KafkaErrorKind::Unknown,
        format!(
            "Timeout of {}ms expired before the position for partition {partition} could be determined",
            within.as_millis()
        ),
    )
    .class(codes::TIMEOUT_CLASS)
}
