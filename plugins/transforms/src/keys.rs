//! Configuration keys that several transforms share.

use milena_api::ConnectError;
use milena_config::{
    ConfigError, ConfigKey, ConfigType, ConfigValue, Importance, ParsedConfig, Validator,
};

pub(crate) const REPLACE_NULL: &str = "replace.null.with.default";

/// `replace.null.with.default` (KIP-1040).
pub(crate) fn replace_null() -> ConfigKey {
    ConfigKey::new(REPLACE_NULL, ConfigType::Boolean)
        .default(ConfigValue::Boolean(true))
        .importance(Importance::Medium)
        .doc(
            "What is read from a null field that has a default value: the default when true, \
             null when false.",
        )
}

/// A list that must have items, each once.
pub(crate) fn needed_list(name: &str) -> ConfigKey {
    ConfigKey::new(name, ConfigType::List)
        .importance(Importance::High)
        .validator(Validator::list_without_duplicates(false, false))
}

/// `NonEmptyListValidator`.
pub(crate) fn non_empty_list() -> Validator {
    Validator::new(|name, value| match value {
        ConfigValue::List(items) if !items.is_empty() => Ok(()),
        ConfigValue::List(_) => Err(ConfigError::invalid(name, "[]", "Empty list")),
        _ => Err(ConfigError::invalid(name, "null", "Empty list")),
    })
}

/// A text, when set.
pub(crate) fn text(config: &ParsedConfig, name: &str) -> Option<String> {
    config.string(name).map(str::to_owned)
}

/// A text that its definition makes sure of.
pub(crate) fn needed_text(config: &ParsedConfig, name: &str) -> Result<String, ConnectError> {
    text(config, name).ok_or_else(|| {
        ConnectError::config(format!(
            "Missing required configuration \"{name}\" which has no default value."
        ))
    })
}

/// `[a, b]`, as Java prints a list.
pub(crate) fn list_text(items: &[String]) -> String {
    format!("[{}]", items.join(", "))
}

/// Java's `String.split(":")`: empty parts at the end are dropped.
pub(crate) fn split_colons(text: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = text.split(':').collect();
    while parts.len() > 1 && parts.last() == Some(&"") {
        parts.pop();
    }
    if parts == [""] && !text.is_empty() {
        parts.clear();
    }
    parts
}
