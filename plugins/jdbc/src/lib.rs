//! Databases behind JDBC URLs: a source that polls tables and a sink that writes topics into tables.
//!
//! Same class names, keys, offsets and Connect schemas as the JDBC connectors of Confluent and Aiven
//! (spec `connectors.md` sections 2 and 3). No JVM and no JDBC driver is involved: a JDBC URL is read
//! as what it says and driven by a native client. What is particular to one database is one file under
//! `dialect/`; nothing else may name a database.

mod cell;
mod config;
mod connect;
mod dialect;
mod plugins;
mod sink;
mod source;
mod table;
mod tls;
mod url;
mod zone;

pub use plugins::{JdbcSinkPlugin, JdbcSourcePlugin, Vendor};

/// The version that these connectors report.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
