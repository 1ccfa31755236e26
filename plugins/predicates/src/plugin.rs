//! The descriptor of a predicate: class name, configuration, how it is made.

use std::sync::Arc;

use milena_api::{ConnectError, PluginInfo, Predicate, PredicatePlugin};
use milena_config::{ConfigDef, ParsedConfig, Props};

use crate::VERSION;

/// Makes a configured predicate.
pub(crate) type Make = fn(&ParsedConfig) -> Result<Box<dyn Predicate>, ConnectError>;

struct Descriptor {
    class: String,
    config_def: fn() -> ConfigDef,
    make: Make,
}

impl PluginInfo for Descriptor {
    fn class(&self) -> &str {
        &self.class
    }

    fn version(&self) -> &str {
        VERSION
    }
}

impl PredicatePlugin for Descriptor {
    fn config_def(&self) -> ConfigDef {
        (self.config_def)()
    }

    fn predicate(&self, config: &Props) -> Result<Box<dyn Predicate>, ConnectError> {
        (self.make)(&(self.config_def)().parse(config)?)
    }
}

pub(crate) fn predicate(
    name: &str,
    config_def: fn() -> ConfigDef,
    make: Make,
) -> Arc<dyn PredicatePlugin> {
    Arc::new(Descriptor {
        class: format!("org.apache.kafka.connect.transforms.predicates.{name}"),
        config_def,
        make,
    })
}
