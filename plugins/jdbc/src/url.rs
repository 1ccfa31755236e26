//! JDBC URLs: what they say of host, database and options. Never shown in full: they may hold a password.

use std::fmt;

use indexmap::IndexMap;
use thiserror::Error;

/// The databases that a URL can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subprotocol {
    PostgreSql,
    MySql,
    MariaDb,
    Sqlite,
}

/// A JDBC URL, read.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct JdbcUrl {
    pub(crate) subprotocol: Subprotocol,
    /// Hosts with ports in the order to be tried; empty for SQLite.
    pub(crate) hosts: Vec<(String, u16)>,
    /// The database, or the path of the file for SQLite (`:memory:` or empty: in memory).
    pub(crate) database: String,
    /// The options after `?` (or `&`), names as written, values decoded.
    pub(crate) options: IndexMap<String, String>,
}

/// Why a URL is no use.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum UrlError {
    #[error("the URL must begin with jdbc:postgresql:, jdbc:mysql:, jdbc:mariadb: or jdbc:sqlite:")]
    NoJdbc,
    #[error(
        "no dialect for the subprotocol '{0}': there are postgresql, mysql, mariadb and sqlite"
    )]
    Unknown(String),
    #[error("the port '{0}' is not a number from 1 to 65535")]
    Port(String),
    #[error("'{0}' is not valid percent-encoding")]
    Encoding(String),
}

impl JdbcUrl {
    /// Reads a URL.
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        let rest = text.trim().strip_prefix("jdbc:").ok_or(UrlError::NoJdbc)?;
        let (name, rest) = rest.split_once(':').ok_or(UrlError::NoJdbc)?;
        let (subprotocol, port) = match name.to_ascii_lowercase().as_str() {
            "postgresql" => (Subprotocol::PostgreSql, 5432),
            "mysql" => (Subprotocol::MySql, 3306),
            "mariadb" => (Subprotocol::MariaDb, 3306),
            "sqlite" => (Subprotocol::Sqlite, 0),
            other => return Err(UrlError::Unknown(other.to_owned())),
        };
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let options = parse_options(query)?;
        if subprotocol == Subprotocol::Sqlite {
            return Ok(Self {
                subprotocol,
                hosts: Vec::new(),
                database: address.to_owned(),
                options,
            });
        }
        let (hosts, database) = match address.strip_prefix("//") {
            Some(address) => {
                let (hosts, database) = address.split_once('/').unwrap_or((address, ""));
                (parse_hosts(hosts, port)?, database)
            }
            // jdbc:postgresql:database and jdbc:postgresql:/ mean the local host.
            None => (
                vec![("localhost".to_owned(), port)],
                address.trim_start_matches('/'),
            ),
        };
        Ok(Self {
            subprotocol,
            hosts,
            database: percent_decode(database)?,
            options,
        })
    }

    /// An option, its name compared without regard to case.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        self.options
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether an option is on.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.option(name)
            .map(|value| value.is_empty() || value.eq_ignore_ascii_case("true") || value == "1")
    }
}

/// Without options: a password may be among them.
impl fmt::Display for JdbcUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.subprotocol {
            Subprotocol::PostgreSql => "postgresql",
            Subprotocol::MySql => "mysql",
            Subprotocol::MariaDb => "mariadb",
            Subprotocol::Sqlite => return write!(f, "jdbc:sqlite:{}", self.database),
        };
        let hosts: Vec<_> = self.hosts.iter().map(|(h, p)| format!("{h}:{p}")).collect();
        write!(f, "jdbc:{name}://{}/{}", hosts.join(","), self.database)
    }
}

impl fmt::Debug for JdbcUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn parse_hosts(text: &str, default_port: u16) -> Result<Vec<(String, u16)>, UrlError> {
    let text = if text.is_empty() { "localhost" } else { text };
    text.split(',')
        .map(|host| {
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            // [::1]:5432 keeps the colons of its address.
            let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                Some((address, port)) => (address, port.strip_prefix(':').unwrap_or("")),
                None => host.split_once(':').unwrap_or((host, "")),
            };
            let port = match port {
                "" => default_port,
                port => match port.parse() {
                    Ok(port) if port > 0 => port,
                    _ => return Err(UrlError::Port(port.to_owned())),
                },
            };
            let name = if name.is_empty() { "localhost" } else { name };
            Ok((name.to_owned(), port))
        })
        .collect()
}

fn parse_options(query: &str) -> Result<IndexMap<String, String>, UrlError> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((percent_decode(name)?, percent_decode(value)?))
        })
        .collect()
}

fn percent_decode(text: &str) -> Result<String, UrlError> {
    let wrong = || UrlError::Encoding(text.chars().take(8).collect());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [
            rest.next().ok_or_else(wrong)?,
            rest.next().ok_or_else(wrong)?,
        ];
        let digits = std::str::from_utf8(&digits).map_err(|_| wrong())?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::{JdbcUrl, Subprotocol, UrlError};

    #[test]
    fn urls_that_people_have() {
        let url = JdbcUrl::parse(
            "jdbc:postgresql://db1:5433,[::1]/shop?user=ann&password=p%40ss&sslmode=verify-full",
        )
        .unwrap();
        assert_eq!(url.hosts, [("db1".into(), 5433), ("::1".into(), 5432)]);
        assert_eq!(url.database, "shop");
        assert_eq!(url.option("SSLMode"), Some("verify-full"));
        assert_eq!(url.option("password"), Some("p@ss"));
        assert!(!format!("{url:?} {url}").contains("p@ss"));

        let url = JdbcUrl::parse("jdbc:mysql://localhost/db?useSSL=false").unwrap();
        assert_eq!(url.hosts, [("localhost".into(), 3306)]);
        assert_eq!(url.flag("useSSL"), Some(false));

        let url = JdbcUrl::parse("jdbc:sqlite:/tmp/a b.db").unwrap();
        assert_eq!(url.subprotocol, Subprotocol::Sqlite);
        assert_eq!(url.database, "/tmp/a b.db");

        let url = JdbcUrl::parse("jdbc:postgresql:shop").unwrap();
        assert_eq!(url.hosts, [("localhost".into(), 5432)]);
    }

    #[test]
    fn urls_that_are_no_use() {
        assert_eq!(JdbcUrl::parse("postgres://x"), Err(UrlError::NoJdbc));
        assert_eq!(
            JdbcUrl::parse("jdbc:oracle:thin:@x"),
            Err(UrlError::Unknown("oracle".into()))
        );
        assert_eq!(
            JdbcUrl::parse("jdbc:mysql://h:99999/d"),
            Err(UrlError::Port("99999".into()))
        );
    }
}
