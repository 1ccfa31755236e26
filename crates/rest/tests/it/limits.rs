//! What protects the server, and what it says when the herder does not answer.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::world::{self, Options, send};

const JSON: (&str, &str) = ("Content-Type", "application/json");

#[tokio::test]
async fn a_herder_that_does_not_answer_is_reported_with_its_stage() {
    let settings: fn(&mut milena_rest::RestSettings) = |settings| {
        settings.request_timeout = Duration::from_millis(50);
        settings.health_timeout = Duration::from_millis(50);
    };
    let server = world::start(Options {
        stuck: true,
        settings,
        ..Options::default()
    })
    .await;
    let to = server.addresses()[0];
    let health = send(to, "GET", "/health", &[], None).await;
    assert_eq!(health.status, 503);
    assert_eq!(
        health.body,
        r#"{"status":"starting","message":"Worker is still starting up. The worker is currently awaiting startup, which began at 2024-10-25T10:11:12.345Z."}"#
    );
    let list = send(to, "GET", "/connectors", &[], None).await;
    assert_eq!(
        (list.status, list.json()["error_code"].as_u64()),
        (500, Some(500))
    );
    assert_eq!(
        list.json()["message"],
        "Request timed out. The worker is currently awaiting startup, which began at 2024-10-25T10:11:12.345Z."
    );
}

#[tokio::test]
async fn bodies_and_heads_are_bounded() {
    let server = world::start(Options::default()).await;
    let to = server.addresses()[0];
    let mut stream = TcpStream::connect(to).await.unwrap();
    let head = "PUT /connectors/x/config HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.split();
    let chunk = vec![b' '; 1 << 20];
    let writing = async {
        // The server stops reading at its limit: the client's write then fails, which is fine.
        for _ in 0..99 {
            if write.write_all(&chunk).await.is_err() {
                break;
            }
        }
    };
    let mut answer = vec![0; 64];
    let reading = async { read.read(&mut answer).await.unwrap_or(0) };
    // The answer comes whether or not the rest of the body could be written.
    let (got, ()) = tokio::join!(reading, writing);
    let text = String::from_utf8_lossy(&answer[..got]).into_owned();
    assert!(text.starts_with("HTTP/1.1 413"), "{text}");

    let long = "x".repeat(64 << 10);
    let answer = send(to, "GET", "/connectors", &[("X-Long", &long)], None).await;
    assert_eq!(answer.status, 431);
}

/// A client that never finishes its head or its body is cut, and so makes room for the next connection.
#[tokio::test]
async fn slow_clients_are_cut_and_connections_are_counted() {
    let settings: fn(&mut milena_rest::RestSettings) = |settings| {
        settings.head_timeout = Duration::from_millis(200);
        settings.body_timeout = Duration::from_millis(200);
        settings.max_connections = 1;
    };
    let server = world::start(Options {
        settings,
        ..Options::default()
    })
    .await;
    let to = server.addresses()[0];
    let mut slow = TcpStream::connect(to).await.unwrap();
    slow.write_all(b"GET /connectors HTTP/1.1\r\nHo")
        .await
        .unwrap();
    // Served only once the first connection has ended: there is room for one.
    assert_eq!(send(to, "GET", "/connectors", &[], None).await.status, 200);
    let mut rest = Vec::new();
    // Ended by the server, with an answer or without one.
    let _ = slow.read_to_end(&mut rest).await;
    assert!(!rest.starts_with(b"HTTP/1.1 200"), "{rest:?}");

    let mut slow = TcpStream::connect(to).await.unwrap();
    let head = "PUT /connectors/x/config HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\
                Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 64];
    let got = slow.read(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer[..got]).into_owned();
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
}

