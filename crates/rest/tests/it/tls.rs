//! https listeners, client certificates, the admin listeners' own TLS, forwarding over https.

use std::sync::Arc;

use milena_config::{DistributedConfig, Props};
use milena_tls::{TlsSettings, client_config};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::world::{self, Answer, Options, send};

type Pairs = &'static [(&'static str, &'static str)];

fn golden(name: &str) -> &'static str {
    String::leak(format!(
        "{}/../../testing/golden/tls/{name}",
        env!("CARGO_MANIFEST_DIR")
    ))
}

/// The worker's key and whom it trusts, with every key under a prefix.
fn with_tls(prefix: &str, more: &[(&'static str, &'static str)]) -> Pairs {
    let tls = [
        ("ssl.keystore.location", golden("worker.jks")),
        ("ssl.keystore.password", "changeit"),
        ("ssl.key.password", "other-one"),
        ("ssl.truststore.location", golden("trust.p12")),
        ("ssl.truststore.password", "changeit"),
        ("ssl.truststore.type", "PKCS12"),
    ];
    let prefixed = tls.map(|(name, value)| (&*String::leak(format!("{prefix}{name}")), value));
    let mut all = prefixed.to_vec();
    all.extend(more);
    all.leak()
}

/// A `GET` over TLS, with the worker's own certificate or without one.
async fn get(port: u16, path: &str, with_certificate: bool) -> std::io::Result<Answer> {
    let mut props: Props = [
        ("ssl.truststore.location", golden("ca.pem")),
        ("ssl.truststore.type", "PEM"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    if with_certificate {
        props.insert("ssl.keystore.location".into(), golden("worker.p12").into());
        props.insert("ssl.keystore.password".into(), "changeit".into());
    }
    let settings = TlsSettings::from_props(&props).unwrap();
    let connector = TlsConnector::from(Arc::new(client_config(&settings).unwrap()));
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connector.connect(name, stream).await?;
    world::exchange(stream, "GET", path, &[], None).await
}

#[tokio::test]
async fn https_listeners_serve_and_are_advertised() {
    let server = world::start(Options {
        props: with_tls("", &[("listeners", "https://localhost:0")]),
        ..Options::default()
    })
    .await;
    let port = server.addresses()[0].port();
    assert_eq!(
        server.advertised_url(),
        format!("https://localhost:{port}/")
    );
    let answer = get(port, "/connectors", false).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "[]"));
    // No plain HTTP there.
    let plain = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let plain = world::exchange(plain, "GET", "/", &[], None).await;
    assert!(plain.is_err() || plain.is_ok_and(|answer| answer.status == 0));
    server.shutdown().await;
}

#[tokio::test]
async fn prefixed_keys_replace_the_plain_ones_as_a_whole() {
    let server = world::start(Options {
        props: with_tls(
            "listeners.https.",
            &[
                ("listeners", "http://localhost:0,https://localhost:0"),
                ("ssl.keystore.location", "/nowhere"),
                ("ssl.client.auth", "required"),
            ],
        ),
        ..Options::default()
    })
    .await;
    // Java advertises http when there is one.
    assert!(server.advertised_url().starts_with("http://"));
    let [plain, secure] = server.addresses() else {
        panic!("two listeners");
    };
    assert_eq!(send(*plain, "GET", "/", &[], None).await.status, 200);
    assert_eq!(get(secure.port(), "/", false).await.unwrap().status, 200);
}

#[tokio::test]
async fn clients_show_a_certificate_where_they_must() {
    let server = world::start(Options {
        props: with_tls(
            "",
            &[
                ("listeners", "https://localhost:0"),
                ("ssl.client.auth", "required"),
            ],
        ),
        ..Options::default()
    })
    .await;
    let port = server.addresses()[0].port();
    assert!(get(port, "/", false).await.is_err());
    assert_eq!(get(port, "/", true).await.unwrap().status, 200);
}

#[tokio::test]
async fn admin_listeners_have_tls_of_their_own() {
    let server = world::start(Options {
        props: with_tls(
            "admin.listeners.https.",
            &[
                ("listeners", "http://localhost:0"),
                ("admin.listeners", "https://localhost:0"),
            ],
        ),
        ..Options::default()
    })
    .await;
    let [main, admin] = server.addresses() else {
        panic!("two listeners");
    };
    assert_eq!(
        get(admin.port(), "/admin/loggers", false)
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        get(admin.port(), "/connectors", false)
            .await
            .unwrap()
            .status,
        404
    );
    assert_eq!(
        send(*main, "GET", "/admin/loggers", &[], None).await.status,
        404
    );
}

#[tokio::test]
async fn requests_to_the_leader_go_over_https() {
    let secure = [
        ("listeners", "https://localhost:0"),
        // Both sides show their certificates.
        ("ssl.client.auth", "required"),
    ];
    let leader = world::start(Options {
        props: with_tls("", &secure),
        ..Options::default()
    })
    .await;
    let follower = world::start(Options {
        leader: Some(leader.advertised_url().to_owned()),
        props: with_tls("", &[("listeners", "http://localhost:0")]),
        ..Options::default()
    })
    .await;
    let gone = send(
        follower.addresses()[0],
        "DELETE",
        "/connectors/x",
        &[],
        None,
    )
    .await;
    assert_eq!(
        (gone.status, gone.json()["message"].as_str()),
        (404, Some("Connector x not found"))
    );
    // Without trust in the leader's authority nothing is sent to it.
    let stranger = world::start(Options {
        leader: Some(leader.advertised_url().to_owned()),
        ..Options::default()
    })
    .await;
    let refused = send(
        stranger.addresses()[0],
        "DELETE",
        "/connectors/x",
        &[],
        None,
    )
    .await;
    assert_eq!(refused.status, 500);
    let message = refused.json()["message"].as_str().unwrap().to_owned();
    assert!(
        message.starts_with("IO Error trying to forward REST request: "),
        "{message}"
    );
}

#[tokio::test]
async fn a_listener_that_cannot_speak_tls_is_named_without_secrets() {
    for (name, value, words) in [
        (
            "ssl.keystore.password",
            "canary-771",
            "ssl.keystore.location",
        ),
        ("ssl.keystore.location", "/nowhere", "cannot be read"),
        ("ssl.keystore.location", "", "must be set"),
    ] {
        let mut props: Props = with_tls("", &[("listeners", "https://localhost:0"), (name, value)])
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        for key in [
            "group.id",
            "key.converter",
            "value.converter",
            "offset.storage.topic",
            "config.storage.topic",
            "status.storage.topic",
        ] {
            props.insert(key.to_owned(), "x".to_owned());
        }
        let config = DistributedConfig::parse(&props).unwrap();
        let settings = milena_rest::RestSettings::new(config.worker.rest);
        let text = milena_rest::BoundRest::bind(settings)
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(
            text.contains(words) && text.contains("https://localhost"),
            "{text}"
        );
        assert!(
            !text.contains("canary") && !text.contains("other-one"),
            "{text}"
        );
    }
}
