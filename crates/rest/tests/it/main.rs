//! The REST server over real connections, with a herder that has no connectors.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

#[path = "../../../../testing/golden/rest/compare.rs"]
mod compare;
mod differential;
mod forwarding;
mod limits;
mod tls;
mod world;
