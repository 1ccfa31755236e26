//! Clusters of real parts: worker processes, Apache Kafka, the Java worker; killed, paused, cut off.
//!
//! `MILENA_LONG=1` runs the long forms: pauses of a minute, outages of minutes.

mod answers;
mod broker_assigned;
mod broker_away;
mod chaos;
mod goldens;
mod healing;
mod internal_topics;
mod jdbc;
mod mixed;
mod own_offsets;
mod stopping;
mod three_workers;
pub(crate) mod world;
