//! The configuration of a worker as typed values: every key of Java's `WorkerConfig`, `RestServerConfig`,
//! `DistributedConfig` and `StandaloneConfig` with type, default, validator and documentation (spec 8, 9).
//!
//! Variables (`${provider:…}`) are resolved by the caller before anything is parsed here.

mod clients;
mod common;
mod distributed;
mod keys;
mod listeners;
mod oauth;
mod response_headers;
mod rest;
mod security;
mod standalone;

use clients::unknown as common_unknown;
pub use clients::{Client, InternalClient};
pub use common::{ConverterSetting, ProviderSetting, Secretive, WorkerConfig, common_def};
pub use distributed::{
    ConnectProtocol, DistributedConfig, ExactlyOnceSource, InternalTopic, MAC_ALGORITHMS,
    distributed_def,
};
pub use listeners::{Listener, ListenerScheme};
pub use response_headers::{HeaderAction, HeaderRule};
pub use rest::{AdminListeners, ClientAuth, RestConfig, rest_def};
pub use security::{sasl_def, ssl_def};
pub use standalone::{StandaloneConfig, standalone_def};
