//! The client properties of tasks, by precedence (spec `distributed.md` 0.2, 3.3, 4.5).

use milena_api::ConnectError;
use milena_config::Props;
use milena_core::TaskId;
use milena_kafka::ports::ClientProps;
use milena_validation::{Fate, fate, refusal};
use tracing::warn;

use super::TaskWorld;

/// Looks at every client setting of the worker and of the connector: what cannot be done fails the task by name, what has
/// no effect is said once.
///
/// # Errors
/// All that is refused, in one message.
pub(super) fn check(world: &TaskWorld, id: &TaskId, connector: &Props) -> Result<(), ConnectError> {
    let kinds = ["producer.", "consumer.", "admin."];
    let mut refused = Vec::new();
    for prefix in kinds {
        let own = format!("{prefix}override.");
        for (layer, prefix) in [(&world.worker_props, prefix), (connector, own.as_str())] {
            for (key, value) in layer {
                let Some(name) = key.strip_prefix(prefix) else {
                    continue;
                };
                refused.extend(refusal(name, value));
                if let Fate::NoEffect(why) = fate(name) {
                    warn!(task = %id, setting = key, why, "a client setting has no effect");
                }
            }
        }
    }
    match refused.is_empty() {
        true => Ok(()),
        false => Err(ConnectError::of(
            "org.apache.kafka.common.config.ConfigException",
            refused.join("; "),
        )),
    }
}

const BOOTSTRAP: &str = "bootstrap.servers";
/// `Long.MAX_VALUE`: Java waits for metadata and buffer space for ever; the task is cancelled instead.
const FOREVER: &str = "9223372036854775807";
/// `Integer.MAX_VALUE`.
const INT_MAX: &str = "2147483647";

/// The worker's keys under a prefix, without it, then the connector's overrides.
fn layers(props: &mut ClientProps, world: &TaskWorld, connector: &Props, kind: &str) {
    let worker_prefix = format!("{kind}.");
    let override_prefix = format!("{kind}.override.");
    for (layer, prefix) in [
        (&world.worker_props, worker_prefix),
        (connector, override_prefix),
    ] {
        for (key, value) in layer {
            if let Some(name) = key.strip_prefix(&prefix) {
                props.insert(name.to_owned(), value.clone());
            }
        }
    }
}

fn base(world: &TaskWorld, client_id: String) -> ClientProps {
    let mut props = ClientProps::new();
    if let Some(bootstrap) = world.worker_props.get(BOOTSTRAP) {
        props.insert(BOOTSTRAP.to_owned(), bootstrap.clone());
    }
    props.insert("client.id".to_owned(), client_id);
    props
}

fn set(props: &mut ClientProps, pairs: &[(&str, &str)]) {
    for (key, value) in pairs {
        props.insert((*key).to_owned(), (*value).to_owned());
    }
}

/// `batch.size` of a source task where nobody has set it. Connect allows one request under way per connection, so a
/// partition gets one batch per round trip: Java's 16 KB hold tables and files back to a third of what a broker takes.
/// `linger.ms` stays as it is (5, since Kafka 4.0).
const BATCH_SIZE: i32 = 131_072;
/// `buffer.memory` for such batches: 64 of them wait, beside the one under way. Java's 32 MB would only be more memory.
const BUFFER_MEMORY: &str = "8388608";
/// `max.request.size` of Kafka: a larger one needs Java's buffer, or a record that the user allowed would not fit.
const MAX_REQUEST_SIZE: i64 = 1_048_576;

/// Fills in what neither the worker nor the connector has set of how much is sent at once.
fn default_batches(props: &mut ClientProps) {
    let beyond = |key: &str, most: i64| {
        let set: Option<i64> = props
            .get(key)
            .map(|text| text.trim().parse().unwrap_or(i64::MAX));
        set.is_some_and(|set| set > most)
    };
    let large =
        beyond("max.request.size", MAX_REQUEST_SIZE) || beyond("batch.size", BATCH_SIZE.into());
    let small: Option<i64> = props
        .get("buffer.memory")
        .and_then(|text| text.trim().parse().ok());
    if !large && !props.contains_key("buffer.memory") {
        set(props, &[("buffer.memory", BUFFER_MEMORY)]);
    }
    // A buffer that was made small on purpose has Java's batches: several of them must fit.
    if !props.contains_key("batch.size")
        && small.is_none_or(|small| small >= 8 * i64::from(BATCH_SIZE))
    {
        set(props, &[("batch.size", &BATCH_SIZE.to_string())]);
    }
}

