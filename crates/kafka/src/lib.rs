//! Kafka behind ports, shaped by what the engine needs, never by a library.
//!
//! [`ports`] holds the traits; `wire` is an own small client over the protocol codec (groups, admin);
//! `confluent` is the only place that names the data client; [`security`] parses the login and TLS settings
//! once for both. Nothing here decides policy: membership, offsets and retries of the worker are
//! `milena-core`'s.

mod clients;
mod confluent;
pub mod ports;
pub mod security;
mod wire;

pub use clients::{MilenaClients, clients};
