//! The connectors against real databases, through the plugin API alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod ahead;
mod conformance;
mod faults;
mod harness;
mod json;
mod mariadb;
mod mysql;
mod postgres;
mod recorded_sink;
mod sqlite_sink;
mod sqlite_source;
mod tls;
