//! What can go wrong between the engine and Kafka, by what the engine can do about it.

/// How the engine treats a Kafka error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KafkaErrorKind {
    /// The same call may succeed later.
    Retriable,
    /// The call may or may not have had its effect (a timeout after sending).
    Unknown,
    /// A newer instance with the same transactional id has taken over.
    Fenced,
    /// The configuration does not fit; nothing was sent.
    Config,
    /// The principal may not do this.
    Unauthorized,
    /// Everything else.
    Fatal,
}

/// A Kafka error with the Java class and message a user would see. It never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct KafkaError {
    /// How the engine treats it.
    pub kind: KafkaErrorKind,
    /// The full Java class name of the equivalent exception.
    pub class: &'static str,
    /// What happened, naming the thing.
    pub message: String,
}

impl KafkaError {
    /// An error of class `org.apache.kafka.common.KafkaException`.
    pub fn new(kind: KafkaErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            class: "org.apache.kafka.common.KafkaException",
            message: message.into(),
        }
    }

    /// The same error under another Java class.
    #[must_use]
    pub fn class(mut self, class: &'static str) -> Self {
        self.class = class;
        self
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        matches!(
            self.kind,
            KafkaErrorKind::Retriable | KafkaErrorKind::Unknown
        )
    }
}
