//! Basic authentication, as `BasicAuthSecurityRestExtension` does it with a property file of users (spec 7.6).

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, Method, StatusCode, header};
use milena_config::{Props, Secret};
use subtle::ConstantTimeEq;

use crate::{JaasFile, error::RestError, reply::Reply};

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
    /// The login configuration or the file of users cannot be read.
    #[error("cannot read {path}: {reason}; basic authentication needs it")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The login configuration cannot be used.
    #[error("cannot use the login configuration {path}: {reason}")]
    Unusable {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}

/// The class of the extension; configurations may use its aliases.
const CLASS: &str =
    "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension";
const ALIASES: [&str; 2] = ["BasicAuthSecurityRestExtension", "BasicAuthSecurity"];
/// The section of the login configuration that Connect logs in by.
const SECTION: &str = "KafkaConnect";
/// The one login module that is known, with its class and its option.
const MODULE: &str = "org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule";
const FILE: &str = "file";

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

    /// Whether a class of `rest.extension.classes` is this extension.
    #[must_use]
    pub fn is_named(class: &str) -> bool {
        class == CLASS || ALIASES.contains(&class)
    }

    /// The users of the section `KafkaConnect` of a JAAS login configuration file.
    ///
    /// # Errors
    /// The file cannot be read, lacks the section, or names another login module than
    /// `PropertyFileLoginModule`; the file of users cannot be read.
    pub fn from_jaas_file(path: &str) -> Result<Self, BasicAuthError> {
        let unreadable = |reason: String| BasicAuthError::Unreadable {
            path: path.to_owned(),
            reason,
        };
        let unusable = |reason: &str| BasicAuthError::Unusable {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        let file = JaasFile::parse(&text).map_err(|error| unusable(&error.to_string()))?;
        let modules = file
            .section(SECTION)
            .ok_or_else(|| unusable("it has no section KafkaConnect"))?;
        let [module] = modules else {
            return Err(unusable(
                "its section KafkaConnect must hold one login module",
            ));
        };
        if module.class != MODULE {
            return Err(unusable(&format!(
                "no code comes from configuration, and {} is not built in; use {MODULE}",
                module.class
            )));
        }
        let users = module
            .options
            .get(FILE)
            .ok_or_else(|| unusable("its login module lacks the option file"))?;
        let users = milena_config::read_properties(std::path::Path::new(users.reveal()))
            .map_err(|error| unusable(&error.to_string()))?;
        Self::new(&users)
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
