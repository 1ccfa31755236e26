//! Logins and TLS against a real broker.

use std::{
    fs,
    sync::{Arc, LazyLock},
    time::Duration,
};

use milena_kafka::{
    DataClient, clients, clients_with,
    ports::{AckSink, ClientProps, CreateOutcome, KafkaError, KafkaErrorKind, OutRecord, StartAt},
};
use milena_testing_kafka::{BrokerOptions, KafkaBroker, oracle_is_missing};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use tempfile::TempDir;

use crate::support::Acks;

const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";
const OAUTH: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";

struct Secured {
    broker: KafkaBroker,
    files: TempDir,
}

/// A broker with a listener per way in; certificates for 127.0.0.1 and for a host that it is not.
static SECURED: LazyLock<Secured> = LazyLock::new(|| {
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    let mut ca = CertificateParams::new(vec![]).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    fs::write(path("ca.pem"), ca.pem()).unwrap();
    for (name, host) in [
        ("server", "127.0.0.1"),
        ("other", "elsewhere"),
        ("client", "me"),
    ] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &ca).unwrap();
        let pem = format!("{}{}", key.serialize_pem(), certificate.pem());
        fs::write(path(&format!("{name}.pem")), pem).unwrap();
    }
    let listeners = [
        ("LOGIN", "SASL_PLAINTEXT"),
        ("BEARER", "SASL_PLAINTEXT"),
        ("TLS", "SSL"),
        ("MUTUAL", "SSL"),
        ("OTHER", "SSL"),
        ("STORED", "SSL"),
        ("BOTH", "SASL_SSL"),
    ];
    let mut properties = vec![
        (
            "sasl.enabled.mechanisms".to_owned(),
            "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".to_owned(),
        ),
        (
            "listener.name.bearer.sasl.enabled.mechanisms".to_owned(),
            "OAUTHBEARER".to_owned(),
        ),
        (
            "listener.name.bearer.oauthbearer.sasl.jaas.config".to_owned(),
            format!("{OAUTH} required unsecuredLoginStringClaim_sub=\"broker\";"),
        ),
        (
            "listener.name.login.connections.max.reauth.ms".to_owned(),
            "3600000".to_owned(),
        ),
        (
            "listener.name.mutual.ssl.client.auth".to_owned(),
            "required".to_owned(),
        ),
    ];
    for listener in ["login", "both"] {
        let prefix = format!("listener.name.{listener}");
        properties.push((
            format!("{prefix}.plain.sasl.jaas.config"),
            format!(
                "{PLAIN} required username=\"broker\" password=\"b\" user_alice=\"wonder land\";"
            ),
        ));
        for scram in ["scram-sha-256", "scram-sha-512"] {
            let line = format!("{SCRAM} required;");
            properties.push((format!("{prefix}.{scram}.sasl.jaas.config"), line));
        }
    }
    for (listener, file) in [
        ("tls", "server"),
        ("mutual", "server"),
        ("both", "server"),
        ("other", "other"),
    ] {
        let prefix = format!("listener.name.{listener}.ssl");
        for (name, value) in [
            ("keystore.type", "PEM".to_owned()),
            ("keystore.location", path(&format!("{file}.pem"))),
            ("truststore.type", "PEM".to_owned()),
            ("truststore.location", path("ca.pem")),
        ] {
            properties.push((format!("{prefix}.{name}"), value));
        }
    }
    for (name, value) in [
        ("keystore.type", "PKCS12".to_owned()),
        ("keystore.location", golden("worker.p12")),
        ("keystore.password", "changeit".to_owned()),
        ("truststore.type", "JKS".to_owned()),
        ("truststore.location", golden("trust.jks")),
        ("truststore.password", "changeit".to_owned()),
        ("client.auth", "required".to_owned()),
    ] {
        properties.push((format!("listener.name.stored.ssl.{name}"), value));
    }
    let user = |scram: &str| format!("{scram}=[name=alice,password=wonder land]");
    let broker = KafkaBroker::start_with(&BrokerOptions {
        listeners: listeners
            .map(|(name, protocol)| (name.to_owned(), protocol.to_owned()))
            .into(),
        properties: properties.into_iter().collect(),
        scram: vec![user("SCRAM-SHA-256"), user("SCRAM-SHA-512")],
        ..BrokerOptions::default()
    })
    .unwrap();
    Secured { broker, files }
});

/// A store that `keytool` or `openssl` wrote.
fn golden(name: &str) -> String {
    let here = env!("CARGO_MANIFEST_DIR");
    format!("{here}/../../testing/golden/tls/{name}")
}

fn props(listener: &str, list: &[(&str, &str)]) -> ClientProps {
    let files = SECURED.files.path().to_str().unwrap();
    let mut props = ClientProps::new();
    let address = SECURED.broker.address(listener).unwrap();
    props.insert("bootstrap.servers".into(), address);
    for (name, value) in list {
        props.insert(
            (*name).into(),
            value.replace("FILES", files).replace("GOLDEN", &golden("")),
        );
    }
    props
}

