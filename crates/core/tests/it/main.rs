//! The core against what Java answers, and against its own promises.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod connect_rounds;
mod consumer_assignors;
mod failure;
mod goldens;
mod rounds_keep_promises;
