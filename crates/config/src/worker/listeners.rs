//! `listeners`, `admin.listeners` and the address that other workers are told (spec 7.1).

use crate::ConfigError;

/// How a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerScheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl ListenerScheme {
    /// The scheme's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Where the REST server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// HTTP or HTTPS.
    pub scheme: ListenerScheme,
    /// Host name or address; empty for all interfaces.
    pub host: String,
    /// 0 lets the system choose.
    pub port: u16,
}

impl Listener {
    /// Parses `scheme://host:port`.
    ///
    /// # Errors
    /// The shape or the scheme is wrong, with Java's text.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let shape = || {
            ConfigError::new("Listener doesn't have the right format (protocol://hostname:port).")
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(shape)?;
        let (host, port) = rest.rsplit_once(':').ok_or_else(shape)?;
        let host = host.strip_prefix('[').unwrap_or(host);
        let host = host.strip_suffix(']').unwrap_or(host);
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '%' | '.' | '_' | ':');
        let port: i64 = port.parse().map_err(|_| shape())?;
        if !host.chars().all(known) {
            return Err(shape());
        }
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => ListenerScheme::Http,
            "https" => ListenerScheme::Https,
            _ => {
                return Err(ConfigError::new(
                    "Listener protocol must be either \"http\" or \"https\".",
                ));
            }
        };
        // Java takes a negative port for an unset one.
        let port = if port < 0 {
            0
        } else {
            u16::try_from(port).map_err(|_| shape())?
        };
        Ok(Self {
            scheme,
            host: host.to_owned(),
            port,
        })
    }

    /// Parses a list; `what` names the setting in messages.
    pub(super) fn parse_all(items: &[String], empty_item: &str) -> Result<Vec<Self>, ConfigError> {
        // As Java: an empty item is found before any other is looked at.
        if items.iter().any(|item| item.trim().is_empty()) {
            return Err(ConfigError::new(empty_item));
        }
        items.iter().map(|item| Self::parse(item.trim())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Listener, ListenerScheme};

    #[test]
    fn listeners_have_javas_shape() {
        let listener = Listener::parse("HTTP://[::1]:8083").unwrap();
        assert_eq!(
            (listener.scheme, listener.host.as_str(), listener.port),
            (ListenerScheme::Http, "::1", 8083)
        );
        assert_eq!(Listener::parse("http://:8083").unwrap().host, "");
        assert!(
            Listener::parse("localhost:8083")
                .unwrap_err()
                .message
                .contains("right format")
        );
        assert!(
            Listener::parse("ftp://h:1")
                .unwrap_err()
                .message
                .contains("protocol must be")
        );
    }
}
