//! Errors of the library as errors of the ports.

use confluent_kafka::common::Error;

use crate::ports::{KafkaError, KafkaErrorKind};

/// The port's error for an error of the library.
pub(super) fn port_error(error: &Error) -> KafkaError {
    let (kind, class) = classify(error);
    KafkaError {
        kind,
        class,
        message: error.message().to_owned(),
    }
}

fn classify(error: &Error) -> (KafkaErrorKind, &'static str) {
    if error.is_producer_fenced_error() {
        (
            KafkaErrorKind::Fenced,
            "org.apache.kafka.common.errors.ProducerFencedException",
        )
    } else if error.is_invalid_producer_epoch_error() {
        (
            KafkaErrorKind::Fenced,
            "org.apache.kafka.common.errors.InvalidProducerEpochException",
        )
    } else if error.is_record_too_large_error() {
        (
            KafkaErrorKind::Fatal,
            "org.apache.kafka.common.errors.RecordTooLargeException",
        )
    } else if error.is_authorization_error() {
        (
            KafkaErrorKind::Unauthorized,
            "org.apache.kafka.common.errors.AuthorizationException",
        )
    } else if error.is_timeout_error() {
        (
            KafkaErrorKind::Unknown,
            "org.apache.kafka.common.errors.TimeoutException",
        )
    } else if error.is_retriable_error() {
        (
            KafkaErrorKind::Retriable,
            "org.apache.kafka.common.errors.RetriableException",
        )
    } else {
        (
            KafkaErrorKind::Fatal,
            "org.apache.kafka.common.KafkaException",
        )
    }
}
