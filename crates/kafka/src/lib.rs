//! Kafka behind ports, shaped by what the engine needs, never by a library.
//!
//! [`ports`] holds the traits; `wire` is an own small client over the protocol codec (groups, admin);
//! `confluent` is the only place that names the data client. Nothing here decides policy: membership,
//! offsets and retries of the worker are `milena-core`'s.

mod confluent;
pub mod ports;
