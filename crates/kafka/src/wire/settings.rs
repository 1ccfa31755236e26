//! The settings of the wire client, under Java's property names and with Java's defaults.

use std::{sync::Arc, time::Duration};

use super::traffic::Traffic;
use crate::{
    ports::{ClientProps, KafkaError, KafkaErrorKind},
    security::{Security, unusable_tls},
};

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Name or address, without brackets.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What the wire client needs to know.
pub(crate) struct WireSettings {
    /// `bootstrap.servers`.
    pub(crate) bootstrap: Vec<Address>,
    /// `client.id`.
    pub(crate) client_id: String,
    /// `request.timeout.ms`.
    pub(crate) request_timeout: Duration,
    /// `default.api.timeout.ms`: how long a call of the admin client goes on trying.
    pub(crate) api_timeout: Duration,
    /// `socket.connection.setup.timeout.max.ms`: connecting, TLS and login together.
    pub(crate) connect_timeout: Duration,
    /// `retry.backoff.ms`.
    pub(crate) backoff: Duration,
    /// `retry.backoff.max.ms`.
    pub(crate) backoff_max: Duration,
    /// `metadata.max.age.ms`.
    pub(crate) metadata_age: Duration,
    /// Where the client's traffic is counted.
    pub(crate) traffic: Option<Arc<Traffic>>,
    /// The login.
    pub(crate) security: Security,
    /// The TLS client, made once: it remembers sessions.
    pub(crate) tls: Option<tokio_rustls::TlsConnector>,
}

impl WireSettings {
    /// Parses the settings of a client.
    pub(crate) fn from_props(props: &ClientProps) -> Result<Self, KafkaError> {
        let security = Security::from_props(props)?;
        let tls = match &security.tls {
            None => None,
            Some(tls) => {
                let client =
                    milena_tls::client_config(tls).map_err(|error| unusable_tls(&error))?;
                Some(tokio_rustls::TlsConnector::from(Arc::new(client)))
            }
        };
        let millis = |name, default| millis(props, name, default);
        Ok(Self {
            bootstrap: bootstrap(props)?,
            client_id: props.get("client.id").cloned().unwrap_or_default(),
            request_timeout: millis("request.timeout.ms", 30_000)?,
            api_timeout: millis("default.api.timeout.ms", 60_000)?,
            connect_timeout: millis("socket.connection.setup.timeout.max.ms", 30_000)?,
            backoff: millis("retry.backoff.ms", 100)?,
            backoff_max: millis("retry.backoff.max.ms", 1_000)?,
            metadata_age: millis("metadata.max.age.ms", 300_000)?,
            traffic: None,
            security,
            tls,
        })
    }
}

fn config(message: String) -> KafkaError {
    KafkaError::new(KafkaErrorKind::Config, message)
        .class("org.apache.kafka.common.config.ConfigException")
}

fn millis(props: &ClientProps, name: &str, default: u64) -> Result<Duration, KafkaError> {
    let value = match props.get(name) {
        None => default,
        Some(text) => text.trim().parse().map_err(|_| {
            config(format!(
                "invalid value for configuration {name}: it must be a number of milliseconds, at least 0"
            ))
        })?,
    };
    Ok(Duration::from_millis(value))
}

fn bootstrap(props: &ClientProps) -> Result<Vec<Address>, KafkaError> {
    let text = props.get("bootstrap.servers").map_or("", String::as_str);
    let list: Option<Vec<Address>> = text
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .map(address)
        .collect();
    match list {
        Some(list) if !list.is_empty() => Ok(list),
        _ => Err(config(format!(
            "invalid value {text} for configuration bootstrap.servers: it must be a list of host:port"
        ))),
    }
}

/// `host:port`, `[v6]:port`, or with a protocol in front as Java allows.
fn address(text: &str) -> Option<Address> {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let (host, port) = text.rsplit_once(':')?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port != 0)?;
    (!host.is_empty()).then(|| Address {
        host: host.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_java_takes_them() {
        let parsed = |text| address(text).map(|a| (a.host, a.port));
        assert_eq!(parsed("a:1"), Some(("a".into(), 1)));
        assert_eq!(parsed("[::1]:9092"), Some(("::1".into(), 9092)));
        assert_eq!(parsed("PLAINTEXT://a.b:9"), Some(("a.b".into(), 9)));
        assert_eq!(parsed("a"), None);
        assert_eq!(parsed(":1"), None);
        assert_eq!(parsed("a:0"), None);
    }
}
