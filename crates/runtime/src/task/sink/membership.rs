//! How a sink task takes part in its group, read from the consumer's properties (Java: `ConsumerConfig`,
//! `ConsumerPartitionAssignor.getAssignorInstances`).

use std::time::Duration;

use milena_api::ConnectError;
use milena_core::group::{
    MemberId,
    consumer::{Assignor, BrokerAssignedSettings, TaskGroupSettings},
    membership::{ErrorCode, Settings},
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

/// By which protocol a task takes part in its group.
pub(super) enum GroupSettings {
    /// `group.protocol=classic`.
    Classic {
        settings: TaskGroupSettings,
        /// `group.instance.id`.
        instance: Option<String>,
    },
    /// `group.protocol=consumer` (KIP-848).
    BrokerAssigned(BrokerAssignedSettings),
}

const PROTOCOL: &str = "group.protocol";
const REMOTE_ASSIGNOR: &str = "group.remote.assignor";
/// What the members of a group whose partitions the broker assigns do not decide, in Java's order.
const NOT_OURS: [&str; 3] = [STRATEGY, "heartbeat.interval.ms", "session.timeout.ms"];

/// The settings of the membership.
pub(super) fn settings(props: &ClientProps) -> Result<GroupSettings, ConnectError> {
    let set = |key: &str| props.get(key).filter(|text| !text.trim().is_empty());
    let instance = match props.get("group.instance.id") {
        Some(text) if text.trim().is_empty() => {
            return Err(config(
                "Invalid value  for configuration group.instance.id: String must be non-empty"
                    .to_owned(),
            ));
        }
        instance => instance.map(|text| text.trim().to_owned()),
    };
    let protocol = props.get(PROTOCOL).map_or("classic", |text| text.trim());
    let (name, theirs): (&str, &[&str]) = match protocol {
        text if text.eq_ignore_ascii_case("classic") => ("CLASSIC", &[REMOTE_ASSIGNOR]),
        text if text.eq_ignore_ascii_case("consumer") => ("CONSUMER", &NOT_OURS),
        other => {
            return Err(config(format!(
                "Invalid value {other} for configuration {PROTOCOL}: String must be one of (case insensitive): CONSUMER, CLASSIC"
            )));
        }
    };
    let refused: Vec<&str> = theirs
        .iter()
        .filter(|k| set(k).is_some())
        .copied()
        .collect();
    if !refused.is_empty() {
        let refused = refused.join(", ");
        return Err(config(format!(
            "{refused} cannot be set when {PROTOCOL}={name}"
        )));
    }
    if name == "CLASSIC" {
        let settings = classic(props)?;
        return Ok(GroupSettings::Classic { settings, instance });
    }
    let defaults = Settings::consumer();
    let text = |key: &str| set(key).map(|text| text.trim().to_owned());
    Ok(GroupSettings::BrokerAssigned(BrokerAssignedSettings {
        member: member_id(),
        instance,
        rack: text("client.rack"),
        assignor: text(REMOTE_ASSIGNOR),
        rebalance_timeout: millis(props, "max.poll.interval.ms", defaults.rebalance_timeout),
        retry_backoff: millis(props, "retry.backoff.ms", defaults.retry_backoff),
        retry_backoff_max: millis(props, "retry.backoff.max.ms", defaults.retry_backoff_max),
    }))
}

/// A random id, as Java's consumers write them (`org.apache.kafka.common.Uuid`).
fn member_id() -> MemberId {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let mut bytes: [u8; 16] = rand::random();
    // A random UUID by its version and variant; and none that begins with a dash, which tools take for an option.
    bytes[0] &= 0x7f;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    MemberId::from(URL_SAFE_NO_PAD.encode(bytes))
}

macro_rules! class {
    ($name:literal) => {
        concat!("org.apache.kafka.common.errors.", $name)
    };
}

/// Why the group cannot be used, in Java's words.
pub(super) fn unusable(group: &str, error: ErrorCode, said: Option<String>) -> ConnectError {
    let class = match error {
        ErrorCode::UNSUPPORTED_VERSION if said.is_some() => {
            return ConnectError::of(class!("UnsupportedVersionException"), NOT_SUPPORTED);
        }
        ErrorCode::GROUP_AUTHORIZATION_FAILED => {
            let text = format!("Not authorized to access group: {group}");
            return ConnectError::of(class!("GroupAuthorizationException"), text);
        }
        ErrorCode::UNSUPPORTED_ASSIGNOR => class!("UnsupportedAssignorException"),
        ErrorCode::UNRELEASED_INSTANCE_ID => class!("UnreleasedInstanceIdException"),
        ErrorCode::FENCED_INSTANCE_ID => class!("FencedInstanceIdException"),
        ErrorCode::GROUP_MAX_SIZE_REACHED => class!("GroupMaxSizeReachedException"),
        ErrorCode::TOPIC_AUTHORIZATION_FAILED => class!("TopicAuthorizationException"),
        ErrorCode::INVALID_REQUEST => class!("InvalidRequestException"),
        ErrorCode::INVALID_REGULAR_EXPRESSION => class!("InvalidRegularExpression"),
        _ => "org.apache.kafka.common.KafkaException",
    };
    let said = said.filter(|said| !said.is_empty());
    let text = said.unwrap_or_else(|| format!("the consumer group cannot be used: {error}"));
    ConnectError::of(class, text)
}

/// Java's words about a cluster without KIP-848.
const NOT_SUPPORTED: &str = "The cluster does not support the new CONSUMER group protocol. Set group.protocol=classic on the consumer configs to revert to the CLASSIC protocol until the cluster is upgraded.";

/// The settings of the classic protocol.
fn classic(props: &ClientProps) -> Result<TaskGroupSettings, ConnectError> {
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

    fn refused(pairs: &[(&str, &str)]) -> Option<String> {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let props: ClientProps = pairs.iter().map(pair).collect();
        settings(&props).err().map(|error| error.to_string())
    }

    #[test]
    fn each_protocol_refuses_what_belongs_to_the_other_in_the_words_of_java() {
        for value in ["consumer", "CONSUMER", " Consumer "] {
            assert_eq!(refused(&[("group.protocol", value)]), None);
            let text = refused(&[
                ("group.protocol", value),
                ("session.timeout.ms", "9000"),
                ("heartbeat.interval.ms", "1000"),
                ("partition.assignment.strategy", "  "),
            ]);
            assert_eq!(
                text.unwrap(),
                "heartbeat.interval.ms, session.timeout.ms cannot be set when group.protocol=CONSUMER"
            );
        }
        let remote = ("group.remote.assignor", "uniform");
        assert_eq!(refused(&[("group.protocol", "consumer"), remote]), None);
        let text = refused(&[remote]).unwrap();
        assert_eq!(
            text,
            "group.remote.assignor cannot be set when group.protocol=CLASSIC"
        );
        let text = refused(&[("group.protocol", "share")]).unwrap();
        assert!(
            text.starts_with("Invalid value share for configuration group.protocol: "),
            "{text}"
        );
    }

    #[test]
    fn members_name_themselves_as_java_does() {
        let (one, other) = (super::member_id(), super::member_id());
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), 22);
        assert!(!one.as_str().starts_with('-'));
    }
}
