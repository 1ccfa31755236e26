//! Requests to a follower reach the leader; what comes back is what the leader said.

use crate::world::{self, Options, send};

const JSON: (&str, &str) = ("Content-Type", "application/json");

#[tokio::test]
async fn a_follower_forwards_to_the_leader() {
    let leader = world::start(Options::default()).await;
    let url = leader.advertised_url().to_owned();
    let follower = world::start(Options {
        leader: Some(url),
        ..Options::default()
    })
    .await;
    let to = follower.addresses()[0];
    let config = r#"{"connector.class":"FileStreamSink","topics":"t"}"#;
    let made = send(to, "PUT", "/connectors/a%20b/config", &[JSON], Some(config)).await;
    assert_eq!(
        (made.status, made.json()["name"].as_str()),
        (201, Some("a b"))
    );
    assert_eq!(
        made.header("location"),
        Some("http://test/connectors/a%20b")
    );
    let body = format!(r#"{{"name":"n","config":{config}}}"#);
    let made = send(to, "POST", "/connectors", &[JSON], Some(&body)).await;
    assert_eq!(
        (made.status, made.header("location")),
        (201, Some("http://test/connectors/n"))
    );
    let gone = send(to, "DELETE", "/connectors/x", &[], None).await;
    assert_eq!(
        (gone.status, gone.json()["message"].as_str()),
        (404, Some("Connector x not found"))
    );
}

#[tokio::test]
async fn a_request_goes_from_hand_to_hand_at_most_twice() {
    let hop = send_to_itself().await;
    assert_eq!(hop.status, 409);
    assert_eq!(
        hop.json()["message"],
        "Cannot complete request because of a conflicting operation (e.g. worker rebalance)"
    );
}

/// A worker that holds another one for the leader, which holds the first one for it.
async fn send_to_itself() -> world::Answer {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let itself = format!("http://127.0.0.1:{port}/");
    let other = world::start(Options {
        leader: Some(itself),
        ..Options::default()
    })
    .await;
    let props: &'static [(&str, &str)] = vec![(
        "listeners",
        &*String::leak(format!("http://127.0.0.1:{port}")),
    )]
    .leak();
    let url = other.advertised_url().to_owned();
    let first = world::start(Options {
        leader: Some(url),
        props,
        ..Options::default()
    })
    .await;
    send(first.addresses()[0], "DELETE", "/connectors/x", &[], None).await
}
