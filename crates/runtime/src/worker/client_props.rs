//! The properties of the worker's own clients (spec `distributed.md` 0.2, 1.3, 1.5).

use milena_config::Props;
use milena_kafka::ports::ClientProps;

/// Worker settings that no client understands.
const NOT_FOR_CLIENTS: [&str; 22] = [
    "access.control.",
    "admin.",
    "config.providers",
    "config.storage.",
    "connect.",
    "connector.client.",
    "consumer.",
    "exactly.once.",
    "group.id",
    "header.converter",
    "inter.worker.",
    "key.converter",
    "listeners",
    "milena.",
    "offset.",
    "plugin.",
    "producer.",
    "rest.",
    "scheduled.rebalance.",
    "status.storage.",
    "task.",
    "value.converter",
];

/// More of them, whole names or prefixes.
const NOT_FOR_CLIENTS_EITHER: [&str; 8] = [
    "heartbeat.interval.ms",
    "rebalance.timeout.ms",
    "response.http.",
    "session.timeout.ms",
    "tasks.",
    "topic.creation.",
    "topic.tracking.",
    "worker.",
];

/// `Integer.MAX_VALUE`.
const INT_MAX: &str = "2147483647";

/// The worker's client settings under a client id.
pub(super) fn base(worker: &Props, client_id: &str) -> ClientProps {
    let for_clients = |key: &str| {
        !NOT_FOR_CLIENTS
            .iter()
            .chain(&NOT_FOR_CLIENTS_EITHER)
            .any(|prefix| key.starts_with(prefix))
    };
    let mut props: ClientProps = worker
        .iter()
        .filter(|(key, _)| for_clients(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    props.insert("client.id".to_owned(), client_id.to_owned());
    props
}

fn with(mut props: ClientProps, pairs: &[(&str, &str)]) -> ClientProps {
    for (key, value) in pairs {
        props.insert((*key).to_owned(), (*value).to_owned());
    }
    props
}

/// A reader of an internal topic.
pub(super) fn log_reader(worker: &Props, client_id: &str, read_committed: bool) -> ClientProps {
    let isolation = match read_committed {
        true => "read_committed",
        false => "read_uncommitted",
    };
    with(
        base(worker, client_id),
        &[
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "earliest"),
            ("isolation.level", isolation),
        ],
    )
}

/// The writer of the config and offsets topics: it tries until it is told to give up.
pub(super) fn log_writer(worker: &Props, client_id: &str) -> ClientProps {
    with(
        base(worker, client_id),
        &[
            ("acks", "all"),
            ("max.in.flight.requests.per.connection", "1"),
            ("delivery.timeout.ms", INT_MAX),
            ("enable.idempotence", "false"),
            ("linger.ms", "0"),
        ],
    )
}

/// The writer of the status topic.
pub(super) fn status_writer(worker: &Props, client_id: &str) -> ClientProps {
    with(
        base(worker, client_id),
        &[
            ("acks", "all"),
            ("max.in.flight.requests.per.connection", "1"),
            ("enable.idempotence", "false"),
            ("linger.ms", "0"),
        ],
    )
}

/// The leader's transactional writer of the config topic: one id per cluster, so that a claim fences.
pub(super) fn leader_writer(worker: &Props, client_id: &str, group: &str) -> ClientProps {
    let transactional_id = format!("connect-cluster-{group}");
    with(
        base(worker, client_id),
        &[
            ("acks", "all"),
            ("max.in.flight.requests.per.connection", "5"),
            ("delivery.timeout.ms", INT_MAX),
            ("enable.idempotence", "true"),
            ("transactional.id", &transactional_id),
            ("linger.ms", "0"),
        ],
    )
}

/// The admin client that the worker uses on behalf of a connector.
pub(super) fn connector_admin(worker: &Props, connector: &Props, client_id: &str) -> ClientProps {
    let mut props = base(worker, client_id);
    for (layer, prefix) in [(worker, "admin."), (connector, "admin.override.")] {
        for (key, value) in layer {
            if let Some(name) = key
                .strip_prefix(prefix)
                .filter(|n| !n.starts_with("override."))
            {
                props.insert(name.to_owned(), value.clone());
            }
        }
    }
    props
}

/// The worker's keys of a kind of client, then the connector's own.
fn layers(props: &mut ClientProps, worker: &Props, connector: &Props, kind: &str) {
    let own = format!("{kind}.override.");
    let kind = format!("{kind}.");
    for (layer, prefix) in [(worker, kind), (connector, own)] {
        for (key, value) in layer {
            if let Some(name) = key.strip_prefix(&prefix) {
                props.insert(name.to_owned(), value.clone());
            }
        }
    }
}

fn connector_base(worker: &Props, client_id: String) -> ClientProps {
    let mut props = ClientProps::from([("client.id".to_owned(), client_id)]);
    if let Some(bootstrap) = worker.get("bootstrap.servers") {
        props.insert("bootstrap.servers".to_owned(), bootstrap.clone());
    }
    props
}

/// The reader of a connector's own offsets topic (spec `distributed.md` 1.6.1).
pub(super) fn connector_offsets_reader(
    worker: &Props,
    connector: &Props,
    name: &str,
    exactly_once: bool,
) -> ClientProps {
    let base = connector_base(worker, format!("connector-consumer-{name}-offsets"));
    let mut props = with(base, &[("isolation.level", "read_committed")]);
    layers(&mut props, worker, connector, "consumer");
    let forced = [
        ("enable.auto.commit", "false"),
        ("auto.offset.reset", "earliest"),
    ];
    let props = with(props, &forced);
    match exactly_once {
        true => with(props, &[("isolation.level", "read_committed")]),
        false => props,
    }
}

/// The writer of a connector's own offsets topic outside of transactions.
pub(super) fn connector_offsets_writer(
    worker: &Props,
    connector: &Props,
    name: &str,
) -> ClientProps {
    let base = connector_base(worker, format!("connector-producer-{name}-offsets"));
    let mut props = with(
        base,
        &[
            ("acks", "all"),
            ("max.in.flight.requests.per.connection", "1"),
            ("delivery.timeout.ms", INT_MAX),
            ("enable.idempotence", "false"),
            ("linger.ms", "0"),
        ],
    );
    layers(&mut props, worker, connector, "producer");
    props.remove("transactional.id");
    props
}