async fn connect(listener: &str, list: &[(&str, &str)]) -> Result<String, KafkaError> {
    let admin = clients().admin(&props(listener, list)).await?;
    admin.cluster_id().await
}

fn login(module: &str, password: &str) -> String {
    format!("{module} required username=\"alice\" password=\"{password}\";")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_login_is_let_in_and_a_wrong_password_is_not() {
    if oracle_is_missing("every_login_is_let_in_and_a_wrong_password_is_not") {
        return;
    }
    for (mechanism, module) in [
        ("PLAIN", PLAIN),
        ("SCRAM-SHA-256", SCRAM),
        ("SCRAM-SHA-512", SCRAM),
    ] {
        let attempt = async |password: &str| {
            let line = login(module, password);
            let list = [
                ("security.protocol", "SASL_PLAINTEXT"),
                ("sasl.mechanism", mechanism),
                ("sasl.jaas.config", line.as_str()),
            ];
            connect("LOGIN", &list).await
        };
        attempt("wonder land").await.unwrap();
        let error = attempt("looking-glass").await.unwrap_err();
        assert_eq!(
            error.kind,
            KafkaErrorKind::Unauthorized,
            "{mechanism}: {error}"
        );
        assert_eq!(
            error.class,
            "org.apache.kafka.common.errors.SaslAuthenticationException"
        );
        assert!(!error.message.contains("looking-glass"));
    }
    let line = format!("{OAUTH} required unsecuredLoginStringClaim_sub=\"alice\";");
    let list = [
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "OAUTHBEARER"),
        ("sasl.jaas.config", line.as_str()),
    ];
    connect("BEARER", &list).await.unwrap();
    let error = connect("LOGIN", &list).await.unwrap_err();
    assert!(error.message.contains("SCRAM-SHA-512"), "{error}");
}

const TLS: [(&str, &str); 3] = [
    ("security.protocol", "SSL"),
    ("ssl.truststore.type", "PEM"),
    ("ssl.truststore.location", "FILES/ca.pem"),
];

#[tokio::test(flavor = "multi_thread")]
async fn tls_checks_the_chain_the_host_and_who_we_are() {
    if oracle_is_missing("tls_checks_the_chain_the_host_and_who_we_are") {
        return;
    }
    connect("TLS", &TLS).await.unwrap();
    let error = connect("TLS", &TLS[..1]).await.unwrap_err();
    assert_eq!(error.kind, KafkaErrorKind::Unauthorized, "{error}");

    let error = connect("OTHER", &TLS).await.unwrap_err();
    assert_eq!(
        error.class,
        "org.apache.kafka.common.errors.SslAuthenticationException"
    );
    let mut any_host = TLS.to_vec();
    any_host.push(("ssl.endpoint.identification.algorithm", ""));
    connect("OTHER", &any_host).await.unwrap();

    let mut mutual = TLS.to_vec();
    mutual.push(("default.api.timeout.ms", "2000"));
    connect("MUTUAL", &mutual).await.unwrap_err();
    mutual.push(("ssl.keystore.type", "PEM"));
    mutual.push(("ssl.keystore.location", "FILES/client.pem"));
    connect("MUTUAL", &mutual).await.unwrap();

    let line = login(PLAIN, "wonder land");
    let mut both = TLS.to_vec();
    both[0] = ("security.protocol", "SASL_SSL");
    both.push(("sasl.mechanism", "PLAIN"));
    both.push(("sasl.jaas.config", &line));
    connect("BOTH", &both).await.unwrap();
}

/// Writes a record and reads it again through both data clients.
async fn carries_data(listener: &str, list: &[(&str, &str)], topic: &str) {
    for data in [DataClient::Library, DataClient::Native] {
        carries_through(data, listener, list, &format!("{topic}-{data:?}")).await;
    }
}

async fn carries_through(data: DataClient, listener: &str, list: &[(&str, &str)], topic: &str) {
    let mut props = props(listener, list);
    let admin = clients().admin(&props).await.unwrap();
    let made = admin.create_topics(vec![crate::support::topic(topic, 1)]);
    assert_eq!(made.await.unwrap(), [CreateOutcome::Created]);
    let acks = Arc::new(Acks::default());
    let taken = Arc::clone(&acks);
    let sink: AckSink = Arc::new(move |list| taken.take(list));
    let clients = clients_with(data);
    let producer = clients.producer(&props, sink).await.unwrap();
    let record = OutRecord {
        topic: topic.into(),
        value: Some("carried".into()),
        ..OutRecord::default()
    };
    producer.send(vec![record]).await.unwrap();
    producer.flush().await.unwrap();
    assert!(acks.wait(1).await[0].outcome.is_ok());
    props.insert("group.id".to_owned(), "reader".to_owned());
    let mut fetcher = clients.fetcher(&props).await.unwrap();
    let start = vec![(topic.into(), 0, Some(StartAt::Earliest))];
    fetcher.assign(start).await.unwrap();
    let mut read = Vec::new();
    while read.is_empty() {
        for batch in fetcher.poll(Duration::from_millis(500)).await.unwrap() {
            read.extend(batch.records);
        }
    }
    assert_eq!(read[0].value.as_deref(), Some(b"carried".as_slice()));
    fetcher.close().await;
    producer.close(Duration::from_secs(1)).await;
}

