//! A parsed configuration and its typed getters.

use indexmap::IndexMap;

use crate::{ConfigDef, ConfigError, ConfigType, ConfigValue, Props};

/// The parsed values of a [`ConfigDef`]; asking for a key that was not defined, or by another type,
/// is a bug of the caller and answers with the type's empty value.
#[derive(Clone, Debug, Default)]
pub struct ParsedConfig {
    values: IndexMap<String, ConfigValue>,
}

impl ParsedConfig {
    pub(crate) fn parse(def: &ConfigDef, props: &Props) -> Result<Self, ConfigError> {
        let mut values = IndexMap::new();
        for key in def.keys() {
            let value = match (props.get(&key.name), &key.default) {
                (Some(text), _) => parse_text(&key.name, key.kind, text)?,
                (None, Some(default)) => default.clone(),
                (None, None) => {
                    return Err(ConfigError::new(format!(
                        "Missing required configuration \"{}\" which has no default value.",
                        key.name
                    )));
                }
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
        match self.get(name) {
            Some(ConfigValue::String(text) | ConfigValue::Class(text)) => Some(text),
            _ => None,
        }
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

    /// A list; empty when not set.
    #[must_use]
    pub fn list(&self, name: &str) -> &[String] {
        match self.get(name) {
            Some(ConfigValue::List(items)) => items,
            _ => &[],
        }
    }
}

fn parse_text(name: &str, kind: ConfigType, text: &str) -> Result<ConfigValue, ConfigError> {
    let text = text.trim();
    let number =
        |what: &str| ConfigError::invalid(name, text, &format!("Not a number of type {what}"));
    Ok(match kind {
        ConfigType::Boolean if text.eq_ignore_ascii_case("true") => ConfigValue::Boolean(true),
        ConfigType::Boolean if text.eq_ignore_ascii_case("false") => ConfigValue::Boolean(false),
        ConfigType::Boolean => {
            return Err(ConfigError::invalid(
                name,
                text,
                "Expected value to be either true or false",
            ));
        }
        ConfigType::String => ConfigValue::String(text.to_owned()),
        ConfigType::Int => ConfigValue::Int(text.parse().map_err(|_| number("INT"))?),
        ConfigType::Short => ConfigValue::Short(text.parse().map_err(|_| number("SHORT"))?),
        ConfigType::Long => ConfigValue::Long(text.parse().map_err(|_| number("LONG"))?),
        ConfigType::Double => ConfigValue::Double(text.parse().map_err(|_| number("DOUBLE"))?),
        ConfigType::List if text.is_empty() => ConfigValue::List(Vec::new()),
        ConfigType::List => {
            ConfigValue::List(text.split(',').map(|item| item.trim().to_owned()).collect())
        }
        ConfigType::Class => ConfigValue::Class(text.to_owned()),
        ConfigType::Password => ConfigValue::Password(crate::Secret::new(text.to_owned())),
    })
}
