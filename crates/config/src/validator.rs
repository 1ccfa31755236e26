//! Checks of a parsed value, with Java's texts (spec `rest-and-config.md` 12.2).

use std::{fmt, sync::Arc};

use crate::{ConfigError, ConfigValue};

/// A check of a parsed value; answers Java's `ConfigDef.Validator`.
#[derive(Clone)]
pub struct Validator(Arc<dyn Fn(&str, &ConfigValue) -> Result<(), ConfigError> + Send + Sync>);

impl Validator {
    /// A validator from a function of the key's name and the parsed value.
    pub fn new(
        check: impl Fn(&str, &ConfigValue) -> Result<(), ConfigError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(check))
    }

    /// Checks one value.
    ///
    /// # Errors
    /// The violated rule, with Java's text.
    pub fn check(&self, name: &str, value: &ConfigValue) -> Result<(), ConfigError> {
        (self.0)(name, value)
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Validator")
    }
}
