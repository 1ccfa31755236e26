//! A parsed configuration and its typed getters.

use std::time::Duration;

use crate::{ConfigDef, ConfigError, ConfigValue, ParsedValues, Props, Secret, parse_value};

/// The parsed values of a [`ConfigDef`]; asking for a key that was not defined, or by another type,
/// is a bug of the caller and answers with the type's empty value.
#[derive(Clone, Debug, Default)]
pub struct ParsedConfig {
    values: ParsedValues,
}

impl ParsedConfig {
    pub(crate) fn parse(def: &ConfigDef, props: &Props) -> Result<Self, ConfigError> {
        let mut values = ParsedValues::new();
        for key in def.keys() {
            let value = match (props.get(&key.name), &key.default) {
                (Some(text), _) => parse_value(&key.name, key.kind, text)?,
                (None, Some(default)) => default.clone(),
                (None, None) => return Err(ConfigError::missing(&key.name)),
            };
            if let Some(validator) = &key.validator {
                validator.check(&key.name, &value)?;
            }
            values.insert(key.name.clone(), value);
        }
        Ok(Self { values })
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ConfigValue> {
        self.values.get(name)
    }

    /// A text, when set (`STRING` or `CLASS`).
    #[must_use]
    pub fn string(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(ConfigValue::as_str)
    }

    /// A text; empty when not set.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        self.string(name).unwrap_or_default().to_owned()
    }

    /// A boolean; false when not set.
    #[must_use]
    pub fn boolean(&self, name: &str) -> bool {
        matches!(self.get(name), Some(ConfigValue::Boolean(true)))
    }

    /// An integer of any width, when set.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(ConfigValue::Int(n)) => Some(i64::from(*n)),
            Some(ConfigValue::Short(n)) => Some(i64::from(*n)),
            Some(ConfigValue::Long(n)) => Some(*n),
            _ => None,
        }
    }

    /// A double, when set.
    #[must_use]
    pub fn double(&self, name: &str) -> Option<f64> {
        self.get(name).and_then(ConfigValue::as_f64)
    }

    /// A number of milliseconds; zero when negative or not set.
    #[must_use]
    pub fn millis(&self, name: &str) -> Duration {
        let millis = self.integer(name).and_then(|n| u64::try_from(n).ok());
        Duration::from_millis(millis.unwrap_or(0))
    }

    /// A secret, when set.
    #[must_use]
    pub fn password(&self, name: &str) -> Option<&Secret<String>> {
        match self.get(name) {
            Some(ConfigValue::Password(secret)) => Some(secret),
            _ => None,
        }
    }

    /// A list; empty when not set.
    #[must_use]
    pub fn list(&self, name: &str) -> &[String] {
        match self.get(name) {
            Some(ConfigValue::List(items)) => items,
            _ => &[],
        }
    }
}