#[tokio::test]
async fn users_are_asked_for_where_java_asks() {
    let settings: fn(&mut milena_rest::RestSettings) = |settings| {
        let users = [("ada".to_owned(), "secret".to_owned())].into();
        settings.basic_auth = Some(milena_rest::BasicAuth::new(&users).unwrap());
    };
    let server = world::start(Options {
        settings,
        ..Options::default()
    })
    .await;
    let to = server.addresses()[0];
    let refused = send(to, "GET", "/connectors", &[], None).await;
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (401, "User cannot access the resource.")
    );
    assert_eq!(refused.header("content-type"), Some("application/json"));
    assert_eq!(send(to, "GET", "/nope", &[], None).await.status, 404);
    let header = |value| [("Authorization", value)];
    assert_eq!(
        send(
            to,
            "GET",
            "/connectors",
            &header("Basic YWRhOnNlY3JldA=="),
            None
        )
        .await
        .status,
        200
    );
    assert_eq!(
        send(
            to,
            "GET",
            "/connectors",
            &header("basic YWRhOndyb25n"),
            None
        )
        .await
        .status,
        401
    );
    let broken = send(to, "GET", "/connectors", &header("Basic %%%"), None).await;
    assert_eq!(
        (broken.status, broken.json()["message"].as_str()),
        (500, Some("Illegal base64 character 25"))
    );
    // Workers talk to each other by signatures.
    assert_eq!(
        send(to, "POST", "/connectors/x/tasks", &[JSON], Some("[]"))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn pages_of_allowed_origins_may_read_answers() {
    let props = &[
        ("access.control.allow.origin", "http://good.example"),
        ("response.http.headers.config", "add X-Extra: 1"),
    ];
    let server = world::start(Options {
        props,
        ..Options::default()
    })
    .await;
    let to = server.addresses()[0];
    let good = send(
        to,
        "GET",
        "/connectors",
        &[("Origin", "http://good.example")],
        None,
    )
    .await;
    assert_eq!(
        good.header("access-control-allow-origin"),
        Some("http://good.example")
    );
    assert_eq!(
        (good.header("vary"), good.header("x-extra")),
        (Some("Origin"), Some("1"))
    );
    let bad = send(
        to,
        "GET",
        "/connectors",
        &[("Origin", "http://bad.example")],
        None,
    )
    .await;
    assert_eq!(
        (
            bad.header("access-control-allow-origin"),
            bad.header("vary")
        ),
        (None, Some("Origin"))
    );
    let asked = [
        ("Origin", "http://good.example"),
        ("Access-Control-Request-Method", "PUT"),
    ];
    let preflight = send(to, "OPTIONS", "/connectors", &asked, None).await;
    assert_eq!(
        preflight.header("access-control-allow-methods"),
        Some("GET,POST,HEAD")
    );
}

#[tokio::test]
async fn an_internal_request_must_be_signed_over_its_exact_bytes() {
    use base64::Engine;
    let server = world::start(Options::default()).await;
    let to = server.addresses()[0];
    let mac = milena_rest::sign("HmacSHA256", world::KEY, b"[ ]").unwrap();
    let mac = base64::engine::general_purpose::STANDARD.encode(mac);
    let headers = [
        JSON,
        ("X-Connect-Authorization", mac.as_str()),
        ("X-Connect-Request-Signature-Algorithm", "HmacSHA256"),
    ];
    let good = send(to, "POST", "/connectors/x/tasks", &headers, Some("[ ]")).await;
    assert_eq!(
        (good.status, good.json()["message"].as_str()),
        (404, Some("Connector x not found"))
    );
    assert_eq!(
        send(to, "POST", "/connectors/x/tasks", &headers, Some("[]"))
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn an_extension_that_would_not_protect_is_refused() {
    let props: milena_config::Props = [
        ("key.converter", "x"),
        ("value.converter", "x"),
        ("offset.storage.file.filename", "x"),
        ("listeners", "http://127.0.0.1:0"),
        (
            "rest.extension.classes",
            "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension",
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let config = milena_config::StandaloneConfig::parse(&props).unwrap();
    let refused =
        milena_rest::BoundRest::bind(milena_rest::RestSettings::new(config.worker.rest)).await;
    assert!(
        refused
            .err()
            .unwrap()
            .to_string()
            .contains("BasicAuthSecurityRestExtension")
    );
}

#[tokio::test]
async fn users_come_from_the_login_configuration_of_java() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("users"), "anna=s3cret\n").unwrap();
    let module =
        "org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule required";
    let jaas = |name: &str, body: &str| {
        std::fs::write(at(name), body).unwrap();
        milena_rest::BasicAuth::from_jaas_file(&at(name))
    };
    let good = format!("KafkaConnect {{ {module} file=\"{}\"; }};", at("users"));
    let users = jaas("good", &good).unwrap();
    assert_eq!(format!("{users:?}"), "BasicAuth(1 users)");
    for (body, words) in [
        (
            "KafkaConnect { com.evil.Module required; };".to_owned(),
            "no code comes from configuration",
        ),
        (
            format!("KafkaConnect {{ {module}; }};"),
            "lacks the option file",
        ),
        (
            format!("KafkaConnect {{ {module} file=\"/nowhere\"; }};"),
            "/nowhere",
        ),
        (
            format!("KafkaClient {{ {module} file=x; }};"),
            "no section KafkaConnect",
        ),
        (
            format!("KafkaConnect {{ {module} file=x; {module} file=y; }};"),
            "one login module",
        ),
        ("KafkaConnect {".to_owned(), "line 1"),
    ] {
        let text = jaas("bad", &body).unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
    }
    assert!(milena_rest::BasicAuth::from_jaas_file("/nowhere").is_err());
}
