//! The client properties of tasks, by precedence (spec `distributed.md` 0.2, 3.3, 4.5).

use milena_api::{ClientKind, ConnectError};
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
    let kinds = [
        (ClientKind::Producer, "producer."),
        (ClientKind::Consumer, "consumer."),
        (ClientKind::Admin, "admin."),
    ];
    let mut refused = Vec::new();
    for (client, prefix) in kinds {
        let own = format!("{prefix}override.");
        for (layer, prefix) in [(&world.worker_props, prefix), (connector, own.as_str())] {
            for (key, value) in layer {
                let Some(name) = key.strip_prefix(prefix) else {
                    continue;
                };
                refused.extend(refusal(client, name, value));
                if let Fate::NoEffect(why) = fate(client, name) {
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
