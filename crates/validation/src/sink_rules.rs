//! Rules over several keys of a sink (spec 11.3).

use milena_config::{ConfigValue, java_trim};
use milena_java_text::JavaRegex;
use milena_rest_model::{HerderError, RawProps};

use crate::{framework::regex_error, outcome::Outcome};

/// Checks the rules; `group` is the worker's own group in distributed mode.
///
/// # Errors
/// The pattern of topics does not compile and there are dead letters to hold against it: Java fails outright.
pub(crate) fn check(
    config: &RawProps,
    group: Option<&str>,
    outcome: &mut Outcome,
) -> Result<(), HerderError> {
    let text = |name: &str| {
        config
            .get(name)
            .and_then(Option::as_deref)
            .map(java_trim)
            .unwrap_or_default()
    };
    let (topics, regex, dlq) = (
        text("topics"),
        text("topics.regex"),
        text("errors.deadletterqueue.topic.name"),
    );
    let mut both = |message: &str| {
        outcome.error("topics", message);
        outcome.error("topics.regex", message);
    };
    match (topics.is_empty(), regex.is_empty()) {
        (false, false) => {
            both("topics and topics.regex are mutually exclusive options, but both are set.")
        }
        (true, true) => both("Must configure one of topics or topics.regex"),
        _ => {}
    }
    if !dlq.is_empty() {
        let listed = topics
            .split(',')
            .map(str::trim)
            .filter(|one| !one.is_empty());
        let listed: Vec<&str> = listed.collect();
        if listed.contains(&dlq) {
            outcome.error(
                "topics",
                format!(
                    "The DLQ topic '{dlq}' may not be included in the list of topics ('topics=[{}]') consumed by the connector",
                    listed.join(", ")
                ),
            );
        }
        if !regex.is_empty() {
            if let Some(error) = regex_error(regex) {
                return Err(HerderError::Failed(format!(
                    "java.util.regex.PatternSyntaxException: {error}"
                )));
            }
            let whole = JavaRegex::new(regex);
            if whole.is_ok_and(|whole| whole.matches(dlq).unwrap_or(false)) {
                outcome.error(
                    "topics.regex",
                    format!(
                        "The DLQ topic '{dlq}' may not be matched by the regex for the topics ('topics.regex={regex}') consumed by the connector"
                    ),
                );
            }
        }
    }
    if let Some(group) = group {
        group_conflict(config, group, outcome);
    }
    Ok(())
}

fn group_conflict(config: &RawProps, group: &str, outcome: &mut Outcome) {
    const OVERRIDE: &str = "consumer.override.group.id";
    match config.get(OVERRIDE) {
        Some(own) => {
            if own.as_deref() == Some(group) {
                let report = outcome.report(OVERRIDE);
                report.value = ConfigValue::String(group.to_owned());
                report.errors.push(format!(
                    "Consumer group {group} conflicts with Connect worker group {group}"
                ));
            }
        }
        None => {
            let name = config
                .get("name")
                .and_then(Option::as_deref)
                .unwrap_or_default();
            if format!("connect-{name}") == group {
                outcome.error(
                    "name",
                    format!("Consumer group for sink connector named {name} conflicts with Connect worker group {group}"),
                );
            }
        }
    }
}
