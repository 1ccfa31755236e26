//! TLS as Kafka's `ssl.*` properties describe it: key and trust stores (PEM, PKCS12, JKS), versions, cipher
//! suites, client authentication, rendered for rustls as a server or as a client.
//!
//! Answers to Connect's `SSLUtils` and to `DefaultSslEngineFactory`. No error and no `Debug` holds a password or a
//! key. Nothing here opens a socket.

mod client;
mod error;
mod render;
mod server;
mod settings;
mod stores;

pub use client::client_config;
pub use error::TlsError;
pub use server::{ClientCertificates, server_config};
pub use settings::{TlsSettings, Trust};
pub use stores::{Identity, Store, StoreKind, read_store};
