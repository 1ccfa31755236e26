//! The areas of error handling: the pure decisions of the core.

use std::time::Duration;

use anyhow::{Context, anyhow};
use milena_core::failure::{
    ConsumedRecord, FailureContext, FailureError, RetryPolicy, Stage, Tolerance, Verdict,
    consumed_record_text, context_headers, log_line, verdict,
};
use serde_json::Value as Json;

use crate::{
    check::{Fault, Outcome},
    vector::Vector,
};

const STAGES: [Stage; 8] = [
    Stage::TaskPoll,
    Stage::TaskPut,
    Stage::Transformation,
    Stage::KeyConverter,
    Stage::ValueConverter,
    Stage::HeaderConverter,
    Stage::KafkaProduce,
    Stage::KafkaConsume,
];

fn stage(vector: &Vector) -> anyhow::Result<Stage> {
    let name = vector.input_text("stage").context("no stage")?;
    let found = STAGES.into_iter().find(|stage| stage.name() == name);
    found.with_context(|| format!("unknown stage {name}"))
}

fn tolerance_of(vector: &Vector) -> Tolerance {
    match vector.config_text("errors.tolerance") {
        Some("all") => Tolerance::All,
        _ => Tolerance::None,
    }
}

fn milliseconds(vector: &Vector, name: &str, default: i64) -> anyhow::Result<i64> {
    match vector.config.get(name) {
        None => Ok(default),
        Some(Json::String(text)) => Ok(text.parse()?),
        Some(other) => other.as_i64().context("no number"),
    }
}

/// An operation that fails some times with a retriable error; the clock moves only while it waits.
pub(super) fn retry(vector: &Vector) -> Outcome {
    let timeout = milliseconds(vector, "errors.retry.timeout", 0)?;
    let delay_max = milliseconds(vector, "errors.retry.delay.max.ms", 60_000)?;
    let failures = vector
        .input_integer("retriable_failures")
        .context("no failures")?;
    let policy = RetryPolicy {
        timeout: u64::try_from(timeout).ok().map(Duration::from_millis),
        delay_max: Duration::from_millis(u64::try_from(delay_max).context("delay")?),
    };
    let tolerance = tolerance_of(vector);
    let (mut elapsed, mut waits, mut calls, mut success) = (Duration::ZERO, Vec::new(), 0, true);
    loop {
        calls += 1;
        if i64::from(calls) > failures {
            break;
        }
        let Some(delay) = policy.delay(calls, elapsed, 0) else {
            success = false;
            break;
        };
        elapsed += delay;
        waits.push(delay.as_millis());
    }
    let errors = i64::from(!success);
    let skipped = match verdict(Stage::Transformation, true, tolerance) {
        Verdict::Skip => errors,
        Verdict::Fail(_) => 0,
    };
    let actual = serde_json::json!({
        "waits_ms": waits.iter().map(|wait| i64::try_from(*wait).unwrap_or(-1)).collect::<Vec<_>>(),
        "success": success,
        "calls": calls,
        "metrics": {
            "total-record-failures": i64::from(calls) - i64::from(success),
            "total-retries": i64::try_from(waits.len()).unwrap_or(-1),
            "total-record-errors": errors,
            "total-records-skipped": skipped,
        },
    });
    Ok(compare(vector.expect.as_ref(), &actual))
}

/// Every member that is expected must be there and equal.
fn compare(expected: Option<&Json>, actual: &Json) -> Option<String> {
    let expected = expected.and_then(Json::as_object)?;
    let equal = expected
        .iter()
        .all(|(name, wanted)| match (wanted, actual.get(name)) {
            (Json::Object(_), Some(found)) => compare(Some(wanted), found).is_none(),
            (_, found) => Some(wanted) == found,
        });
    (!equal).then(|| actual.to_string())
}

/// One exception at one stage.
pub(super) fn tolerance(vector: &Vector) -> Outcome {
    let exception = vector.input_text("exception").context("no exception")?;
    let retriable = exception.ends_with("RetriableException");
    let tolerance = tolerance_of(vector);
    let actual = match verdict(stage(vector)?, retriable, tolerance) {
        _ if exception.ends_with("Error") => serde_json::json!({
            "outcome": "task_failed", "exception": exception,
        }),
        Verdict::Skip => serde_json::json!({"outcome": "skipped"}),
        Verdict::Fail(message) => serde_json::json!({
            "outcome": "task_failed", "exception": "ConnectException", "message": message,
        }),
    };
    // Vectors of the tree of October 2024 show KAFKA-18073, a retriable error that tolerance none
    // lets pass; the format's own notes say that the fixed behaviour is the right one.
    let defect = retriable && tolerance == Tolerance::None;
    if defect && vector.expected("outcome") == "skipped" {
        let fixed = serde_json::json!({
            "outcome": "task_failed", "message": "Tolerance exceeded in error handler",
        });
        return Ok(compare(Some(&fixed), &actual));
    }
    Ok(compare(vector.expect.as_ref(), &actual))
}

