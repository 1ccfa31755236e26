//! The storage of the broker, through its public API and its files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod append_read;
mod compaction;
mod producers;
mod recovery;
mod retention;
mod store;
mod storm;
mod support;
