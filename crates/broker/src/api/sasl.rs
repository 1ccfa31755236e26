//! SaslHandshake and SaslAuthenticate (KIP-43, KIP-152), and who may ask for anything else.
//!
//! Answers to Java's `SaslServerAuthenticator`. A refused client hears why, then its connection is closed.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse,
};
use tracing::{info, warn};

use super::{Answer, Client, RequestError, read, text, write};
use crate::{
    clock::now_ms,
    sasl::{Conversation, Realm, Step},
};

const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
const ILLEGAL_SASL_STATE: i16 = 34;
const SASL_AUTHENTICATION_FAILED: i16 = 58;

/// How far a client has come.
pub(crate) enum Login {
    /// The listener does not ask.
    NotNeeded,
    /// It has chosen no mechanism yet.
    Awaited(Arc<Realm>),
    /// It is proving who it is.
    Talking(Conversation),
    /// The same after a handshake in version 0: bare tokens come instead of requests.
    TalkingBare(Conversation),
    /// It may ask for anything.
    Done,
    /// It is told so and closed.
    Refused,
}

impl Login {
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self, Self::NotNeeded | Self::Done)
    }

    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, Self::Refused)
    }

    /// Whether a request may come now.
    pub(super) fn admits(&self, key: ApiKey) -> bool {
        let before = [
            ApiKey::ApiVersions,
            ApiKey::SaslHandshake,
            ApiKey::SaslAuthenticate,
        ];
        self.is_complete() || before.contains(&key)
    }
}

/// SaslHandshake.
pub(super) fn handshake(
    client: &mut Client,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: SaslHandshakeRequest = read(body, version)?;
    let response = SaslHandshakeResponse::default();
    let Login::Awaited(realm) = &client.login else {
        if !client.login.is_complete() {
            client.login = Login::Refused;
        }
        return write(&response.with_error_code(ILLEGAL_SASL_STATE), version);
    };
    let response = response.with_mechanisms(realm.mechanisms().map(|m| text(m.name())).collect());
    match Conversation::begin(realm, &request.mechanism) {
        Some(conversation) => {
            client.login = if version == 0 {
                Login::TalkingBare(conversation)
            } else {
                Login::Talking(conversation)
            };
            write(&response, version)
        }
        None => {
            warn!(
                client = client.host,
                "a client asked for a SASL mechanism that is not enabled"
            );
            client.login = Login::Refused;
            write(
                &response.with_error_code(UNSUPPORTED_SASL_MECHANISM),
                version,
            )
        }
    }
}

/// A bare token (KIP-43): the frame to answer with, or `None` when the client talks in requests. There is no
/// way to say why it is refused but to close.
pub(super) fn bare(client: &mut Client, token: &Bytes) -> Option<Result<BytesMut, RequestError>> {
    let Login::TalkingBare(conversation) = &mut client.login else {
        return None;
    };
    let answer = match conversation.step(token, now_ms()) {
        Ok(Step::Continue(answer)) => answer,
        Ok(Step::Done { token, principal }) => {
            info!(client = client.host, principal, "authenticated");
            client.login = Login::Done;
            token
        }
        Err(error) => {
            client.login = Login::Refused;
            return Some(Err(RequestError::AuthenticationFailed(error)));
        }
    };
    let mut frame = BytesMut::new();
    frame.put_u32(u32::try_from(answer.len()).unwrap_or(u32::MAX));
    frame.extend_from_slice(&answer);
    Some(Ok(frame))
}

/// SaslAuthenticate.
pub(super) fn authenticate(
    client: &mut Client,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: SaslAuthenticateRequest = read(body, version)?;
    let response = SaslAuthenticateResponse::default();
    let Login::Talking(conversation) = &mut client.login else {
        if !client.login.is_complete() {
            client.login = Login::Refused;
        }
        let response = response
            .with_error_code(ILLEGAL_SASL_STATE)
            .with_error_message(Some(text(
                "SaslAuthenticate request received without a SASL handshake, or after successful authentication",
            )));
        return write(&response, version);
    };
    match conversation.step(&request.auth_bytes, now_ms()) {
        Ok(Step::Continue(token)) => write(&response.with_auth_bytes(token.into()), version),
        Ok(Step::Done { token, principal }) => {
            info!(client = client.host, principal, "authenticated");
            client.login = Login::Done;
            write(&response.with_auth_bytes(token.into()), version)
        }
        Err(error) => {
            warn!(client = client.host, %error, "authentication failed");
            client.login = Login::Refused;
            let response = response
                .with_error_code(SASL_AUTHENTICATION_FAILED)
                .with_error_message(Some(text(&error.to_string())));
            write(&response, version)
        }
    }
}
