//! What becomes of a record that fails: tolerance, retries, dead letter headers, log lines.

use std::time::Duration;

use milena_core::failure::{
    ConsumedRecord, FailureContext, FailureError, RetryPolicy, Stage, Tolerance, Verdict,
    consumed_record_text, context_headers, log_line, verdict,
};

const RECORD: ConsumedRecord<'_> = ConsumedRecord {
    topic: "orders",
    partition: 3,
    offset: 42,
};

#[test]
fn conversions_and_transforms_may_fail_in_any_way_under_tolerance() {
    for stage in [
        Stage::Transformation,
        Stage::KeyConverter,
        Stage::ValueConverter,
        Stage::HeaderConverter,
    ] {
        for retriable in [false, true] {
            assert_eq!(verdict(stage, retriable, Tolerance::All), Verdict::Skip);
            assert_eq!(
                verdict(stage, retriable, Tolerance::None),
                Verdict::Fail("Tolerance exceeded in error handler")
            );
        }
    }
}

#[test]
fn elsewhere_only_retriable_errors_are_tolerable() {
    for stage in [Stage::TaskPoll, Stage::KafkaProduce] {
        assert_eq!(
            verdict(stage, false, Tolerance::All),
            Verdict::Fail("Unhandled exception in error handler")
        );
        assert_eq!(verdict(stage, true, Tolerance::All), Verdict::Skip);
    }
}

#[test]
fn without_a_deadline_the_retries_never_end() {
    let policy = RetryPolicy {
        timeout: None,
        delay_max: Duration::from_secs(1),
    };
    let year = Duration::from_secs(31_536_000);
    let delay = policy.delay(u32::MAX, year, u64::MAX).unwrap();
    assert!(delay < Duration::from_secs(1));
}

#[test]
fn the_last_delay_ends_at_the_deadline() {
    let policy = RetryPolicy {
        timeout: Some(Duration::from_millis(1000)),
        delay_max: Duration::from_secs(60),
    };
    let left = policy.delay(3, Duration::from_millis(900), 0);
    assert_eq!(left, Some(Duration::from_millis(100)));
    assert_eq!(policy.delay(4, Duration::from_millis(1000), 0), None);
}

fn context(error: Option<FailureError<'_>>) -> Vec<(&'static str, Option<String>)> {
    context_headers(
        &RECORD,
        &FailureContext {
            connector: "sink",
            task: 1,
            stage: Stage::ValueConverter,
            executing_class: "org.apache.kafka.connect.json.JsonConverter",
            error,
        },
    )
}

#[test]
fn dead_letters_tell_where_the_record_stood_and_why_it_failed() {
    let headers = context(Some(FailureError {
        class: "org.apache.kafka.connect.errors.DataException",
        message: Some("no"),
        trace: "org.apache.kafka.connect.errors.DataException: no\n",
    }));
    let shown: Vec<String> = headers
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_deref().unwrap_or("null")))
        .collect();
    assert_eq!(
        shown,
        [
            "__connect.errors.topic=orders",
            "__connect.errors.partition=3",
            "__connect.errors.offset=42",
            "__connect.errors.connector.name=sink",
            "__connect.errors.task.id=1",
            "__connect.errors.stage=VALUE_CONVERTER",
            "__connect.errors.class.name=org.apache.kafka.connect.json.JsonConverter",
            "__connect.errors.exception.class.name=org.apache.kafka.connect.errors.DataException",
            "__connect.errors.exception.message=no",
            "__connect.errors.exception.stacktrace=org.apache.kafka.connect.errors.DataException: no\n",
        ]
    );
}

#[test]
fn an_error_without_a_message_has_a_null_header_and_no_error_has_none() {
    let headers = context(Some(FailureError {
        class: "java.lang.NullPointerException",
        message: None,
        trace: "java.lang.NullPointerException\n",
    }));
    assert_eq!(headers[8], ("__connect.errors.exception.message", None));
    assert_eq!(context(None).len(), 7);
}

#[test]
fn the_log_line_describes_the_record_only_when_asked() {
    assert_eq!(
        log_line("sink-1", Stage::Transformation, "a.B", None),
        "Error encountered in task sink-1. Executing stage 'TRANSFORMATION' with class 'a.B'."
    );
    let record = consumed_record_text(&RECORD, Some((7, "CreateTime")));
    assert_eq!(
        log_line("sink-1", Stage::TaskPut, "a.B", Some(&record)),
        "Error encountered in task sink-1. Executing stage 'TASK_PUT' with class 'a.B', where \
         consumed record is {topic='orders', partition=3, offset=42, timestamp=7, \
         timestampType=CreateTime}."
    );
    let untimed = consumed_record_text(&RECORD, Some((-1, "NoTimestampType")));
    assert!(untimed.ends_with("offset=42}"));
}