/// The producer of a source task; with a transactional id it is exactly-once (KIP-618).
pub(super) fn source_producer(
    world: &TaskWorld,
    id: &TaskId,
    connector: &Props,
    transactional_id: Option<&str>,
) -> ClientProps {
    let mut props = base(world, format!("connector-producer-{id}"));
    set(
        &mut props,
        &[
            ("max.block.ms", FOREVER),
            ("enable.idempotence", "false"),
            ("acks", "all"),
            ("max.in.flight.requests.per.connection", "1"),
            ("delivery.timeout.ms", INT_MAX),
        ],
    );
    layers(&mut props, world, connector, "producer");
    default_batches(&mut props);
    if let Some(transactional_id) = transactional_id {
        let forced = [
            ("enable.idempotence", "true"),
            ("transactional.id", transactional_id),
        ];
        set(&mut props, &forced);
    }
    props
}

/// The producer of a sink task's dead letters (spec `data.md` 5.4).
pub(super) fn dead_letter_producer(
    world: &TaskWorld,
    id: &TaskId,
    connector: &Props,
) -> ClientProps {
    let mut props = base(world, format!("connector-dlq-producer-{id}"));
    set(
        &mut props,
        &[
            ("max.block.ms", FOREVER),
            ("enable.idempotence", "false"),
            ("acks", "all"),
            ("max.in.flight.requests.per.connection", "1"),
            ("delivery.timeout.ms", INT_MAX),
        ],
    );
    layers(&mut props, world, connector, "producer");
    props
}

/// The consumer of a sink task: `group.id`, strategy and timeouts are for our own membership, the rest
/// for the fetcher.
pub(super) fn sink_consumer(world: &TaskWorld, id: &TaskId, connector: &Props) -> ClientProps {
    let mut props = base(world, format!("connector-consumer-{id}"));
    set(
        &mut props,
        &[
            ("auto.offset.reset", "earliest"),
            ("enable.auto.commit", "false"),
        ],
    );
    props.insert("group.id".to_owned(), format!("connect-{}", id.connector));
    layers(&mut props, world, connector, "consumer");
    props
}

/// The admin client of a task.
pub(super) fn admin(world: &TaskWorld, id: &TaskId, connector: &Props) -> ClientProps {
    let mut props = base(world, format!("connector-adminclient-{id}"));
    layers(&mut props, world, connector, "admin");
    props
}

#[cfg(test)]
mod tests {
    use super::{ClientProps, default_batches};

    fn filled(pairs: &[(&str, &str)]) -> (Option<String>, Option<String>) {
        let pairs = pairs.iter();
        let mut props: ClientProps = pairs
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        default_batches(&mut props);
        (props.remove("batch.size"), props.remove("buffer.memory"))
    }

    #[test]
    fn batches_are_large_where_nobody_has_set_them() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(filled(&[]), (some("131072"), some("8388608")));
        assert_eq!(
            filled(&[("batch.size", "16384")]),
            (some("16384"), some("8388608"))
        );
        assert_eq!(filled(&[("batch.size", "0")]), (some("0"), some("8388608")));
        // Java's 32 MB: the library's own default.
        assert_eq!(
            filled(&[("max.request.size", "20971520")]),
            (some("131072"), None)
        );
        assert_eq!(
            filled(&[("batch.size", "1048576")]),
            (some("1048576"), None)
        );
        assert_eq!(
            filled(&[("buffer.memory", "262144")]),
            (None, some("262144"))
        );
        assert_eq!(
            filled(&[("buffer.memory", "67108864")]),
            (some("131072"), some("67108864"))
        );
    }
}
