//! Basic authentication, as `BasicAuthSecurityRestExtension` does it with a property file of users (spec 7.6).

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, Method, StatusCode, header};
use milena_config::{Props, Secret};
use subtle::ConstantTimeEq;

use crate::{error::RestError, reply::Reply};

/// The users of the REST server. An empty list accepts every login, as Java's module does.
#[derive(Clone)]
pub struct BasicAuth {
    users: Arc<Vec<(String, Secret<String>)>>,
}

/// A user file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BasicAuthError {
    /// A user without a name.
    #[error("a line of the file of users has no name before the `=`")]
    NoName,
}

impl BasicAuth {
    /// Users and passwords, as they stand in the property file.
    ///
    /// # Errors
    /// An entry has no name.
    pub fn new(users: &Props) -> Result<Self, BasicAuthError> {
        if users.contains_key("") {
            return Err(BasicAuthError::NoName);
        }
        let users = users
            .iter()
            .map(|(name, password)| (name.clone(), Secret::new(password.clone())));
        Ok(Self {
            users: Arc::new(users.collect()),
        })
    }

    /// `Ok(false)`: refused.
    fn accepts(&self, headers: &HeaderMap) -> Result<bool, RestError> {
        let Some(text) = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
        else {
            return Ok(false);
        };
        let Some((scheme, credentials)) = text.split_once(' ') else {
            return Ok(false);
        };
        if !scheme.eq_ignore_ascii_case("basic") {
            return Ok(false);
        }
        let decoded = STANDARD
            .decode(credentials)
            .map_err(|_| RestError::failed(crate::signature::not_base64(credentials)))?;
        let text = String::from_utf8_lossy(&decoded);
        let Some((user, password)) = text.split_once(':').filter(|(user, _)| !user.is_empty())
        else {
            return Ok(false);
        };
        if self.users.is_empty() {
            return Ok(true);
        }
        // Every entry is compared, so that the time taken does not tell which users exist.
        let mut good = subtle::Choice::from(0);
        for (name, secret) in self.users.iter() {
            good |= name.as_bytes().ct_eq(user.as_bytes())
                & secret.reveal().as_bytes().ct_eq(password.as_bytes());
        }
        Ok(good.into())
    }

    /// The answer to a request that may not be served; `None`: it may.
    pub(crate) fn refusal(
        &self,
        method: &Method,
        segments: &[String],
        headers: &HeaderMap,
    ) -> Option<Reply> {
        if is_internal(method, segments) {
            return None;
        }
        match self.accepts(headers) {
            Ok(true) => None,
            Ok(false) => {
                let kind = if method == Method::OPTIONS {
                    "text/plain"
                } else {
                    "application/json"
                };
                let mut reply =
                    Reply::empty(StatusCode::UNAUTHORIZED).with_header(header::CONTENT_TYPE, kind);
                reply.body = bytes::Bytes::from_static(b"User cannot access the resource.");
                Some(reply)
            }
            Err(error) => Some(error.into_reply()),
        }
    }
}

/// Requests between workers are protected by signatures instead.
fn is_internal(method: &Method, segments: &[String]) -> bool {
    match segments {
        [first, _, last] if first == "connectors" => {
            (last == "tasks" && method == Method::POST)
                || (last == "fence" && method == Method::PUT)
        }
        _ => false,
    }
}

impl fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BasicAuth({} users)", self.users.len())
    }
}
