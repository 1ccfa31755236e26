//! The shell around the pure core: it executes effects, keeps timers, calls plugins under a deadline.
//!
//! It decides nothing: every decision is `milena-core`'s. It names no Kafka client (that is
//! `milena-kafka`) and no HTTP server (that is `milena-rest`).

mod apart;
pub mod group_net;
pub mod lease;
pub mod task;
pub mod worker;
