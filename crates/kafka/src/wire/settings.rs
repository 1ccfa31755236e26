//! The settings of the wire client, under Java's property names and with Java's defaults.

use std::{sync::Arc, time::Duration};

use super::traffic::Traffic;
use crate::{
    backoff::Backoff,
    client_props::{Read, invalid},
    ports::{ClientProps, KafkaError},
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
    /// `retry.backoff.ms` and `retry.backoff.max.ms`.
    pub(crate) backoff: Backoff,
    /// `metadata.max.age.ms`.
    pub(crate) metadata_age: Duration,
    /// `send.buffer.bytes`, if it is set: otherwise the system finds the size that serves best.
    pub(crate) send_buffer: Option<u32>,
    /// `receive.buffer.bytes`, in the same way.
    pub(crate) receive_buffer: Option<u32>,
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
        let read = Read(props);
        Ok(Self {
            bootstrap: bootstrap(props)?,
            client_id: props.get("client.id").cloned().unwrap_or_default(),
            request_timeout: read.millis("request.timeout.ms", 30_000_u32)?,
            api_timeout: read.millis("default.api.timeout.ms", 60_000_u32)?,
            connect_timeout: read.millis("socket.connection.setup.timeout.max.ms", 30_000_u64)?,
            backoff: Backoff::retries(&read)?,
            metadata_age: read.millis("metadata.max.age.ms", 300_000_u64)?,
            send_buffer: buffer(&read, "send.buffer.bytes")?,
            receive_buffer: buffer(&read, "receive.buffer.bytes")?,
            traffic: None,
            security,
            tls,
        })
    }
}

/// The size of a socket's buffer; -1 leaves it to the system.
fn buffer(read: &Read<'_>, name: &str) -> Result<Option<u32>, KafkaError> {
    let bytes = read.number(name, -1_i32, -1)?;
    Ok(u32::try_from(bytes).ok().filter(|bytes| *bytes > 0))
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
        _ => Err(invalid(
            "bootstrap.servers",
            text,
            "it must be a list of host:port",
        )),
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
