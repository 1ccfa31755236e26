//! The checks of a sink's `topics` and `topics.regex` (`SinkConnectorConfig.validate`).

use milena_config::Props;

/// Exactly one of `topics` and `topics.regex` must be set.
///
/// # Errors
/// Java's text.
pub fn check_sink_topics(props: &Props) -> Result<(), String> {
    let set = |name: &str| props.get(name).is_some_and(|text| !text.trim().is_empty());
    match (set("topics"), set("topics.regex")) {
        (true, true) => Err(
            "topics and topics.regex are mutually exclusive options, but both are set.".to_owned(),
        ),
        (false, false) => Err("Must configure one of topics or topics.regex".to_owned()),
        _ => check_dead_letter_topic(props),
    }
}

/// The dead letter topic must not be read by the connector itself. A regex is left to the caller, who
/// has Java's.
fn check_dead_letter_topic(props: &Props) -> Result<(), String> {
    let dead = props
        .get("errors.deadletterqueue.topic.name")
        .map(|name| name.trim())
        .filter(|name| !name.is_empty());
    let (Some(dead), Some(topics)) = (dead, props.get("topics")) else {
        return Ok(());
    };
    let topics: Vec<&str> = topics.split(',').map(str::trim).collect();
    if topics.contains(&dead) {
        return Err(format!(
            "The DLQ topic '{dead}' may not be included in the list of topics ('topics=[{}]') \
             consumed by the connector",
            topics.join(", ")
        ));
    }
    Ok(())
}
