//! The binary as a user runs it: real processes, real files, real signals.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod bad_input;
mod canaries;
mod clients;
mod cluster;
mod differential;
mod exactly_once;
mod metrics;
mod modes;
mod process;
mod quickstart;
mod rest_clients;
mod scripts;
mod verbs;
