//! The context headers of a dead letter record (spec `data.md` 5.4).

use super::Stage;

/// Where a consumed record stood in Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumedRecord<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// Why and where a record failed.
#[derive(Clone, Debug)]
pub struct FailureContext<'a> {
    /// The connector's name.
    pub connector: &'a str,
    /// The task's number.
    pub task: u32,
    /// The stage.
    pub stage: Stage,
    /// The Java class name of what ran: the converter, the transform, the sink task.
    pub executing_class: &'a str,
    /// The error, when there is one: Java class, message, stack trace text.
    pub error: Option<FailureError<'a>>,
}

/// The error of a [`FailureContext`].
#[derive(Clone, Copy, Debug)]
pub struct FailureError<'a> {
    /// The exception's class name.
    pub class: &'a str,
    /// Its message; Java exceptions may have none.
    pub message: Option<&'a str>,
    /// The stack trace text.
    pub trace: &'a str,
}

/// The headers to append after the original ones, in Java's order. A missing message is a null value.
#[must_use]
pub fn context_headers(
    record: &ConsumedRecord<'_>,
    failure: &FailureContext<'_>,
) -> Vec<(&'static str, Option<String>)> {
    let mut headers = vec![
        ("__connect.errors.topic", Some(record.topic.to_owned())),
        (
            "__connect.errors.partition",
            Some(record.partition.to_string()),
        ),
        ("__connect.errors.offset", Some(record.offset.to_string())),
        (
            "__connect.errors.connector.name",
            Some(failure.connector.to_owned()),
        ),
        ("__connect.errors.task.id", Some(failure.task.to_string())),
        (
            "__connect.errors.stage",
            Some(failure.stage.name().to_owned()),
        ),
        (
            "__connect.errors.class.name",
            Some(failure.executing_class.to_owned()),
        ),
    ];
    if let Some(error) = &failure.error {
        headers.extend([
            (
                "__connect.errors.exception.class.name",
                Some(error.class.to_owned()),
            ),
            (
                "__connect.errors.exception.message",
                error.message.map(str::to_owned),
            ),
            (
                "__connect.errors.exception.stacktrace",
                Some(error.trace.to_owned()),
            ),
        ]);
    }
    headers
}
