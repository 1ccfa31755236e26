//! The login: `sasl.mechanism` and `sasl.jaas.config` as a closed enum.

use std::{collections::BTreeMap, time::Duration};

use milena_config::Secret;

use super::{jaas::JaasLine, refused, text};
use crate::ports::{ClientProps, KafkaError};

const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";
const OAUTH: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";

/// Properties that would bring code or remote endpoints into the login.
const REFUSED: [&str; 4] = [
    "sasl.client.callback.handler.class",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.oauthbearer.token.endpoint.url",
];

/// The hash of a SCRAM login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScramHash {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

/// An OAUTHBEARER login with an unsecured (unsigned) token, for brokers set up for development (KIP-255).
#[derive(Debug)]
pub struct OAuthBearer {
    /// String claims of the token; `sub` is the principal unless another claim is named.
    pub claims: BTreeMap<String, String>,
    /// How long a token lives.
    pub lifetime: Duration,
    /// SASL extensions (KIP-342).
    pub extensions: BTreeMap<String, String>,
}

/// How a client logs in.
#[derive(Debug)]
pub enum Sasl {
    /// PLAIN (RFC 4616).
    Plain {
        /// The user name.
        username: String,
        /// The password.
        password: Secret<String>,
    },
    /// SCRAM (RFC 5802).
    Scram {
        /// The hash.
        hash: ScramHash,
        /// The user name.
        username: String,
        /// The password.
        password: Secret<String>,
    },
    /// OAUTHBEARER (RFC 7628).
    OAuthBearer(OAuthBearer),
}

impl Sasl {
    /// The mechanism's name on the wire.
    #[must_use]
    pub fn mechanism(&self) -> &'static str {
        match self {
            Self::Plain { .. } => "PLAIN",
            Self::Scram {
                hash: ScramHash::Sha256,
                ..
            } => "SCRAM-SHA-256",
            Self::Scram {
                hash: ScramHash::Sha512,
                ..
            } => "SCRAM-SHA-512",
            Self::OAuthBearer(_) => "OAUTHBEARER",
        }
    }

    pub(super) fn from_props(props: &ClientProps) -> Result<Self, KafkaError> {
        for name in REFUSED {
            if text(props, name).is_some() {
                return Err(refused(
                    name,
                    "it is not available; remove it and log in by sasl.jaas.config with PLAIN, SCRAM or an \
                     unsecured OAUTHBEARER token",
                ));
            }
        }
        let mechanism = text(props, "sasl.mechanism").unwrap_or("GSSAPI");
        let expected = match mechanism {
            "PLAIN" => PLAIN,
            "SCRAM-SHA-256" | "SCRAM-SHA-512" => SCRAM,
            "OAUTHBEARER" => OAUTH,
            _ => {
                return Err(refused(
                    "sasl.mechanism",
                    "it must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER (GSSAPI, the default, is not \
                     available)",
                ));
            }
        };
        let line = text(props, "sasl.jaas.config").ok_or_else(|| {
            refused(
                "sasl.jaas.config",
                "it must be set; a JAAS file of the JVM is not read",
            )
        })?;
        let line = JaasLine::parse(line)
            .map_err(|error| refused("sasl.jaas.config", &error.to_string()))?;
        if line.module != expected {
            return Err(refused(
                "sasl.jaas.config",
                &format!("with sasl.mechanism={mechanism} the login module must be {expected}"),
            ));
        }
        match mechanism {
            "PLAIN" => {
                let (username, password) = credentials(line)?;
                Ok(Self::Plain { username, password })
            }
            "OAUTHBEARER" => Ok(Self::OAuthBearer(bearer(line)?)),
            scram => {
                if line
                    .options
                    .get("tokenauth")
                    .is_some_and(|on| on.reveal().eq_ignore_ascii_case("true"))
                {
                    return Err(refused(
                        "sasl.jaas.config",
                        "delegation tokens (tokenauth=true) are not available; log in with a user's password",
                    ));
                }
                let (username, password) = credentials(line)?;
                let hash = if scram == "SCRAM-SHA-256" {
                    ScramHash::Sha256
                } else {
                    ScramHash::Sha512
                };
                Ok(Self::Scram {
                    hash,
                    username,
                    password,
                })
            }
        }
    }
}

fn credentials(mut line: JaasLine) -> Result<(String, Secret<String>), KafkaError> {
    let username = line.options.remove("username");
    let password = line.options.remove("password");
    match (username, password) {
        (Some(username), Some(password)) => Ok((username.reveal().clone(), password)),
        _ => Err(refused(
            "sasl.jaas.config",
            "the login module needs the options username and password",
        )),
    }
}

fn bearer(line: JaasLine) -> Result<OAuthBearer, KafkaError> {
    let mut claims = BTreeMap::new();
    let mut extensions = BTreeMap::new();
    // Java's default: one hour.
    let mut lifetime = Duration::from_secs(3600);
    for (name, value) in line.options {
        let value = value.reveal();
        if let Some(claim) = name.strip_prefix("unsecuredLoginStringClaim_") {
            claims.insert(claim.to_owned(), value.clone());
        } else if let Some(extension) = name.strip_prefix("unsecuredLoginExtension_") {
            let valid = !extension.is_empty()
                && extension != "auth"
                && extension.bytes().all(|b| b.is_ascii_alphabetic());
            if !valid || !value.bytes().all(|b| (0x20..0x7f).contains(&b)) {
                return Err(refused(
                    "sasl.jaas.config",
                    "an unsecuredLoginExtension_ needs a name of letters other than auth and a printable value",
                ));
            }
            extensions.insert(extension.to_owned(), value.clone());
        } else if name == "unsecuredLoginLifetimeSeconds" {
            let seconds = value.parse().map_err(|_| {
                refused(
                    "sasl.jaas.config",
                    "unsecuredLoginLifetimeSeconds must be a whole number",
                )
            })?;
            lifetime = Duration::from_secs(seconds);
        } else {
            return Err(refused(
                "sasl.jaas.config",
                &format!(
                    "the option {name} of OAuthBearerLoginModule is not available; use \
                     unsecuredLoginStringClaim_sub, unsecuredLoginLifetimeSeconds or unsecuredLoginExtension_*"
                ),
            ));
        }
    }
    if claims.is_empty() {
        return Err(refused(
            "sasl.jaas.config",
            "OAuthBearerLoginModule needs unsecuredLoginStringClaim_sub",
        ));
    }
    Ok(OAuthBearer {
        claims,
        lifetime,
        extensions,
    })
}
