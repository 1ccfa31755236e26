//! Tests of the worker against a broker. Without `MILENA_TEST_BOOTSTRAP` they are skipped, saying so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_macros,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

mod cluster;
mod distributed;
mod standalone;
mod world;
