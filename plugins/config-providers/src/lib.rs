//! The config providers of Apache Kafka 4.3 (KIP-297, KIP-421, KIP-887, KIP-993), under their Java class names:
//! files, directories, environment variables (spec `rest-and-config.md` 10.1). One provider is one file.
//!
//! A provider never logs a value, and never reads outside the paths and names it was confined to.

mod allowed_paths;
mod directory;
mod env_var;
mod file;
mod list;

pub use list::{VERSION, config_providers};
