//! What a producer says, under Java's classes and in Java's words.

use std::time::Duration;

use crate::ports::{KafkaError, KafkaErrorKind};

macro_rules! java {
    ($name:literal) => {
        concat!("org.apache.kafka.common.errors.", $name, "Exception")
    };
}

fn of(kind: KafkaErrorKind, class: &'static str, text: impl Into<String>) -> KafkaError {
    KafkaError::new(kind, text).class(class)
}

pub(super) fn closed() -> KafkaError {
    let text = "Cannot perform operation after producer has been closed";
    of(
        KafkaErrorKind::Fatal,
        "java.lang.IllegalStateException",
        text,
    )
}

pub(super) fn closed_forcefully() -> KafkaError {
    KafkaError::new(KafkaErrorKind::Fatal, "Producer is closed forcefully.")
}

pub(super) fn stopped() -> KafkaError {
    let text = "a record before this one was not written";
    KafkaError::new(KafkaErrorKind::Fatal, text)
}

pub(super) fn invalid(text: String) -> KafkaError {
    of(
        KafkaErrorKind::Fatal,
        "java.lang.IllegalArgumentException",
        text,
    )
}

pub(super) fn state(text: impl Into<String>) -> KafkaError {
    of(
        KafkaErrorKind::Fatal,
        "java.lang.IllegalStateException",
        text,
    )
}

pub(super) fn timeout(text: String) -> KafkaError {
    of(KafkaErrorKind::Unknown, java!("Timeout"), text)
}

pub(super) fn too_large(text: String) -> KafkaError {
    of(KafkaErrorKind::Fatal, java!("RecordTooLarge"), text)
}

pub(super) fn network() -> KafkaError {
    let text = "The server disconnected before a response was received.";
    of(KafkaErrorKind::Unknown, java!("Network"), text)
}

pub(super) fn exhausted(size: usize, block: Duration, memory: usize, left: usize) -> KafkaError {
    let class = "org.apache.kafka.clients.producer.BufferExhaustedException";
    let text = format!(
        "Failed to allocate {size} bytes within the configured max blocking time {} ms. Total memory: {memory} bytes. Available memory: {left} bytes. Poolable size: 0 bytes",
        block.as_millis()
    );
    of(KafkaErrorKind::Unknown, class, text)
}

pub(super) fn no_topic(topic: &str, block: Duration) -> KafkaError {
    let block = block.as_millis();
    timeout(format!(
        "Topic {topic} not present in metadata after {block} ms."
    ))
}

pub(super) fn no_partition(
    topic: &str,
    partition: i32,
    count: usize,
    block: Duration,
) -> KafkaError {
    let block = block.as_millis();
    timeout(format!(
        "Partition {partition} of topic {topic} with partition count {count} is not present in metadata after {block} ms."
    ))
}

pub(super) fn expired(records: i32, topic: &str, partition: usize, after: Duration) -> KafkaError {
    let after = after.as_millis();
    timeout(format!(
        "Expiring {records} record(s) for {topic}-{partition}:{after} ms has passed since batch creation"
    ))
}

/// A request failed before; the transaction must be aborted.
pub(super) fn failed_before(cause: &KafkaError) -> KafkaError {
    KafkaError {
        kind: cause.kind,
        class: cause.class,
        message: format!(
            "Cannot perform send because at least one previous transactional or idempotent request has failed with errors. ({})",
            cause.message
        ),
    }
}

pub(super) fn aborted() -> KafkaError {
    let text = "Failing batch since transaction was aborted";
    of(KafkaErrorKind::Retriable, java!("TransactionAborted"), text)
}

/// What was sent may have been written, and nothing more can be tried.
pub(super) fn unresolved() -> KafkaError {
    let text = "The client hasn't received acknowledgment for some previously sent messages and can no longer retry them. It is safe to abort the transaction and continue.";
    KafkaError::new(KafkaErrorKind::Fatal, text)
}