const JAVA_STORES: [(&str, &str); 3] = [
    ("security.protocol", "SSL"),
    ("ssl.truststore.password", "changeit"),
    ("ssl.keystore.password", "changeit"),
];

#[tokio::test(flavor = "multi_thread")]
async fn data_and_requests_go_through_stores_of_every_kind() {
    if oracle_is_missing("data_and_requests_go_through_stores_of_every_kind") {
        return;
    }
    let kinds: [(&str, &[(&str, &str)]); 4] = [
        (
            "pkcs12",
            &[
                ("ssl.truststore.type", "PKCS12"),
                ("ssl.truststore.location", "GOLDENtrust.p12"),
                ("ssl.keystore.type", "PKCS12"),
                ("ssl.keystore.location", "GOLDENworker.p12"),
            ],
        ),
        (
            "pkcs12-legacy",
            &[
                ("ssl.truststore.type", "PKCS12"),
                ("ssl.truststore.location", "GOLDENtrust.p12"),
                ("ssl.keystore.type", "PKCS12"),
                ("ssl.keystore.location", "GOLDENworker-legacy.p12"),
            ],
        ),
        (
            "jks-by-default",
            &[
                ("ssl.truststore.location", "GOLDENtrust.jks"),
                ("ssl.keystore.location", "GOLDENworker.jks"),
                ("ssl.key.password", "other-one"),
                ("ssl.cipher.suites", "TLS_AES_256_GCM_SHA384"),
            ],
        ),
        (
            "mixed",
            &[
                ("ssl.truststore.type", "PEM"),
                ("ssl.truststore.location", "GOLDENca.pem"),
                ("ssl.keystore.type", "JKS"),
                ("ssl.keystore.location", "GOLDENworker.jks"),
                ("ssl.key.password", "other-one"),
            ],
        ),
    ];
    for (name, stores) in kinds {
        let list: Vec<_> = JAVA_STORES.iter().chain(stores).copied().collect();
        carries_data("STORED", &list, &format!("stored-{name}")).await;
    }
    let line = login(PLAIN, "wonder land");
    let mut both = TLS.to_vec();
    both[0] = ("security.protocol", "SASL_SSL");
    both.push(("sasl.mechanism", "PLAIN"));
    both.push(("sasl.jaas.config", &line));
    carries_data("BOTH", &both, "logged-in").await;

    // A wrong password of a store is refused by name, without it.
    let wrong: Vec<_> = [
        ("security.protocol", "SSL"),
        ("ssl.truststore.location", "GOLDENtrust.jks"),
        ("ssl.truststore.password", "looking-glass"),
    ]
    .into();
    let props = props("STORED", &wrong);
    let refused = [
        clients().admin(&props).await.err().unwrap(),
        clients().fetcher(&props).await.err().unwrap(),
    ];
    for error in refused {
        assert_eq!(error.kind, KafkaErrorKind::Config);
        assert!(error.message.contains("ssl.truststore.location"), "{error}");
        assert!(!error.message.contains("looking-glass"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_data_client_has_every_login() {
    if oracle_is_missing("our_own_data_client_has_every_login") {
        return;
    }
    let line = login(SCRAM, "wonder land");
    let bearer = format!("{OAUTH} required unsecuredLoginStringClaim_sub=\"alice\";");
    for (listener, mechanism, line) in [
        ("LOGIN", "SCRAM-SHA-256", &line),
        ("LOGIN", "SCRAM-SHA-512", &line),
        ("BEARER", "OAUTHBEARER", &bearer),
    ] {
        let list = [
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", mechanism),
            ("sasl.jaas.config", line.as_str()),
        ];
        let topic = format!("own-{mechanism}");
        carries_through(DataClient::Native, listener, &list, &topic).await;
    }
    // Whoever is refused is told so by a poll.
    let wrong = login(SCRAM, "looking-glass");
    let list = [
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "SCRAM-SHA-256"),
        ("sasl.jaas.config", wrong.as_str()),
    ];
    let clients = clients_with(DataClient::Native);
    let mut fetcher = clients.fetcher(&props("LOGIN", &list)).await.unwrap();
    let start = vec![("refused".into(), 0, Some(StartAt::Earliest))];
    fetcher.assign(start).await.unwrap();
    let error = loop {
        if let Err(error) = fetcher.poll(Duration::from_millis(500)).await {
            break error;
        }
    };
    assert_eq!(
        (error.kind, error.class),
        (
            KafkaErrorKind::Unauthorized,
            "org.apache.kafka.common.errors.SaslAuthenticationException"
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_the_library_lacks_is_refused_by_name() {
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"] {
        let pairs = [
            ("bootstrap.servers", "127.0.0.1:1"),
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", mechanism),
        ];
        let props: ClientProps = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let library = clients_with(DataClient::Library);
        let error = library.fetcher(&props).await.err().unwrap();
        assert_eq!(error.kind, KafkaErrorKind::Config);
        assert!(error.message.contains(mechanism), "{error}");
    }
}
