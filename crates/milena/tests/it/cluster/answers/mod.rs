//! What workers answer over REST in each role, compared with the Java worker in the same role (`testing/golden/rest`):
//! the leader and a follower of a cluster of two, with exactly-once sources and without, and a standalone worker.
//!
//! Milena runs as processes on its own broker, so nothing of Java is needed.
//! `MILENA_RECORD=1 cargo test -p milena --test it -- cluster::answers` records the goldens anew from Java workers.

#[path = "../../../../../../testing/golden/rest/compare.rs"]
mod compare;
mod lives;
mod odd;
mod roles;
mod traps;
mod wire;
