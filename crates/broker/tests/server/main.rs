//! The broker over its socket, as clients see it: groups, transactions, and clients that misbehave.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod client;
mod endings;
mod fetching;
mod groups;
mod hostile;
mod parity;
mod shutdown;
mod storm;
mod transactions;
