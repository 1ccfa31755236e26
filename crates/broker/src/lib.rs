//! The embedded broker: one node that speaks Kafka's protocol, for `milena quickstart`, `milena dev` and
//! tests where Apache Kafka cannot run. It is not a replacement for a Kafka cluster: production, and more
//! than one machine, are Apache Kafka's.
//!
//! It knows nothing of Connect. The codec is the `kafka-protocol` crate's; storage, groups and
//! transactions are here.

mod api;
mod broker;
mod clock;
mod config;
mod group;
mod listener;
pub mod log;
mod net;
mod sasl;
mod tls;
mod txn;
mod watch;
mod wire;

pub use broker::{Broker, RunningBroker, StartError};
pub use config::{BrokerConfig, ListenerConfig, SaslConfig, SaslMechanism, SaslUser, TlsFiles};
pub use tls::TlsError;
