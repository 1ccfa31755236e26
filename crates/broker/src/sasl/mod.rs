//! Authentication of clients, without I/O: a token of the client in, a token for it out.
//!
//! Answers to Java's `SaslServerAuthenticator` and the `SaslServer`s of its mechanisms. A password is never
//! logged, and a refusal does not say whether the name or the password was wrong.

mod oauthbearer;
mod plain;
mod scram;

use std::sync::Arc;

use crate::config::{SaslConfig, SaslMechanism};

pub(crate) use scram::Credentials;

/// The longest token that is taken from a client that is not authenticated yet
/// (`sasl.server.max.receive.size`).
pub(crate) const TOKEN_BYTES_MAX: usize = 512 * 1024;

/// Why a client is not let in; the text is for the client.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SaslError {
    #[error("Authentication failed: Invalid username or password")]
    InvalidPassword,
    #[error(
        "Authentication failed: Client requested an authorization id that is different from username"
    )]
    OtherAuthorizationId,
    #[error(
        "Authentication failed during authentication due to invalid credentials with SASL mechanism {0}"
    )]
    InvalidCredentials(&'static str),
    #[error("{{\"status\":\"{0}\"}}")]
    InvalidToken(&'static str),
}

/// What follows from a token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The client answers to this.
    Continue(Vec<u8>),
    /// The client is who it says.
    Done { token: Vec<u8>, principal: String },
}

/// What a listener knows to authenticate with.
pub(crate) struct Realm {
    config: SaslConfig,
    sha256: Credentials,
    sha512: Credentials,
}

impl Realm {
    pub(crate) fn new(config: SaslConfig) -> Self {
        Self {
            config,
            sha256: Credentials::default(),
            sha512: Credentials::default(),
        }
    }

    pub(crate) fn mechanisms(&self) -> impl Iterator<Item = SaslMechanism> {
        self.config.mechanisms.iter().copied()
    }

    fn password(&self, name: &str) -> Option<&str> {
        let found = self.config.users.iter().find(|user| user.name == name);
        found.map(|user| user.password.as_str())
    }
}

/// One client's conversation in a mechanism.
pub(crate) enum Conversation {
    Plain(Arc<Realm>),
    Scram(Box<scram::Scram>),
    OauthBearer(oauthbearer::OauthBearer),
}

impl Conversation {
    /// Begins in a mechanism that the listener offers; `None`: it does not offer it.
    pub(crate) fn begin(realm: &Arc<Realm>, mechanism: &str) -> Option<Self> {
        let mechanism = realm.mechanisms().find(|m| m.name() == mechanism)?;
        let realm = Arc::clone(realm);
        Some(match mechanism {
            SaslMechanism::Plain => Self::Plain(realm),
            SaslMechanism::ScramSha256 => {
                Self::Scram(Box::new(scram::Scram::new(realm, scram::Hash::Sha256)))
            }
            SaslMechanism::ScramSha512 => {
                Self::Scram(Box::new(scram::Scram::new(realm, scram::Hash::Sha512)))
            }
            SaslMechanism::OauthBearerUnsecured => {
                Self::OauthBearer(oauthbearer::OauthBearer::default())
            }
        })
    }

    /// One token of the client.
    pub(crate) fn step(&mut self, token: &[u8], now_ms: i64) -> Result<Step, SaslError> {
        match self {
            Self::Plain(realm) => plain::step(realm, token),
            Self::Scram(scram) => scram.step(token),
            Self::OauthBearer(conversation) => conversation.step(token, now_ms),
        }
    }
}
