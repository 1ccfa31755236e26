//! Kafka behind ports, shaped by what the engine needs, never by a library.
//!
//! [`ports`] holds the traits; `wire` is an own small client over the protocol codec (groups, admin); `produce` and
//! `fetch` move the data over it, in the batches of `records`; `confluent` is the only place that names the library that
//! they are compared with and may be exchanged for; [`security`] parses the login and TLS settings once for all.
//! Nothing here decides policy: membership, offsets and retries of the worker are
//! `milena-core`'s.

mod backoff;
mod client_props;
mod clients;
mod confluent;
mod fetch;
mod measure;
pub mod ports;
mod produce;
mod records;
pub mod security;
mod wire;

pub use clients::{DataClient, MilenaClients, clients, clients_with};
