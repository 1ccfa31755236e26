//! The REST surface of Kafka Connect over HTTP: one file per endpoint, an explicit routing table, forwarding to
//! the leader, signatures of internal requests, Java's error bodies (spec `rest-and-config.md` 1 to 7).
//!
//! Nothing outside this crate names the HTTP server. The worker is reached only through the ports of
//! `milena-rest-model`. Every input is bounded: connections, headers, bodies, time.

mod accept;
mod access_log;
mod auth;
mod browser;
mod call;
pub mod client;
mod cors;
mod dispatch;
mod endpoints;
mod error;
mod forward;
mod jaas_file;
mod json_body;
mod json_text;
mod leader;
mod location;
mod loggers;
mod path;
mod query;
mod reply;
mod routes;
mod secure;
mod server;
mod settings;
mod signature;
mod stage;

pub use auth::{BasicAuth, BasicAuthError};
pub use jaas_file::{JaasFile, JaasFileError, LoginModule};
pub use leader::LeaderClient;
pub use location::encode_segment;
pub use loggers::Loggers;
pub use routes::allowed_methods;
pub use server::{BindError, BoundRest, RestServer, Services};
pub use settings::RestSettings;
pub use signature::{SignError, sign};
