//! Short forms for tables of keys.

use crate::{ConfigKey, ConfigType, ConfigValue, Importance};

pub(super) use ConfigType::{Boolean, Class, Double, Int, List, Long, Password, Short, String};
pub(super) use Importance::{High, Low, Medium};

/// A key of a table: name, type, default as text or none, importance, documentation.
pub(super) fn key(
    name: &str,
    kind: ConfigType,
    default: Fallback<'_>,
    importance: Importance,
    doc: &str,
) -> ConfigKey {
    let key = ConfigKey::new(name, kind).importance(importance).doc(doc);
    match default {
        Fallback::Required => key,
        Fallback::Null => key.default(ConfigValue::Null),
        Fallback::Text(text) => match crate::parse_value(name, kind, text) {
            Ok(value) => key.default(value),
            // A default that does not parse is a bug of the table, which a test finds.
            Err(_) => key,
        },
    }
}

/// The default of a key.
#[derive(Clone, Copy)]
pub(super) enum Fallback<'a> {
    /// There is none: the key must be set.
    Required,
    /// No value.
    Null,
    /// The text that the type's parser reads.
    Text(&'a str),
}

pub(super) use self::Fallback::{Null, Required, Text};
