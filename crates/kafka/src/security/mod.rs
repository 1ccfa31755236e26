//! Security settings, parsed once from Java's client property names into one typed value.
//!
//! Answers to `org.apache.kafka.common.config.{SslConfigs, SaslConfigs}`. A JAAS line names no code here:
//! it is parsed to a closed enum. What cannot be honoured is refused by its property name. Secrets have a
//! type that cannot be printed.

mod jaas;
mod sasl;

pub use sasl::{OAuthBearer, Sasl, ScramHash};
use std::collections::BTreeMap;

use milena_config::Secret;
use milena_tls::{TlsError, TlsSettings};

use crate::ports::{ClientProps, KafkaError, KafkaErrorKind};

/// How connections to brokers are protected; `None` twice is `PLAINTEXT`.
#[derive(Debug)]
pub struct Security {
    /// TLS, for `SSL` and `SASL_SSL`.
    pub tls: Option<TlsSettings>,
    /// The login, for `SASL_PLAINTEXT` and `SASL_SSL`.
    pub sasl: Option<Sasl>,
}

impl Security {
    /// Parses the `security.protocol`, `ssl.*` and `sasl.*` properties; reads the stores they name.
    ///
    /// # Errors
    /// Of kind `Config`, naming the property and the remedy, never its value when that may be a secret.
    pub fn from_props(props: &ClientProps) -> Result<Self, KafkaError> {
        let protocol = text(props, "security.protocol").unwrap_or("PLAINTEXT");
        let (tls, sasl) = match protocol.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => (false, false),
            "SSL" => (true, false),
            "SASL_PLAINTEXT" => (false, true),
            "SASL_SSL" => (true, true),
            _ => {
                return Err(refused(
                    "security.protocol",
                    "it must be one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL",
                ));
            }
        };
        Ok(Self {
            tls: tls.then(|| tls_settings(props)).transpose()?,
            sasl: sasl.then(|| Sasl::from_props(props)).transpose()?,
        })
    }
}

fn tls_settings(props: &ClientProps) -> Result<TlsSettings, KafkaError> {
    for name in ["ssl.provider", "security.providers"] {
        if text(props, name).is_some() {
            return Err(refused(name, "it is not available; remove it"));
        }
    }
    TlsSettings::from_props(props).map_err(|error| unusable_tls(&error))
}

pub(crate) fn unusable_tls(error: &TlsError) -> KafkaError {
    refused(&error.property, &error.remedy)
}

/// The options of a JAAS line by name, as a listener's `sasl.jaas.config` holds its users in.
///
/// # Errors
/// What is wrong with the line, without any part of it.
pub fn jaas_options(line: &str) -> Result<BTreeMap<String, Secret<String>>, String> {
    let line = jaas::JaasLine::parse(line).map_err(|error| error.to_string())?;
    Ok(line.options)
}

/// The text of a property; empty text counts as not set, as most of Java's security settings do.
fn text<'a>(props: &'a ClientProps, name: &str) -> Option<&'a str> {
    props
        .get(name)
        .map(|value| value.trim())
        .filter(|value| !value.is_empty())
}

/// A refusal that names the property and says what to do.
fn refused(property: &str, remedy: &str) -> KafkaError {
    KafkaError::new(
        KafkaErrorKind::Config,
        format!("invalid value for configuration {property}: {remedy}"),
    )
    .class("org.apache.kafka.common.config.ConfigException")
}

#[cfg(test)]
mod tests;
