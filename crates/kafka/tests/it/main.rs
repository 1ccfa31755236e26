//! The ports over real brokers: what is true of Apache Kafka must be true of the embedded broker too, so one
//! test body runs on both.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod admin;
mod consumer_heartbeat;
mod data;
mod fetching;
mod group;
mod lossy;
mod network;
mod produce;
mod proxy;
mod security;
mod support;
