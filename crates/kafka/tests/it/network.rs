//! What the wire client says when the network fails: not sent, or nobody knows.

use milena_kafka::{
    DataClient, clients, clients_with,
    ports::{ClientProps, ClientReading, KafkaErrorKind},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::support::World;

fn props(bootstrap: &str) -> ClientProps {
    [
        ("bootstrap.servers", bootstrap),
        ("request.timeout.ms", "200"),
        ("default.api.timeout.ms", "600"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[tokio::test]
async fn a_silent_broker_is_given_up_within_the_api_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let admin = clients().admin(&props(&address)).await.unwrap();
    let error = admin.cluster_id().await.unwrap_err();
    assert_eq!(error.kind, KafkaErrorKind::Unknown);
    assert_eq!(
        error.class,
        "org.apache.kafka.common.errors.TimeoutException"
    );
    assert!(error.message.contains(&address), "{error}");
    drop(listener);
}

/// Reserving what it announces would end the process.
#[tokio::test]
async fn a_broker_that_announces_absurd_lengths_ends_its_connection_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let broker = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 12];
            stream.read_exact(&mut request).await.unwrap();
            // The answer to ApiVersions: no error, and two thousand million keys.
            let mut answer = vec![0, 0, 0, 11];
            answer.extend(&request[8..]);
            answer.extend([0, 0, 0xff, 0xff, 0xff, 0xff, 0x07]);
            stream.write_all(&answer).await.unwrap();
        }
    });
    let admin = clients().admin(&props(&address)).await.unwrap();
    let error = admin.cluster_id().await.unwrap_err();
    assert!(error.message.contains("malformed"), "{error}");
    broker.abort();
}

#[tokio::test]
async fn a_closed_port_is_retriable_for_a_group() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let group = clients().group(&props(&address), "g").await.unwrap();
    let error = group.find_coordinator().await.unwrap_err();
    assert_eq!(error.kind, KafkaErrorKind::Retriable);
    assert!(error.message.contains(&address), "{error}");
}

#[tokio::test]
async fn settings_that_cannot_be_honoured_are_refused_by_name() {
    let mut props = props("127.0.0.1:1");
    props.insert("security.protocol".into(), "SASL_SSL".into());
    let error = clients().admin(&props).await.map(|_| ()).unwrap_err();
    assert_eq!(error.kind, KafkaErrorKind::Config);
    assert!(error.message.contains("sasl.mechanism"), "{error}");
    // Kerberos nobody has, and the library no more than PLAIN.
    for (client, mechanism) in [
        (DataClient::Native, "GSSAPI"),
        (DataClient::Library, "SCRAM-SHA-256"),
    ] {
        props.insert("sasl.mechanism".into(), mechanism.into());
        let sink: milena_kafka::ports::AckSink = std::sync::Arc::new(|_| {});
        let made = clients_with(client).producer(&props, sink).await;
        let error = made.map(|_| ()).unwrap_err();
        assert_eq!(error.kind, KafkaErrorKind::Config, "{error}");
        assert!(error.message.contains(mechanism), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_clients_count_what_they_send() {
    let world = World::embedded().await;
    let clients = clients();
    let admin = clients
        .admin(&world.props(&[("client.id", "counted")]))
        .await;
    let admin = admin.unwrap();
    admin.cluster_id().await.unwrap();
    let value = |name: &str| {
        let metrics = clients.metrics();
        let found = metrics.iter().find(|metric| {
            metric.domain == "kafka.admin.client"
                && metric.group == "admin-client-metrics"
                && metric.name == name
                && metric.tags == [("client-id".to_owned(), "counted".to_owned())]
        });
        match &found.unwrap().reading {
            ClientReading::Number(value) => *value,
            ClientReading::Text(text) => panic!("{text}"),
        }
    };
    assert_eq!(value("connection-count"), 1.0);
    assert!(value("response-total") >= 1.0);
    assert!(value("incoming-byte-total") > 20.0);
    drop(admin);
    let left = clients.metrics();
    assert!(
        left.iter()
            .all(|metric| metric.domain != "kafka.admin.client")
    );
}
