//! A set of configuration keys, in the order of their definition.

use indexmap::IndexMap;

use crate::{ConfigError, ConfigKey, ParsedConfig, Props};

/// `ConfigDef`: keys in the order of definition.
#[derive(Clone, Debug, Default)]
pub struct ConfigDef {
    keys: IndexMap<String, ConfigKey>,
}

impl ConfigDef {
    /// An empty definition.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key; a key of the same name is replaced in place.
    #[must_use]
    pub fn define(mut self, key: ConfigKey) -> Self {
        self.keys.insert(key.name.clone(), key);
        self
    }

    /// The keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &ConfigKey> {
        self.keys.values()
    }

    /// The key of a name.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&ConfigKey> {
        self.keys.get(name)
    }

    /// Parses and validates all defined keys, as `AbstractConfig`'s constructor does.
    ///
    /// # Errors
    /// The first violated rule in order of definition, with Java's text.
    pub fn parse(&self, props: &Props) -> Result<ParsedConfig, ConfigError> {
        ParsedConfig::parse(self, props)
    }
}
