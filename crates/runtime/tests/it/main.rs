//! Tests of the worker against the embedded broker, and against Apache Kafka where there is one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_macros,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

mod bad_plugins;
mod boundaries;
mod broker_assigned;
mod cluster;
mod distributed;
mod faults;
mod healing;
mod odd_sources;
mod open_transactions;
mod own_offsets;
mod polled_ahead;
mod recording;
mod reload;
mod retries;
mod sink;
mod sink_errors;
mod standalone;
mod tasks_max;
mod world;
