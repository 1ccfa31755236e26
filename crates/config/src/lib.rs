//! Configuration as data: definitions, parsing, validation, secrets, worker settings.
//!
//! Answers to `org.apache.kafka.common.config.ConfigDef` and Connect's `WorkerConfig` family (spec
//! `rest-and-config.md` sections 8 to 12). It never reads the environment, the clock or the network; the only
//! files it reads are those it is told to ([`read_properties`]).

mod def;
mod error;
mod key;
mod parse;
mod parsed;
mod properties;
mod recommender;
mod secret;
mod template;
mod validate;
mod validator;
mod value;
pub mod worker;

pub use def::ConfigDef;
pub use error::ConfigError;
pub use key::{ConfigKey, ConfigType, Importance, Width};
pub use parse::{java_trim, parse_value};
pub use parsed::ParsedConfig;
pub use properties::{
    Charset, ConfigFileError, MAX_FILE_BYTES, MAX_LINE_CHARS, PropertiesError, parse_properties,
    read_properties,
};
pub use recommender::{ParsedValues, Recommender};
pub use secret::Secret;
pub use template::{Variable, replace_variables, variables};
pub use validate::ConfigValueReport;
pub use validator::Validator;
pub use value::{ConfigValue, HIDDEN};
pub use worker::{DistributedConfig, StandaloneConfig, WorkerConfig};

/// A configuration as text, as it stands in a file or a request; ordered so that all walks over it
/// are deterministic.
pub type Props = std::collections::BTreeMap<String, String>;
