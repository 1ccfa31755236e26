//! The login on a fresh connection: SaslHandshake, then SaslAuthenticate until the server is content.
//!
//! Answers to `org.apache.kafka.common.security.authenticator.SaslClientAuthenticator` (KIP-43, KIP-152).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;

use super::{codes, connection::Connection, scram::Scram};
use crate::{
    ports::{KafkaError, KafkaErrorKind},
    security::{OAuthBearer, Sasl},
};

const CLASS: &str = "org.apache.kafka.common.errors.SaslAuthenticationException";

fn failed(message: impl Into<String>) -> KafkaError {
    KafkaError::new(KafkaErrorKind::Unauthorized, message).class(CLASS)
}

/// Logs in. Answers for how long, when the server says so (KIP-368).
pub(super) async fn log_in(
    connection: &Connection,
    sasl: &Sasl,
    timeout: Duration,
) -> Result<Option<Duration>, KafkaError> {
    let mechanism = sasl.mechanism();
    let handshake = connection
        .call(
            |_| {
                SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism))
            },
            timeout,
        )
        .await?;
    if handshake.error_code != 0 {
        let offered: Vec<&str> = handshake.mechanisms.iter().map(|m| m.as_str()).collect();
        let text = format!(
            "sasl.mechanism={mechanism} is not enabled on the broker, which offers {offered:?}"
        );
        return Err(codes::error(handshake.error_code, "login", Some(&text)));
    }
    let send = |token: Vec<u8>| exchange(connection, token, timeout);
    match sasl {
        Sasl::Plain { username, password } => {
            let token = format!("\0{username}\0{}", password.reveal());
            Ok(send(token.into_bytes()).await?.1)
        }
        Sasl::Scram {
            hash,
            username,
            password,
        } => {
            let nonce = uuid::Uuid::new_v4().simple().to_string();
            let scram = Scram::new(*hash, username, password.reveal(), nonce);
            let (first, _) = send(scram.first().into_bytes()).await?;
            let (last, expected) = scram
                .answer(&first)
                .map_err(|error| failed(error.to_string()))?;
            let (end, lifetime) = send(last.into_bytes()).await?;
            expected
                .check(&end)
                .map_err(|error| failed(error.to_string()))?;
            Ok(lifetime)
        }
        Sasl::OAuthBearer(bearer) => {
            let (answer, lifetime) = send(bearer_message(bearer)).await?;
            if answer.is_empty() {
                return Ok(lifetime);
            }
            // RFC 7628: the server explains the refusal; a last \x01 ends the exchange.
            let _ = send(vec![1]).await;
            Err(failed(String::from_utf8_lossy(&answer)))
        }
    }
}

async fn exchange(
    connection: &Connection,
    token: Vec<u8>,
    timeout: Duration,
) -> Result<(Bytes, Option<Duration>), KafkaError> {
    let token = Bytes::from(token);
    let answer = connection
        .call(
            |_| SaslAuthenticateRequest::default().with_auth_bytes(token.clone()),
            timeout,
        )
        .await?;
    let said = answer.error_message.as_ref().map(|text| text.as_str());
    codes::check(answer.error_code, "login", said)?;
    let lifetime = u64::try_from(answer.session_lifetime_ms)
        .ok()
        .filter(|millis| *millis > 0)
        .map(Duration::from_millis);
    Ok((answer.auth_bytes, lifetime))
}

/// An unsecured token (RFC 7515 `alg` none), as Java's development login makes it.
fn bearer_message(bearer: &OAuthBearer) -> Vec<u8> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let end = now + bearer.lifetime;
    let mut claims = String::from("{");
    for (name, value) in &bearer.claims {
        claims.push_str(&format!("{}:{},", json(name), json(value)));
    }
    claims.push_str(&format!(
        "\"iat\":{:.3},\"exp\":{:.3}}}",
        now.as_secs_f64(),
        end.as_secs_f64()
    ));
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let token = format!("{header}.{}.", URL_SAFE_NO_PAD.encode(claims));
    let mut message = format!("n,,\u{1}auth=Bearer {token}\u{1}");
    for (name, value) in &bearer.extensions {
        message.push_str(&format!("{name}={value}\u{1}"));
    }
    message.push('\u{1}');
    message.into_bytes()
}

fn json(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
