//! Real Apache Kafka and the real Java Connect worker, started from Maven artifacts: the oracle.
//!
//! `cargo xtask test` installs the artifacts and names their folder in `MILENA_KAFKA_LIBS`; without the
//! variable `target/kafka-libs/lib` of the workspace is used. A test asks [`oracle_is_missing`] first and
//! returns when it says so. Everything listens on loopback, on free ports, with its own data folder, and ends
//! with the value that started it, or with the process when that is killed.

mod broker;
mod jars;
mod jvm;
mod worker;

pub use broker::{BrokerOptions, KafkaBroker};
pub use jars::{ensure_jars, oracle_is_missing, skipped};
pub use jvm::{free_ports, scripts_machine};
pub use worker::JavaWorker;