/// The context headers of a dead letter.
pub(super) fn dlq_headers(vector: &Vector) -> Outcome {
    let text = |name: &str| vector.input_text(name).unwrap_or_default().to_owned();
    let (topic, connector, class) = (text("topic"), text("connector"), text("class"));
    let error_class = text("exception_class");
    let message = vector.input_text("exception_message");
    let mut trace = error_class;
    if let Some(message) = message {
        trace.push_str(": ");
        trace.push_str(message);
    }
    trace.push('\n');
    let record = ConsumedRecord {
        topic: &topic,
        partition: i32::try_from(vector.input_integer("partition").unwrap_or(0))
            .context("partition")?,
        offset: vector.input_integer("offset").unwrap_or(0),
    };
    let failure = FailureContext {
        connector: &connector,
        task: u32::try_from(vector.input_integer("task").unwrap_or(0)).context("task")?,
        stage: stage(vector).unwrap_or(Stage::Transformation),
        executing_class: &class,
        error: vector
            .input_text("exception_class")
            .map(|class| FailureError {
                class,
                message,
                trace: &trace,
            }),
    };
    let mut headers: Vec<(String, Option<String>)> = Vec::new();
    for pair in vector
        .input("existing_headers")
        .as_array()
        .into_iter()
        .flatten()
    {
        let at = |index: usize| pair.get(index).and_then(Json::as_str).map(str::to_owned);
        headers.push((at(0).unwrap_or_default(), at(1)));
    }
    let ours = context_headers(&record, &failure);
    headers.extend(ours.into_iter().map(|(key, value)| (key.to_owned(), value)));
    Ok((!headers_match(vector, &headers)?).then(|| format!("{headers:?}")))
}

fn headers_match(vector: &Vector, headers: &[(String, Option<String>)]) -> Result<bool, Fault> {
    let fits = |wanted: &Json, found: Option<&str>| match wanted {
        Json::Object(part) => part
            .get("starts_with")
            .and_then(Json::as_str)
            .is_some_and(|start| found.is_some_and(|found| found.starts_with(start))),
        other => other.as_str() == found,
    };
    if let Some(expected) = vector.expected("headers").as_array() {
        return Ok(expected.len() == headers.len()
            && expected.iter().zip(headers).all(|(wanted, (key, value))| {
                wanted.get(0).and_then(Json::as_str) == Some(key)
                    && fits(wanted.get(1).unwrap_or(&Json::Null), value.as_deref())
            }));
    }
    let named = |json: &Json| {
        let key = json
            .get(0)
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned();
        let all: Vec<Option<String>> = headers
            .iter()
            .filter(|(name, _)| *name == key)
            .map(|(_, v)| v.clone())
            .collect();
        all
    };
    let count = vector.expected("count_of");
    let last = vector.expected("last");
    if count.is_null() && last.is_null() {
        return Err(anyhow!("nothing is expected of the headers").into());
    }
    let counted = count.is_null()
        || count.get(1).and_then(Json::as_u64) == u64::try_from(named(count).len()).ok();
    let ends = last.is_null()
        || named(last)
            .last()
            .is_some_and(|found| fits(last.get(1).unwrap_or(&Json::Null), found.as_deref()));
    Ok(counted && ends)
}

/// The ERROR line of the log reporter.
pub(super) fn log_message(vector: &Vector) -> Outcome {
    let task = vector.input_text("task").context("no task")?;
    let class = vector.input_text("class").context("no class")?;
    let include = vector.config_text("errors.log.include.messages") == Some("true");
    let record = match (include, vector.input_text("topic")) {
        (true, Some(topic)) => {
            let record = ConsumedRecord {
                topic,
                partition: i32::try_from(vector.input_integer("partition").unwrap_or(0))
                    .context("partition")?,
                offset: vector.input_integer("offset").unwrap_or(0),
            };
            let stamp = vector
                .input_integer("timestamp")
                .zip(vector.input_text("timestamp_type"));
            Some(consumed_record_text(&record, stamp))
        }
        _ => None,
    };
    let found = log_line(task, stage(vector)?, class, record.as_deref());
    let expected = vector.expected("message").as_str().map(str::to_owned);
    Ok((expected.as_deref() != Some(found.as_str())).then_some(found))
}

/// The checks of a sink connector's configuration about its topics.
pub(super) fn config(vector: &Vector) -> Outcome {
    match milena_core::failure::check_sink_topics(&vector.props()) {
        Ok(()) => Ok(None),
        Err(message) => Err(Fault::Plugin(
            crate::check::Phase::Configure,
            milena_api::ConnectError::config(message),
        )),
    }
}
