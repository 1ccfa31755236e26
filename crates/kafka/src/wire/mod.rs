//! An own small client over the `kafka-protocol` codec: what the control plane needs and no more.
//!
//! Connections with TLS, SASL and version negotiation ([`connection`]), brokers found and remembered
//! ([`cluster`]), the group channel and the admin client on top. It holds no policy: what an answer means for
//! a worker is decided in `milena-core`. It never retries a request whose repetition would not be harmless.

mod admin;
mod cluster;
pub(crate) mod codes;
pub(crate) mod connection;
mod consumer_heartbeat;
mod group;
mod lookup;
mod retry;
mod sasl;
mod scram;
mod settings;
mod traffic;

pub(crate) use admin::WireAdmin;
pub(crate) use cluster::{Cluster, Lane};
pub(crate) use group::WireGroup;
pub(crate) use lookup::CoordinatorOf;
pub(crate) use retry::Retry;
pub(crate) use traffic::{Of, Traffics};
