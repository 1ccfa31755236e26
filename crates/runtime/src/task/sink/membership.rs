//! How a sink task takes part in its group, read from the consumer's properties (Java: `ConsumerConfig`,
//! `ConsumerPartitionAssignor.getAssignorInstances`).

use std::time::Duration;

use milena_api::ConnectError;
use milena_core::group::{
    consumer::{Assignor, TaskGroupSettings},
    membership::Settings,
};
use milena_kafka::ports::{ClientProps, StartAt};

/// Java's default preference: range, until every member knows cooperative sticky.
const DEFAULT: [Assignor; 2] = [Assignor::Range, Assignor::CooperativeSticky];
const STRATEGY: &str = "partition.assignment.strategy";

fn config(text: String) -> ConnectError {
    ConnectError::of("org.apache.kafka.common.config.ConfigException", text)
}

/// A property in milliseconds.
pub(super) fn millis(props: &ClientProps, key: &str, default: Duration) -> Duration {
    props
        .get(key)
        .and_then(|text| text.trim().parse().ok())
        .map_or(default, Duration::from_millis)
}

/// The settings of the membership.
pub(super) fn settings(props: &ClientProps) -> Result<TaskGroupSettings, ConnectError> {
    let defaults = Settings::consumer();
    let membership = Settings {
        session_timeout: millis(props, "session.timeout.ms", defaults.session_timeout),
        heartbeat_interval: millis(props, "heartbeat.interval.ms", defaults.heartbeat_interval),
        rebalance_timeout: millis(props, "max.poll.interval.ms", defaults.rebalance_timeout),
        retry_backoff: millis(props, "retry.backoff.ms", defaults.retry_backoff),
        retry_backoff_max: millis(props, "retry.backoff.max.ms", defaults.retry_backoff_max),
        ..defaults
    };
    if membership.heartbeat_interval >= membership.session_timeout {
        return Err(config(
            "Heartbeat must be set lower than the session timeout".to_owned(),
        ));
    }
    let rack = props.get("client.rack").filter(|rack| !rack.is_empty());
    Ok(TaskGroupSettings {
        membership,
        assignors: assignors(props.get(STRATEGY).map(String::as_str))?,
        rack: rack.cloned(),
    })
}

/// The assignors by class name, in order of preference.
fn assignors(configured: Option<&str>) -> Result<Vec<Assignor>, ConnectError> {
    let Some(list) = configured else {
        return Ok(DEFAULT.to_vec());
    };
    let mut assignors = Vec::new();
    for class in list.split(',').map(str::trim).filter(|c| !c.is_empty()) {
        let assignor = Assignor::from_class(class).ok_or_else(|| {
            let known = Assignor::ALL.map(Assignor::class).join(", ");
            config(format!(
                "Invalid value {class} for configuration {STRATEGY}: assignors of your own cannot be loaded, use one of {known}"
            ))
        })?;
        if assignors.contains(&assignor) {
            return Err(ConnectError::of(
                "org.apache.kafka.common.KafkaException",
                format!(
                    "The assignor name: '{}' is used in more than one assignor: {class}, {class}",
                    assignor.name()
                ),
            ));
        }
        assignors.push(assignor);
    }
    if assignors.is_empty() {
        return Err(config(format!(
            "Missing required configuration \"{STRATEGY}\" which has no default value."
        )));
    }
    Ok(assignors)
}

/// `auto.offset.reset`: where a partition without a committed offset begins; `None`: the task fails.
pub(super) fn reset(props: &ClientProps) -> Result<Option<StartAt>, ConnectError> {
    match props.get("auto.offset.reset").map(|text| text.trim()) {
        None | Some("earliest") => Ok(Some(StartAt::Earliest)),
        Some("latest") => Ok(Some(StartAt::Latest)),
        Some("none") => Ok(None),
        Some(other) => Err(config(format!(
            "Invalid value {other} for configuration auto.offset.reset: use earliest, latest or none"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use milena_core::group::consumer::Assignor;
    use milena_kafka::ports::ClientProps;

    use super::{assignors, settings};

    #[test]
    fn strategies_are_java_classes_in_order_of_preference() {
        assert_eq!(
            assignors(None).unwrap(),
            [Assignor::Range, Assignor::CooperativeSticky]
        );
        let two = "org.apache.kafka.clients.consumer.StickyAssignor, \
                   org.apache.kafka.clients.consumer.RoundRobinAssignor";
        assert_eq!(
            assignors(Some(two)).unwrap(),
            [Assignor::Sticky, Assignor::RoundRobin]
        );
        let refused = assignors(Some("com.example.Mine")).unwrap_err();
        assert!(
            refused.to_string().contains("com.example.Mine"),
            "{refused}"
        );
    }

    #[test]
    fn a_heartbeat_as_long_as_the_session_is_refused() {
        let mut props = ClientProps::new();
        props.insert("session.timeout.ms".into(), "3000".into());
        assert!(settings(&props).is_err());
        props.insert("heartbeat.interval.ms".into(), "1000".into());
        assert!(settings(&props).is_ok());
    }
}
