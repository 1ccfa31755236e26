//! Stores that `keytool` and `openssl` wrote (`testing/golden/tls`), and whole handshakes with what they hold.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::{
    io::{Read, Write},
    sync::Arc,
};

use milena_config::Props;
use milena_tls::{ClientCertificates, TlsSettings, client_config, server_config};
use rustls::{ClientConnection, ServerConnection, pki_types::ServerName};

fn golden(name: &str) -> String {
    format!(
        "{}/../../testing/golden/tls/{name}",
        env!("CARGO_MANIFEST_DIR")
    )
}

fn props(pairs: &[(&str, &str)]) -> Props {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn settings(pairs: &[(&str, &str)]) -> Result<TlsSettings, String> {
    TlsSettings::from_props(&props(pairs)).map_err(|error| error.to_string())
}

const TRUST: &str = "ssl.truststore.location";
const TRUST_TYPE: &str = "ssl.truststore.type";
const TRUST_PASSWORD: &str = "ssl.truststore.password";
const STORE: &str = "ssl.keystore.location";
const STORE_TYPE: &str = "ssl.keystore.type";
const STORE_PASSWORD: &str = "ssl.keystore.password";
const KEY_PASSWORD: &str = "ssl.key.password";

/// Moves bytes between the two sides until both are done, or one refuses.
fn handshake(
    server: &TlsSettings,
    clients: ClientCertificates,
    client: &TlsSettings,
    host: &str,
) -> Result<(), String> {
    let server = server_config(server, clients).map_err(|error| error.to_string())?;
    let client = client_config(client).map_err(|error| error.to_string())?;
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut bytes = Vec::new();
    for _ in 0..10 {
        client.write_tls(&mut bytes).unwrap();
        server.read_tls(&mut bytes.as_slice()).unwrap();
        bytes.clear();
        server
            .process_new_packets()
            .map_err(|error| error.to_string())?;
        server.write_tls(&mut bytes).unwrap();
        client.read_tls(&mut bytes.as_slice()).unwrap();
        bytes.clear();
        client
            .process_new_packets()
            .map_err(|error| error.to_string())?;
    }
    client.writer().write_all(b"hello").unwrap();
    client.write_tls(&mut bytes).unwrap();
    server.read_tls(&mut bytes.as_slice()).unwrap();
    server
        .process_new_packets()
        .map_err(|error| error.to_string())?;
    let mut heard = [0; 5];
    server
        .reader()
        .read_exact(&mut heard)
        .map_err(|error| error.to_string())?;
    assert_eq!(&heard, b"hello");
    Ok(())
}

fn trusting() -> TlsSettings {
    settings(&[(TRUST, &golden("ca.pem")), (TRUST_TYPE, "PEM")]).unwrap()
}

/// Every form in which the worker's key is there.
fn identities() -> Vec<TlsSettings> {
    let key = std::fs::read_to_string(golden("worker-key.pem")).unwrap();
    let encrypted = std::fs::read_to_string(golden("worker-key-encrypted.pem")).unwrap();
    let chain = std::fs::read_to_string(golden("worker.pem")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store.pem");
    std::fs::write(&file, format!("{encrypted}{chain}")).unwrap();
    let file = file.to_str().unwrap();
    let all: &[&[(&str, &str)]] = &[
        &[
            (STORE, &golden("worker.p12")),
            (STORE_TYPE, "PKCS12"),
            (STORE_PASSWORD, "changeit"),
        ],
        &[
            (STORE, &golden("worker-legacy.p12")),
            (STORE_TYPE, "PKCS12"),
            (STORE_PASSWORD, "changeit"),
        ],
        // As in Java: the type JKS reads PKCS12 too, and is the default.
        &[
            (STORE, &golden("worker.p12")),
            (STORE_PASSWORD, "changeit"),
            (KEY_PASSWORD, "changeit"),
        ],
        &[
            (STORE, &golden("worker.jks")),
            (STORE_PASSWORD, "changeit"),
            (KEY_PASSWORD, "other-one"),
        ],
        &[
            ("ssl.keystore.key", &key),
            ("ssl.keystore.certificate.chain", &chain),
            (STORE_TYPE, "PEM"),
        ],
        &[
            ("ssl.keystore.key", &key.replace('\n', "\\n")),
            ("ssl.keystore.certificate.chain", &chain),
            (STORE_TYPE, "pem"),
        ],
        &[
            ("ssl.keystore.key", &encrypted),
            ("ssl.keystore.certificate.chain", &chain),
            (STORE_TYPE, "PEM"),
            (KEY_PASSWORD, "changeit"),
        ],
        &[
            (STORE, file),
            (STORE_TYPE, "PEM"),
            (KEY_PASSWORD, "changeit"),
        ],
    ];
    all.iter().map(|pairs| settings(pairs).unwrap()).collect()
}

#[test]
fn a_key_in_any_store_serves_clients_that_trust_its_authority() {
    for server in identities() {
        handshake(&server, ClientCertificates::None, &trusting(), "localhost").unwrap();
    }
    for (name, kind) in [
        ("trust.p12", "PKCS12"),
        ("trust.jks", "JKS"),
        ("trust.p12", "JKS"),
    ] {
        let client = settings(&[
            (TRUST, &golden(name)),
            (TRUST_TYPE, kind),
            (TRUST_PASSWORD, "changeit"),
        ])
        .unwrap();
        handshake(
            &identities()[0],
            ClientCertificates::None,
            &client,
            "127.0.0.1",
        )
        .unwrap();
    }
    // JKS needs no password to be read.
    let client = settings(&[(TRUST, &golden("trust.jks"))]).unwrap();
    handshake(
        &identities()[0],
        ClientCertificates::None,
        &client,
        "localhost",
    )
    .unwrap();
}

#[test]
fn a_name_that_is_not_in_the_certificate_is_refused_unless_that_check_is_off() {
    let server = &identities()[0];
    let refused = handshake(server, ClientCertificates::None, &trusting(), "elsewhere");
    assert!(refused.unwrap_err().contains("not valid for name"));
    let client = settings(&[
        (TRUST, &golden("ca.pem")),
        (TRUST_TYPE, "PEM"),
        ("ssl.endpoint.identification.algorithm", ""),
    ]);
    handshake(
        server,
        ClientCertificates::None,
        &client.unwrap(),
        "elsewhere",
    )
    .unwrap();
}

#[test]
fn clients_show_certificates_when_they_must() {
    let pairs: &[(&str, &str)] = &[
        (STORE, &golden("worker.jks")),
        (STORE_PASSWORD, "changeit"),
        (KEY_PASSWORD, "other-one"),
        (TRUST, &golden("trust.jks")),
    ];
    let both = settings(pairs).unwrap();
    handshake(&both, ClientCertificates::Required, &both, "localhost").unwrap();
    handshake(&both, ClientCertificates::Requested, &both, "localhost").unwrap();
    handshake(
        &both,
        ClientCertificates::Requested,
        &trusting(),
        "localhost",
    )
    .unwrap();
    handshake(
        &both,
        ClientCertificates::Required,
        &trusting(),
        "localhost",
    )
    .unwrap_err();
}

#[test]
fn versions_and_suites_are_those_that_were_asked_for() {
    let with = |name: &str, value: &str| {
        settings(&[
            (STORE, &golden("worker.p12")),
            (STORE_PASSWORD, "changeit"),
            (name, value),
        ])
    };
    let only_12 = with("ssl.enabled.protocols", "TLSv1.2,TLSv1.1").unwrap();
    let only_13 = settings(&[
        (TRUST, &golden("trust.jks")),
        ("ssl.enabled.protocols", "TLSv1.3"),
    ])
    .unwrap();
    handshake(&only_12, ClientCertificates::None, &trusting(), "localhost").unwrap();
    handshake(&only_12, ClientCertificates::None, &only_13, "localhost").unwrap_err();
    assert!(
        with("ssl.enabled.protocols", "TLSv1.1")
            .unwrap_err()
            .contains("TLSv1.2 or TLSv1.3")
    );
    let one = with(
        "ssl.cipher.suites",
        "TLS_AES_256_GCM_SHA384,TLS_RSA_WITH_RC4_128_MD5",
    )
    .unwrap();
    handshake(&one, ClientCertificates::None, &trusting(), "localhost").unwrap();
    let none = with("ssl.cipher.suites", "TLS_RSA_WITH_RC4_128_MD5").unwrap();
    assert!(
        handshake(&none, ClientCertificates::None, &trusting(), "localhost")
            .unwrap_err()
            .contains("ssl.cipher.suites")
    );
}

#[test]
fn what_is_wrong_is_named_without_any_secret() {
    let said = |pairs: &[(&str, &str)]| settings(pairs).unwrap_err();
    let canary = "canary-9431";
    let cases: &[(&[(&str, &str)], &str)] = &[
        (
            &[(STORE, &golden("worker.jks")), (STORE_PASSWORD, canary)],
            "password is wrong",
        ),
        (
            &[
                (STORE, &golden("worker.jks")),
                (STORE_PASSWORD, "changeit"),
                (KEY_PASSWORD, canary),
            ],
            "ssl.key.password",
        ),
        (
            &[(STORE, &golden("worker.p12")), (STORE_PASSWORD, canary)],
            "password is wrong",
        ),
        (
            &[(STORE, "/nowhere"), (STORE_PASSWORD, canary)],
            "cannot be read",
        ),
        (
            &[(STORE, &golden("ca.pem")), (STORE_PASSWORD, canary)],
            "no PKCS12 or JKS",
        ),
        (
            &[(STORE, &golden("trust.jks")), (STORE_PASSWORD, "changeit")],
            "no private key",
        ),
        (&[("ssl.keystore.key", canary)], "together with"),
        (
            &[
                ("ssl.keystore.key", canary),
                ("ssl.keystore.certificate.chain", canary),
            ],
            "must be PEM",
        ),
        (
            &[
                ("ssl.keystore.key", canary),
                ("ssl.keystore.certificate.chain", canary),
                (STORE_TYPE, "PEM"),
            ],
            "private key in PEM",
        ),
        (&[("ssl.engine.factory.class", "x")], "no code"),
        (&[(STORE_TYPE, "JCEKS")], "JKS, PKCS12 or PEM"),
    ];
    for (pairs, words) in cases {
        let text = said(pairs);
        assert!(text.contains(words), "{text}");
        assert!(!text.contains(canary), "{text}");
    }
    let shown = format!("{:?}", identities());
    assert!(shown.contains("[hidden]"));
}

#[test]
fn a_broken_store_is_refused_wherever_it_breaks() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    // PKCS12 derives keys slowly by design: fewer cuts.
    for (name, step) in [("worker.jks", 41), ("worker.p12", 397)] {
        let whole = std::fs::read(golden(name)).unwrap();
        for at in (0..whole.len()).step_by(step) {
            let mut broken = whole.clone();
            broken.truncate(at);
            std::fs::write(&path, &broken).unwrap();
            // Without a password nothing but the structure stands between the bytes and us.
            for password in ["", "changeit"] {
                let path = path.to_str().unwrap();
                settings(&[(STORE, path), (STORE_PASSWORD, password)]).unwrap_err();
            }
        }
    }
}
