//! Configuration as data: definitions, parsing, validation, secrets.
//!
//! Answers to `org.apache.kafka.common.config.ConfigDef` (spec `rest-and-config.md` sections 8, 11, 12).
//! It never reads the environment, the clock or the network.

mod def;
mod error;
mod key;
mod parsed;
mod secret;
mod validator;
mod value;

pub use def::ConfigDef;
pub use error::ConfigError;
pub use key::{ConfigKey, ConfigType, Importance, Width};
pub use parsed::ParsedConfig;
pub use secret::Secret;
pub use validator::Validator;
pub use value::ConfigValue;

/// A configuration as text, as it stands in a file or a request; ordered so that all walks over it
/// are deterministic.
pub type Props = std::collections::BTreeMap<String, String>;
