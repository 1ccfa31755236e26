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
        .validator(items(true))
}

/// `ConfigDef.ValidList`: no null, no empty item, and some item where the list is needed. Items that
/// stand twice are fine here: Java drops them when it parses the list.
pub(crate) fn items(needed: bool) -> Validator {
    Validator::new(move |name, value| {
        let refused = |text: &str| Err(ConfigError::new(format!("Configuration '{name}' {text}")));
        match value {
            ConfigValue::List(items) if items.is_empty() && needed => {
                refused("must not be empty. Valid values include: any non-empty value")
            }
            ConfigValue::List(items) if items.iter().any(String::is_empty) => {
                refused("values must not be empty.")
            }
            ConfigValue::List(_) => Ok(()),
            _ => refused("values must not be null."),
        }
    })
}

/// The items of a list, each once, in the order in which Java's `HashSet` and `HashMap` walk over them:
/// it decides which of several errors is reported.
pub(crate) fn in_hash_order(items: &[String]) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for item in items {
        if !distinct.contains(item) {
            distinct.push(item.clone());
        }
    }
    let mut buckets = 16_usize;
    while distinct.len() * 4 > buckets * 3 {
        buckets *= 2;
    }
    distinct.sort_by_key(|item| {
        let hash = item.encode_utf16().fold(0_u32, |hash, unit| {
            hash.wrapping_mul(31).wrapping_add(unit.into())
        });
        let spread = hash ^ (hash >> 16);
        usize::try_from(spread).unwrap_or(0) & (buckets - 1)
    });
    distinct
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
