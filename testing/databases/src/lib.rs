//! Real PostgreSQL and MariaDB from Debian's packages, MySQL and PostgreSQL 18 as `cargo xtask provision` installs
//! them, each on its own data and port, for tests and benchmarks.
//!
//! They listen on loopback only, run as their own users when we are root, and end by their process id.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod certificates;
mod mariadb;
mod mysql;
mod postgres;
mod server;

pub use certificates::Certificates;
pub use mariadb::mariadb;
pub use mysql::mysql;
pub use postgres::{postgres, postgres_18};
pub use server::Server;
